"""Text to numbers and times: unit suffixes, missing-value words, and clocks with and without a zone."""

import math
import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray

_MISSING = {"", "-", "--", "n/a", "na", "none", "null", "nan", "not supported", "unknown", "unknown error"}
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12, "p": 1e15}
_NUMBER = re.compile(r"\s*([-+]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", re.DOTALL)

# Watts per unit of a power reading; the unit stands in the header or behind the value.
POWER_UNITS = {"w": 1.0, "watt": 1.0, "watts": 1.0, "mw": 1e-3, "milliwatts": 1e-3, "kw": 1e3, "uw": 1e-6}


def is_missing(text: str) -> bool:
    """Return whether a cell says "no value": empty, `N/A`, `[Not Supported]`, any other word in brackets, `nan`."""
    word = text.strip()
    return word.lower() in _MISSING or (word.startswith("[") and word.endswith("]"))


def split_unit(text: str) -> tuple[float, str]:
    """Return the number at the start of `text` and the rest, `"22.89 W"` -> `(22.89, "W")`; `ValueError` if none."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"not a number: {text.strip()[:40]!r}")
    value = float(match[1].replace(",", "").replace("_", ""))
    return (value if math.isfinite(value) else _too_large(text)), match[2]


def _too_large(text: str) -> float:
    raise ValueError(f"number too large: {text.strip()[:40]!r}")


def number(text: str) -> float:
    """Return the number in a cell, units behind it ignored, NaN where it says that there is none.

    Thousands separators are taken out. Raises `ValueError` for anything else.
    """
    if is_missing(text):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return split_unit(text)[0]
    return value if math.isfinite(value) or not any(c.isdigit() for c in text) else _too_large(text)


def power_w(text: str, *, unit: str = "w") -> float:
    """Return watts; a unit behind the number wins over `unit`, the one of the column."""
    if is_missing(text):
        return math.nan
    value, suffix = split_unit(text)
    factor = POWER_UNITS.get((suffix or unit).lower())
    if factor is None:
        raise ValueError(f"not a power: {text.strip()[:40]!r}")
    return value * factor


def real(value: object) -> float:
    """Return a number of decoded JSON as float; NaN for anything else, and for integers beyond a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def whole(value: float | None) -> int | None:
    """Return a count as int; None for none, NaN, infinity and what is too large to be a count."""
    return int(value) if value is not None and abs(value) < 1e15 else None


def step_number(text: str) -> int:
    """Return a step; `ValueError` when there can be no such step."""
    number_ = int(text)
    if abs(number_) > 10**12:
        raise ValueError(f"not a step: {text[:40]}")
    return number_


def fact(text: str | None) -> float | None:
    """Return a number that a log states once (parameters, batch), None when there is none or it cannot be."""
    try:
        value = math.nan if text is None else scaled(text)
    except ValueError:
        return None
    return value if abs(value) < 1e18 else None


def is_index(text: str | None) -> bool:
    """Return whether a cell can be a GPU's index."""
    return text is not None and text.isascii() and text.isdigit() and len(text) <= 4


def gpu_index(text: str | int) -> int:
    """Return a GPU's index in its node; `ValueError` when no node has so many."""
    index = int(text)
    if not 0 <= index < 1024:
        raise ValueError(f"not a GPU index: {str(text)[:40]}")
    return index


def clock_s(value: object) -> float:
    """Return Unix seconds of decoded JSON; NaN for what can be no time (before 1990, after 2286)."""
    seconds = real(value)
    return seconds if 6.3e8 <= seconds < 1e10 else math.nan


def scaled(text: str) -> float:
    """Return a number with a decimal suffix: `"4.71K"` -> 4710, `"20.54M"` -> 20,540,000, `"1.258B"` -> 1.258e9."""
    value, suffix = split_unit(text)
    return value * _SCALE[suffix.lower()] if suffix.lower() in _SCALE else _bad_suffix(text)


def _bad_suffix(text: str) -> float:
    raise ValueError(f"unknown suffix: {text.strip()[:40]!r}")


