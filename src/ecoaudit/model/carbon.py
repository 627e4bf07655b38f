"""Operational and embodied carbon, and the SCI score.

Operational = energy x grid intensity, location-based (GHG Protocol scope 2); a market-based figure stands beside it.
Embodied (boards only) = kg per GPU x allocated GPU-hours / (years x 8760 h x allocation).
SCI = ((E x I) + M) / R, ISO/IEC 21031:2024.
"""

from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray, TrainingLog
from ecoaudit.model.audit import Carbon
from ecoaudit.model.flops import Work
from ecoaudit.model.hardware import UNNAMED, System
from ecoaudit.model.inputs import Site
from ecoaudit.model.levels import J_PER_KWH, Figure, joint_basis
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, exact, factor, relative, total
from ecoaudit.quantity import Basis, Boundary, percent
from ecoaudit.reference.types import GridFactor, IntensitySeries

LIFE_YEARS = (5.0, 4.0, 6.0)
ALLOCATION = (1.0, 0.6, 1.0)
"""Years a board serves, and the share of its life it is allocated to some job: judgement, 5 (4-6) and 1.0 (0.6-1.0)."""
EMBODIED_ERROR = 0.2
"""What a board's published embodied carbon may be off by, 90 % (judgement: one life-cycle study a board)."""
HOURS_A_YEAR = 8760.0
SERIES_ERROR = 0.05
SERIES_COVERS = 0.95
"""A series that covers at least this share of the energy stands for the rest; below it the annual average is used."""
NO_ENERGY = "no energy is known: the logs hold no power, and no GPU model with a duration"
NO_GRID = "no grid intensity: give --region, --zone or --intensity"
OPERATIONAL_ONLY = "operational only"
WITH_BOARDS = "operational + embodied GPU boards (host and network not included)"


@dataclass(frozen=True, slots=True)
class Intensity:
    """Grid intensity over the job in g/kWh, weighted by energy where it varies; `kind` says which quantity it is."""

    g_per_kwh: Uncertain
    basis: Basis
    kind: str
    zone: str
    source: str


def intensity(site: Site, edges: FloatArray, energy_j: FloatArray | None, notes: Notes) -> Intensity | None:
    """Return the job's intensity: a series weighted by when energy was drawn, else the annual average.

    `edges` are Unix s, shape (n + 1,), and `energy_j` lies between them, shape (n,); None where nothing places the run
    on the clock.
    """
    grid = site.grid
    if site.series is not None:
        found = _of_series(site.series, edges, energy_j, notes, otherwise=_otherwise(grid))
        if found is not None:
            return found
    if grid is None:
        return None
    notes.cite("grid intensity", f"{grid.g_per_kwh:g} g/kWh, {grid.basis}, {grid.name}", grid.citation)
    if grid.stand_in:
        notes.warn(f"the intensity of {grid.name} stands in for the grid zone {grid.zone}, with a wider interval")
    given = grid.basis == "as given"
    basis = Basis.ASSUMED if given else Basis.MODELLED
    return Intensity(_grid_factor(grid), basis, grid.basis, grid.zone, grid.citation.source)


def _otherwise(grid: GridFactor | None) -> str:
    if grid is None:
        return "no annual average is known either; give --region or --zone"
    return f"the annual average of {grid.name} ({grid.basis}) is used"


def _of_series(
    series: IntensitySeries, edges: FloatArray, energy_j: FloatArray | None, notes: Notes, *, otherwise: str
) -> Intensity | None:
    """Return the mean of the series weighted by energy; None, with a warning, where it does not cover the run."""
    if energy_j is None or energy_j.sum() <= 0:
        notes.warn(f"the intensity series is not used, for nothing places the energy on the clock: {otherwise}")
        return None
    mean, covered = mean_over(series, edges)
    weight = energy_j * covered
    share = float(weight.sum() / energy_j.sum())
    if share < SERIES_COVERS:
        notes.warn(f"the intensity series of {series.zone} covers {percent(share, 1)} of the run's energy: {otherwise}")
        return None
    if share < 1.0 - 1e-9:
        covers = f"covers {percent(share, 1)} of the run's energy"
        notes.warn(f"the intensity series of {series.zone} {covers}: its mean stands for the rest")
    value = float(np.where(covered > 0, mean * weight, 0.0).sum() / weight.sum())
    notes.cite("grid intensity", f"{value:.1f} g/kWh, {series.basis}, series weighted by energy", series.citation)
    doubt = relative(f"grid intensity series {series.zone} {series.basis}", SERIES_ERROR)
    source = f"series of {series.zone} weighted by energy: {series.citation.source}"
    return Intensity(exact(value) * doubt, Basis.MODELLED, series.basis, series.zone, source)


def _grid_factor(grid: GridFactor) -> Uncertain:
    return factor(f"grid intensity {grid.zone} {grid.basis}", grid.g_per_kwh, grid.low, grid.high, at_least=0.0)


