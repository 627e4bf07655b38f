"""L3: whole-node power, AC, by one straight line. This module chooses the line; it knows three drivers.

    P_node = host_w + alpha x (sum of GPU power)            driven by power, with host_w = P_static - alpha x resident
    P_node = P_static + alpha x N x TDP x u                  driven by utilisation, u as the line's key defines it
    P_node = (GPUs + RAPL + base) / supply efficiency        built up, for nodes unlike the metered ones

P_static includes the GPUs' resident power and host_w does not, so GPU power is never added to P_static; nothing is
clamped sample by sample.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.audit import Calibration
from ecoaudit.model.boards import BoardEnergy
from ecoaudit.model.calibration import CalibratedLine
from ecoaudit.model.hardware import System
from ecoaudit.model.inputs import ModelOptions, Tables
from ecoaudit.model.intervals import Segments
from ecoaudit.model.meters import meter_accuracy
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Z90, Uncertain, correlated_pair, exact, factor, relative
from ecoaudit.quantity import Basis
from ecoaudit.reference.types import Citation, PowerLine

BUILT_UP_EFFICIENCY = (0.93, 0.87, 0.97)
"""Supply efficiency of an unmetered node: 80 PLUS Gold is about 0.90, Titanium 0.96 at half load."""
STATED_HOST = 0.10
"""What a stated host power may be off by, 90 %: it is one figure for a load that varies."""
BASE_W = (60.0, 30.0, 200.0)
BASE_PER_GPU_W = (20.0, 5.0, 60.0)
"""Board, disks, NIC and fans beyond CPU packages and DRAM (judgement): 60 W and 20 W for each GPU's cooling. A metered
workstation with one RTX 4090 drew 77 to 86 W more than GPU, CPU and DRAM estimates (Fischer 2025, arXiv 2509.22092)."""

BASEBOARD = 8
METERED_GPU = "NVIDIA H100 80GB HBM3"
UNMETERED_HOST_W = (1800.0, 900.0, 2900.0)
"""Host power of a node of eight SXM or OAM boards of another kind (judgement): from a DGX A100, rated 6.5 kW with
3.2 kW of boards, to nodes rated above 10 kW."""

Driver = Literal["power", "utilisation", "built up"]


@dataclass(frozen=True, slots=True)
class Grounded:
    """A chosen line: energy of the nodes in chosen segments (J), how it was found, and what the line was fitted on."""

    joules: Callable[[Segments], Uncertain]
    driver: Driver
    basis: Basis
    source: str
    calibration: Calibration
    fitted_on: tuple[str, ...]


def by_power(
    boards: BoardEnergy,
    system: System,
    seconds: FloatArray,
    rapl_j: FloatArray | None,
    power_field: str,
    options: ModelOptions,
    tables: Tables,
    notes: Notes,
) -> Grounded | None:
    """Return the line over GPU power that fits the node: the user's own, a stated host, a prior, or built up.

    `seconds` are the segments' lengths, shape (segments,); `rapl_j` the energy of CPU packages and DRAM of all nodes.
    None, with the reason noted, where nothing beyond the boards is known.
    """
    own = options.calibration
    if own is not None and _fits(own, system, power_field, notes):
        return _user_line(own, boards, system, seconds, notes)
    node_gpus = system.gpus_per_node or 0
    prior = tables.power_line(system.gpu, node_gpus, system.cooling) if system.gpu is not None else None
    prior = prior or _unmetered_baseboard(system, tables)
    if options.host_power_w is not None:
        return _stated_host(options.host_power_w, prior, boards, system, seconds, notes)
    if prior is not None:
        return _prior(prior, boards, system, seconds, notes)
    if rapl_j is not None:
        return _built_up(rapl_j, boards, system, seconds, notes)
    what = f"{node_gpus} × {system.boards[0].name}" if len(system.boards) == 1 else "mixed GPUs"
    reason = (
        f"no metered node is like this one ({what}) and nothing but GPU power is known; give --host-power-w, let the "
        "recorder read RAPL, or fit the node with `ecoaudit calibrate`"
    )
    notes.null("energy.levels.L3", reason)
    return None


def _fits(line: CalibratedLine, system: System, power_field: str, notes: Notes) -> bool:
    """Return whether the user's line was fitted on such nodes; a line is never used with another node or field."""
    table_name = system.gpu.name if system.gpu else None
    names = {table_name, *(b.name for b in system.boards)}
    why = None
    if line.gpu not in names:
        why = f"it was fitted on {line.gpu}"
    elif system.gpus_per_node and line.gpus_per_node != system.gpus_per_node:
        why = f"it was fitted on a node of {line.gpus_per_node} GPUs, this one has {system.gpus_per_node}"
    elif "unspecified" not in {line.power_field, power_field} and line.power_field != power_field:
        why = f"it was fitted on the {line.power_field} power field, this telemetry holds the {power_field} one"
    if why:
        notes.warn(f"the calibration {line.id} is not used: {why}")
    return why is None


