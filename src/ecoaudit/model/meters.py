"""The nodes' own power meters (MLPerf power logs, IPMI, Redfish, PDU): which of them count, AC at the wall."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ecoaudit.ingest.records import FloatArray, MeterLog, ReadQuality, Source
from ecoaudit.model.clock import half_hour_offset, iso
from ecoaudit.model.meter_energy import MeterEnergy, finished, integrate_meter
from ecoaudit.model.meter_sums import GAP_FACTOR
from ecoaudit.model.nodes import NodeReading
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, exact, factor, relative
from ecoaudit.quantity import Basis, percent

MOSTLY_GAP = 0.05
ACCURACY = 0.05
"""Accuracy that MLPerf Training's power rules ask of a meter (training_policies, power_measurement.adoc)."""
ACCOUNTING = "sacct"
"""Energy of a job by Slurm's accounting: the nodes' own sensors, of whose accuracy ACCURACY is a judgement."""
ON_THE_WALL = ("mlperf_power", "watts_csv")
"""Kinds of meters outside of the node, the most trusted first."""
SUPPLY_EFFICIENCY = (0.96, 0.94, 0.985)
"""AC to DC in a node's power supplies: Dell declares 0.96, Lenovo 0.94 for MLPerf; 80 PLUS Titanium reaches 0.96+;
DC over AC of the same SMC runs is 0.971 to 0.987."""


def meter_accuracy() -> Uncertain:
    """Return the factor of node meters' accuracy: one for all that rests on a meter, so it cancels between them."""
    return relative("node meter accuracy", ACCURACY)


@dataclass(frozen=True, slots=True)
class NodeMeters:
    """All node meters of a run over its segments. `boundary` is that of the readings; energy is as read."""

    meters: tuple[MeterEnergy, ...]
    energy_j: FloatArray
    boundary: Literal["ac", "dc"]
    coverage: float
    fit_for_calibration: bool
    source: str
    accounted: bool = False

    @property
    def basis(self) -> Basis:
        """Readings at the wall are measured; DC readings need the supplies' efficiency."""
        return Basis.MEASURED if self.boundary == "ac" else Basis.CALIBRATED

    def node_j(self, energy_j: float | None = None) -> Uncertain:
        """Return AC energy in J with its doubt: of all segments, or of the part `energy_j` of them."""
        whole = float(self.energy_j.sum())
        part = whole if energy_j is None else energy_j
        low = sum(m.gap_low_j for m in self.meters)
        high = sum(m.gap_high_j for m in self.meters)
        result = exact(part) * (relative("job accounting accuracy", ACCURACY) if self.accounted else meter_accuracy())
        if (low < 0 or high > 0) and whole > 0:
            result = result * factor("node meter gaps", 1.0, 1.0 + low / whole, 1.0 + high / whole, at_least=0.0)
        if self.boundary == "dc":
            value, worst, best = SUPPLY_EFFICIENCY
            result = result / factor("power supply efficiency", value, worst, best, at_least=0.5, at_most=1.0)
        return result


@dataclass(frozen=True, slots=True)
class OwnMeter:
    """A node's own meter that is already integrated; `name` is the kind of meter."""

    name: str
    energy: MeterEnergy


def own_meters(nodes: Sequence[NodeReading], edges: FloatArray) -> tuple[MeterLog | OwnMeter, ...]:
    """Return the meters that the recorders read beside the GPUs, as logs where their samples are in memory."""
    found: list[MeterLog | OwnMeter] = []
    for node in nodes:
        files = node.stream.files
        name = next((f.node_power_source for f in files if f.node_power_source), "node meter")
        head = next((f.head for f in files if f.head is not None), None)
        if head is not None:
            if node.meter is not None and node.meter.first[0] < node.meter.last[0]:
                step_s = head.sieve.gap_s / GAP_FACTOR
                found.append(OwnMeter(name, finished(node.stream.label, node.meter, edges, head.sieve, step_s)))
            continue
        parts = [(f.time_s, f.node_power_w) for f in files if f.node_power_w is not None]
        if not parts:
            continue
        times = np.concatenate([time for time, _ in parts])
        power = np.concatenate([values for _, values in parts])
        read = np.isfinite(power)
        if read.sum() > 1:
            source = Source(files[0].source.path, name)
            found.append(MeterLog(source, "node", node.stream.label, times[read], power[read], ReadQuality()))
    return tuple(found)


