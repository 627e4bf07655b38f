"""One true time axis from two clocks: the wall clock, which may be stepped, and the monotonic one, which may not."""

import numpy as np

from ecoaudit.ingest.records import FloatArray

STEP_S = 1.0
_APART = 0.75
"""Readings of one clock lie at least this far apart, in median intervals."""
_DIGITS = 6
"""Decimals of a clock's offset in s: logs give milliseconds, and what lies behind is the arithmetic's."""

_FARTHEST_S = 1e15
"""A garbled time is no further off than this, so that arithmetic with it stays finite."""


def offsets(wall_s: FloatArray, monotonic_s: FloatArray) -> FloatArray:
    """Return by how much the wall clock is ahead of the monotonic one at each sample, in s, to the microsecond."""
    ahead = np.clip(wall_s - monotonic_s, -_FARTHEST_S, _FARTHEST_S)
    found: FloatArray = np.round(ahead, _DIGITS)
    return found


def corrected(wall_s: FloatArray, monotonic_s: FloatArray) -> tuple[FloatArray, int]:
    """Return `(time_s, steps)` of one recording: shape (n,) in file order; `steps` counts clock steps over 1 s.

    With a monotonic reading on every sample (CLOCK_BOOTTIME: it runs on through a suspend), the time is that reading
    plus the median of wall minus monotonic. Without, a backward step of the wall clock is bridged with the median
    interval, and the axis is anchored on the median reading. The times decrease only where lines stand out of order:
    where both clocks go back alike, or where readings of the wall clock alone fit between each other.
    """
    if not len(wall_s):
        return wall_s, 0
    if bool(np.isfinite(monotonic_s).all()):
        offset = offsets(wall_s, monotonic_s)
        back = np.diff(monotonic_s) < 0
        if not (back & (np.abs(np.diff(offset)) > STEP_S)).any():  # else it was started anew
            moves = np.diff(offset[np.argsort(monotonic_s, kind="stable")] if back.any() else offset)
            return monotonic_s + float(np.median(offset)), int((np.abs(moves) > STEP_S).sum())
    interval = np.diff(wall_s)
    backward = interval < 0
    if not backward.any():
        return wall_s, 0
    forward = interval[~backward]
    if len(forward) and _shuffled(wall_s, float(forward.max())):
        return wall_s, 0
    interval[backward] = float(np.median(forward)) if len(forward) else 0.0
    axis = np.concatenate(([0.0], np.cumsum(interval)))
    steps = int((np.diff(wall_s) < -STEP_S).sum())
    return axis + float(np.median(wall_s - axis)), steps


def _shuffled(wall_s: FloatArray, longest_s: float) -> bool:
    """Return whether readings that go back are lines out of order; `longest_s` is the longest step ahead.

    A clock that was set back comes by the same times again, or leaves a longer gap behind than any before.
    """
    apart = np.diff(np.sort(wall_s))
    return bool(apart.min() >= _APART * float(np.median(apart)) > 0 and apart.max() <= longest_s)
