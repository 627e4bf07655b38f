"""Grid intensity over the time of a run, asked of a provider on the network: only ever when the user names one.

Whatever goes wrong out there (no token, no network, an unknown zone, a broken answer) is a warning, and the annual
table serves. What the user wrote wrongly (an unknown provider, a basis that it does not give) is an error.
"""

from dataclasses import dataclass

from ecoaudit.errors import EcoauditError
from ecoaudit.reference.live.cache import Cache, default_folder
from ecoaudit.reference.live.client import Client
from ecoaudit.reference.live.electricity_maps import ElectricityMaps
from ecoaudit.reference.live.generic import Generic
from ecoaudit.reference.live.provider import LiveError, Place, Provider
from ecoaudit.reference.live.uk import UkCarbonIntensity
from ecoaudit.reference.types import GridBasis, IntensitySeries

__all__ = ["Answer", "LiveError", "Place", "Provider", "ask", "provider"]

MAX_DAYS = 120.0
"""A longer run is not asked for: hundreds of requests for an average that a file (--intensity-series) gives in one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered: a series, or None with the warning that says why."""

    series: IntensitySeries | None
    warnings: tuple[str, ...] = ()


def provider(name: str, basis: GridBasis) -> Provider:
    """Return the provider called `name`, or the one behind a URL; `basis` is the quantity to ask for.

    Raises `EcoauditError` for an unknown name, an unsafe URL, or a basis that the provider does not give.
    """
    wanted = None if basis == "as given" else basis
    if name.lower() == "electricitymaps":
        if wanted == "marginal":
            raise EcoauditError("electricitymaps gives lifecycle or direct averages", where="--intensity-basis")
        return ElectricityMaps(wanted or "lifecycle")
    if name.lower() == "ukcarbonintensity":
        if wanted not in {None, "direct"}:
            raise EcoauditError(f"ukcarbonintensity gives direct intensities, not {wanted}", where="--intensity-basis")
        return UkCarbonIntensity()
    if "://" in name:
        return Generic(name, wanted)
    raise EcoauditError(
        f"unknown grid provider {name!r}",
        where="--grid-provider",
        fix="use electricitymaps, ukcarbonintensity or a URL",
    )


def ask(found: Provider, place: Place, span: tuple[float, float] | None, client: Client | None = None) -> Answer:
    """Return the intensity at `place` over `span` (Unix s), or the warning that says why it is not known."""
    if span is None:
        return Answer(None, (f"{found.name} was not asked: the logs do not tell when the run took place",))
    start_s, end_s = span
    if end_s - start_s > MAX_DAYS * 86400.0:
        days = (end_s - start_s) / 86400.0
        return Answer(
            None,
            (f"{found.name} was not asked: {days:.0f} days are more than {MAX_DAYS:.0f}; give --intensity-series",),
        )
    try:
        series = found.series(place, start_s, end_s, client or Client(Cache(default_folder())))
    except LiveError as error:
        return Answer(None, (f"{found.name} gave no intensity, the annual figure is used: {error.line()}",))
    return Answer(series)
