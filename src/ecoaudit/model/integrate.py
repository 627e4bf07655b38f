"""Energy of one device over given segments: the counter first, else the trapezoid of power; gaps judged and listed.

A gap is an interval longer than `GAP_FACTOR` times the median observed interval. Over a gap the energy counter
decides; without one the time is handed on as `filled_s`, to be filled with a mean power and called modelled.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.intervals import BoolArray, split
from ecoaudit.model.reduce import LATE_S, POWER_BINS, E, P, Partial, T, median_step_s, most_counted_j, regular_sums

GAP_FACTOR = 3.0
MISSED_FACTOR = 1.5
"""An interval longer than this many times the median lacks a reading, even where it is no gap yet: its energy is
bridged like any other's, but the time beyond one interval was not covered by a reading."""
FROZEN = 0.5
"""A counter that says less than this times what power says stands still, or counts in another unit."""
COMPARED_S, COMPARED_STEPS = 120.0, 30.0
"""Counter and power are compared over at least this long, and as many intervals: exporters ask a counter every 30 s."""
LEAST_STEPS = 10.0
"""Fewer intervals than this tell nothing: power is a mean of the last second, and the load may change in between."""


@dataclass(frozen=True, slots=True)
class DeviceGap:
    """A gap of one device; `energy_j` is what the counter says of it, None where the mean power fills it."""

    start_s: float
    end_s: float
    filled_by: Literal["counter", "mean power"]
    energy_j: float | None


@dataclass(frozen=True, slots=True)
class DeviceEnergy:
    """Energy of one device by segment; arrays have shape (segments,).

    `read_j` is what counter and power say, `read_s` the time it covers; `filled_s` is time nothing was read.
    `missed_share` is the part of the time read that lies in intervals which lack a reading, beyond one interval each.
    `compared_percent` is (trapezoid - counter) / counter where both exist and the counter is believed. `frozen_s` is
    the time it is not, since it stood still or fell far behind the power; `false_steps` counts its steps that no board
    can draw. `power_seconds` is the power histogram of the focus window (`reduce.POWER_BIN_W`).
    """

    read_j: FloatArray
    read_s: FloatArray
    filled_s: FloatArray
    util_percent: FloatArray
    gaps: tuple[DeviceGap, ...]
    samples: int
    expected_samples: int
    step_s: float | None
    resets: int
    counter_share: float
    compared_percent: float | None
    power_seconds: FloatArray
    power_min_w: float
    power_max_w: float
    missed_share: float = 0.0
    frozen_s: float = 0.0
    false_steps: int = 0

    def mean_power_w(self) -> float | None:
        """Return the mean power in W of the time that was read, None if there was none."""
        covered = float(self.read_s.sum())
        return float(self.read_j.sum()) / covered if covered > 0 else None


