"""Energy of one power meter over the segments of a run.

Trapezoid over the window; the values at its two ends are interpolated, and held where the log does not reach. Long
intervals are bridged linearly, and readings that no running node has (0 W or less, or below a twentieth of the
meter's median) stay in the value: both count as gaps, are reported as a share, and widen the interval to what the
lowest and the highest valid power of the run would have given. No efficiency, switch or scaling factor enters.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray, MeterLog, Sieve
from ecoaudit.model.intervals import split, trapezoid_j
from ecoaudit.model.meter_sums import DEAD_BELOW, GAP_FACTOR, MeterSums, reduce_meter


@dataclass(frozen=True, slots=True)
class MeterGap:
    """A stretch of one meter without valid readings; `energy_j` is what the line over it holds."""

    label: str
    start_s: float
    end_s: float
    energy_j: float


@dataclass(frozen=True, slots=True)
class MeterEnergy:
    """Energy of one meter by segment (J), the share of the window in gaps, and what the gaps could hold at most."""

    label: str
    energy_j: FloatArray
    gap_s: float
    gap_low_j: float
    gap_high_j: float
    gaps: tuple[MeterGap, ...]
    readings: int
    invalid_readings: int
    step_s: float | None


def integrate_meter(log: MeterLog, edges: FloatArray) -> MeterEnergy:
    """Return one meter's energy by segment, with its gaps; `edges` span the window."""
    read = np.isfinite(log.power_w)
    times, power = log.time_s[read], log.power_w[read]
    order = np.argsort(times, kind="stable")
    times, power = times[order], power[order]
    steps = np.diff(times)
    steps = steps[steps > 0]
    step = float(np.median(steps)) if steps.size else None
    sieve = Sieve(dead_w=max(0.0, DEAD_BELOW * float(np.median(power))), gap_s=GAP_FACTOR * step if step else 0.0)
    sums = reduce_meter(times, power, edges, sieve)
    if sums is None:
        raise ValueError("a meter without a reading cannot be integrated")
    return finished(log.label, sums, edges, sieve, step)


def finished(label: str, sums: MeterSums, edges: FloatArray, sieve: Sieve, step_s: float | None) -> MeterEnergy:
    """Return the energy of a meter whose readings were reduced with the same `edges` and `sieve`."""
    start, end = float(edges[0]), float(edges[-1])
    energy, rows = sums.energy_j, [sums.gaps]
    # Beyond its ends the log holds its last value; more than a gap's length of that is a gap too.
    for a, b, value in ((start, *sums.first), (sums.last[0], end, sums.last[1])):
        if b > a:
            held = np.array([[a, b, value, value]])
            energy = energy + _in_segments(held[0], edges)
            if b - a > sieve.gap_s or value <= sieve.dead_w:
                rows.append(held)
    gaps = np.concatenate(rows)
    gaps = gaps[(gaps[:, 1] > start) & (gaps[:, 0] < end)]
    gaps = gaps[np.argsort(gaps[:, 0], kind="stable")]
    starts, ends = np.maximum(gaps[:, 0], start), np.minimum(gaps[:, 1], end)
    pieces = [float(_in_segments(gap, np.array([start, end]))[0]) for gap in gaps]
    gap_s, gap_j = float((ends - starts).sum()), sum(pieces)
    low, high = (sums.low_w, sums.high_w) if sums.high_w >= sums.low_w else (0.0, 0.0)
    return MeterEnergy(
        label=label,
        energy_j=energy,
        gap_s=gap_s,
        gap_low_j=min(0.0, low * gap_s - gap_j),
        gap_high_j=max(0.0, high * gap_s - gap_j),
        gaps=tuple(
            MeterGap(label, float(a), float(b), joules)
            for a, b, joules in _one_each(zip(starts, ends, pieces, strict=True))
            if b > a
        ),
        readings=sums.readings,
        invalid_readings=sums.invalid,
        step_s=step_s,
    )


def _one_each(gaps: Iterable[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Return gaps (start, end, energy) in the order of time, those that touch as one: a drop-out of many readings."""
    found: list[tuple[float, float, float]] = []
    for start, end, joules in gaps:
        if found and found[-1][1] == start:
            first, _, before = found.pop()
            found.append((first, end, before + joules))
        else:
            found.append((start, end, joules))
    return found


def _in_segments(interval: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the energy by segment of one interval: its two times and its two powers."""
    t0, t1, p0, p1 = interval[:, np.newaxis]
    return split(edges, t0, t1, trapezoid_j(t0, t1, p0, p1), p0, p1)