def node_meters(
    logs: Sequence[MeterLog | OwnMeter],
    edges: FloatArray,
    stated: Literal["ac", "dc"] | None,
    notes: Notes,
    nodes: int | None = None,
) -> NodeMeters | None:
    """Integrate the node meters over the segments between `edges`; None where there is none with readings.

    Of several kinds of meters that are more than the `nodes` one counts, the others are compared with it.
    """
    by_boundary: dict[Literal["ac", "dc"], list[MeterLog | OwnMeter]] = {}
    unsaid = False
    for log in logs:
        if isinstance(log, OwnMeter):
            unsaid |= stated is None
            by_boundary.setdefault(stated or "ac", []).append(log)
            continue
        if log.kind != "node" or not np.isfinite(log.power_w).any():
            continue
        placed = on_clock(log, edges, notes)
        if placed is None:
            continue
        boundary = boundary_of(log, stated)
        if stated is not None and boundary != stated:
            says = f"{log.label}: its log says that it reads {str(boundary).upper()}"
            notes.warn(f"{says}; the {stated.upper()} given is not used", grave=True)
        unsaid |= boundary is None
        by_boundary.setdefault(boundary or "ac", []).append(placed)
    if not by_boundary:
        return None
    if unsaid:
        notes.warn("the node meters do not say whether they read AC or DC: AC is assumed; give --meter-boundary")
    if len(by_boundary) == 2:
        notes.warn("the run is metered on both sides of the power supplies: AC is used, the DC readings are left out")
    side: Literal["ac", "dc"] = "ac" if "ac" in by_boundary else "dc"
    chosen, others = _one_kind(by_boundary[side], nodes)
    meters = _integrated(chosen, edges)
    _compare(meters, _kind(chosen[0]), others, edges, notes)
    _note_shared_channels([log for log in chosen if isinstance(log, MeterLog)], notes)
    window_s = float(edges[-1] - edges[0])
    gap_share = sum(m.gap_s for m in meters) / (window_s * len(meters))
    invalid = sum(m.invalid_readings for m in meters)
    fit = invalid == 0 and gap_share <= MOSTLY_GAP
    if invalid:
        dropped = sum(m.invalid_readings > 0 for m in meters)
        notes.warn(
            f"{dropped} of {len(meters)} node meters read about 0 W or less {invalid} times (a drop-out); the readings "
            "stay in the sum as logged, and the run is not fit for calibration"
        )
    if gap_share > 0.0:
        whole = sum(float(m.energy_j.sum()) for m in meters)
        energy_share = sum(g.energy_j for m in meters for g in m.gaps) / whole if whole else 0.0
        notes.warn(
            f"node meters: {percent(gap_share, 1)} of node-time and {percent(energy_share, 1)} of the energy lie in "
            "gaps bridged linearly"
        )
    if side == "dc":
        notes.state(
            "power supply efficiency", "0.96 (0.94 to 0.985)", "assumed; efficiencies declared in MLPerf power logs"
        )
    return NodeMeters(
        meters=meters,
        energy_j=np.sum([m.energy_j for m in meters], axis=0),
        boundary=side,
        coverage=1.0 - gap_share,
        fit_for_calibration=fit,
        source=f"{len(meters)} × {_kind(chosen[0])} at the node, {side.upper()}, trapezoid",
        accounted=any(_kind(log) == ACCOUNTING for log in chosen),
    )


def _integrated(logs: Sequence[MeterLog | OwnMeter], edges: FloatArray) -> tuple[MeterEnergy, ...]:
    return tuple(log.energy if isinstance(log, OwnMeter) else integrate_meter(log, edges) for log in logs)