def integrate(
    partial: Partial,
    edges: FloatArray,
    focus: tuple[float, float],
    ceiling_w: float | None = None,
    late_s: float = LATE_S,
) -> DeviceEnergy:
    """Return the energy of a device whose merged partial was made with the same `edges` and `focus`.

    A counter's interval that runs backwards, the one after it (where a glitch jumps back up), and one in which it rises
    beyond `reduce.most_counted_j` are not believed: power decides there, and without power they are gaps. Where the
    counter falls far behind the power (`_frozen`) it is not believed at all.
    """
    step = median_step_s(partial)
    threshold = max(GAP_FACTOR * step, partial.open_above_s) if step else 0.0
    start, end = partial.rows[:, 0], partial.rows[:, 1]
    dt = end[:, T] - start[:, T]
    counter = _counter(start, end, dt, ceiling_w, late_s)
    believed = counter.believed
    powered = np.isfinite(start[:, P]) & np.isfinite(end[:, P])
    is_gap = dt > threshold

    judged = (believed | powered) & ~is_gap
    trusted = start.T.copy()
    trusted[E, ~believed] = np.nan
    sums = regular_sums(trusted, end.T, judged, edges, focus)
    read_j, by_power_j = partial.energy_j + sums["energy_j"], partial.by_power_j + sums["by_power_j"]
    read_s = partial.covered_s + sums["covered_s"]
    counter_s = partial.counter_s + sums["counter_s"]
    counter_j = partial.compared_counter_j + sums["compared_counter_j"]
    power_j = partial.compared_power_j + sums["compared_power_j"]
    frozen = _frozen(read_j, by_power_j, read_s, step or 0.0)
    frozen_s = float(read_s[frozen].sum())
    if frozen_s:
        counter_j, power_j = float(read_j[~frozen].sum()), float(by_power_j[~frozen].sum())
        read_j = np.where(frozen, by_power_j, read_j)
        counter_s *= 1.0 - frozen_s / float(read_s.sum())

    bridged = believed & is_gap & ~_meets(frozen, edges, start[:, T], end[:, T])
    unread = ~judged & ~bridged
    if bridged.any():
        s, e = start[bridged], end[bridged]
        read_j = read_j + split(edges, s[:, T], e[:, T], e[:, E] - s[:, E])
        read_s = read_s + split(edges, s[:, T], e[:, T], dt[bridged])
        counter_s += float(dt[bridged].sum())
    filled_s = split(edges, start[unread, T], end[unread, T], dt[unread])
    gaps = [
        DeviceGap(float(s[T]), float(e[T]), "counter", float(e[E] - s[E]))
        for s, e in zip(start[bridged], end[bridged], strict=True)
    ]
    gaps += [
        DeviceGap(float(s[T]), float(e[T]), "mean power", None) for s, e in zip(start[unread], end[unread], strict=True)
    ]

    for t0, t1, power in (
        (float(edges[0]), float(partial.first[T]), float(partial.first[P])),
        (float(partial.last[T]), float(edges[-1]), float(partial.last[P])),
    ):
        if t1 <= t0:
            continue
        seconds = split(edges, np.array([t0]), np.array([t1]), np.array([t1 - t0]))
        if t1 - t0 <= threshold and np.isfinite(power):  # less than a gap: the nearest reading holds
            read_j, read_s = read_j + seconds * power, read_s + seconds
        else:
            filled_s = filled_s + seconds
            gaps.append(DeviceGap(t0, t1, "mean power", None))

    util_s = partial.util_covered_s + sums["util_covered_s"]
    util = partial.util_percent_s + sums["util_percent_s"]
    whole = float(read_s.sum())
    return DeviceEnergy(
        read_j=read_j,
        read_s=read_s,
        filled_s=filled_s,
        util_percent=np.divide(util, util_s, out=np.full(util.shape, np.nan), where=util_s > 0),
        gaps=tuple(sorted(_inside(gaps, edges), key=lambda gap: gap.start_s)),
        samples=partial.samples,
        expected_samples=round(float(edges[-1] - edges[0]) / step) + 1 if step else partial.samples,
        step_s=step,
        resets=counter.resets,
        counter_share=min(1.0, counter_s / max(float(partial.last[T] - partial.first[T]), 1e-9)) if whole else 0.0,
        compared_percent=100.0 * (power_j - counter_j) / counter_j if counter_j > 0 else None,
        power_seconds=partial.power_seconds + sums["power_seconds"],
        power_min_w=partial.power_min_w,
        power_max_w=partial.power_max_w,
        missed_share=_missed_share(partial, step, threshold) if step else 0.0,
        frozen_s=frozen_s,
        false_steps=partial.false_steps + counter.false_steps,
    )


def _missed_share(partial: Partial, step_s: float, threshold_s: float) -> float:
    steps = partial.step_s * partial.step_count
    # Of recordings at several intervals the longest tells: what is usual in one lacks no reading.
    usual_s = max(MISSED_FACTOR * step_s, partial.open_above_s)
    late = (partial.step_s > usual_s) & (partial.step_s <= threshold_s)
    regular = float(steps[partial.step_s <= threshold_s].sum())
    beyond = float(((partial.step_s - step_s) * partial.step_count)[late].sum())
    return beyond / regular if regular > 0 else 0.0


