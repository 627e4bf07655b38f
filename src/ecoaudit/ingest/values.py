"""Text to numbers and times: unit suffixes, missing-value words, and clocks with and without a zone."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray

_MISSING = {"", "-", "--", "n/a", "na", "none", "null", "nan", "not supported", "unknown", "unknown error"}
_LARGEST = 1e30  # beyond every FLOP, joule and nanosecond count; sums and means of smaller numbers stay finite
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
    return (value if abs(value) < _LARGEST else _too_large(text)), match[2]


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
    return value if abs(value) < _LARGEST or not any(c.isdigit() for c in text) else _too_large(text)


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


# A time of day with what may follow it: a fraction, AM or PM.
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,:](\d{1,9}))?(?:\s*([AP])\.?M\.?)?"
_ZONE = r"(?:\s*(Z|[-+]\d{2}(?::?\d{2})?|[A-Z]{2,5}))?"
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ,-]+" + _CLOCK + _ZONE, re.IGNORECASE)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})[T \t]+(\d{2}):?(\d{2}):?(\d{2})()()(Z)?")
_NUMERIC = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})[T ,-]+" + _CLOCK + _ZONE, re.IGNORECASE)
_DAY_NAME = re.compile(
    r"(?:[A-Z][a-z]{2,8},?\s+)?(\d{1,2})[- ]([A-Z][a-z]{2})[a-z]*[- ](\d{4})[T ,-]+" + _CLOCK + _ZONE,
    re.IGNORECASE,
)
_NAME_DAY = re.compile(r"([A-Z][a-z]{2})[a-z]* (\d{1,2}),? (\d{4})[T ,-]+" + _CLOCK + _ZONE, re.IGNORECASE)
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


def parse_time(text: str, *, day_first: bool | None = None) -> tuple[float, bool]:
    """Return `(seconds, naive)`: Unix seconds, or, where the text has no zone, the same reading taken as UTC.

    Accepts epoch numbers (s to ns) and the ISO, nvidia-smi, ctime, named-month and numeric forms, with AM and PM.
    `day_first` says how to read 03/11/2026; without it the month comes first, unless dots or a number over 12 tell.
    Raises `ValueError` for anything else.
    """
    text = text.strip().strip("[]\"'")
    if ":" not in text:
        try:
            return epoch(float(text)), False
        except ValueError:
            pass
    head, dot, fraction = text.rpartition(".")
    if dot and fraction.isdigit():
        seconds, naive = _whole_seconds(head, day_first)
        return seconds + float(f"0.{fraction}"), naive
    return _whole_seconds(text, day_first)


@lru_cache(maxsize=4096)
def _whole_seconds(text: str, day_first: bool | None) -> tuple[float, bool]:
    if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        year, month, day, *clock = match.groups()
        return _moment(int(year), int(month), int(day), *clock)
    if match := _NUMERIC.fullmatch(text):
        first, separator, second, year, *clock = match.groups()
        # Month first, as the tools that print slashes do; a number over 12 can only be a day.
        swap = separator == "." if day_first is None else day_first
        if int(first) > 12 or (swap and int(second) <= 12):
            first, second = second, first
        return _moment(int(year) + (2000 if int(year) < 100 else 0), int(first), int(second), *clock)
    if match := _DAY_NAME.fullmatch(text):
        day, name, year, *clock = match.groups()
        if name.title() in _MONTHS:
            return _moment(int(year), _MONTHS[name.title()], int(day), *clock)
    if match := _NAME_DAY.fullmatch(text):
        name, day, year, *clock = match.groups()
        if name.title() in _MONTHS:
            return _moment(int(year), _MONTHS[name.title()], int(day), *clock)
    if match := _WEEKDAY.fullmatch(text):
        name, day, hour, minute, second, fraction, abbreviation, year, offset = match.groups()
        if name in _MONTHS:
            parts = (int(year), _MONTHS[name], int(day), int(hour), int(minute), int(second))
            return _unix(*parts, fraction, offset or abbreviation)
    raise ValueError(f"not a time: {text[:40]!r}")


def _moment(
    year: int,
    month: int,
    day: int,
    hour: str,
    minute: str,
    second: str | None,
    fraction: str | None,
    half: str | None,
    offset: str | None,
) -> tuple[float, bool]:
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(f"not an hour of half a day: {hours}")
        hours = hours % 12 + (12 if half.upper() == "P" else 0)
    return _unix(year, month, day, hours, int(minute), int(second or 0), fraction, offset)


_DATE = re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(?:\d{4}|\d{2})[T ,]+\d{1,2}:\d{2}")


def day_first(texts: Iterable[str]) -> bool | None:
    """Return whether numeric dates such as 03/11/2026 put the day first; None where no date is like that.

    A number over 12 tells; else the order that makes the dates go on by fewer days, which is the right one as soon as
    two days are in the log; else the separator (dots: day first).
    """
    pairs: dict[tuple[int, int], None] = {}
    dots = False
    for text in texts:
        for match in _DATE.finditer(text):
            pairs[int(match[1]), int(match[3])] = None
            dots = match[2] == "."
    if not pairs:
        return None
    if any(b > 12 for _, b in pairs):
        return False
    if any(a > 12 for a, _ in pairs):
        return True
    ordered = list(pairs)
    steps = [(abs(d - b) * 31 + abs(c - a), abs(c - a) * 31 + abs(d - b)) for (a, b), (c, d) in pairwise(ordered)]
    day, month = sum(s[0] for s in steps), sum(s[1] for s in steps)
    return dots if day == month else day < month


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
        return seconds - sign * (int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60), False
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
