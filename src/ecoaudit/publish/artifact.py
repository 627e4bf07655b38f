"""Artifacts of other runs: fetched without credentials and read as hostile."""

import io
import urllib.parse
import zipfile
import zlib

import msgspec

from ecoaudit.errors import EcoauditError
from ecoaudit.model.audit import Audit
from ecoaudit.model.audit_json import decode
from ecoaudit.publish.failure import ApiFailure, Kind

AUDIT_NAME = "audit.json"
MAX_ZIP_BYTES = 20_000_000
MAX_AUDIT_BYTES = 10_000_000
MAX_ENTRIES = 1_000
MAX_AUDITS = 50
MAX_HOSTS = 16_384
"""More nodes than any one job has had; taking a hundred thousand names out of a report would take minutes."""


class ArtifactRun(msgspec.Struct, frozen=True):
    id: int | None = None
    repository_id: int | None = None
    head_repository_id: int | None = None
    head_branch: str | None = None
    head_sha: str | None = None


class Artifact(msgspec.Struct, frozen=True):
    """An uploaded artifact; `size_in_bytes` is the server's word for the zip."""

    id: int
    name: str
    expired: bool
    size_in_bytes: int
    created_at: str | None
    workflow_run: ArtifactRun | None = None


class ArtifactList(msgspec.Struct, frozen=True):
    artifacts: list[Artifact]


def read_audits(data: bytes) -> list[Audit]:
    """Return the audits in an artifact's zip: every entry called audit.json, in the zip's order.

    The zip may come from a stranger's fork. Nothing is written to disk and no entry's path is used; counts and sizes
    are capped while inflating (the sizes that a zip states may lie), and each audit must fit the schema. Raises
    `EcoauditError` for an audit that does not, `ApiFailure` for a zip that cannot be read within the caps.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise ApiFailure(Kind.REFUSED, f"the artifact has more than {MAX_ENTRIES} files")
            named = [e for e in entries if e.filename.rsplit("/", 1)[-1] == AUDIT_NAME and not e.is_dir()]
            if len(named) > MAX_AUDITS:
                raise ApiFailure(Kind.REFUSED, f"the artifact has more than {MAX_AUDITS} audits")
            texts = [_inflate(archive, entry) for entry in named]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        # RuntimeError: an encrypted entry; NotImplementedError: a compression method that zipfile does not have.
        raise ApiFailure(Kind.REFUSED, f"the artifact is not a readable zip ({type(error).__name__})") from error
    return [decode_untrusted(text, where=f"the artifact's {AUDIT_NAME}") for text in texts]


def decode_untrusted(data: bytes, *, where: str) -> Audit:
    """Return the audit in `data`, however it was made; raises `EcoauditError`."""
    if len(data) > MAX_AUDIT_BYTES:
        raise EcoauditError(f"the audit is larger than {MAX_AUDIT_BYTES:,} bytes", where=where)
    audit = decode(data, where=where)
    if len(audit.hardware.hosts) > MAX_HOSTS:
        raise EcoauditError(f"the audit names more than {MAX_HOSTS:,} hosts", where=where)
    return audit


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        text = file.read(MAX_AUDIT_BYTES + 1)
    if len(text) > MAX_AUDIT_BYTES:
        raise ApiFailure(Kind.REFUSED, f"an audit in the artifact is larger than {MAX_AUDIT_BYTES:,} bytes")
    return text


def fetch(url: str, max_bytes: int, timeout_s: int, *, allow_http: bool) -> bytes:
    """Return what `url` holds, without credentials of any kind (no header, no .netrc)."""
    import requests

    scheme = urllib.parse.urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and allow_http):
        raise ApiFailure(Kind.REFUSED, f"the download address is not https: {scheme}")
    with requests.Session() as session:
        session.auth = lambda request: request  # keeps requests from reading .netrc
        with session.get(url, stream=True, timeout=timeout_s, headers={"User-Agent": "ecoaudit"}) as answer:
            if answer.status_code >= 400:
                kind = Kind.UNSETTLED if answer.status_code >= 500 else Kind.MISSING
                raise ApiFailure(kind, "the artifact's download failed", status=answer.status_code)
            parts, size = [], 0
            for chunk in answer.iter_content(65_536):
                size += len(chunk)
                if size > max_bytes:
                    raise ApiFailure(Kind.REFUSED, f"the artifact is larger than {max_bytes:,} bytes")
                parts.append(chunk)
    return b"".join(parts)
