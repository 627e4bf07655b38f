"""Any server that answers with a CSV or JSON series of intensities, described by a URL with places to fill in."""

import math
import re
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlsplit

import msgspec

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.values import parse_time
from ecoaudit.reference.live.client import Client
from ecoaudit.reference.live.provider import LiveError, Place, field, utc
from ecoaudit.reference.series import parse_series, series_of
from ecoaudit.reference.types import Citation, GridBasis, IntensitySeries

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HOUR = 3600.0
_LISTS = ("data", "history", "results")
_TIMES = ("timestamp", "datetime", "time", "from", "point_time", "start")
_GRAMS = ("g_per_kwh", "carbonIntensity", "carbon_intensity", "intensity")


@dataclass(frozen=True, slots=True)
class Generic:
    """Asks `url`, in which {start}, {end} (ISO 8601, UTC), {start_s}, {end_s} (Unix s) and {zone} are filled in.

    The answer is a CSV as `--intensity-series` reads it, or JSON: a list of entries, or an object that holds it under
    data, history or results, each with a time and g/kWh. `basis` is needed where the answer does not say it.
    """

    url: str
    basis: GridBasis | None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or loopback):
            raise EcoauditError("a grid provider's URL starts with https://", where="--grid-provider")
        try:
            self._filled("X", 0.0, 0.0)
        except KeyError as error:
            raise EcoauditError(
                f"the URL has a place that cannot be filled in: {error}",
                where="--grid-provider",
                fix="known are {start}, {end}, {start_s}, {end_s} and {zone}",
            ) from error

    @property
    def name(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or "the grid provider"

    def series(self, place: Place, start_s: float, end_s: float, client: Client) -> IntensitySeries:
        """Return the series that the server gives; raises `LiveError` for any other answer."""
        if "{zone}" in self.url and place.code is None:
            raise LiveError("no zone is known: give --zone or --region", where=self.name)
        start, end = start_s // HOUR * HOUR, (end_s // HOUR + 1) * HOUR
        text = client.text(self._filled(place.code or "", start, end), {}, until_s=end)
        try:
            if text.lstrip()[:1] in {"{", "["}:
                return self._from_json(text, place)
            return parse_series(text, where=self.name, zone_code=place.code, basis=self.basis, timezone=None)
        except LiveError:
            raise
        except EcoauditError as error:
            raise LiveError(error.what, where=error.where, fix=error.fix) from error

    def _filled(self, zone: str, start: float, end: float) -> str:
        places = {
            "zone": quote(zone, safe=""),
            "start": quote(utc(start), safe=""),
            "end": quote(utc(end), safe=""),
            "start_s": f"{start:.0f}",
            "end_s": f"{end:.0f}",
        }
        return re.sub(r"\{([^{}]*)\}", lambda match: places[match[1]], self.url)

    def _from_json(self, text: str, place: Place) -> IntensitySeries:
        try:
            answer = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise LiveError("the answer is not whole JSON", where=self.name) from error
        entries = answer if isinstance(answer, list) else None
        for name in _LISTS:
            if entries is None and isinstance(found := field(answer, name), list):
                entries = found
        if not entries:
            raise LiveError("the answer holds no list of entries", where=self.name)
        said = {
            text
            for part in (answer, *entries)
            if isinstance(text := field(part, "basis") or field(part, "emissionFactorType"), str)
        }
        basis = self._basis(said)
        zone = field(answer, "zone")
        if isinstance(zone, str) and place.code and zone.split("-")[0].upper() != place.code.split("-")[0].upper():
            raise LiveError(f"the answer is for zone {zone}, asked was {place.code}", where=self.name)
        pairs = [self._entry(entry) for entry in entries]
        return series_of(
            [at for at, _ in pairs],
            [grams for _, grams in pairs],
            basis=basis,
            zone_code=zone if isinstance(zone, str) else place.code or "given",
            citation=Citation(f"{self.name}, {basis}"),
            where=self.name,
        )

    def _basis(self, said: set[str]) -> GridBasis:
        found = said | ({self.basis} if self.basis else set())
        if len(found) != 1:
            what = "does not say its basis" if not found else f"mixes {', '.join(sorted(found))}"
            raise LiveError(f"the answer {what}", where=self.name, fix="state --intensity-basis")
        basis = found.pop()
        if basis not in {"lifecycle", "direct", "marginal"}:
            raise LiveError(f"unknown basis {basis!r}", where=self.name)
        return cast(GridBasis, basis)

    def _entry(self, entry: Any) -> tuple[float, float]:
        at = next((value for name in _TIMES if (value := field(entry, name)) is not None), None)
        named = [name for name in _GRAMS if isinstance(entry, dict) and name in entry]
        grams = field(entry, named[0]) if named else "missing"
        try:
            seconds, naive = parse_time(str(at))
        except ValueError as error:
            raise LiveError("an entry has no time", where=self.name) from error
        if naive or isinstance(grams, bool) or (grams is not None and not isinstance(grams, int | float)):
            raise LiveError("an entry is not a time in UTC with an intensity in g/kWh", where=self.name)
        return seconds, math.nan if grams is None else float(grams)
