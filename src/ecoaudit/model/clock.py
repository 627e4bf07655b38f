"""Times of one run's logs brought onto one clock: UTC, Unix seconds."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

import numpy as np

from ecoaudit.ingest.records import FloatArray

HALF_HOUR_S = 1800.0
MAX_OFFSET_HALF_HOURS = 28
"""Zones lie between UTC-12 and UTC+14."""
ALIGN_TOLERANCE_S = 60.0
"""A log may start or end this much inside the window it belongs to."""


def iso(time_s: float) -> str:
    """Return the time as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(round(time_s, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_local(time_s: FloatArray, zone: tzinfo) -> FloatArray:
    """Return UTC for local times that were read as though they were UTC, shape (n,).

    The offset is looked up once an hour, so a change to or from summer time inside the log is followed. In the hour
    that a change repeats the first pass is taken.
    """
    hours, where = np.unique(np.floor(time_s / 3600.0), return_inverse=True)
    offsets = np.array([_offset_s(float(hour) * 3600.0 + HALF_HOUR_S, zone) for hour in hours])
    shifted: FloatArray = time_s - offsets[where]
    return shifted


def _offset_s(local_s: float, zone: tzinfo) -> float:
    offset = datetime.fromtimestamp(local_s, UTC).replace(tzinfo=zone).utcoffset()
    return offset.total_seconds() if offset else 0.0


def half_hour_offset(start_s: float, end_s: float, window: tuple[float, float]) -> float | None:
    """Return what must be added to a log's clock so that `[start_s, end_s]` covers the window, if that is unambiguous.

    Clocks set to another zone are off by whole half-hours. 0 is returned when the log already covers the window; None
    when no offset, or more than one, would make it cover the window.
    """
    fitting = [
        k * HALF_HOUR_S
        for k in range(-MAX_OFFSET_HALF_HOURS, MAX_OFFSET_HALF_HOURS + 1)
        if start_s + k * HALF_HOUR_S <= window[0] + ALIGN_TOLERANCE_S
        and end_s + k * HALF_HOUR_S >= window[1] - ALIGN_TOLERANCE_S
    ]
    if 0.0 in fitting:
        return 0.0
    return fitting[0] if len(fitting) == 1 else None


def span(times: Sequence[FloatArray]) -> tuple[float, float] | None:
    """Return the first and the last time in any of the arrays, None if all are empty."""
    filled = [t for t in times if t.size]
    if not filled:
        return None
    return min(float(t[0]) for t in filled), max(float(t[-1]) for t in filled)
