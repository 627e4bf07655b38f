"""The estimator against published runs: GPU-hours and energy apart, each on what the fit has not seen.

GPU-hours of a run are predicted by a fit without its model family. Energy counts only where it was metered: rows whose
energy is hours x TDP (or hours x an assumed power) are arithmetic and are checked as arithmetic.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.estimate.engine import estimate
from ecoaudit.estimate.mfu import RunMfu, fit, peak, run_mfus
from ecoaudit.estimate.power import plan_power, plan_system
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.model.flops import Architecture
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Boundary
from ecoaudit.reference import Tables
from ecoaudit.reference.types import TrainingRun

WITHIN = 0.40
GOAL_WITHIN, GOAL_COVERED, GOAL_RANGE = 0.75, 0.85, 2.5
PLAUSIBLE_G_PER_KWH = (5.0, 1300.0)
NAIVE_MFU = 0.40
ARITHMETIC_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class TimeCheck:
    """GPU-hours of one run against the prediction; `evidence` is false for rows that are shown but not counted."""

    run: TrainingRun
    family: str
    active_params: float
    mfu: float
    hours: float
    low: float
    high: float
    naive_hours: float
    evidence: bool

    @property
    def actual(self) -> float:
        """GPU-hours as published."""
        assert self.run.gpu_hours is not None
        return self.run.gpu_hours

    @property
    def error(self) -> float:
        """Prediction over the published figure, less 1."""
        return self.hours / self.actual - 1.0

    @property
    def inside(self) -> bool:
        """Whether the 90 % range holds the published figure."""
        return self.low <= self.actual <= self.high


@dataclass(frozen=True, slots=True)
class EnergyCheck:
    """A metered figure against the prediction, both in `unit`; `what` says what is compared."""

    run: TrainingRun
    what: str
    unit: str
    actual: float
    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Prediction over the metered figure, less 1."""
        return self.value / self.actual - 1.0

    @property
    def inside(self) -> bool:
        """Whether the 90 % range holds the metered figure."""
        return self.low <= self.actual <= self.high


@dataclass(frozen=True, slots=True)
class ArithmeticCheck:
    """Hours x power x PUE against the energy a report states, and the intensity its carbon implies (g/kWh)."""

    run: TrainingRun
    product_mwh: float
    off: float | None
    implied_g_per_kwh: float | None

    @property
    def consistent(self) -> bool:
        """Whether the stated figures can all be true."""
        low, high = PLAUSIBLE_G_PER_KWH
        agrees = self.off is None or abs(self.off) <= ARITHMETIC_TOLERANCE
        plausible = self.implied_g_per_kwh is None or low <= self.implied_g_per_kwh <= high
        return agrees and plausible


@dataclass(frozen=True, slots=True)
class Summary:
    """How the counted runs fared: shares within 40 % and inside the range, the median range, and the naive planner.

    `typical_factor` is exp of the root mean square of ln(predicted / published): it weighs both directions alike.
    """

    runs: int
    families: int
    within: float
    covered: float
    median_range: float
    median_error: float
    typical_factor: float
    naive_within: float
    naive_factor: float

    @property
    def reached(self) -> bool:
        """Whether the three goals are met."""
        return self.within >= GOAL_WITHIN and self.covered >= GOAL_COVERED and self.median_range <= GOAL_RANGE


@dataclass(frozen=True, slots=True)
class Validation:
    """Every check, and the summary of the counted ones."""

    time: tuple[TimeCheck, ...]
    shown: tuple[TimeCheck, ...]
    energy: tuple[EnergyCheck, ...]
    arithmetic: tuple[ArithmeticCheck, ...]
    summary: Summary


def validate(tables: Tables) -> Validation:
    """Run the estimator over the published runs of the tables."""
    runs = run_mfus(tables)
    time = tuple(_time(run, runs, tables) for run in runs)
    return Validation(
        time=time,
        shown=tuple(_shown(tables)),
        energy=tuple(_energy(tables)),
        arithmetic=tuple(_arithmetic(tables)),
        summary=summarise(time),
    )


def summarise(checks: Sequence[TimeCheck]) -> Summary:
    """Return how many of the checks are within 40 % and inside their range; raises `ValueError` without any."""
    if not checks:
        raise ValueError("no published run to judge by")
    count = len(checks)
    return Summary(
        runs=count,
        families=len({check.family for check in checks}),
        within=sum(abs(check.error) <= WITHIN for check in checks) / count,
        covered=sum(check.inside for check in checks) / count,
        median_range=statistics.median(check.high / check.low for check in checks),
        median_error=statistics.median(abs(check.error) for check in checks),
        typical_factor=_typical_factor([check.hours / check.actual for check in checks]),
        naive_within=sum(abs(check.naive_hours / check.actual - 1.0) <= WITHIN for check in checks) / count,
        naive_factor=_typical_factor([check.naive_hours / check.actual for check in checks]),
    )


