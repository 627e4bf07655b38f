"""Request in, estimate out. Pure: the same request and tables give the same estimate.

    GPU-hours = model FLOPs / (MFU x dense peak x goodput)
    energy    = power of the hardware x GPU-hours / GPUs, at each boundary
    carbon    = energy x grid intensity + boards' share of their making
    cost      = GPU-hours x price

Power, carbon and cost are the audit's own functions (`model.levels`, `model.carbon`, `model.cost`), asked for one
second or one GPU-hour and multiplied by the uncertain length of the run, so that shared doubts stay shared.
"""

from dataclasses import dataclass, replace

import numpy as np

from ecoaudit import __version__
from ecoaudit.estimate.drivers import drivers
from ecoaudit.estimate.mfu import MfuModel, default_model, peak
from ecoaudit.estimate.power import PlannedPower, plan_power, plan_system
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.estimate.result import Estimate, PlannedEnergy, PlannedHardware, PlannedTraining
from ecoaudit.estimate.site import resolve_site
from ecoaudit.estimate.work import PlannedWork, plan_work
from ecoaudit.model.audit import Carbon, Cost
from ecoaudit.model.carbon import carbon, embodied, intensity
from ecoaudit.model.cost import bill
from ecoaudit.model.inputs import Site
from ecoaudit.model.levels import J_PER_KWH, LABELS, PUE_BASIS, Figure, pue_factor
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, exact, factor
from ecoaudit.quantity import Basis, Boundary, Quantity
from ecoaudit.reference import Tables
from ecoaudit.reference.types import Gpu

SECONDS_AN_HOUR = 3600.0
BYTES_A_PARAMETER = {"full": 16.0, "lora": 2.0, "qlora": 0.5}
"""Weights, gradients and Adam's state in mixed precision (ZeRO, arXiv:1910.02054, section 3.1); a frozen base in 16
bits; one in 4 bits. Activations come on top."""


@dataclass(frozen=True, slots=True)
class _Speed:
    """How fast the boards work: MFU over training time, the share of paid time that trains, and where both are from."""

    mfu: Uncertain
    goodput: float
    basis: Basis
    source: str


def estimate(request: EstimateRequest, tables: Tables, *, mfu_model: MfuModel | None = None) -> Estimate:
    """Return the estimate of `request`; `mfu_model` replaces the default fit (validation leaves families out).

    Raises `EcoauditError` for a name that the tables do not know, and when the work or the speed cannot be told.
    """
    notes = Notes()
    gpu = tables.gpu(request.gpu)
    notes.cite("GPU", f"{gpu.name}: TDP {gpu.tdp_w:g} W", gpu.citation)
    site = resolve_site(request, gpu, tables)
    for text in site.warnings:
        notes.warn(text)
    work = plan_work(request, tables, notes)
    system = plan_system(request, gpu, tables, notes)
    _check_memory(request, work, gpu, system.gpu_count or 0, notes)
    peak_tflops = peak(gpu, request.precision)
    notes.cite("dense peak", f"{peak_tflops:g} TFLOP/s in {request.precision}", gpu.citation)
    speed = _speed(request, gpu, work, mfu_model or default_model(tables), notes)
    gpu_hours = work.flops / (speed.mfu * (peak_tflops * 1e12 * speed.goodput * SECONDS_AN_HOUR))
    wall_s = gpu_hours * (SECONDS_AN_HOUR / (system.gpu_count or 1))
    power = plan_power(request, system, gpu, site.pue, tables, notes)
    headline = _headline(power, wall_s)
    notes.cite("PUE", f"{site.pue.value:g} ({site.pue.scope})", site.pue.citation)
    found, carbon_kg = _carbon(headline, site, power, gpu_hours, work, notes)
    cost = _cost(site, gpu_hours, notes)
    hours = gpu_hours.quantity("GPU-h", Basis.MODELLED, "model FLOPs / (MFU x dense peak x goodput)")
    return Estimate(
        tool=f"ecoaudit {__version__}",
        request=request.given(),
        hardware=PlannedHardware(
            gpu=gpu.name,
            gpu_count=system.gpu_count or 0,
            nodes=system.nodes or 0,
            gpus_per_node=system.gpus_per_node or 0,
            cooling=system.cooling,
            tdp_w=gpu.tdp_w,
            peak_tflops=peak_tflops,
        ),
        training=_training(request, work),
        mfu=speed.mfu.quantity("1", speed.basis, speed.source),
        hfu=(speed.mfu * work.hardware_ratio).quantity(
            "1", speed.basis, f"MFU x hardware over model FLOPs; {speed.source}"
        ),
        goodput=Quantity.exact(speed.goodput, "1", speed.basis, _goodput_source(request)),
        gpu_hours=hours,
        wall_hours=(wall_s / SECONDS_AN_HOUR).quantity("h", Basis.MODELLED, "GPU-hours / GPUs"),
        energy=_energy(power, wall_s, headline, site),
        carbon=found,
        cost=cost,
        drivers=drivers(carbon_kg if carbon_kg is not None else headline.joules),
        drivers_of="carbon.operational" if carbon_kg is not None else f"energy.{headline.boundary.value}",
        provenance=notes.provenance,
        warnings=notes.warnings,
        unknown=notes.unknown,
    )


