"""The run's energy at every level and boundary, for any part of the job, and the headline.

    E_facility = (E_node + E_network) x PUE

PUE multiplies node energy only: L1 and L2, at the GPU boundary, have no node and no facility figure.
"""

from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.audit import Headline, LevelEnergy, LevelName, Levels, MeasuredEnergy, Residual
from ecoaudit.model.boards import BoardEnergy
from ecoaudit.model.grounding import Grounded
from ecoaudit.model.hardware import System
from ecoaudit.model.intervals import Segments
from ecoaudit.model.meters import NodeMeters
from ecoaudit.model.network import Network
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, factor
from ecoaudit.quantity import Basis, Boundary, Quantity, percent
from ecoaudit.reference.types import PueFactor

J_PER_KWH = 3.6e6
NODE_TIME = 0.95
"""A meter is the headline only when it covers at least this share of node-time, and reads no less than the boards."""

_ORDER = [Basis.MEASURED, Basis.CALIBRATED, Basis.MODELLED, Basis.ASSUMED]
LABELS: dict[LevelName, str] = {
    "measured": "measured at the nodes",
    "L3": "modelled from GPU power or utilisation",
    "L2": "GPU boards only, lower bound",
    "L1": "TDP figure",
}


def joint_basis(*bases: Basis) -> Basis:
    """Return the basis of a figure made of several: the weakest, where an assumption beside data makes a model."""
    weakest = max(bases, key=_ORDER.index)
    if weakest is Basis.ASSUMED and any(basis is not Basis.ASSUMED for basis in bases):
        return Basis.MODELLED
    return weakest


PUE_BASIS = Basis.ASSUMED
"""A PUE is a site's or a fleet's figure over a year, or stated: nobody metered the building during this run."""


def pue_factor(pue: PueFactor) -> Uncertain:
    """Return PUE as a factor; it is never below 1 (ISO/IEC 30134-2)."""
    return factor("PUE", pue.value, pue.low, pue.high, at_least=1.0)


