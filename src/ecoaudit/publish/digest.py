"""The digest: an audit small enough for a check run's text, from which a later run takes its baseline.

It is an HTML comment of compressed, base64-coded JSON. Whoever can create check runs on the base branch can write one,
so it is read with limits on both sizes and against the audit's schema.
"""

import base64
import binascii
import re
import zlib

import msgspec

from ecoaudit.judge.verdict import Outcome
from ecoaudit.model.audit import SCHEMA as AUDIT_SCHEMA
from ecoaudit.model.audit import Audit, Quality

SCHEMA = "ecoaudit.digest/1"
MAX_TEXT_CHARS = 60_000
"""Under the 65,535 characters of a check run's text."""
MAX_DECODED_BYTES = 2_000_000
MAX_HISTORY = 20

_PATTERN = re.compile(r"<!-- ecoaudit:digest/1\n([A-Za-z0-9+/=\n]{1,100000})\n-->")
_PREFACE = "The block below is invisible: it is this audit, packed for later runs to compare with.\n\n"


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """An audit without its timeline and listings, what was decided on it, and the runs before it, newest last.

    `commit` is the commit that was checked, `run_id` the workflow run.
    """

    schema: str = SCHEMA
    audit: Audit
    outcome: Outcome
    commit: str
    run_id: int
    created_at: str
    history: list[Audit] = []


def encode(digest: Digest) -> str | None:
    """Return the check run's text for `digest`; the oldest history goes first if it is too long, None if all is."""
    history = [strip(audit) for audit in digest.history[-MAX_HISTORY:]]
    small = msgspec.structs.replace(digest, audit=strip(digest.audit), history=history)
    while True:
        packed = base64.encodebytes(zlib.compress(msgspec.json.encode(small), level=9)).decode().strip()
        text = f"{_PREFACE}<!-- ecoaudit:digest/1\n{packed}\n-->\n"
        if len(text) <= MAX_TEXT_CHARS:
            return text
        if not small.history:
            return None
        small = msgspec.structs.replace(small, history=small.history[1:])


def decode(text: str) -> Digest | None:
    """Return the digest in a check run's text; None where there is none, or it is damaged or of another schema."""
    match = _PATTERN.search(text)
    if match is None:
        return None
    try:
        packed = base64.b64decode(match[1].replace("\n", ""), validate=True)
        inflater = zlib.decompressobj()
        data = inflater.decompress(packed, MAX_DECODED_BYTES)
        if not inflater.eof:
            return None
        digest = msgspec.json.decode(data, type=Digest)
    except (binascii.Error, zlib.error, msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    if digest.schema != SCHEMA or digest.audit.schema != AUDIT_SCHEMA:
        return None
    return digest


def strip(audit: Audit) -> Audit:
    """Return `audit` with what a comparison does not need left out."""
    quality = msgspec.structs.replace(audit.quality, gaps=[], warnings=[])
    assert isinstance(quality, Quality)
    return msgspec.structs.replace(
        audit,
        quality=quality,
        findings=[],
        timeline=[],
        provenance=[],
        energy=msgspec.structs.replace(audit.energy, phases=[], steps=[], drivers=[]),
        training=msgspec.structs.replace(audit.training, phases=[]),
    )
