"""Nodes by number: host names and addresses are taken out of everything a report says."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit

Record = TypeVar("Record", Audit, Verdict)

# Names that say nothing of a site; replacing them would only spoil ordinary sentences.
_HARMLESS = frozenset({"localhost", "node", "gpu", "host", "run", "power", "unknown"})

# Keys whose strings are the format's own words or numbers, never text that could hold a name.
_OWN_WORDS = frozenset(
    {
        *("schema", "basis", "unit", "boundary", "level", "outcome", "severity", "kind", "part", "metric"),
        *("decide_on", "filled_by", "intensity_basis", "currency", "started_at", "ended_at", "start", "end"),
    }
)

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
    """Return the function that takes host names (full and short, whatever their case) and addresses out of a text."""
    numbers: dict[str, int] = {}
    for number, host in enumerate(hosts, 1):
        for name in (host.casefold(), host.casefold().split(".", 1)[0]):
            if len(name) > 1 and name not in _HARMLESS and not name.isdigit():
                numbers.setdefault(name, number)
    names = sorted(numbers, key=len, reverse=True)
    alternatives = "|".join(map(re.escape, names))
    pattern = re.compile(rf"(?i)(?<![a-z0-9])(?:{alternatives})(?![a-z0-9])") if names else None

    def replace(text: str) -> str:
        if pattern is not None:
            text = pattern.sub(lambda match: f"node {numbers.get(match[0].casefold(), '?')}", text)
        return _IPV6.sub("[address]", _IPV4.sub("[address]", text))

    return replace


def _walk(value: Any, replace: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, list):
        return [_walk(item, replace) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _OWN_WORDS else _walk(item, replace) for key, item in value.items()}
    return value
