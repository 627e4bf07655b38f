"""Lines of MLPerf's logging library (`:::MLLOG {...}`), as result files and power logs hold them."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account, console_lines

MARK = ":::MLLOG"
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Entry:
    """One MLLOG record; `metadata` is empty where the log wrote something else than an object."""

    line: int
    time_s: float
    key: str
    value: Any
    metadata: dict[str, Any]


def entries(file: LogFile, account: Account) -> Iterator[Entry]:
    """Yield every record, wherever it stands in a line (ranks prefix it, writers glue it); bad ones are counted."""
    for number, text in console_lines(file):
        account.lines += 1
        position = text.find(MARK)
        while position >= 0:
            brace = text.find("{", position)
            following = text.find(MARK, position + len(MARK))
            try:
                entry = _entry(number, text, brace)
            except (ValueError, RecursionError, OverflowError) as error:
                account.bad(number, text[position:], str(error))
            else:
                account.records += 1
                yield entry
            position = following


def _entry(number: int, text: str, brace: int) -> Entry:
    if brace < 0:
        raise ValueError("no record behind :::MLLOG")
    try:
        data, _ = _DECODER.raw_decode(text, brace)
    except json.JSONDecodeError as error:
        raise ValueError(f"cut or not JSON: {error.msg}") from error
    time_ms, key = values.real(data.get("time_ms")), data.get("key")
    time_s = values.clock_s(time_ms / 1000.0)
    if math.isnan(time_s) or not isinstance(key, str):
        raise ValueError("time_ms or key is missing or impossible")
    metadata = data.get("metadata")
    return Entry(number, time_s, key, data.get("value"), metadata if isinstance(metadata, dict) else {})


def numeric(value: Any) -> float | None:
    """Return a number that a log wrote as number or as text, None for anything else (`null`, `"null"`, NaN)."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        out = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return out if math.isfinite(out) else None
