"""Energy of the switches: its own term, measured or stated, added only at the facility boundary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray, MeterLog
from ecoaudit.model.clock import half_hour_offset
from ecoaudit.model.intervals import trapezoid_j
from ecoaudit.model.meter_energy import integrate_meter
from ecoaudit.model.meters import ACCURACY
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, exact, factor, relative
from ecoaudit.quantity import Basis

STATED = 0.30
"""A stated switch power is a rating or an estimate: 90 % interval of -30 % to +10 % (it is rarely exceeded)."""
STATED_ABOVE = 0.10
HELD = 0.20
"""What a switch's mean at another time may be off by, 90 % (judgement): a switch's power hardly depends on its load."""


@dataclass(frozen=True, slots=True)
class Network:
    """Energy of all switches in the job window and by segment."""

    energy_j: Uncertain
    by_segment_j: FloatArray
    basis: Basis
    source: str


def network(
    logs: Sequence[MeterLog],
    stated_w: float | None,
    edges: FloatArray,
    notes: Notes,
    *,
    nodes_refused: bool = False,
) -> Network | None:
    """Return the switches' energy over the segments between `edges`: what the user states, else what is logged.

    A switch's log that does not meet the run gives its own mean, which is assumed, not measured. Where every node meter
    of the input was refused as another run's (`nodes_refused`), such a switch is refused too.
    """
    seconds = np.diff(edges)
    if stated_w is not None:
        notes.state("network power", f"{stated_w:g} W", "given by the user")
        by_segment = stated_w * seconds
        return Network(exact(float(by_segment.sum())), by_segment, Basis.ASSUMED, f"{stated_w:g} W, given by the user")
    switches = [log for log in logs if log.kind == "network" and np.isfinite(log.power_w).any()]
    if not switches:
        return None
    measured_j, stated_j, held_j = np.zeros(seconds.size), np.zeros(seconds.size), np.zeros(seconds.size)
    used = 0
    for log in switches:
        if log.stated or log.time_s.size < 2:
            stated_j += float(log.power_w[np.isfinite(log.power_w)][0]) * seconds
        elif (moved := _on_clock(log, edges, notes)) is not None:
            measured_j += integrate_meter(moved, edges).energy_j
        elif nodes_refused:
            notes.warn(f"{log.label}: the switch's log does not meet the run, as no node meter's does, and is left out")
            continue
        else:
            mean = _mean_power(log)
            notes.warn(
                f"{log.label}: the switch's clock does not meet the run's; the mean of its own log ({mean:,.0f} W) is "
                "assumed for it"
            )
            held_j += mean * seconds
        used += 1
    if not used:
        notes.null("energy.measured.network", "the switch logs do not meet the run and are left out")
        return None
    total = exact(float(measured_j.sum())) * relative("switch meter accuracy", ACCURACY)
    total = total + exact(float(stated_j.sum())) * factor(
        "stated switch power", 1.0, 1.0 - STATED, 1.0 + STATED_ABOVE, at_least=0.0
    )
    total = total + exact(float(held_j.sum())) * relative("switch power of another time", HELD)
    stated_share = float(stated_j.sum()) > 0
    if stated_share:
        watts = float(stated_j.sum()) / float(seconds.sum())
        notes.state("network power", f"{watts:,.0f} W", "stated in the power log, not measured")
    held_share = float(held_j.sum()) > 0
    kind = "stated" if stated_share else "the mean of its own log at another time" if held_share else "measured"
    return Network(
        total,
        measured_j + stated_j + held_j,
        Basis.ASSUMED if stated_share or held_share else Basis.MEASURED,
        f"{used} switch log{'s' * (used > 1)}, {kind}",
    )


def _on_clock(log: MeterLog, edges: FloatArray, notes: Notes) -> MeterLog | None:
    """Return a switch's log moved by whole half-hours onto the run where that is unambiguous, None where it is not."""
    times = log.time_s
    offset = half_hour_offset(float(times[0]), float(times[-1]), (float(edges[0]), float(edges[-1])))
    if offset is None:
        return None
    if offset:
        notes.warn(f"{log.label}: the switch's clock is {-offset / 3600:+g} h off the run's and is moved onto it")
    return MeterLog(log.source, "network", log.label, times + offset, log.power_w, log.quality)


def _mean_power(log: MeterLog) -> float:
    read = np.isfinite(log.power_w)
    times, power = log.time_s[read], log.power_w[read]
    length = float(times[-1] - times[0])
    energy = trapezoid_j(times[:-1], times[1:], power[:-1], power[1:])
    return float(energy.sum()) / length if length > 0 else float(power.mean())
