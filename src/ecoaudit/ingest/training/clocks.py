"""The clock that others put before a framework's lines: containers, CI runners, launchers, `ts`."""

import math
import re

from ecoaudit.ingest import values

_PREFIX = re.compile(
    r"^\W{0,3}(?:[\w./-]{1,80}[:\s|]+\s*){0,2}[\[(]?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)"
    r"\s?(Z|UTC|[-+]\d\d:?\d\d)?(?=[\])\s|>:])"
)


class PrefixClock:
    """Reads the time in front of lines; `naive` tells whether any of them had no zone."""

    def __init__(self) -> None:
        self.naive = False

    def read(self, text: str) -> float:
        """Return the line's time in Unix seconds (local readings as if UTC), NaN without one."""
        match = _PREFIX.match(text)
        if match is None:
            return math.nan
        try:
            time_s, naive = values.parse_time(match[1].replace(",", ".") + (match[2] or ""))
        except ValueError:
            return math.nan
        self.naive |= naive
        return time_s
