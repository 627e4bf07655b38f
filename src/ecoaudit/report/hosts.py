"""Nodes by number: host names and addresses are taken out of everything a report says."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit

Record = TypeVar("Record", Audit, Verdict)

# Names that say nothing of a site; replacing them would only spoil ordinary sentences.
_HARMLESS = frozenset({"localhost", "node", "gpu", "host", "run", "power", "unknown"})

# Keys whose strings are the format's own words or numbers, or (project) the name that runs are compared by.
_OWN_WORDS = frozenset(
    {
        *("schema", "basis", "unit", "boundary", "level", "outcome", "severity", "kind", "part", "metric"),
        *("project", "decide_on", "filled_by", "intensity_basis", "currency", "started_at", "ended_at", "start", "end"),
    }
)

# A name is cut at DNS's limit of 253 characters (RFC 1035), which bounds what a hostile one can cost.
_MAX_NAME = 253
_PIECE = re.compile(r"[A-Za-z0-9]+|[^\x00-\x7f]+")

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_HEX = r"[0-9a-f]{1,4}"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w)")
_IPV6 = re.compile(
    rf"(?i)(?<![\w:])(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{1,6}}(?::{_HEX}){{1,6}}|(?:{_HEX}:){{1,7}}:)(?![\w:])"
)


def hide(record: Record, hosts: Sequence[str]) -> Record:
    """Return the audit or verdict with each of `hosts` written as `node N` (N from 1) and IP addresses taken out."""
    data = _walk(msgspec.to_builtins(record), replacer(hosts))
    if isinstance(record, Audit):
        data["hardware"]["hosts"] = []
    return msgspec.convert(data, type(record))


def replacer(hosts: Sequence[str]) -> Callable[[str], str]:
    """Return the function that takes host names (full and short, whatever their case) and addresses out of a text.

    A name counts where it does not go on in a letter or digit on either side; the longest one wins. A text is looked up
    piece by piece, so that its cost does not grow with the number of hosts.
    """
    numbers: dict[str, int] = {}
    for number, host in enumerate(hosts, 1):
        full = host.casefold()[:_MAX_NAME]
        for name in (full, full.split(".", 1)[0]):
            pieces = list(_PIECE.finditer(name))
            core = name[pieces[0].start() : pieces[-1].end()] if pieces else ""
            if len(core) > 1 and core not in _HARMLESS and not core.isdigit():
                numbers.setdefault(core, number)
    lengths = sorted({sum(1 for _ in _PIECE.finditer(name)) for name in numbers}, reverse=True)

    def replace(text: str) -> str:
        if numbers:
            text = _renamed(text, numbers, lengths)
        return _IPV6.sub("[address]", _IPV4.sub("[address]", text))

    return replace


def _renamed(text: str, numbers: Mapping[str, int], lengths: Sequence[int]) -> str:
    """Return `text` with each name in `numbers` replaced; `lengths` are their numbers of pieces, the most first."""
    pieces = list(_PIECE.finditer(text))
    parts: list[str] = []
    done = first = 0
    while first < len(pieces):
        start = pieces[first].start()
        for length in lengths:
            if first + length > len(pieces):
                continue
            end = pieces[first + length - 1].end()
            number = numbers.get(text[start:end].casefold()) if end - start <= _MAX_NAME else None
            if number is not None:
                parts += [text[done:start], f"node {number}"]
                done, first = end, first + length
                break
        else:
            first += 1
    return "".join(parts) + text[done:]


def _walk(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, list):
        return [_walk(item, replace) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _OWN_WORDS else _walk(item, replace) for key, item in value.items()}
    return value
