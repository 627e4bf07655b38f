"""Samples of one GPU (or one host counter) reduced to sums that merge: what a huge log leaves behind in memory.

A partial holds, for the segments between given edges, the energy of every interval that is certainly regular, and the
other intervals as rows: long ones, those next to a counter that stepped back or rose beyond belief, and the first one.
Whether a long interval is a gap depends on the run's median interval, which only the merged whole knows, so rows are
judged at the end (`integrate.py`). Splitting a file anywhere therefore changes no result but by rounding.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from ecoaudit.ingest.records import FloatArray, GpuInfo, IntArray
from ecoaudit.model.intervals import BoolArray, split

T, P, E, U = range(4)
"""Columns of a row's end: time (s), power (W), energy counter (J), utilisation (%)."""

KEEP_ALL_BELOW = 64
"""A file with fewer intervals keeps them all as rows: its own median says too little."""
ALL_ALIKE = 10
"""So many intervals, all alike, do tell."""
MANY = 8192
OPEN_FACTOR = 1.5
"""Intervals longer than this times the file's median stay open until the run's median is known."""
CEILING = 1.5
"""A board cannot draw more than this times its enforced limit for as long as a sample: such a counter step is false."""
CEILING_W = 5000.0
"""The same of a board whose limit is not known, W: the largest boards sold in 2025 are rated 1.4 kW."""
LATE_S = 0.2
"""A step may hold this much more time than its interval, in a recorder's log: NVML's energy counter moves about every
100 ms (ml.energy measurements; Yang et al., arXiv 2312.02741), so two periods."""
EXPORTED_LATE_S = 60.0
"""The same of other logs: dcgm-exporter asks the boards every 30 s, and is itself asked more often."""
POWER_BIN_W = 10.0
POWER_BINS = 300


@dataclass(frozen=True, slots=True)
class Partial:
    """Sums over one stretch of samples. Arrays over segments have shape (edges - 1,).

    `rows`, shape (k, 2, 4), are the open intervals' two ends. `step_s`/`step_count` is the histogram of sampling
    intervals, to three significant digits. `power_seconds` is the time spent in bins of `POWER_BIN_W` within the focus
    window. `compared_*_j` hold the same intervals once by counter and once by trapezoid. `by_power_j` is `energy_j`
    with the trapezoid wherever power was read. `false_steps` counts counter steps that no board can have drawn; power
    takes their place.
    """

    samples: int
    first: FloatArray
    last: FloatArray
    energy_j: FloatArray
    covered_s: FloatArray
    util_percent_s: FloatArray
    util_covered_s: FloatArray
    counter_s: float
    rows: FloatArray
    step_s: FloatArray
    step_count: IntArray
    open_above_s: float
    compared_counter_j: float
    compared_power_j: float
    power_seconds: FloatArray
    power_min_w: float
    power_max_w: float
    by_power_j: FloatArray
    false_steps: int


class Sums(TypedDict):
    """The part of a partial that regular intervals add to; see `Partial`."""

    energy_j: FloatArray
    covered_s: FloatArray
    util_percent_s: FloatArray
    util_covered_s: FloatArray
    counter_s: float
    compared_counter_j: float
    compared_power_j: float
    power_seconds: FloatArray
    by_power_j: FloatArray


def ceiling_of(board: GpuInfo) -> float:
    """Return the power in W beyond which a board's counter step is false."""
    if board.ceiling_w is not None:
        return board.ceiling_w
    return CEILING * board.power_limit_w if board.power_limit_w else CEILING_W


def late_s(log_format: str) -> float:
    """Return how much more time than its interval a step of the counter may hold in a log of this format."""
    return LATE_S if log_format == "ecoaudit" else EXPORTED_LATE_S


def most_counted_j(ceiling_w: float | FloatArray, late_s: float, dt_s: FloatArray) -> FloatArray:
    """Return the largest believable step of a counter over intervals of a board that cannot draw more than `ceiling_w`.

    The counter moves when it is updated, so an interval may hold up to `late_s` more than its own length.
    """
    most: FloatArray = ceiling_w * (dt_s + late_s)
    return most


