"""Power of the planned hardware, in W for the whole run: the audit's own lines and ledger, over one second.

Energy is linear in time, so the audit's functions are asked for one second of the run and the answer is multiplied by
its (uncertain) length.
"""

import math
from dataclasses import dataclass

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.model.audit import Calibration
from ecoaudit.model.boards import static_energy
from ecoaudit.model.grounding import BUILT_UP_EFFICIENCY, STATED_HOST, Grounded
from ecoaudit.model.hardware import Boards, System, usual_gpus_per_node
from ecoaudit.model.levels import Figure, Ledger
from ecoaudit.model.network import network
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, correlated_pair, factor, relative
from ecoaudit.model.utilisation import by_utilisation
from ecoaudit.quantity import Basis, Boundary
from ecoaudit.reference import Tables
from ecoaudit.reference.types import Cooling, Gpu, PueFactor

LOAD_ONE_NODE = (0.80, 0.50, 1.0)
LOAD_SEVERAL = (0.70, 0.45, 1.0)
"""Mean board power over TDP on hardware that was never metered: what the metered H100 and B200 nodes imply at their
utilisation (0.82 and 0.87 saturated, under the prior of the host's share), with a wide range. Assumed."""
BOARDS_OF_NODE = (0.65, 0.50, 0.80)
"""The boards' part of a node's power where the host's is not known: 0.65 (H100) and 0.72 (B200) saturated. Assumed."""

_ONE_SECOND = np.array([1.0])


@dataclass(frozen=True, slots=True)
class PlannedPower:
    """Mean power of the run in W: boards with how they were found, and the ledger of one second."""

    system: System
    boards_w: Uncertain
    boards_source: str
    ledger: Ledger

    def figure(self, boundary: Boundary) -> Figure | None:
        """Return one second of the run at a boundary: J in a second are W."""
        if boundary is Boundary.GPU:
            return Figure(self.boards_w, "L2", Boundary.GPU, Basis.MODELLED, self.boards_source)
        return self.ledger.at("L3", boundary, self.ledger.everything)


def plan_system(request: EstimateRequest, gpu: Gpu, tables: Tables, notes: Notes) -> System:
    """Return the hardware of the request: nodes, GPUs a node and cooling, from the node type where one is named."""
    node = tables.node(request.node) if request.node else None
    if node is not None and node.gpu != gpu.name:
        raise EcoauditError(f"{node.name} has {node.gpu}, not {gpu.name}", where="--node")
    if node is not None:
        notes.cite("node", f"{node.name}: {node.gpu_count} x {node.gpu}", node.citation)
    cooling: Cooling | None = request.cooling or (node.cooling if node else None)
    board_of_eight = gpu.form_factor.startswith(("SXM", "OAM"))
    usual = usual_gpus_per_node(gpu)
    count = request.gpus
    if count is None:
        count = node.gpu_count if node else usual
        notes.warn(f"the number of GPUs is not given: {count} are assumed; give --gpus")
    per_node = request.gpus_per_node or (node.gpu_count if node else None)
    if per_node is None:
        per_node = usual if board_of_eight else min(usual, count)
        notes.state("GPUs a node", str(per_node), "assumed: boards of eight" if board_of_eight else "assumed")
    nodes = math.ceil(count / per_node)
    return System(
        boards=(Boards(gpu.name, gpu, count, None),),
        nodes=nodes,
        gpu_count=count,
        gpus_per_node=per_node,
        run_gpus_per_node=count / nodes,
        cooling=cooling,
        name=node.name if node else None,
        operator=None,
        source="request",
        hosts=(),
    )


def plan_power(
    request: EstimateRequest, system: System, gpu: Gpu, pue: PueFactor, tables: Tables, notes: Notes
) -> PlannedPower:
    """Return the run's power: the audit's utilisation-driven line where such nodes were metered, else boards only.

    A stated host power replaces the line's own, with the boards' power behind supply losses.
    """
    line = by_utilisation(system, None, 1.0, _ONE_SECOND, tables, notes)
    boards_w, source = _boards(line, system, gpu, tables)
    grounded = line
    missing = notes.unknown.pop("energy.levels.L3", None)
    # Its reason stands beside the figure, or the line that is missing is not needed.
    notes.warnings[:] = [text for text in notes.warnings if not missing or missing not in text]
    if request.host_power_w is not None:
        grounded = _stated_host(request.host_power_w, boards_w, system, gpu, tables)
        notes.state("host power of a node", f"{request.host_power_w:g} W", "given by the user")
    elif missing:
        notes.unknown["energy.levels.L3"] = f"{missing.partition('; ')[0]}; give --host-power-w"
    ledger = Ledger(
        system=system,
        seconds=_ONE_SECOND,
        static_w=static_energy(system, 1.0),
        boards=None,
        grounded=grounded,
        meters=None,
        network=network((), request.network_power_w, np.array([0.0, 1.0]), notes),
        pue=pue,
    )
    if ledger.network is None and (system.nodes or 1) > 1:
        notes.warn("network energy is not included: give --network-power-w")
    return PlannedPower(system, boards_w, source, ledger)


def _boards(line: Grounded | None, system: System, gpu: Gpu, tables: Tables) -> tuple[Uncertain, str]:
    """Return the boards' power: behind the metered node's line where there is one, else a share of TDP."""
    count, nodes = system.gpu_count or 0, system.nodes or 1
    if line is None:
        load = factor("board load, not known", *(LOAD_ONE_NODE if nodes == 1 else LOAD_SEVERAL), at_least=0.05)
        return load * (count * gpu.tdp_w), "GPUs x TDP x an assumed load"
    node_w = line.joules(np.ones(1, dtype=bool))
    prior = tables.power_line(gpu, system.gpus_per_node or 0, system.cooling)
    if prior is None:
        share = factor("boards' part of node power", *BOARDS_OF_NODE, at_least=0.2, at_most=0.95)
        return node_w * share, "the boards' assumed part of the node line"
    alpha, host = correlated_pair(
        "node line prior", prior.alpha, prior.host_w, prior.host_alpha_correlation, first_at_least=1.0
    )
    behind = (node_w - host * (nodes * system.node_share)) / alpha
    most = count * gpu.tdp_w
    least = 0.05 * most
    boards = Uncertain(min(max(behind.value, least), most), np.clip(behind.draws, least, most), behind.factors)
    return boards, "node line less host power, over the slope of supplies and fans (a prior)"


def _stated_host(host_w: float, boards_w: Uncertain, system: System, gpu: Gpu, tables: Tables) -> Grounded:
    """Return the node's power from a stated host power and the boards behind supply losses."""
    prior = tables.power_line(gpu, system.gpus_per_node or 0, system.cooling)
    if prior is not None:
        alpha, _ = correlated_pair(
            "node line prior", prior.alpha, prior.host_w, prior.host_alpha_correlation, first_at_least=1.0
        )
    else:
        alpha = 1.0 / factor("power supply efficiency", *BUILT_UP_EFFICIENCY, at_least=0.5, at_most=1.0)
    host = host_w * relative("stated host power", STATED_HOST) * ((system.nodes or 1) * system.node_share)
    return Grounded(
        lambda segments: (host + alpha * boards_w) * float(segments.sum()),
        "utilisation",
        Basis.MODELLED,
        "stated host power + boards over supply efficiency",
        Calibration(id="stated-host", driver="utilisation", source="host power given by the user"),
        (),
    )
