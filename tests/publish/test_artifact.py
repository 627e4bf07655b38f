"""An artifact from a stranger's run: nothing in it is believed, nothing of it touches the disk."""

import io
import struct
import zipfile
from pathlib import Path

import msgspec
import pytest

from audits import l3_audit
from ecoaudit.errors import EcoauditError
from ecoaudit.model.audit_json import encode
from ecoaudit.publish import artifact
from ecoaudit.publish.failure import ApiFailure
from github_fake import zipped

AUDIT = encode(l3_audit())


def test_audits_are_found_in_any_folder() -> None:
    data = zipped({"audit.json": AUDIT, "b/audit.json": encode(l3_audit(project="b")), "report.md": b"x"})
    assert [a.project for a in artifact.read_audits(data)] == ["demo", "b"]


def test_paths_in_the_zip_go_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = zipped({"../../audit.json": AUDIT, "/etc/audit.json": AUDIT})
    assert len(artifact.read_audits(data)) == 2
    assert list(tmp_path.rglob("*")) == []


def test_a_bomb_stops_at_the_cap() -> None:
    with pytest.raises(ApiFailure, match="larger than"):
        artifact.read_audits(zipped({"audit.json": b" " * (artifact.MAX_AUDIT_BYTES + 1)}))


def test_a_zip_that_lies_about_its_sizes_is_refused() -> None:
    data = bytearray(zipped({"audit.json": b" " * (artifact.MAX_AUDIT_BYTES + 1)}))
    central = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, central + 24, 100)
    with pytest.raises((ApiFailure, EcoauditError)):
        artifact.read_audits(bytes(data))


def test_too_many_files_and_too_many_audits_are_refused() -> None:
    with pytest.raises(ApiFailure, match="files"):
        artifact.read_audits(zipped({f"{n}.txt": b"" for n in range(artifact.MAX_ENTRIES + 1)}))
    with pytest.raises(ApiFailure, match="audits"):
        artifact.read_audits(zipped({f"{n}/audit.json": b"{}" for n in range(artifact.MAX_AUDITS + 1)}))


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b'{"schema":"other/1"}', AUDIT.replace(b"audit/1", b"audit/9"), b"\xff\xfe", b"{" * 10],
)
def test_what_is_not_an_audit_is_named(text: bytes) -> None:
    with pytest.raises(EcoauditError, match="audit"):
        artifact.read_audits(zipped({"audit.json": text}))


def test_json_nested_without_end_is_refused() -> None:
    deep = AUDIT.rstrip()[:-1] + b', "extra": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(EcoauditError, match="nested"):
        artifact.read_audits(zipped({"audit.json": deep}))


def test_hosts_without_number_are_refused() -> None:
    audit = l3_audit()
    many = msgspec.structs.replace(audit.hardware, hosts=[f"n{n}" for n in range(artifact.MAX_HOSTS + 1)])
    with pytest.raises(EcoauditError, match="hosts"):
        artifact.read_audits(zipped({"audit.json": encode(msgspec.structs.replace(audit, hardware=many))}))


def test_figures_that_no_audit_can_have_are_refused() -> None:
    with pytest.raises(EcoauditError):
        artifact.read_audits(zipped({"audit.json": AUDIT.replace(b'"value": 8.0', b'"value": 1e999')}))


@pytest.mark.parametrize("data", [b"", b"PK", b"<html>", zipped({"audit.json": AUDIT})[:-30]])
def test_what_is_not_a_zip_is_refused(data: bytes) -> None:
    with pytest.raises(ApiFailure, match="zip"):
        artifact.read_audits(data)


def test_an_encrypted_entry_is_refused() -> None:
    buffer = io.BytesIO(zipped({"audit.json": AUDIT}))
    data = bytearray(buffer.getvalue())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = data.index(signature) + at
        data[position] |= 1
    assert zipfile.ZipFile(io.BytesIO(bytes(data))).infolist()[0].flag_bits & 1
    with pytest.raises(ApiFailure, match="zip"):
        artifact.read_audits(bytes(data))