def histogram(steps: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the sampling intervals among differences of times, to three digits, and how often each comes.

    Repeated stamps are no intervals.
    """
    # Few intervals differ at all, so that only those few need be rounded.
    values, counts = np.unique(steps, return_counts=True)
    return _three_digits(values), counts[values > 0].astype(np.int64)


def open_above(step_s: float | None, samples: int) -> float:
    """Return the length in s above which an interval of a file stays open, by its median interval."""
    return 0.0 if step_s is None or samples <= KEEP_ALL_BELOW else OPEN_FACTOR * step_s


def sampling(time_s: FloatArray) -> float:
    """Return `open_above` of samples whose times never decrease."""
    steps = np.diff(time_s)
    steps = steps[steps > 0]
    if not steps.size:
        return 0.0
    # Of many intervals, some tell.
    step_s = float(np.median(steps[:: steps.size // MANY + 1]))
    if ALL_ALIKE <= steps.size <= KEEP_ALL_BELOW and steps.max() <= OPEN_FACTOR * step_s:
        return OPEN_FACTOR * step_s  # a short recording beside one at another interval
    return open_above(step_s, steps.size)


def regular_sums(
    start: FloatArray, end: FloatArray, regular: BoolArray, edges: FloatArray, focus: tuple[float, float]
) -> Sums:
    """Return the sums over the `regular` intervals given by their ends, shape (4, n): counter first, else power."""
    t0, t1 = start[T], end[T]
    dt = np.where(regular, t1 - t0, 0.0)
    counter = end[E] - start[E]
    counted = np.isfinite(counter) & regular
    mean_power = 0.5 * (start[P] + end[P])
    powered = np.isfinite(mean_power) & regular
    trapezoid = np.where(powered, mean_power, 0.0) * dt
    along_power = np.where(powered & ~counted, start[P], np.nan)
    both = powered & counted
    focused = np.where(powered & (t0 >= focus[0]) & (t1 <= focus[1]), dt, 0.0)
    bins = np.clip(np.where(powered, mean_power, 0.0) / POWER_BIN_W, 0, POWER_BINS - 1).astype(np.int64)
    mean_util = 0.5 * (start[U] + end[U])
    used = np.isfinite(mean_util) & regular
    nothing = np.zeros(edges.size - 1)
    return {
        "energy_j": split(edges, t0, t1, np.where(counted, counter, trapezoid), along_power, end[P]),
        "covered_s": split(edges, t0, t1, dt),
        "util_percent_s": split(edges, t0, t1, np.where(used, mean_util, 0.0) * dt) if used.any() else nothing,
        "util_covered_s": split(edges, t0, t1, np.where(used, dt, 0.0)) if used.any() else nothing,
        "counter_s": float(dt[counted].sum()),
        "compared_counter_j": float(counter[both].sum()),
        "compared_power_j": float(trapezoid[both].sum()),
        "power_seconds": np.bincount(bins, focused, POWER_BINS).astype(np.float64),
        "by_power_j": split(
            edges,
            t0,
            t1,
            np.where(powered, trapezoid, np.where(counted, counter, 0.0)),
            np.where(powered, start[P], np.nan),
            end[P],
        ),
    }


def merge(a: Partial, b: Partial, *, same: bool = True) -> Partial:
    """Join two stretches of one device, `a` before `b`; the interval between them becomes an open row.

    Where another device has taken the first one's place, not the `same`, no counter tells of that interval.
    """
    step = b.first[T] - a.last[T]
    if step < 0:
        raise ValueError("stretches must be merged in the order of time and must not overlap")
    between = np.stack([a.last, b.first])[np.newaxis]
    if not same:
        between[..., E] = np.nan
    values = np.concatenate((a.step_s, b.step_s, _three_digits(np.array([step]))[: int(step > 0)]))
    counts = np.concatenate((a.step_count, b.step_count, np.ones(int(step > 0), dtype=np.int64)))
    step_s, where = np.unique(values, return_inverse=True)
    return Partial(
        samples=a.samples + b.samples,
        first=a.first,
        last=b.last,
        energy_j=a.energy_j + b.energy_j,
        covered_s=a.covered_s + b.covered_s,
        util_percent_s=a.util_percent_s + b.util_percent_s,
        util_covered_s=a.util_covered_s + b.util_covered_s,
        counter_s=a.counter_s + b.counter_s,
        rows=np.concatenate((a.rows, between, b.rows)),
        step_s=step_s,
        step_count=np.bincount(where, weights=counts, minlength=step_s.size).astype(np.int64),
        open_above_s=max(a.open_above_s, b.open_above_s),
        compared_counter_j=a.compared_counter_j + b.compared_counter_j,
        compared_power_j=a.compared_power_j + b.compared_power_j,
        power_seconds=a.power_seconds + b.power_seconds,
        power_min_w=min(a.power_min_w, b.power_min_w),
        power_max_w=max(a.power_max_w, b.power_max_w),
        by_power_j=a.by_power_j + b.by_power_j,
        false_steps=a.false_steps + b.false_steps,
    )


def median_step_s(partial: Partial) -> float | None:
    """Return the median observed sampling interval in s; None with fewer than two distinct times."""
    if partial.step_s.size == 0:
        return None
    below = np.cumsum(partial.step_count)
    return float(partial.step_s[np.searchsorted(below, 0.5 * below[-1])])


def _three_digits(values: FloatArray) -> FloatArray:
    positive = values[values > 0]
    digit = 10.0 ** (np.floor(np.log10(positive)) - 2)
    return np.round(positive / digit) * digit
