"""What a user states of the place of a run, and what a provider claims for it, in the form of table rows."""

from ecoaudit.quantity import Basis
from ecoaudit.reference.types import Citation, GpuPrice, GridBasis, GridFactor, PueFactor, Region

GIVEN = Citation(source="given by the user")

GIVEN_PUE = 0.05
GIVEN_INTENSITY = 0.10
"""What a stated figure may be off by, 90 % (judgement, docs/method.md section 4): it is a year's average, of the site
or of the zone, and not that of the run's hours."""


def given_grid(g_per_kwh: float, basis: GridBasis, zone: str | None) -> GridFactor:
    """Return a location-based intensity as the user gives it: an average, which the run's hours need not have had."""
    return GridFactor(
        zone=zone or "given",
        name="given by the user",
        g_per_kwh=g_per_kwh,
        low=g_per_kwh * (1.0 - GIVEN_INTENSITY),
        high=g_per_kwh * (1.0 + GIVEN_INTENSITY),
        basis=basis,
        citation=GIVEN,
    )


def given_contract(g_per_kwh: float, zone: str | None) -> GridFactor:
    """Return a market-based (contractual) intensity as the user gives it: what a contract says is exact."""
    return GridFactor(
        zone=zone or "given",
        name="the contract given by the user",
        g_per_kwh=g_per_kwh,
        low=g_per_kwh,
        high=g_per_kwh,
        basis="as given",
        citation=GIVEN,
    )


def given_pue(value: float) -> PueFactor:
    """Return a PUE as the user gives it; 1 is exact, for it asks for the energy of the equipment alone."""
    doubt = GIVEN_PUE if value > 1.0 else 0.0
    return PueFactor(
        value=value,
        low=max(1.0, value * (1.0 - doubt)),
        high=value * (1.0 + doubt),
        scope="user",
        basis=Basis.ASSUMED,
        citation=GIVEN,
    )


def given_price(usd_per_gpu_hour: float, gpu: str, region: str | None) -> GpuPrice:
    """Return a price of a GPU-hour as the user gives it."""
    return GpuPrice(
        provider="given",
        instance="",
        gpu=gpu,
        region=region,
        usd_per_gpu_hour=usd_per_gpu_hour,
        low=usd_per_gpu_hour,
        high=usd_per_gpu_hour,
        citation=GIVEN,
    )


def market_claim(region: Region | None) -> GridFactor | None:
    """Return what the provider claims after its certificates; it stands beside the location-based figure.

    None where the provider publishes no claim for the region (GHG Protocol scope 2, market-based).
    """
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