@dataclass(frozen=True, slots=True)
class Figure:
    """An energy in J with what it is: level, boundary, basis and source."""

    joules: Uncertain
    level: LevelName
    boundary: Boundary
    basis: Basis
    source: str

    def headline(self) -> Headline:
        """Return the figure as the audit prints a headline."""
        return Headline(level=self.level, boundary=self.boundary, value=self.kwh(), label=LABELS[self.level])

    def kwh(self) -> Quantity:
        """Return the figure in kWh."""
        return (self.joules / J_PER_KWH).quantity("kWh", self.basis, self.source)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything energy is computed from. `seconds` are the segments' lengths, shape (segments,)."""

    system: System
    seconds: FloatArray
    static_w: Uncertain | None
    boards: BoardEnergy | None
    grounded: Grounded | None
    meters: NodeMeters | None
    network: Network | None
    pue: PueFactor

    @property
    def everything(self) -> Segments:
        """The mask of all segments: the job."""
        return np.ones(self.seconds.size, dtype=bool)

    @property
    def meter_complete(self) -> bool:
        """Whether the meters cover all nodes, enough of the time, and nothing but this run's GPUs."""
        if self.meters is None:
            return False
        all_nodes = self.system.nodes is None or len(self.meters.meters) >= self.system.nodes
        covers = all_nodes and self.meters.coverage >= NODE_TIME and self.system.node_share == 1.0
        return covers and not self.below_boards

    @property
    def below_boards(self) -> bool:
        """Whether the meters read less than the boards behind them drew, both intervals considered: impossible."""
        if self.meters is None or self.boards is None:
            return False
        _, most = self.meters.node_j().interval()
        least, _ = self.boards.joules(self.everything).interval()
        return most < least

    @property
    def fit_for_calibration(self) -> bool | None:
        """Whether a node line may be fitted on this run: whole meters, of these boards alone; None without meters."""
        if self.meters is None:
            return None
        return self.meters.fit_for_calibration and self.system.node_share == 1.0 and not self.below_boards

    @property
    def has_facility(self) -> bool:
        """Whether any figure of the job is at the facility, where PUE enters."""
        names: tuple[LevelName, ...] = ("measured", "L3")
        return any(self._node(name, self.everything) is not None for name in names)

    def network_j(self, segments: Segments) -> Uncertain | None:
        """Return the switches' energy in the chosen segments (J)."""
        if self.network is None:
            return None
        whole = float(self.network.by_segment_j.sum())
        part = float(self.network.by_segment_j[segments].sum())
        return self.network.energy_j * (part / whole) if whole else None

    def at(self, level: LevelName, boundary: Boundary, segments: Segments) -> Figure | None:
        """Return the energy of the chosen segments at a level and boundary, None where it is not known."""
        if boundary is Boundary.GPU:
            return self._gpu(level, segments)
        node = self._node(level, segments)
        if node is None or boundary is Boundary.NODE:
            return node
        network = self.network_j(segments)
        inside = node.joules if network is None else node.joules + network
        bases = [node.basis, PUE_BASIS] + ([self.network.basis] if self.network and network else [])
        source = (
            f"({node.source}{' + network' if network else ''}) × PUE {self.pue.value:g} ({self.pue.citation.source})"
        )
        return Figure(inside * pue_factor(self.pue), level, Boundary.FACILITY, joint_basis(*bases), source)

    def _gpu(self, level: LevelName, segments: Segments) -> Figure | None:
        if level == "L1" and self.static_w is not None:
            joules = self.static_w * float(self.seconds[segments].sum())
            return Figure(joules, "L1", Boundary.GPU, Basis.ASSUMED, "enforced limit or TDP × time, all GPUs")
        if level in {"L2", "measured"} and self.boards is not None:
            joules = self.boards.joules(segments)
            return Figure(joules, level, Boundary.GPU, self.boards.basis, self.boards.source)
        return None

    def _node(self, level: LevelName, segments: Segments) -> Figure | None:
        if level == "L3" and self.grounded is not None:
            joules = self.grounded.joules(segments)
            return Figure(joules, "L3", Boundary.NODE, self.grounded.basis, self.grounded.source)
        if level == "measured" and self.meters is not None:
            part = float(self.meters.energy_j[segments].sum())
            return Figure(self.meters.node_j(part), level, Boundary.NODE, self.meters.basis, self.meters.source)
        return None

    def best(self, segments: Segments) -> Figure | None:
        """Return the headline figure of the chosen segments: node meter, else L3 (facility), else L2, else L1 (gpu)."""
        order: list[tuple[LevelName, Boundary]] = [
            ("L3", Boundary.FACILITY),
            ("L2", Boundary.GPU),
            ("L1", Boundary.GPU),
        ]
        if self.meter_complete:
            order.insert(0, ("measured", Boundary.FACILITY))
        figures = (self.at(level, boundary, segments) for level, boundary in order)
        return next((figure for figure in figures if figure is not None), None)

    def best_inside(self, segments: Segments) -> Figure | None:
        """Return the figure for efficiency: the headline's level at the node boundary, else at the GPU boundary."""
        best = self.best(segments)
        if best is None or best.boundary is Boundary.GPU:
            return best
        return self.at(best.level, Boundary.NODE, segments)

    def levels(self, segments: Segments) -> Levels:
        """Return L1, L2 and L3 of the chosen segments."""

        def level(name: LevelName) -> LevelEnergy | None:
            found = {b.value: figure.kwh() for b in Boundary if (figure := self.at(name, b, segments)) is not None}
            return LevelEnergy(**found) if found else None

        return Levels(L1=level("L1"), L2=level("L2"), L3=level("L3"))

    def measured(self) -> MeasuredEnergy | None:
        """Return what meters and counters read of the job."""
        job = self.everything
        gpu = self.at("measured", Boundary.GPU, job)
        node = self.at("measured", Boundary.NODE, job)
        facility = self.at("measured", Boundary.FACILITY, job) if self.meter_complete else None
        network = self.network
        if not (gpu or node or network):
            return None
        return MeasuredEnergy(
            gpu=gpu.kwh() if gpu and gpu.basis is Basis.MEASURED else None,
            node=node.kwh() if node else None,
            network=(network.energy_j / J_PER_KWH).quantity("kWh", network.basis, network.source) if network else None,
            facility=facility.kwh() if facility else None,
        )

    def explain(self, notes: Notes, no_boards: str | None = None) -> None:
        """Say of every level and boundary that is null why it is; `no_boards`: why readings give no board energy."""
        if self.static_w is None:
            timed = "nothing in the logs tells how long the run took" if not self.seconds.sum() else None
            notes.null(
                "energy.levels.L1", timed or self.system.lacking or "the GPUs' limit and TDP are not known; give --gpu"
            )
        if self.boards is None:
            nothing = "the logs hold no GPU power and no GPU energy counter; use `ecoaudit record`"
            notes.null("energy.levels.L2", no_boards or nothing)
        elif self.boards.basis is not Basis.MEASURED:
            notes.null("energy.measured.gpu", self.boards.why_modelled)
        if self.network is None:
            notes.null("energy.measured.network", "no switch log; give --network-power-w to include the network")
            if (self.system.nodes or 1) > 1:
                notes.warn("network energy is not included: no switch log of the run and no network power is given")
        if self.meters is not None and self.system.nodes and len(self.meters.meters) > self.system.nodes:
            more = f"{len(self.meters.meters)} node meters for {self.system.nodes} nodes"
            notes.warn(f"{more}: all are counted; check that they are one run's")
        if self.meters is None:
            notes.null("energy.measured.node", "no node power meter in the logs")
        elif not self.meter_complete:
            count, nodes = len(self.meters.meters), self.system.nodes
            why = (
                f"it covers {count} of {nodes} nodes"
                if nodes and count < nodes
                else f"it covers {percent(self.meters.coverage)} of node-time"
                if self.meters.coverage < NODE_TIME
                else "it reads less than the GPU boards behind it, which is impossible: another node's, or another unit"
                if self.below_boards
                else "the nodes are shared with other work"
            )
            notes.warn(f"the node meter is a check, not the headline: {why}", grave=True)