def _one_kind(
    logs: list[MeterLog | OwnMeter], nodes: int | None
) -> tuple[list[MeterLog | OwnMeter], dict[str, list[MeterLog | OwnMeter]]]:
    """Return the meters that count, and by kind those that read the same nodes again.

    Of kinds with as many meters as nodes, else of all, the most trusted counts: meters on the wall before a node's
    own sensors, these before job accounting.
    """
    kinds: dict[str, list[MeterLog | OwnMeter]] = {}
    for log in logs:
        kinds.setdefault(_kind(log), []).append(log)
    if nodes is None or len(logs) <= nodes or len(kinds) == 1:
        return logs, {}
    best = min(kinds, key=lambda kind: (len(kinds[kind]) != nodes, _distrust(kind)))
    return kinds.pop(best), kinds


def _distrust(kind: str) -> int:
    return ON_THE_WALL.index(kind) if kind in ON_THE_WALL else len(ON_THE_WALL) + (kind == ACCOUNTING)


def _compare(
    counted: Sequence[MeterEnergy],
    kind: str,
    others: Mapping[str, Sequence[MeterLog | OwnMeter]],
    edges: FloatArray,
    notes: Notes,
) -> None:
    """Tell what meters that are not counted read, in % of those that are."""
    whole = sum(float(meter.energy_j.sum()) for meter in counted)
    for name, logs in others.items():
        again = sum(float(meter.energy_j.sum()) for meter in _integrated(logs, edges))
        read = f" and read {100.0 * (again / whole - 1.0):+.1f} %" if whole > 0 else ""
        notes.warn(
            f"{len(counted)} {kind} meters and {len(logs)} {name} meters are of the same nodes: the former count, the "
            f"latter are a check{read}; if they are of others, give --nodes"
        )


def _kind(log: MeterLog | OwnMeter) -> str:
    return log.name if isinstance(log, OwnMeter) else log.source.format


def boundary_of(log: MeterLog, stated: Literal["ac", "dc"] | None) -> Literal["ac", "dc"] | None:
    """Return the side of the power supplies a meter reads: as its log (or folder) says, else as the user says.

    A declared conversion efficiency is MLPerf's AC-to-DC factor, so its presence says that the readings are AC.
    """
    if log.boundary is not None:
        return log.boundary
    if log.conversion_efficiency is not None and log.conversion_efficiency < 1.0:
        return "ac"
    return stated


def on_clock(log: MeterLog, edges: FloatArray, notes: Notes) -> MeterLog | None:
    """Return a meter log on the run's clock, None where it cannot be the run's.

    A local clock, and one that does not meet the run at all, is moved by whole half-hours where that is unambiguous.
    """
    start, end = float(edges[0]), float(edges[-1])
    first, last = float(log.time_s[0]), float(log.time_s[-1])
    meets = last > start and first < end
    if meets and log.clock != "naive":
        return log
    offset = half_hour_offset(first, last, (start, end))
    if offset:
        notes.warn(f"{log.label}: the meter's clock is moved by {offset / 3600:+g} h onto the run; give --timezone")
        return replace(log, time_s=log.time_s + offset)
    if not meets:
        notes.warn(
            f"{log.label}: the meter's log ({iso(first)} to {iso(last)}) does not meet the run and is left out",
            grave=True,
        )
        notes.null("energy.measured.node", "no node meter's log meets the run")
        return None
    return log


def _note_shared_channels(logs: Sequence[MeterLog], notes: Notes) -> None:
    traces: dict[bytes, int] = {}
    for log in logs:
        # sacct gives one sum, which its reader shares equally and says so.
        if log.power_w.size > 1 and log.source.format != ACCOUNTING:
            key = log.power_w.tobytes() + log.time_s.tobytes()
            traces[key] = traces.get(key, 0) + 1
    shared = sum(count for count in traces.values() if count > 1)
    if shared:
        notes.warn(
            f"{shared} of {len(logs)} node meters have a trace identical to another's: shares of one rack channel; "
            "each is counted, and differences between these nodes are not measured"
        )