def _node_seconds(system: System, seconds: FloatArray, segments: Segments) -> float:
    return float(seconds[segments].sum()) * (system.nodes or 1) * system.node_share


def _user_line(
    line: CalibratedLine, boards: BoardEnergy, system: System, seconds: FloatArray, notes: Notes
) -> Grounded:
    name = f"calibration {line.id}"
    host, alpha = correlated_pair(
        name,
        (line.host_w, line.host_w - Z90 * line.host_w_se, line.host_w + Z90 * line.host_w_se),
        (line.alpha, line.alpha - Z90 * line.alpha_se, line.alpha + Z90 * line.alpha_se),
        line.correlation,
        first_at_least=-np.inf,
    )
    # A line is no better than the meter it was fitted on, of which the calibration's own errors know nothing.
    host, alpha = host * meter_accuracy(), alpha * meter_accuracy()

    def joules(segments: Segments) -> Uncertain:
        # The boards' own gain is inside alpha: the line was fitted on the same boards' readings.
        node = host * _node_seconds(system, seconds, segments) + alpha * boards.joules(segments, with_gain=False)
        return node * relative(f"{name}: unseen runs", line.held_out_error)

    for text in line.warnings:
        notes.warn(f"calibration {line.id}: {text}")
    node_seconds = float(seconds.sum()) * (system.nodes or 1)
    mean_w = float(boards.by_segment_j.sum()) / node_seconds if node_seconds else 0.0
    low, high = line.gpu_power_range_w
    if not low <= mean_w <= high:
        notes.warn(
            f"calibration {line.id}: this run's boards drew {mean_w:,.0f} W a node on average, the calibration saw "
            f"{low:,.0f} to {high:,.0f} W: the line is extrapolated"
        )
    notes.state("node line", f"{line.host_w:.0f} W + {line.alpha:.3f} × GPU power", line.source)
    return Grounded(
        joules,
        "power",
        Basis.CALIBRATED,
        f"user calibration {line.id} over GPU power",
        _calibration(line.id, "power", alpha, host, Basis.CALIBRATED, line.source),
        (line.id,),
    )


def _prior(line: PowerLine, boards: BoardEnergy, system: System, seconds: FloatArray, notes: Notes) -> Grounded:
    alpha, host = correlated_pair(
        "node line prior", line.alpha, line.host_w, line.host_alpha_correlation, first_at_least=1.0
    )
    if system.cooling is None:
        notes.warn(
            "the nodes' cooling is not known: the node line's slope is wide; give --cooling (air, liquid, immersion)"
        )
    notes.warn(
        f"node energy is modelled by a prior ({line.host_w[0]:.0f} W + {line.alpha[0]:.2f} × GPU power), not measured "
        "on this system; `ecoaudit calibrate` fits your own"
    )
    return _line(line.id, alpha, host, line.basis, line.citation, boards, system, seconds, notes)


def _unmetered_baseboard(system: System, tables: Tables) -> PowerLine | None:
    """Return the default line, with a wide host power, for eight-board baseboards of a GPU that was never metered."""
    gpu = system.gpu
    if gpu is None or system.gpus_per_node != BASEBOARD or not gpu.form_factor.startswith(("SXM", "OAM")):
        return None
    metered = tables.power_line(METERED_GPU, BASEBOARD, system.cooling)
    if metered is None:
        return None
    source = f"{metered.citation.source}. Host power of {gpu.name} nodes: judgement, none was metered"
    citation = Citation(source, metered.citation.year, metered.citation.licence)
    name = f"default-8x{'-'.join(gpu.name.lower().split()[:2])}"
    return replace(metered, id=name, gpu=gpu.name, host_w=UNMETERED_HOST_W, citation=citation)


