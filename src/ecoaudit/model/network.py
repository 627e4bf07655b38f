"""Energy of the switches: its own term, measured or stated, added only at the facility boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray, MeterLog
from ecoaudit.model.clock import half_hour_offset
from ecoaudit.model.intervals import trapezoid_j
from ecoaudit.model.meters import ACCURACY, integrate_meter
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, exact, factor, relative
from ecoaudit.quantity import Basis

STATED = 0.30
"""A stated switch power is a rating or an estimate: 90 % interval of -30 % to +10 % (it is rarely exceeded)."""
STATED_ABOVE = 0.10


@dataclass(frozen=True, slots=True)
class Network:
    """Energy of all switches in the job window and by segment."""

    energy_j: Uncertain
    by_segment_j: FloatArray
    basis: Basis
    source: str


def network(logs: Sequence[MeterLog], stated_w: float | None, edges: FloatArray, notes: Notes) -> Network | None:
    """Return the switches' energy over the segments between `edges`: what the user states, else what is logged."""
    seconds = np.diff(edges)
    if stated_w is not None:
        notes.state("network power", f"{stated_w:g} W", "given by the user")
        by_segment = stated_w * seconds
        return Network(exact(float(by_segment.sum())), by_segment, Basis.ASSUMED, f"{stated_w:g} W, given by the user")
    switches = [log for log in logs if log.kind == "network" and np.isfinite(log.power_w).any()]
    if not switches:
        return None
    measured_j, stated_j = np.zeros(seconds.size), np.zeros(seconds.size)
    for log in switches:
        if log.stated or log.time_s.size < 2:
            stated_j += float(log.power_w[np.isfinite(log.power_w)][0]) * seconds
        else:
            measured_j += _measured(log, edges, notes)
    total = exact(float(measured_j.sum())) * relative("switch meter accuracy", ACCURACY)
    total = total + exact(float(stated_j.sum())) * factor(
        "stated switch power", 1.0, 1.0 - STATED, 1.0 + STATED_ABOVE, at_least=0.0
    )
    stated_share = float(stated_j.sum()) > 0
    if stated_share:
        watts = float(stated_j.sum()) / float(seconds.sum())
        notes.state("network power", f"{watts:,.0f} W", "stated in the power log, not measured")
    kind = "stated" if stated_share else "measured"
    return Network(
        total,
        measured_j + stated_j,
        Basis.ASSUMED if stated_share else Basis.MEASURED,
        f"{len(switches)} switch log{'s' * (len(switches) > 1)}, {kind}",
    )


def _measured(log: MeterLog, edges: FloatArray, notes: Notes) -> FloatArray:
    """Return a measured switch's energy by segment, its clock moved by whole half-hours where that is unambiguous."""
    times = log.time_s
    window = float(edges[0]), float(edges[-1])
    offset = half_hour_offset(float(times[0]), float(times[-1]), window)
    if offset is None:
        mean = _mean_power(log)
        notes.warn(
            f"{log.label}: the switch's clock does not meet the run's; the mean of its own log ({mean:,.0f} W) is used"
        )
        held: FloatArray = mean * np.diff(edges)
        return held
    if offset:
        notes.warn(f"{log.label}: the switch's clock is {-offset / 3600:+g} h off the run's and is moved onto it")
    moved = MeterLog(log.source, "network", log.label, times + offset, log.power_w, log.quality)
    return integrate_meter(moved, edges).energy_j


def _mean_power(log: MeterLog) -> float:
    read = np.isfinite(log.power_w)
    times, power = log.time_s[read], log.power_w[read]
    length = float(times[-1] - times[0])
    energy = trapezoid_j(times[:-1], times[1:], power[:-1], power[1:])
    return float(energy.sum()) / length if length > 0 else float(power.mean())