def residual(ledger: Ledger, seen: bool, this_run: bool, held_out_percent: float | None) -> Residual | None:
    """Return L3 against the meter at the node boundary; `seen` says whether its line was fitted on this system."""
    l3 = ledger.at("L3", Boundary.NODE, ledger.everything)
    meter = ledger.at("measured", Boundary.NODE, ledger.everything)
    if l3 is None or meter is None or ledger.grounded is None or not ledger.meter_complete or meter.joules.value <= 0:
        return None
    percent = 100.0 * (l3.joules.value / meter.joules.value - 1.0)
    fitted = ledger.grounded.fitted_on
    if ledger.grounded.basis is Basis.CALIBRATED:
        note = "the user's own calibration: its held-out error is in the calibration file"
        return Residual(level="L3", percent=percent, coefficient_seen="this system", note=note)
    if not fitted:
        return Residual(level="L3", percent=percent, coefficient_seen="nothing (a prior)", held_out_percent=percent)
    if not seen:
        note = f"fitted on {', '.join(fitted)}, not on this system: the residual is an accuracy"
        return Residual(
            level="L3", percent=percent, coefficient_seen="nothing of this system", held_out_percent=percent, note=note
        )
    return Residual(
        level="L3",
        percent=percent,
        coefficient_seen="this run" if this_run else "this system",
        held_out_percent=held_out_percent,
        note="the line was fitted on this system: only the held-out residual is an accuracy",
    )
