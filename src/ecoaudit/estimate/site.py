"""The place of a run to be, resolved from the request: grid intensity, PUE and price."""

from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.model.inputs import Site
from ecoaudit.quantity import Basis
from ecoaudit.reference import Tables
from ecoaudit.reference.types import Citation, Gpu, GpuPrice, GridFactor, PueFactor, Region

_GIVEN = Citation(source="given by the user")


def resolve_site(request: EstimateRequest, gpu: Gpu, tables: Tables) -> Site:
    """Return grid, PUE and price of the request; what is not given comes from the tables, with a warning if guessed."""
    region = tables.region(request.region) if request.region else None
    warnings = []
    grid = _grid(request, region, tables)
    if grid is None:
        warnings.append("carbon is not known: give --region, --zone or --intensity")
    pue = _pue(request, tables)
    if pue.scope == "survey":
        where = f"{region.provider} publishes none" if region else "no region is given"
        warnings.append(f"PUE is a survey's mean, {pue.value:g} ({pue.low:g} to {pue.high:g}): {where}; set --pue")
    price = _price(request, gpu, tables)
    if price is not None and region is not None and price.provider != region.provider and price.citation != _GIVEN:
        warnings.append(f"no price of {gpu.name} at {region.provider} is known: the {price.provider} is used")
    market = _market(region)
    return Site(grid=grid, pue=pue, price=price, region=region, market=market, warnings=tuple(warnings))


def _grid(request: EstimateRequest, region: Region | None, tables: Tables) -> GridFactor | None:
    value = request.intensity_g_per_kwh
    if value is not None:
        return GridFactor(
            zone=request.zone or (region.zone if region else "given"),
            name="given by the user",
            g_per_kwh=value,
            low=value,
            high=value,
            basis=request.intensity_basis,
            citation=_GIVEN,
        )
    if request.zone or region:
        return tables.grid(region=region.key if region else None, zone=request.zone)
    return None


def _market(region: Region | None) -> GridFactor | None:
    """Return what the provider claims after its certificates; it stands beside the location-based figure."""
    if region is None or region.market_based_g_per_kwh is None or region.cfe_citation is None:
        return None
    value = region.market_based_g_per_kwh
    return GridFactor(
        zone=region.zone,
        name=f"{region.provider}, {region.cfe_kind or 'annual matching'}",
        g_per_kwh=value,
        low=value,
        high=value,
        basis="as given",
        citation=region.cfe_citation,
    )


def _pue(request: EstimateRequest, tables: Tables) -> PueFactor:
    if request.pue is not None:
        return PueFactor(
            value=request.pue, low=request.pue, high=request.pue, scope="user", basis=Basis.ASSUMED, citation=_GIVEN
        )
    return tables.pue(request.region)


def _price(request: EstimateRequest, gpu: Gpu, tables: Tables) -> GpuPrice | None:
    value = request.price_per_gpu_hour
    if value is not None:
        return GpuPrice(
            provider="given",
            instance="",
            gpu=gpu.name,
            region=request.region,
            usd_per_gpu_hour=value,
            low=value,
            high=value,
            citation=_GIVEN,
        )
    return tables.price(gpu.name, request.region)
