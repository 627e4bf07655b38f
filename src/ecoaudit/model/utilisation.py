"""L3 without GPU power: `P_node = P_static + alpha x N x TDP x u ** e`, fitted on published node meters.

A coefficient belongs to its definition of u and is never used with another. Here u is throughput relative to one
saturated node of the same GPU and workload; lines over MFU or u = 1 belong to one workload and scale and are not used.
"""

from collections.abc import Sequence

import numpy as np

from ecoaudit.ingest.records import FloatArray, TrainingLog
from ecoaudit.model.audit import Calibration
from ecoaudit.model.flops import workload_of
from ecoaudit.model.grounding import Grounded
from ecoaudit.model.hardware import System
from ecoaudit.model.inputs import Tables
from ecoaudit.model.intervals import Segments
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Z90, Uncertain, exact, factor, relative
from ecoaudit.quantity import Basis, Quantity
from ecoaudit.reference.types import MeasuredPair, UtilisationLine

UNKNOWN_U_ONE_NODE = (0.9, 0.75, 1.0)
UNKNOWN_U_SEVERAL = (0.75, 0.5, 1.0)
NEAR = 0.85
SAME_SOFTWARE = 1.25
"""A throughput above this times the reference node's is another software generation: it says nothing about power."""
U_SOURCE = (
    "throughput of a node over one saturated node's: median of other submitters' MLPerf Training results; derived; not "
    "verified by MLCommons Association"
)
U_UNKNOWN = "not known: judgement"
OTHER_GPU = 0.30
"""What the pooled line, scaled by TDP, may be off by for a GPU that was never metered, 90 % (judgement)."""


def by_utilisation(
    system: System,
    training: TrainingLog | None,
    duration_s: float,
    seconds: FloatArray,
    tables: Tables,
    notes: Notes,
    *,
    without: tuple[str, ...] = (),
) -> Grounded | None:
    """Return the utilisation-driven line for the run; None, with the reason noted, for other nodes.

    Lines fitted on a system named in `without` are not looked at (a held-out residual).
    """
    gpu = system.gpu
    if gpu is None or not system.nodes or not system.gpu_count:
        mixed = "the GPUs are not all of one known model, and without their power no line of node power fits them"
        notes.null("energy.levels.L3", system.lacking or mixed)
        return None
    node_gpus = system.gpus_per_node or 0
    line = choose_line(tables.utilisation_lines(), system, tables, without=without)
    if line is None or line.gpus_per_node != node_gpus or not gpu.form_factor.startswith(("SXM", "OAM")):
        notes.null(
            "energy.levels.L3",
            f"no metered node is like this one ({node_gpus} × {gpu.name}); record GPU power and give --host-power-w, "
            "use `ecoaudit calibrate`, or state the size of the whole node where the run had a part of one",
        )
        return None
    u, known_u = utilisation(system, training, duration_s, tables.measured_pairs(), notes)
    known = seen(line.fitted_on, system)
    same_gpu = line.gpu == gpu.name
    static_w = line.static_w * (1.0 if same_gpu else gpu.tdp_w / _tdp(line, tables))
    if not same_gpu:
        notes.warn(
            f"no {gpu.name} node was metered: the line of {line.gpu} is used, scaled by TDP, with a wide interval"
        )
    elif not known:
        notes.warn(
            f"this node was never metered: the line of {len(line.fitted_on)} metered systems is used ({line.id})"
        )
    # The line's error on systems it has not seen holds the coefficients' own errors and that of a known u.
    width = line.transfer_error if same_gpu else max(OTHER_GPU, line.transfer_error)
    transfer = relative("transfer of the node line to this system", width)
    load = u if line.u_exponent == 1.0 else _power(u, line.u_exponent)
    node_w = (static_w + load * (line.alpha * node_gpus * gpu.tdp_w)) * transfer
    nodes, share = system.nodes, system.node_share

    def joules(segments: Segments) -> Uncertain:
        return node_w * (nodes * share * float(seconds[segments].sum()))

    formula = f"{static_w:.0f} W + {line.alpha:.3f} × {node_gpus} × {gpu.tdp_w:g} W × u^{line.u_exponent:g}"
    notes.cite("node line", formula, line.citation)
    return Grounded(
        joules,
        "utilisation",
        Basis.MODELLED,
        f"node line {line.id}, u = {u.value:.2f}",
        Calibration(
            id=line.id,
            driver="utilisation",
            alpha=_coefficient(line.alpha, line.alpha_se, "1", line),
            static_w=_coefficient(static_w, line.static_w_se * static_w / line.static_w, "W", line),
            u=u.quantity("1", Basis.MODELLED if known_u else Basis.ASSUMED, U_SOURCE if known_u else U_UNKNOWN),
            source=line.citation.source,
        ),
        line.fitted_on,
    )


