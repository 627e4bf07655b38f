"""A stretch of a node meter's readings reduced over segments: what a huge log leaves of its meter, and it merges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecoaudit.counts import Counts, median, merged
from ecoaudit.ingest.records import FloatArray, Sieve, Telemetry
from ecoaudit.model.intervals import split, trapezoid_j

GAP_FACTOR = 3.0
DEAD_BELOW = 0.05
"""A reading below this share of the meter's median is a drop-out: SMC's fell to -43..51 W beside 5.8 kW."""


@dataclass(frozen=True, slots=True)
class MeterSums:
    """Readings of one meter; `first` and `last` are (time s, power W).

    `energy_j` is that of all intervals between readings, by segment. `gaps`, shape (k, 4), are the intervals that are
    long or touch a drop-out: both times (s), both powers (W). The counts and the range are those inside the window.
    """

    energy_j: FloatArray
    first: tuple[float, float]
    last: tuple[float, float]
    gaps: FloatArray
    readings: int
    invalid: int
    low_w: float
    high_w: float


def reduce_meter(time_s: FloatArray, power_w: FloatArray, edges: FloatArray, sieve: Sieve) -> MeterSums | None:
    """Reduce readings, shape (n,), with sorted times and NaN for none, over the segments between `edges`.

    An interval longer than `sieve.gap_s` is a gap, a reading up to `sieve.dead_w` a drop-out. None without a reading.
    """
    read = np.isfinite(power_w)
    times, power = time_s[read], power_w[read]
    if not times.size:
        return None
    t0, t1, p0, p1 = times[:-1], times[1:], power[:-1], power[1:]
    is_gap = (t1 - t0 > sieve.gap_s) | (p0 <= sieve.dead_w) | (p1 <= sieve.dead_w)
    inside = (times >= edges[0]) & (times <= edges[-1])
    valid = power[inside & (power > sieve.dead_w)]
    return MeterSums(
        energy_j=split(edges, t0, t1, trapezoid_j(t0, t1, p0, p1), p0, p1),
        first=(float(times[0]), float(power[0])),
        last=(float(times[-1]), float(power[-1])),
        gaps=np.stack([t0[is_gap], t1[is_gap], p0[is_gap], p1[is_gap]], axis=1),
        readings=int(inside.sum()),
        invalid=int((inside & (power <= sieve.dead_w)).sum()),
        low_w=float(valid.min(initial=np.inf)),
        high_w=float(valid.max(initial=-np.inf)),
    )


def add_meter(a: MeterSums | None, b: MeterSums | None, edges: FloatArray, sieve: Sieve) -> MeterSums | None:
    """Join two stretches of one meter, `a` before `b`, by the interval between them."""
    if a is None or b is None:
        return b if a is None else a
    between = reduce_meter(np.array([a.last[0], b.first[0]]), np.array([a.last[1], b.first[1]]), edges, sieve)
    energy_j, gaps = a.energy_j + b.energy_j, [a.gaps, b.gaps]
    if between is not None:
        energy_j, gaps = energy_j + between.energy_j, [a.gaps, between.gaps, b.gaps]
    return replace(
        a,
        energy_j=energy_j,
        last=b.last,
        gaps=np.concatenate(gaps),
        readings=a.readings + b.readings,
        invalid=a.invalid + b.invalid,
        low_w=min(a.low_w, b.low_w),
        high_w=max(a.high_w, b.high_w),
    )


def sifted(files: Sequence[Telemetry]) -> tuple[Telemetry, ...]:
    """Return a node's files, their heads told what of the node's own meter is a drop-out and what a gap."""
    if all(file.head is None for file in files):
        return tuple(files)
    values, steps = [], []
    for file in files:
        if file.head is not None:
            values.append(file.head.node_w_counts)
            steps.append(file.head.node_step_counts)
        elif file.node_power_w is not None:
            read = np.isfinite(file.node_power_w)
            values.append(_counts(file.node_power_w[read]))
            steps.append(_counts(np.diff(file.time_s[read])))
    power_w, step_s = median(merged(values)), median(merged(steps))
    dead_w = max(0.0, DEAD_BELOW * (power_w or 0.0))
    gap_s = GAP_FACTOR * step_s if step_s else 0.0
    return tuple(
        file
        if file.head is None
        else replace(file, head=replace(file.head, sieve=replace(file.head.sieve, dead_w=dead_w, gap_s=gap_s)))
        for file in files
    )


def _counts(values: FloatArray) -> FloatArray:
    counts = Counts()
    counts.add(values)
    return counts.table()
