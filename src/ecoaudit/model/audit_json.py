"""The audit's JSON form, `ecoaudit.audit/1`: what other machines and other workflows read."""

import json
from typing import Any

import msgspec

from ecoaudit.errors import EcoauditError
from ecoaudit.model.audit import SCHEMA, Audit


def encode(audit: Audit) -> bytes:
    """Return the audit as indented JSON, UTF-8, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(audit), indent=2) + b"\n"


def encodable(audit: Audit) -> Audit:
    """Return the audit with "?" for what is no character: file names that are no UTF-8, halves of surrogate pairs."""
    try:
        msgspec.json.encode(audit)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(audit), ensure_ascii=False)
        return msgspec.json.decode(text.encode("utf-8", "replace"), type=Audit)
    return audit


def decode(data: bytes, *, where: str = "audit.json") -> Audit:
    """Return the audit in `data`; raises `EcoauditError` naming the place in the JSON that does not fit the schema."""
    try:
        audit = msgspec.json.decode(data, type=Audit)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise EcoauditError(
            f"not an ecoaudit audit: {'nested too deeply' if isinstance(error, RecursionError) else error}",
            where=where,
            fix="give the audit.json that `ecoaudit audit` wrote",
        ) from error
    if audit.schema != SCHEMA:
        raise EcoauditError(
            f"schema {audit.schema!r} is not {SCHEMA!r}", where=where, fix="use the version of ecoaudit that wrote it"
        )
    return audit


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `audit.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **msgspec.json.schema(Audit),
    }