def choose_line(
    lines: Sequence[UtilisationLine], system: System, tables: Tables, *, without: tuple[str, ...] = ()
) -> UtilisationLine | None:
    """Return the line for the system: its own where it was metered, else the pooled one for its GPU and cooling.

    Only lines over relative throughput that hold for any workload are looked at, and of those none that was fitted on a
    system named in `without`. For a GPU that was never metered the line of the one nearest in TDP is returned.
    """
    gpu = system.gpu

    def usable(line: UtilisationLine) -> bool:
        general = line.workload is None and line.u_definition == "relative_throughput"
        own = line.pooled or (gpu is not None and line.gpu == gpu.name and seen(line.fitted_on, system))
        return general and own and not set(without) & set(line.fitted_on)

    def rank(line: UtilisationLine) -> tuple[float, ...]:
        distance = abs(_tdp(line, tables) - gpu.tdp_w) if gpu else 0.0
        return (
            float(gpu is not None and line.gpu == gpu.name),
            -distance,
            float(not line.pooled),
            float(line.cooling == system.cooling),
            float(line.runs),
        )

    return max(filter(usable, lines), key=rank, default=None)


def seen(fitted_on: Sequence[str], system: System) -> bool:
    """Return whether one of the fitted systems is this one: same maker's name in the system's or operator's name.

    Fitted systems are called `maker-model-...`; the maker and, where the run's system names it, the model must agree.
    """
    return any(same_system(name, system) for name in fitted_on)


def same_system(name: str, system: System) -> bool:
    """Return whether the metered system `name` (`maker-model-...`) is the one the logs name."""
    text = f"{system.name or ''} {system.operator or ''}".lower()
    maker, _, rest = name.partition("-")
    gpu = system.gpu.name.lower() if system.gpu else ""
    gpu_agrees = any(word in gpu for word in rest.split("-") if word in {"h100", "h200", "b200", "b300", "a100"})
    return gpu_agrees and (maker in text or _ALIASES.get(maker, maker) in text)


_ALIASES = {"smc": "sustainable metal cloud"}


def utilisation(
    system: System,
    training: TrainingLog | None,
    duration_s: float,
    pairs: Sequence[MeasuredPair],
    notes: Notes,
) -> tuple[Uncertain, bool]:
    """Return u and whether it is known: throughput a node over that of one saturated node, else the wide default.

    As in the fit, one node that comes near the saturated rate is saturated: u = 1.
    """
    pair = reference_node(system, training, pairs)
    nodes = system.nodes or 1
    if pair is not None and pair.saturated_samples_per_s and training is not None and training.samples:
        rate = training.samples / duration_s / nodes
        u = rate / pair.saturated_samples_per_s
        if u <= SAME_SOFTWARE:
            u = 1.0 if nodes == 1 and u >= NEAR else u
            what = f"{u:.3f} ({rate:.4g} of {pair.saturated_samples_per_s:.4g} samples/s a node)"
            notes.state("u, relative throughput", what, U_SOURCE)
            return exact(u), True
        notes.warn(
            f"throughput is {u:.2f} times a saturated {pair.gpu} node's: other software, so u is not taken from it"
        )
    value, low, high = UNKNOWN_U_ONE_NODE if nodes == 1 else UNKNOWN_U_SEVERAL
    notes.warn(
        f"without recorded GPU power the nodes' utilisation is assumed: {value} ({low} to {high}) of a saturated node"
    )
    return factor("unknown utilisation", value, low, high, at_least=0.0, at_most=1.1), False


def reference_node(system: System, training: TrainingLog | None, pairs: Sequence[MeasuredPair]) -> MeasuredPair | None:
    """Return the metered pair of the same GPU and workload whose saturated throughput u is relative to, None if none.

    A metered system takes its own pair's, the one that its fit used (it is other submitters' throughput, so nothing of
    this system's is in it); any other the newest, and of these the fastest: the latest software.
    """
    gpu = system.gpu.name if system.gpu else None
    workload = workload_of(training)
    fitting = (p for p in pairs if p.gpu == gpu and p.workload == workload and p.saturated_samples_per_s)

    def rank(pair: MeasuredPair) -> tuple[bool, str, float]:
        return same_system(pair.system, system), pair.citation.year or "", pair.saturated_samples_per_s or 0.0

    return max(fitting, key=rank, default=None)


def _power(u: Uncertain, exponent: float) -> Uncertain:
    return Uncertain(u.value**exponent, np.maximum(u.draws, 0.0) ** exponent, u.factors)


def _tdp(line: UtilisationLine, tables: Tables) -> float:
    gpu = tables.find_gpu(line.gpu)
    if gpu is None:
        raise LookupError(f"the fitted line {line.id} names a GPU that is not in the tables: {line.gpu}")
    return gpu.tdp_w


def _coefficient(value: float, error: float, unit: str, line: UtilisationLine) -> Quantity:
    return Quantity(
        value=value,
        low=value - Z90 * error,
        high=value + Z90 * error,
        unit=unit,
        basis=Basis.CALIBRATED,
        source=line.citation.source,
    )
