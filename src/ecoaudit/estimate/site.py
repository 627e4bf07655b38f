"""The place of a run to be, resolved from the request: grid intensity, PUE and price."""

from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.model.inputs import Site
from ecoaudit.reference import Tables
from ecoaudit.reference.place import GIVEN, given_grid, given_price, given_pue, market_claim
from ecoaudit.reference.types import Gpu, GpuPrice, GridFactor, PueFactor, Region


def resolve_site(request: EstimateRequest, gpu: Gpu, tables: Tables) -> Site:
    """Return grid, PUE and price of the request; what is not given comes from the tables, with a warning if guessed."""
    region = tables.region(request.region) if request.region else None
    warnings = []
    grid = _grid(request, region, tables)
    if grid is None:
        warnings.append("carbon is not known: give --region, --zone or --intensity")
    if region and request.zone and request.intensity_g_per_kwh is None:
        warnings.append(f"the grid is that of zone {request.zone}; PUE and price are those of {region.key}")
    pue = _pue(request, tables)
    if pue.scope == "survey":
        where = f"{region.provider} publishes none" if region else "no region is given"
        warnings.append(f"PUE is a survey's mean, {pue.value:g} ({pue.low:g} to {pue.high:g}): {where}; give --pue")
    price = _price(request, gpu, tables)
    if price is not None and region is not None and price.provider != region.provider and price.citation != GIVEN:
        warnings.append(f"no price of {gpu.name} at {region.provider} is known: the {price.provider} is used")
    return Site(grid=grid, pue=pue, price=price, region=region, market=market_claim(region), warnings=tuple(warnings))


def _grid(request: EstimateRequest, region: Region | None, tables: Tables) -> GridFactor | None:
    value = request.intensity_g_per_kwh
    if value is not None:
        return given_grid(value, request.intensity_basis, request.zone or (region.zone if region else None))
    if request.zone or region:
        return tables.grid(region=region.key if region else None, zone=request.zone)
    return None


def _pue(request: EstimateRequest, tables: Tables) -> PueFactor:
    if request.pue is not None:
        return given_pue(request.pue)
    return tables.pue(request.region)


def _price(request: EstimateRequest, gpu: Gpu, tables: Tables) -> GpuPrice | None:
    value = request.price_per_gpu_hour
    if value is not None:
        return given_price(value, gpu.name, request.region)
    return tables.price(gpu.name, request.region)
