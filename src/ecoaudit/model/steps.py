"""The logged steps on the run's clock, a few dozen stretches of them: how energy a token changed during the run."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ecoaudit.ingest.records import FloatArray, IntArray, StepSeries, TrainingLog
from ecoaudit.model.intervals import BoolArray
from ecoaudit.model.span import Span

MOST = 40
"""Stretches into which the steps of a run are gathered, at most; each restart adds one."""
SAME_TIME = 0.10
"""Durations that add up to the training window but for this share may be laid into it."""


@dataclass(frozen=True, slots=True)
class StepSpan:
    """Steps `first_step` to `last_step` and when they ran (Unix s).

    `tokens` are what they consumed. `rework`: a restart made the run compute them again, the restart itself included.
    """

    first_step: int
    last_step: int
    start_s: float
    end_s: float
    tokens: float | None = None
    rework: bool = False


def step_spans(training: TrainingLog, window: Span) -> tuple[StepSpan, ...]:
    """Return the log's steps inside the training window, at least two stretches; empty where it does not place them."""
    series = training.steps
    if series is None or series.step.size < 2:
        return ()
    ends = _ends(series, window)
    if ends is None:
        return ()
    begins = np.concatenate(([window.start_s], ends[:-1]))
    before = np.concatenate(([-1], np.maximum.accumulate(series.step)[:-1]))
    rework = series.step <= before
    each = steps_a_line(series.step)
    spans = []
    for first, last in _groups(series.step, rework):
        if ends[last] <= begins[first]:
            continue
        follows = first > 0 and series.step[first] > series.step[first - 1]
        step = int(series.step[first])
        spans.append(
            StepSpan(
                first_step=int(series.step[first - 1]) + 1 if follows else max(step - each + 1, min(step, 1)),
                last_step=int(series.step[last]),
                start_s=float(begins[first]),
                end_s=float(ends[last]),
                tokens=None if rework[first] else _gained(series.tokens, first, last, series.step),
                rework=bool(rework[first]),
            )
        )
    return tuple(spans) if len(spans) > 1 else ()


def _ends(series: StepSeries, window: Span) -> FloatArray | None:
    """Return when each line's steps ended, shape (n,), never decreasing; None where the log does not tell."""
    times = series.time_s
    if not np.isfinite(times).all():
        since = np.diff(series.step, prepend=0)
        each = steps_a_line(series.step)
        since[since <= 0] = each
        since[0] = min(since[0], each)  # a resumed run's first line does not stand for all steps before it
        taken = np.cumsum(since * series.duration_s)
        if not np.isfinite(taken[-1]) or abs(taken[-1] - window.duration_s) > SAME_TIME * window.duration_s:
            return None
        times = window.start_s + taken * (window.duration_s / taken[-1])
    ends: FloatArray = np.clip(np.maximum.accumulate(times), window.start_s, window.end_s)
    return ends


def steps_a_line(step: IntArray) -> int:
    """Return how many steps a line stands for: the median of the forward differences."""
    ahead = np.diff(step)
    ahead = ahead[ahead > 0]
    return int(np.median(ahead)) if ahead.size else 1


def _groups(step: IntArray, rework: BoolArray) -> list[tuple[int, int]]:
    """Return the first and last line of each stretch: they end at restarts and where rework ends."""
    breaks = np.flatnonzero((np.diff(step) < 0) | (np.diff(rework.astype(np.int8)) != 0)) + 1
    size = -(-step.size // MOST)
    groups = []
    for start, stop in pairwise([0, *breaks.tolist(), int(step.size)]):
        groups += [(i, min(i + size, stop) - 1) for i in range(start, stop, size)]
    return groups


def _gained(running: FloatArray, first: int, last: int, step: IntArray) -> float | None:
    """Return what a running count gained from before line `first` to line `last`; None where that is not known.

    A count before the first line is 0 only where that line follows the run's beginning.
    """
    if first > 0:
        gained = float(running[last] - running[first - 1])
    elif step.size > 1 and step[0] <= max(step[1] - step[0], 1):
        gained = float(running[last])
    else:
        return None
    return gained if np.isfinite(gained) and gained > 0 else None