def unread(edges: FloatArray) -> DeviceEnergy:
    """Return what is known of a device without any reading: the whole time is to be filled."""
    segments = edges.size - 1
    return DeviceEnergy(
        read_j=np.zeros(segments),
        read_s=np.zeros(segments),
        filled_s=np.diff(edges),
        util_percent=np.full(segments, np.nan),
        gaps=(DeviceGap(float(edges[0]), float(edges[-1]), "mean power", None),),
        samples=0,
        expected_samples=0,
        step_s=None,
        resets=0,
        counter_share=0.0,
        compared_percent=None,
        power_seconds=np.zeros(POWER_BINS),
        power_min_w=np.inf,
        power_max_w=-np.inf,
    )


@dataclass(frozen=True, slots=True)
class _Counter:
    """Which intervals' counter is believed, shape (k,), how often it was reset, and how often it rose beyond belief."""

    believed: BoolArray
    resets: int
    false_steps: int


def _counter(start: FloatArray, end: FloatArray, dt: FloatArray, ceiling_w: float | None, late_s: float) -> _Counter:
    counted = np.isfinite(start[:, E]) & np.isfinite(end[:, E])
    back = counted & (end[:, E] < start[:, E])
    after = np.zeros(back.shape, dtype=bool)
    if back.size:
        after[1:] = back[:-1] & (start[1:, T] == end[:-1, T])
    believed = counted & ~back & ~after
    if ceiling_w is None:
        return _Counter(believed, int(back.sum()), 0)
    false = believed & (end[:, E] - start[:, E] > most_counted_j(ceiling_w, late_s, dt))
    return _Counter(believed & ~false, int(back.sum()), int(false.sum()))


def _frozen(counter_j: FloatArray, power_j: FloatArray, read_s: FloatArray, step_s: float) -> BoolArray:
    """Return the segments in which the counter says less than `FROZEN` times what power says, shape (segments,).

    Segments are compared together, `COMPARED_S` and `COMPARED_STEPS` at least at a time: over less, the two differ by
    the moments at which they were read.
    """
    whole_s = float(read_s.sum())
    if whole_s < LEAST_STEPS * step_s or whole_s <= 0.0:
        return np.zeros(read_s.shape, dtype=bool)
    parts = max(1, int(whole_s / max(COMPARED_S, COMPARED_STEPS * step_s)))
    before_s = np.cumsum(read_s) - read_s
    part = np.minimum((before_s / whole_s * parts).astype(np.int64), parts - 1)
    counter, power = np.bincount(part, counter_j, parts), np.bincount(part, power_j, parts)
    found: BoolArray = (counter < FROZEN * power)[part]
    return found


def _meets(segments: BoolArray, edges: FloatArray, start_s: FloatArray, end_s: FloatArray) -> BoolArray:
    """Return which intervals lie, in part, in any of the `segments` or touch one."""
    upto = np.concatenate(([0], np.cumsum(segments)))
    low = np.clip(np.searchsorted(edges, start_s, "left") - 1, 0, segments.size)
    high = np.clip(np.searchsorted(edges, end_s, "right"), 0, segments.size)
    found: BoolArray = upto[high] > upto[low]
    return found


def _inside(gaps: list[DeviceGap], edges: FloatArray) -> list[DeviceGap]:
    """Return the gaps cut to the window between the outer edges, with the part of their energy that lies in it."""
    first, last = float(edges[0]), float(edges[-1])
    kept = []
    for gap in gaps:
        start, end = max(gap.start_s, first), min(gap.end_s, last)
        if end <= start:
            continue
        share = (end - start) / (gap.end_s - gap.start_s)
        energy = None if gap.energy_j is None else gap.energy_j * share
        kept.append(DeviceGap(start, end, gap.filled_by, energy))
    return kept