def mean_over(series: IntensitySeries, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the series' time mean in each segment and the share of the segment that it covers, shape (edges - 1,).

    The mean is NaN where nothing is covered. Exact: both integrals are piecewise linear between the series' own edges.
    """
    knots = np.append(series.time_s, series.end_s)
    lengths = np.diff(knots)
    known = np.isfinite(series.g_per_kwh)

    def integral(rate: FloatArray) -> FloatArray:
        at_knots = np.concatenate(([0.0], np.cumsum(rate * lengths)))
        return np.diff(np.interp(edges, knots, at_knots))

    covered_s = integral(known.astype(np.float64))
    grams = integral(np.where(known, series.g_per_kwh, 0.0))
    seconds = np.diff(edges)
    nothing = np.full(seconds.shape, np.nan)
    mean: FloatArray = np.divide(grams, covered_s, out=nothing, where=covered_s > 0)
    share: FloatArray = np.divide(covered_s, seconds, out=np.zeros_like(seconds), where=seconds > 0)
    return mean, share


def embodied(system: System, gpu_hours: float | None, notes: Notes) -> tuple[Uncertain, str] | None:
    """Return the boards' share of their making in kgCO2e with its source; None where a board's figure is not known."""
    if not gpu_hours or not system.allocated or not system.boards:
        notes.null("carbon.embodied", system.lacking or "GPU-hours are not known")
        return None
    if any(b.name == UNNAMED for b in system.boards):
        notes.null("carbon.embodied", "the log does not name its GPU")
        return None
    unknown = [b.name for b in system.boards if b.gpu is None or b.gpu.embodied_kgco2e is None]
    if unknown:
        notes.null("carbon.embodied", f"no embodied carbon is published for {', '.join(unknown)}")
        return None
    years = factor("years of service", *LIFE_YEARS, at_least=1.0)
    allocation = factor("allocation of boards", *ALLOCATION, at_least=0.2, at_most=1.0)
    parts, sources = [], []
    for boards in system.boards:
        gpu = boards.gpu
        if gpu is None or gpu.embodied_kgco2e is None:
            continue
        kg = gpu.embodied_kgco2e * relative(f"embodied carbon of {gpu.name}", EMBODIED_ERROR)
        hours = gpu_hours * boards.count * boards.share / system.allocated
        parts.append(kg * hours / (years * HOURS_A_YEAR * allocation))
        citation = gpu.embodied_citation or gpu.citation
        sources.append(citation.source)
        notes.cite("embodied carbon of a GPU", f"{gpu.embodied_kgco2e:g} kg CO₂e, {gpu.name}", citation)
    return total(parts), f"GPU boards only, host and network not included; {'; '.join(dict.fromkeys(sources))}"


def carbon(
    figure: Figure | None,
    grid: Intensity | None,
    boards: tuple[Uncertain, str] | None,
    site: Site,
    work: tuple[float, str] | None,
    notes: Notes,
) -> Carbon:
    """Return the run's carbon; `figure` is the headline, `work` is SCI's R with its unit."""
    operational = market = total_kg = None
    if figure is not None and grid is not None:
        operational = figure.joules / J_PER_KWH * grid.g_per_kwh / 1000.0
    else:
        why = NO_ENERGY if figure is None else NO_GRID
        notes.null("carbon.operational", why)
        notes.null("carbon.total", why)
    if grid is None:
        notes.null("carbon.intensity", NO_GRID)
    contract = site.market
    if figure is not None and contract is not None:
        market = figure.joules / J_PER_KWH * _grid_factor(contract) / 1000.0
        notes.cite("market-based intensity", f"{contract.g_per_kwh:g} g/kWh, {contract.name}", contract.citation)
    elif contract is None:
        notes.null("carbon.market_based", "no contractual (market-based) factor is known for this place")
    if operational is not None:
        total_kg = operational + boards[0] if boards else operational
    sci = None
    if total_kg is not None and work is not None:
        sci = (total_kg * 1000.0 / work[0]).quantity(
            f"gCO2e/{work[1]}", Basis.MODELLED, "SCI = ((E × I) + M) / R, ISO/IEC 21031:2024"
        )
    elif work is None:
        notes.null("carbon.sci", "the logs tell no amount of work to divide by")
    basis = joint_basis(figure.basis, grid.basis) if figure and grid else Basis.MODELLED
    lower = f"; {figure.level} at the GPU boundary" if figure and figure.boundary is Boundary.GPU else ""
    label = WITH_BOARDS if boards else OPERATIONAL_ONLY
    return Carbon(
        intensity=grid.g_per_kwh.quantity("gCO2e/kWh", grid.basis, grid.source) if grid else None,
        intensity_basis=grid.kind if grid else None,
        zone=grid.zone if grid else None,
        region=site.region.key if site.region else None,
        operational=operational.quantity("kgCO2e", basis, f"headline energy × grid intensity{lower}")
        if operational
        else None,
        market_based=market.quantity("kgCO2e", Basis.MODELLED, f"headline energy × {contract.name}")
        if market and contract
        else None,
        embodied=boards[0].quantity("kgCO2e", Basis.MODELLED, boards[1]) if boards else None,
        total=total_kg.quantity("kgCO2e", basis, label) if total_kg else None,
        total_label=label if total_kg else None,
        sci=sci,
    )


def functional_unit(work: Work | None, training: TrainingLog | None) -> tuple[float, str] | None:
    """Return SCI's R with its unit: million tokens, else thousand samples, else steps; None without any."""
    if work is not None and work.tokens:
        return work.tokens / 1e6, "million tokens"
    if training is not None and training.samples:
        return training.samples / 1e3, "thousand samples"
    if training is not None and training.step_count:
        return float(training.step_count), "step"
    return None