def _check_memory(request: EstimateRequest, work: PlannedWork, gpu: Gpu, count: int, notes: Notes) -> None:
    """Warn where the weights and their training state alone exceed the GPUs' memory."""
    need = work.params * BYTES_A_PARAMETER[request.method]
    have = count * (gpu.memory_gib or float("inf")) * 2**30
    if need > have:
        notes.warn(
            f"weights, gradients and Adam's state take {need / 2**30:,.0f} GiB, the {count} GPUs hold "
            f"{have / 2**30:,.0f}: the run needs more GPUs or offloading, and will not reach this speed"
        )


def _speed(request: EstimateRequest, gpu: Gpu, work: PlannedWork, model: MfuModel, notes: Notes) -> _Speed:
    given = request.mfu if request.mfu is not None else None
    if request.hfu is not None:
        given = request.hfu / work.hardware_ratio
        notes.state("MFU", f"{given:.4g}", f"HFU {request.hfu:g} without what recompute ({request.recompute}) repeats")
    if given is not None:
        if request.goodput is None:
            notes.warn("goodput is not given: restarts, evaluation and checkpoints are not in the GPU-hours")
        return _Speed(exact(given), request.goodput or 1.0, Basis.ASSUMED, "given by the user")
    expected = model.expect(gpu, request.precision, work.active_params)
    for text in expected.extrapolated:
        notes.warn(text)
    if request.goodput is not None:
        notes.warn(
            "MFU is that of published runs over all their GPU-hours: lost time is in it, and goodput lowers it again"
        )
    if work.preset is not None and work.preset.architecture == "moe":
        notes.warn("MFU is that of dense models: a mixture of experts may run slower")
    notes.state("MFU", f"{expected.value:.3f} ({expected.low:.3f} to {expected.high:.3f})", expected.source)
    mfu = factor("MFU", expected.value, expected.low, expected.high, at_least=expected.low / 2.0, at_most=1.0)
    return _Speed(mfu, request.goodput or 1.0, Basis.MODELLED, expected.source)


def _goodput_source(request: EstimateRequest) -> str:
    if request.goodput is not None:
        return "given by the user"
    return "inside the MFU of published runs" if request.mfu is None and request.hfu is None else "not given"


def _headline(power: PlannedPower, wall_s: Uncertain) -> Figure:
    """Return the energy of the whole run at the facility, or at the boards where no more is known."""
    per_second = power.figure(Boundary.FACILITY) or power.figure(Boundary.GPU)
    assert per_second is not None
    return replace(per_second, joules=per_second.joules * wall_s)


def _energy(power: PlannedPower, wall_s: Uncertain, headline: Figure, site: Site) -> PlannedEnergy:
    def kwh(boundary: Boundary) -> Quantity | None:
        figure = power.figure(boundary)
        return replace(figure, joules=figure.joules * wall_s).kwh() if figure else None

    tdp = power.ledger.system.boards[0].board_limit_w or 0.0
    count = power.system.gpu_count or 0
    network = power.ledger.network
    return PlannedEnergy(
        gpu=kwh(Boundary.GPU),
        node=kwh(Boundary.NODE),
        network=(network.energy_j * wall_s / J_PER_KWH).quantity("kWh", network.basis, network.source)
        if network
        else None,
        facility=kwh(Boundary.FACILITY),
        tdp=(wall_s * (tdp * count / J_PER_KWH)).quantity("kWh", Basis.ASSUMED, "GPUs x TDP x time"),
        pue=pue_factor(site.pue).quantity("1", PUE_BASIS, site.pue.citation.source),
        headline=headline.boundary.value,
        headline_label=LABELS[headline.level],
    )


def _carbon(
    headline: Figure, site: Site, power: PlannedPower, gpu_hours: Uncertain, work: PlannedWork, notes: Notes
) -> tuple[Carbon, Uncertain | None]:
    grid = intensity(site, np.array([0.0, 1.0]), None, notes)
    making = embodied(power.system, 1.0, notes)
    boards = (making[0] * gpu_hours, making[1]) if making else None
    found = carbon(headline, grid, boards, site, (work.tokens / 1e6, "million tokens"), notes)
    return found, headline.joules / J_PER_KWH * grid.g_per_kwh if grid else None


def _cost(site: Site, gpu_hours: Uncertain, notes: Notes) -> Cost:
    one_hour = bill(site, 1.0, notes)
    hours = gpu_hours.quantity("GPU-h", Basis.MODELLED, "model FLOPs / (MFU x dense peak x goodput)")
    if one_hour.usd_per_gpu_hour is None or one_hour.cost.total is None:
        return Cost(gpu_hours=hours)
    total = one_hour.usd_per_gpu_hour * gpu_hours
    return Cost(
        total=total.quantity("USD", Basis.MODELLED, one_hour.cost.total.source),
        per_gpu_hour=one_hour.cost.per_gpu_hour,
        gpu_hours=hours,
    )


def _training(request: EstimateRequest, work: PlannedWork) -> PlannedTraining:
    return PlannedTraining(
        model=work.preset.name if work.preset else None,
        method=request.method,
        precision=request.precision,
        params=work.params,
        active_params=work.active_params,
        sequence_length=work.sequence_length,
        tokens=work.tokens,
        flops=work.flops.quantity("FLOP", Basis.MODELLED, work.source),
        hardware_flops=(work.flops * work.hardware_ratio).quantity(
            "FLOP", Basis.MODELLED, f"model FLOPs and what recompute ({request.recompute}) repeats"
        ),
        attention_share=work.attention_share,
    )
