"""A node's energy over the run's window, and what in its power log is not to be trusted."""

from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.clock import half_hour_offset

GAP_FACTOR = 3.0
"""A step longer than this many median steps is a gap."""

DROPOUT_SHARE = 0.1
"""A reading below this share of its channel's median cannot be a running node: 8 resident GPUs draw more."""

STALL_SHARE = 0.5
"""Readings below this share of the run's 95th percentile are taken as stalls: the job resident, the GPUs waiting."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A node's readings over its window: energy in J, what was found in them, seconds bridged, seconds of drop-outs."""

    energy_j: float
    gap_s: float
    dropout_s: float
    max_gap_s: float
    repeated_stamps: int
    readings: int
    clock_offset_s: float


def clock_offset_s(time_s: FloatArray, start_s: float, stop_s: float) -> float:
    """Return what to add to a log's clock so that it covers the window: whole half hours (a local clock), else 0."""
    if time_s.size == 0 or (time_s[0] < stop_s and time_s[-1] > start_s):
        return 0.0
    return half_hour_offset(float(time_s[0]), float(time_s[-1]), (start_s, stop_s)) or 0.0


def integrate(time_s: FloatArray, power_w: FloatArray, start_s: float, stop_s: float) -> Trace:
    """Integrate readings, sorted stably, over `[start_s, stop_s]` by the trapezoid rule.

    The values at the two ends are interpolated linearly, held where the log does not reach; steps of any length are
    bridged linearly. Repeated stamps keep every reading: a step of no length adds nothing, and the step after it starts
    from the last reading. Raises `ValueError` when there is no reading or the window is empty.
    """
    if time_s.size == 0 or not stop_s > start_s:
        raise ValueError("no reading, or an empty window")
    order = np.argsort(time_s, kind="stable")
    offset = clock_offset_s(time_s[order], start_s, stop_s)
    time, power = time_s[order] + offset, power_w[order]
    inside = (time > start_s) & (time < stop_s)
    first, last = np.interp([start_s, stop_s], time, power)
    t = np.concatenate(([start_s], time[inside], [stop_s]))
    p = np.concatenate(([first], power[inside], [last]))
    step = np.diff(t)
    logged = np.diff(time)
    median = float(np.median(logged[logged > 0])) if np.any(logged > 0) else float(stop_s - start_s)
    gap = step > GAP_FACTOR * median
    floor = max(0.0, DROPOUT_SHARE * float(np.median(power)))
    low = (p <= floor)[:-1] | (p <= floor)[1:]
    return Trace(
        energy_j=float(np.sum(0.5 * (p[:-1] + p[1:]) * step)),
        gap_s=float(np.sum(step[gap])),
        dropout_s=float(np.sum(step[low])),
        max_gap_s=float(np.max(step)),
        repeated_stamps=int(np.sum(np.diff(time[inside]) == 0)) if inside.any() else 0,
        readings=int(np.count_nonzero(inside)),
        clock_offset_s=offset,
    )


def stalled_w(power_w: FloatArray) -> tuple[float, int]:
    """Return the 10th percentile of the readings taken while the GPUs waited, and how many there are.

    Shape (n,) in the run's window, all nodes together. NaN where there are fewer than 10: a run that never stalls shows
    nothing of the resident power.
    """
    valid = power_w[power_w > DROPOUT_SHARE * np.median(power_w)] if power_w.size else power_w
    if valid.size == 0:
        return float("nan"), 0
    stalls = valid[valid < STALL_SHARE * np.percentile(valid, 95)]
    return (
        (float(np.percentile(stalls, 10)), int(stalls.size)) if stalls.size >= 10 else (float("nan"), int(stalls.size))
    )