def _typical_factor(ratios: Sequence[float]) -> float:
    return math.exp(math.sqrt(statistics.fmean(math.log(ratio) ** 2 for ratio in ratios)))


def _time(run: RunMfu, runs: Sequence[RunMfu], tables: Tables) -> TimeCheck:
    model = fit(runs, tables.mfu_benchmarks(), without=run.family)
    expected = model.expect(run.gpu, "bf16", run.active_params)
    at_full_speed = run.flops / (peak(run.gpu, "bf16") * 1e12 * 3600.0)
    return TimeCheck(
        run=run.run,
        family=run.family,
        active_params=run.active_params,
        mfu=run.mfu,
        hours=at_full_speed / expected.value,
        low=at_full_speed / expected.high,
        high=at_full_speed / expected.low,
        naive_hours=at_full_speed / NAIVE_MFU,
        evidence=True,
    )


def _shown(tables: Tables) -> list[TimeCheck]:
    """Return mixtures of experts on known GPUs: predicted by all dense runs, shown and never counted."""
    model = fit(run_mfus(tables), tables.mfu_benchmarks())
    found = []
    for run in tables.training_runs():
        gpu = tables.find_gpu(run.gpu)
        preset = tables.model(run.model) if run.model else None
        if gpu is None or preset is None or preset.architecture != "moe" or not run.gpu_hours or not run.tokens:
            continue
        shape = Architecture(preset.active_params, preset.layers, preset.hidden_size, preset.sequence_length)
        expected = model.expect(gpu, preset.number_format, preset.active_params)
        at_full_speed = shape.flops_per_token() * run.tokens / (peak(gpu, preset.number_format) * 1e12 * 3600.0)
        found.append(
            TimeCheck(
                run=run,
                family=preset.family,
                active_params=preset.active_params,
                mfu=at_full_speed / run.gpu_hours,
                hours=at_full_speed / expected.value,
                low=at_full_speed / expected.high,
                high=at_full_speed / expected.low,
                naive_hours=at_full_speed / NAIVE_MFU,
                evidence=False,
            )
        )
    return found


def _energy(tables: Tables) -> list[EnergyCheck]:
    """Return the metered rows: boards' energy of whole runs, and the power of a GPU with its host."""
    found = []
    for run in tables.training_runs():
        if not run.energy_evidence or run.model is None:
            continue
        if run.energy_boundary == "gpu" and run.energy_mwh:
            family = tables.model(run.model).family
            planned = estimate(
                EstimateRequest(gpu=run.gpu, gpus=run.gpu_count or 1024, model=run.model, tokens=run.tokens),
                tables,
                mfu_model=fit(run_mfus(tables), tables.mfu_benchmarks(), without=family),
            )
            energy = planned.energy.gpu
            if energy is not None:
                found.append(
                    EnergyCheck(
                        run,
                        "energy of the GPU boards, end to end",
                        "MWh",
                        run.energy_mwh,
                        energy.value / 1e3,
                        energy.low / 1e3,
                        energy.high / 1e3,
                    )
                )
        elif run.power_w_per_gpu and run.gpu_count:
            found.append(_power(run, tables))
    return found


def _power(run: TrainingRun, tables: Tables) -> EnergyCheck:
    assert run.power_w_per_gpu is not None
    assert run.gpu_count is not None
    gpu, notes = tables.gpu(run.gpu), Notes()
    request = EstimateRequest(gpu=run.gpu, gpus=run.gpu_count)
    system = plan_system(request, gpu, tables, notes)
    figure = plan_power(request, system, gpu, tables.pue(), tables, notes).figure(Boundary.NODE)
    assert figure is not None, "the table's metered runs are on nodes that the lines know"
    low, high = figure.joules.interval()
    count = run.gpu_count
    return EnergyCheck(
        run,
        "node power a GPU",
        "W",
        run.power_w_per_gpu,
        figure.joules.value / count,
        low / count,
        high / count,
    )


def _arithmetic(tables: Tables) -> list[ArithmeticCheck]:
    found = []
    for run in tables.training_runs():
        if run.gpu_hours is None or run.power_w_per_gpu is None:
            continue
        boards = run.gpu_hours * run.power_w_per_gpu / 1e6
        product = boards * (run.pue or 1.0) if run.energy_boundary != "gpu" else boards
        stated = run.energy_mwh
        implied = run.tco2e_reported * 1e3 / (stated or product) if run.tco2e_reported else None
        found.append(
            ArithmeticCheck(
                run=run,
                product_mwh=product,
                off=product / stated - 1.0 if stated else None,
                implied_g_per_kwh=implied,
            )
        )
    return found
