"""Times of one run's logs brought onto one clock: UTC, Unix seconds."""

from datetime import UTC, datetime

HALF_HOUR_S = 1800.0
MAX_OFFSET_HALF_HOURS = 28
"""Zones lie between UTC-12 and UTC+14."""
FIRST_DATE_S = 3.15e8
"""1980; no host is up for ten years."""
ALIGN_TOLERANCE_S = 60.0
"""A log may start or end this much inside the window it belongs to."""


def iso(time_s: float) -> str:
    """Return the time as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(round(time_s, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_date(time_s: float) -> bool:
    """Return whether a time can be a date: clocks that began with a recording or a boot are below, runs above."""
    return time_s >= FIRST_DATE_S


def moment(time_s: float) -> str:
    """Return the time as a sentence names it: the date, or the second of a clock that tells none."""
    return iso(time_s) if is_date(time_s) else f"second {time_s:,.0f} of the recording"


def fitting_offsets(start_s: float, end_s: float, window: tuple[float, float]) -> list[float]:
    """Return all whole half-hours (s) that, added to a log's clock, make `[start_s, end_s]` cover the window."""
    return [
        k * HALF_HOUR_S
        for k in range(-MAX_OFFSET_HALF_HOURS, MAX_OFFSET_HALF_HOURS + 1)
        if start_s + k * HALF_HOUR_S <= window[0] + ALIGN_TOLERANCE_S
        and end_s + k * HALF_HOUR_S >= window[1] - ALIGN_TOLERANCE_S
    ]


def half_hour_offset(start_s: float, end_s: float, window: tuple[float, float]) -> float | None:
    """Return what must be added to a log's clock so that `[start_s, end_s]` covers the window, if that is unambiguous.

    Clocks set to another zone are off by whole half-hours. 0 is returned when the log already covers the window; None
    when no offset, or more than one, would make it cover the window.
    """
    fitting = fitting_offsets(start_s, end_s, window)
    if 0.0 in fitting:
        return 0.0
    return fitting[0] if len(fitting) == 1 else None