def zone(name: str | None) -> tzinfo | None:
    """Return the time zone of an IANA name; raises `EcoauditError` when there is no such zone."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise EcoauditError(
            f"unknown time zone {name!r}", fix="use an IANA name such as Europe/Berlin or America/New_York"
        ) from error


_ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ,-]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,:](\d{1,9}))?\s*"
    r"(Z|UTC|GMT|[-+]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})[T \t]+(\d{2}):?(\d{2}):?(\d{2})()(Z)?")
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2,4})[ ,]+(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:\s+([A-Za-z]{1,4}))?")
_WEEKDAY = re.compile(
    r"(?:[A-Z][a-z]{2,8},?\s+)?([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d+))?"
    r"\s+(?:([A-Z]{2,5})\s+)?(\d{4})(?:\s+([-+]\d{4}))?"
)
_MONTHS = dict(
    zip(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), range(1, 13), strict=True)
)
# Zone abbreviations that logs print. They are ambiguous in general; these are the readings that tools mean.
_ABBREVIATIONS = {"UTC": 0, "GMT": 0, "Z": 0, "CET": 1, "CEST": 2, "BST": 1, "EST": -5, "EDT": -4, "CST": -6}
_ABBREVIATIONS |= {"CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "KST": 9}


def epoch(value: float) -> float:
    """Return Unix seconds from an epoch number in s, ms, us or ns; `ValueError` when it is none (before 1990)."""
    for scale in (1.0, 1e3, 1e6, 1e9):
        if 6.3e8 <= value / scale < 1e10:
            return value / scale
    raise ValueError(f"not a time: {value:g}")


def parse_time(text: str) -> tuple[float, bool]:
    """Return `(seconds, naive)`: Unix seconds, or, where the text has no zone, the same reading taken as UTC.

    Accepts epoch numbers (s to ns) and the ISO, nvidia-smi, ctime and US slash forms. Raises `ValueError` otherwise.
    """
    text = text.strip().strip("[]\"'")
    if ":" not in text:
        try:
            return epoch(float(text)), False
        except ValueError:
            pass
    head, dot, fraction = text.rpartition(".")
    if dot and fraction.isdigit():
        seconds, naive = _whole_seconds(head)
        return seconds + float(f"0.{fraction}"), naive
    return _whole_seconds(text)


@lru_cache(maxsize=4096)
def _whole_seconds(text: str) -> tuple[float, bool]:
    if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, fraction, offset = match.groups()
        return _unix(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), fraction, offset)
    if match := _US.fullmatch(text):
        first, middle, year, hour, minute, second, fraction, suffix = match.groups()
        hours = int(hour)
        if suffix and suffix.upper() in ("AM", "PM"):
            hours, suffix = hours % 12 + (12 if suffix.upper() == "PM" else 0), None
        # Month first, as the tools that print slashes do; a first number over 12 can only be a day.
        month, day = (int(middle), int(first)) if int(first) > 12 else (int(first), int(middle))
        full = int(year) + (2000 if int(year) < 100 else 0)
        return _unix(full, month, day, hours, int(minute), int(second), fraction, suffix)
    if match := _WEEKDAY.fullmatch(text):
        name, day, hour, minute, second, fraction, abbreviation, year, offset = match.groups()
        if name in _MONTHS:
            parts = (int(year), _MONTHS[name], int(day), int(hour), int(minute), int(second))
            return _unix(*parts, fraction, offset or abbreviation)
    raise ValueError(f"not a time: {text[:40]!r}")


def _unix(
    year: int, month: int, day: int, hour: int, minute: int, second: int, fraction: str | None, offset: str | None
) -> tuple[float, bool]:
    seconds = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    seconds += float(f"0.{fraction}") if fraction else 0.0
    if not offset:
        return seconds, True
    if offset[0] in "+-":
        sign = -1 if offset[0] == "-" else 1
        digits = offset[1:].replace(":", "")
        return seconds - sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60), False
    hours = _ABBREVIATIONS.get(offset.upper())
    return (seconds, True) if hours is None else (seconds - hours * 3600, False)


def localise(naive_s: FloatArray, where: tzinfo | None) -> FloatArray:
    """Return Unix seconds of local clock readings (given as if UTC) in zone `where`; without a zone, unchanged.

    The repeated hour in autumn is told apart by order: a reading that goes back while the zone has two answers takes
    the later one.
    """
    if where is None or not len(naive_s):
        return naive_s
    out = np.array(naive_s, dtype=np.float64)
    shifts: dict[tuple[float, int], float] = {}
    fold, previous = 0, -math.inf
    for i, value in enumerate(naive_s):
        if math.isnan(value):
            continue
        key = value // 900
        early, late = (_shift(shifts, key, choice, where) for choice in (0, 1))
        if early == late:
            fold = 0
        elif value < previous - 1:
            fold = 1
        out[i] = value - (late if fold else early)
        previous = value
    return out


def _shift(cache: dict[tuple[float, int], float], quarter: float, fold: int, where: tzinfo) -> float:
    key = (quarter, fold)
    if key not in cache:
        local = datetime.fromtimestamp(quarter * 900, UTC).replace(tzinfo=where, fold=fold)
        offset = local.utcoffset()
        cache[key] = offset.total_seconds() if offset is not None else 0.0
    return cache[key]
