"""The time column of a table: clocks with a date, times of the day, and seconds since some start."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import NO_ZONE, Clock, FloatArray

_NAMES = (
    *("timestamp", "timestamp_utc", "time_utc", "timestamp_iso", "datetime", "date_time"),
    *("last_changed", "local_time", "wall_time", "wallclock", "unix_timestamp", "unix_time"),
    *("epoch_s", "epoch_ms", "timestamp_ms", "timestamp_s", "ts", "date"),
    *("time", "system_time", "time_s", "t_s", "time_sec", "time_seconds"),
    *("time_ms", "elapsed", "elapsed_s", "elapsed_sec", "elapsed_seconds", "elapsed_time"),
    *("time_elapsed", "relative_time", "elapsed_ms", "seconds", "t", "epoch"),
)
"""Names of time columns; where a table has several, the first of these is read."""
_DAY_S = 86400.0
_HOUR_S = 3600.0
_OF_DAY = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:[.,:](\d{1,9}))?(?:\s*([AP])\.?M\.?)?", re.IGNORECASE)


def date_lines(file: LogFile) -> Iterable[str]:
    """Return the lines that tell the order of day and month: all, where the first have such dates, else the first."""
    start = file.head.text.splitlines()
    return start if values.day_first(start) is None else (text for _, text in file.lines())


def time_columns(words: Sequence[str]) -> tuple[int, ...]:
    """Return where a header, given in lower case with `_` for all else, has the time: one place, or date and time."""
    first = next((words.index(name) for name in _NAMES if name in words), None)
    if first is None:
        return ()
    return (first, words.index("time")) if words[first] == "date" and "time" in words else (first,)


@dataclass
class Stamps:
    """Reads the cells of one time column and keeps what kind of clock it is: the first good cell decides.

    `scale` is seconds per unit of elapsed times, `dated` bars them: the epochs of a training are no seconds.
    `day_first` reads 03/11/2026 as in `values.parse_time`.
    """

    day_first: bool | None = None
    scale: float = 1.0
    dated: bool = False
    kind: str | None = None
    naive: bool = False
    _day: float = 0.0
    _last: float = -math.inf

    @classmethod
    def of(cls, texts: Iterable[str], scale: float = 1.0, *, dated: bool = False) -> "Stamps":
        """Return a reader for dates in the order that `texts`, the first lines of the table, show."""
        return cls(day_first=values.day_first(texts), scale=scale, dated=dated)

    def read(self, text: str) -> float:
        """Return seconds: Unix time, naive time as if UTC, or time since an unknown start. `ValueError` for no time."""
        kind, seconds, naive = self._parse(text.strip())
        if self.kind not in (None, kind):
            raise ValueError(f"not a time as in the rows before: {text.strip()[:40]!r}")
        self.kind = kind
        self.naive |= naive
        if kind == "day":
            self._day += _DAY_S if seconds < self._last - _DAY_S / 2 else 0.0
            self._last = seconds
            return self._day + seconds
        return seconds

    def _parse(self, text: str) -> tuple[str, float, bool]:
        if match := _OF_DAY.fullmatch(text):
            return "day", _of_day(*match.groups()), False
        try:
            seconds, naive = values.parse_time(text, day_first=self.day_first)
        except ValueError:
            elapsed = _elapsed(text)
            if elapsed is None or self.dated:
                raise
            return "elapsed", elapsed * self.scale, False
        return "date", seconds, naive

    def clock(self, account: Account) -> Clock:
        """Return the kind of clock that was read, with a warning where it has no date."""
        if self.kind == "day":
            account.warn("the times have no date: they count from midnight of an unknown day")
            return "none"
        if self.kind == "elapsed":
            account.warn("the times are seconds since an unknown start: the log cannot be placed in time")
            return "none"
        return "naive" if self.naive else "utc"


def _elapsed(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 6.3e8 else None


def _of_day(hour: str, minute: str, second: str, fraction: str | None, half: str | None) -> float:
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half.upper() == "P" else 0)
    if hours > 23 or int(minute) > 59 or int(second) > 60:
        raise ValueError(f"not a time of day: {hour}:{minute}:{second}")
    return hours * 3600.0 + int(minute) * 60.0 + int(second) + float(f"0.{fraction or 0}")


def in_utc(naive_s: FloatArray, zone: tzinfo | None, account: Account) -> tuple[FloatArray, Clock]:
    """Return readings of a local clock (as if UTC, in the order of the file) in UTC, and what clock they are then.

    Without a zone they stay as they are, with a warning, but for the hour that such a clock shows twice in autumn.
    """
    if zone is not None:
        return values.localise(naive_s, zone), "utc"
    account.warn(NO_ZONE)
    return _without_repeated_hour(naive_s, account), "naive"


def _without_repeated_hour(naive_s: FloatArray, account: Account) -> FloatArray:
    steps = np.diff(naive_s)
    forward = steps[steps > 0]
    slack = min(max(60.0, 5.0 * float(np.median(forward))), _HOUR_S / 2) if len(forward) else 60.0
    back = np.flatnonzero((steps >= -_HOUR_S - 1.0) & (steps <= slack - _HOUR_S))
    if len(back) == 1:
        account.warn(
            f"the clock goes back by an hour at {_local(naive_s[back[0]])}: taken for the end of daylight saving time"
        )
        return naive_s + np.where(np.arange(len(naive_s)) > back[0], _HOUR_S, 0.0)
    missing = [i for i in np.flatnonzero((steps >= _HOUR_S) & (steps <= _HOUR_S + slack)) if _spring(naive_s[i])]
    if missing:
        account.warn(
            f"an hour is missing at {_local(naive_s[missing[0]])}: if daylight saving time began, give "
            "--timezone, else it counts as a gap"
        )
    return naive_s


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _spring(seconds: float) -> bool:
    """Return whether clocks go forward then in most zones that do so: on a Sunday of March, about 2 o'clock."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.month == 3 and moment.weekday() == 6 and moment.day > 7 and moment.hour < 3
