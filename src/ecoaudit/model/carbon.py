"""Operational and embodied carbon, and the SCI score.

Operational = energy x grid intensity, location-based (GHG Protocol scope 2); a market-based figure stands beside it.
Embodied (boards only) = kg per GPU x allocated GPU-hours / (years x 8760 h x allocation).
SCI = ((E x I) + M) / R, ISO/IEC 21031:2024.
"""

from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.audit import Carbon
from ecoaudit.model.hardware import System
from ecoaudit.model.inputs import IntensitySeries, Site
from ecoaudit.model.levels import J_PER_KWH, Figure, joint_basis
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Uncertain, exact, factor, relative, total
from ecoaudit.quantity import Basis, Boundary
from ecoaudit.reference.types import GridFactor

LIFE_YEARS = (5.0, 4.0, 6.0)
ALLOCATION = (1.0, 0.6, 1.0)
"""Years a board serves, and the share of its life it is allocated to some job: judgement, 5 (4-6) and 1.0 (0.6-1.0)."""
EMBODIED_ERROR = 0.2
"""What a board's published embodied carbon may be off by, 90 % (judgement: one life-cycle study a board)."""
HOURS_A_YEAR = 8760.0
SERIES_ERROR = 0.05
OPERATIONAL_ONLY = "operational only"
WITH_BOARDS = "operational + embodied GPU boards (host and network not included)"


@dataclass(frozen=True, slots=True)
class Intensity:
    """Grid intensity over the job in g/kWh, weighted by energy where it varies."""

    g_per_kwh: Uncertain
    basis: Basis
    kind: str
    source: str


def intensity(site: Site, edges: FloatArray, energy_j: FloatArray | None, notes: Notes) -> Intensity | None:
    """Return the job's intensity: an hourly series weighted by when energy was drawn, else the annual average."""
    grid, series = site.grid, site.series
    if series is not None and energy_j is not None and energy_j.sum() > 0:
        by_segment = _mean_over(series, edges)
        if np.isfinite(by_segment).all():
            value = float((by_segment * energy_j).sum() / energy_j.sum())
            notes.cite("grid intensity", f"{value:.1f} g/kWh, {series.basis}, hourly", series.citation)
            return Intensity(
                exact(value) * relative(f"grid intensity series {series.zone}", SERIES_ERROR),
                Basis.MODELLED,
                series.basis,
                f"hourly series of {series.zone} weighted by energy: {series.citation.source}",
            )
        notes.warn("the intensity series does not cover the run: the annual average is used")
    if grid is None:
        notes.null("carbon.operational", "no grid intensity: give --region, --zone or --intensity")
        return None
    notes.cite("grid intensity", f"{grid.g_per_kwh:g} g/kWh, {grid.basis}, {grid.name}", grid.citation)
    if grid.stand_in:
        notes.warn(f"the intensity of {grid.name} stands in for the grid zone {grid.zone}, with a wider interval")
    given = grid.basis == "as given"
    return Intensity(_grid_factor(grid), Basis.ASSUMED if given else Basis.MODELLED, grid.basis, grid.citation.source)


def market_factor(site: Site) -> GridFactor | None:
    """Return the contractual factor: as given, else the provider's claim for the region after certificates."""
    region = site.region
    if site.market is not None or region is None or region.market_based_g_per_kwh is None:
        return site.market
    kind = region.cfe_kind or "certificates"
    claim = region.market_based_g_per_kwh
    return GridFactor(
        zone=region.key,
        name=f"the provider's market-based claim ({kind})",
        g_per_kwh=claim,
        low=claim,
        high=claim,
        basis="as given",
        citation=region.cfe_citation or region.citation,
    )


def _grid_factor(grid: GridFactor) -> Uncertain:
    return factor(f"grid intensity {grid.zone} {grid.basis}", grid.g_per_kwh, grid.low, grid.high, at_least=0.0)


def _mean_over(series: IntensitySeries, edges: FloatArray) -> FloatArray:
    """Return the series' time mean in each segment, NaN where it does not reach, shape (edges - 1,)."""
    starts = series.time_s
    ends = np.append(starts[1:], series.end_s)
    before = np.concatenate(([0.0], np.cumsum(series.g_per_kwh * (ends - starts))))
    inside = np.clip(np.searchsorted(starts, edges, side="right") - 1, 0, starts.size - 1)
    cumulative = before[inside] + series.g_per_kwh[inside] * (edges - starts[inside])
    length = np.diff(edges)
    mean: FloatArray = np.divide(np.diff(cumulative), length, out=np.full(length.shape, np.nan), where=length > 0)
    mean[(edges[:-1] < starts[0]) | (edges[1:] > series.end_s)] = np.nan
    return mean


def embodied(system: System, gpu_hours: float | None, notes: Notes) -> tuple[Uncertain, str] | None:
    """Return the boards' share of their making in kgCO2e with its source; None where a board's figure is not known."""
    if not gpu_hours or not system.gpu_count or not system.boards:
        notes.null("carbon.embodied", "GPU model or GPU-hours are not known")
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
        hours = gpu_hours * boards.count / system.gpu_count
        parts.append(kg * hours / (years * HOURS_A_YEAR * allocation))
        citation = gpu.embodied_citation or gpu.citation
        sources.append(citation.source)
        notes.cite("embodied carbon of a GPU", f"{gpu.embodied_kgco2e:g} kgCO2e, {gpu.name}", citation)
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
    contract = market_factor(site)
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
            f"gCO2e/{work[1]}", Basis.MODELLED, "SCI = ((E x I) + M) / R, ISO/IEC 21031:2024"
        )
    elif work is None:
        notes.null("carbon.sci", "the logs tell no amount of work to divide by")
    basis = joint_basis(figure.basis, grid.basis) if figure and grid else Basis.MODELLED
    lower = f"; {figure.level} at the GPU boundary" if figure and figure.boundary is Boundary.GPU else ""
    label = WITH_BOARDS if boards else OPERATIONAL_ONLY
    return Carbon(
        intensity=grid.g_per_kwh.quantity("gCO2e/kWh", grid.basis, grid.source) if grid else None,
        intensity_basis=grid.kind if grid else None,
        zone=site.grid.zone if site.grid else None,
        region=site.region.key if site.region else None,
        operational=operational.quantity("kgCO2e", basis, f"headline energy x grid intensity{lower}")
        if operational
        else None,
        market_based=market.quantity("kgCO2e", Basis.MODELLED, f"headline energy x {contract.name}")
        if market and contract
        else None,
        embodied=boards[0].quantity("kgCO2e", Basis.MODELLED, boards[1]) if boards else None,
        total=total_kg.quantity("kgCO2e", basis, label) if total_kg else None,
        total_label=label if total_kg else None,
        sci=sci,
    )
