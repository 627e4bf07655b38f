"""Electricity Maps API, version 3: hourly intensity by zone or data centre region, lifecycle or direct.

https://portal.electricitymaps.com/docs/api: `GET /v3/carbon-intensity/past-range`, header `auth-token`, at most ten
days of hours a request; `{"zone", "data": [{"datetime", "carbonIntensity", "emissionFactorType", "isEstimated"}]}`.
"""

import os
from dataclasses import dataclass
from typing import Any, Literal

from ecoaudit.ingest.values import parse_time
from ecoaudit.quantity import percent
from ecoaudit.reference.live.client import Client
from ecoaudit.reference.live.provider import LiveError, Place, chunks, field, utc, years
from ecoaudit.reference.series import series_of
from ecoaudit.reference.types import Citation, IntensitySeries

URL = "https://api.electricitymaps.com/v3/carbon-intensity/past-range"
TOKEN = "ELECTRICITYMAPS_TOKEN"  # noqa: S105  (the variable's name)
DAYS = 10.0
HOUR = 3600.0
_CLOUDS = frozenset({"aws", "gcp", "azure"})


@dataclass(frozen=True, slots=True)
class ElectricityMaps:
    """Asks with the token in the environment variable ELECTRICITYMAPS_TOKEN, which is never stored or printed."""

    basis: Literal["lifecycle", "direct"]

    @property
    def name(self) -> str:
        """The provider's name."""
        return "Electricity Maps"

    def series(self, place: Place, start_s: float, end_s: float, client: Client) -> IntensitySeries:
        """Return the hours that hold the run; raises `LiveError` for another zone or basis than the one asked for."""
        token = os.environ.get(TOKEN, "").strip()
        if not token:
            raise LiveError(f"no token: set the environment variable {TOKEN}")
        where, params = self._where(place)
        times: list[float] = []
        values: list[float] = []
        estimated = 0
        zone = None
        for start, end in chunks(start_s, end_s, DAYS, HOUR):
            answer = client.json(
                URL,
                {**params, "start": utc(start), "end": utc(end), "emissionFactorType": self.basis},
                until_s=end,
                headers={"auth-token": token},
            )
            zone = self._zone(answer, place, params)
            entries = field(answer, "data")
            if not isinstance(entries, list):
                raise LiveError(str(field(answer, "error") or "the answer holds no data")[:200], where=where)
            for entry in entries:
                at, grams = self._entry(entry, where)
                if grams is None:
                    continue
                times.append(at)
                values.append(grams)
                estimated += field(entry, "isEstimated") is True
        if not times or zone is None:
            raise LiveError("no value for this time", where=where)
        share = f", {percent(estimated / len(times))} of the hours estimated" if estimated else ""
        return series_of(
            times,
            values,
            basis=self.basis,
            zone_code=zone,
            citation=Citation(
                f"Electricity Maps API v3, zone {zone}, hourly, {self.basis}, consumption-based{share}",
                years(start_s, end_s),
                "Electricity Maps terms of use",
            ),
            where=where,
        )

    def _where(self, place: Place) -> tuple[str, dict[str, str]]:
        """Return what is asked for, as text and as parameters: a stated zone, else the cloud region."""
        region = place.region
        if place.zone is None and region is not None and region.provider in _CLOUDS:
            return region.key, {"dataCenterProvider": region.provider, "dataCenterRegion": region.name}
        if place.code is None:
            raise LiveError("no zone is known: give --zone or --region")
        return place.code, {"zone": place.code}

    def _zone(self, answer: Any, place: Place, params: dict[str, str]) -> str:
        """Return the answer's zone; raises `LiveError` where it is not the one asked for."""
        zone = field(answer, "zone")
        if not isinstance(zone, str):
            raise LiveError(str(field(answer, "error") or "the answer names no zone")[:200], where=self.name)
        asked = params.get("zone")
        wrong = asked is not None and zone.upper() != asked.upper()
        country = (place.code or zone).split("-")[0].upper()
        if wrong or zone.split("-")[0].upper() != country:
            raise LiveError(f"the answer is for zone {zone}, asked was {asked or place.code}", where=self.name)
        return zone

    def _entry(self, entry: Any, where: str) -> tuple[float, float | None]:
        kind = field(entry, "emissionFactorType")
        if kind is not None and kind != self.basis:
            raise LiveError(f"the answer is {kind}, asked was {self.basis}", where=where)
        grams = field(entry, "carbonIntensity")
        try:
            at, naive = parse_time(str(field(entry, "datetime")))
        except ValueError as error:
            raise LiveError("an entry has no time", where=where) from error
        if naive or (grams is not None and (not isinstance(grams, int | float) or grams < 0)):
            raise LiveError("an entry is not a time in UTC with an intensity", where=where)
        return at, grams