def _stated_host(
    host_w: float, prior: PowerLine | None, boards: BoardEnergy, system: System, seconds: FloatArray, notes: Notes
) -> Grounded:
    host = host_w * relative("stated host power", STATED_HOST)
    if prior is not None:
        alpha, _ = correlated_pair(
            "node line prior", prior.alpha, prior.host_w, prior.host_alpha_correlation, first_at_least=1.0
        )
        source = f"host power given by the user; slope: {prior.citation.source}"
    else:
        alpha = 1.0 / _efficiency()
        source = "host power given by the user; slope: inverse of an assumed supply efficiency 0.93 (0.87 to 0.97)"
    return _line("stated-host", alpha, host, Basis.ASSUMED, Citation(source), boards, system, seconds, notes)


def _efficiency() -> Uncertain:
    value, low, high = BUILT_UP_EFFICIENCY
    return factor("power supply efficiency", value, low, high, at_least=0.5, at_most=1.0)


def _line(
    name: str,
    alpha: Uncertain,
    host: Uncertain,
    basis: Basis,
    citation: Citation,
    boards: BoardEnergy,
    system: System,
    seconds: FloatArray,
    notes: Notes,
) -> Grounded:
    if system.node_share < 1.0:
        notes.warn(
            f"the run holds {system.run_gpus_per_node:g} of a node's {system.gpus_per_node} GPUs: that share of the "
            "host's power is counted"
        )

    def joules(segments: Segments) -> Uncertain:
        return host * _node_seconds(system, seconds, segments) + alpha * boards.joules(segments)

    notes.cite("node line", f"{host.value:.0f} W + {alpha.value:.3f} × GPU power", citation)
    return Grounded(
        joules,
        "power",
        Basis.MODELLED,
        f"node line {name} over GPU power",
        _calibration(name, "power", alpha, host, basis, citation.source),
        (),
    )


def _built_up(rapl_j: FloatArray, boards: BoardEnergy, system: System, seconds: FloatArray, notes: Notes) -> Grounded:
    gpus = system.gpus_per_node or 1
    base_w = [node + gpus * each for node, each in zip(BASE_W, BASE_PER_GPU_W, strict=True)]
    base = factor("base power of an unmetered node", base_w[0], base_w[1], base_w[2], at_least=0.0)
    efficiency = _efficiency()
    share = system.node_share

    def joules(segments: Segments) -> Uncertain:
        rapl = exact(float(rapl_j[segments].sum()) * share) * relative("RAPL accuracy", 0.05)
        inside = boards.joules(segments) + rapl + base * _node_seconds(system, seconds, segments)
        return inside / efficiency

    notes.warn(
        f"node energy is built up from GPUs, RAPL and an assumed base of {base.value:.0f} W over a supply efficiency "
        f"of {BUILT_UP_EFFICIENCY[0]}; give --host-power-w or use `ecoaudit calibrate`"
    )
    notes.state("node base power", f"{base.value:.0f} W", "assumed: board, disks, NIC and fans")
    return Grounded(
        joules,
        "built up",
        Basis.MODELLED,
        "GPUs + RAPL + assumed base, over supply efficiency",
        _calibration("built-up", "built up", 1.0 / efficiency, base, Basis.ASSUMED, "GPUs, RAPL and an assumed base"),
        (),
    )


def _calibration(name: str, driver: str, alpha: Uncertain, host: Uncertain, basis: Basis, source: str) -> Calibration:
    return Calibration(
        id=name,
        driver=driver,
        alpha=alpha.quantity("1", basis, source),
        host_w=host.quantity("W", basis, source),
        source=source,
    )


def rapl_energy(nodes: Sequence[dict[str, FloatArray]]) -> FloatArray | None:
    """Return the energy of CPU packages and DRAM over all nodes by segment (J).

    A package's zone holds its cores, and `psys` the whole platform, so only packages and DRAM are added. None unless
    every node recorded its packages.
    """
    parts = []
    for zones in nodes:
        chosen = [values for zone, values in zones.items() if zone.startswith(("package", "dram"))]
        if not any(zone.startswith("package") for zone in zones):
            return None
        parts.extend(chosen)
    return np.sum(parts, axis=0) if parts else None
