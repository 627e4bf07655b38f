"""The Carbon Intensity API of Great Britain's system operator (NESO): half hours, direct, without a token.

https://api.carbonintensity.org.uk: `GET /intensity/{from}/{to}`, at most fourteen days a request;
`{"data": [{"from", "to", "intensity": {"forecast", "actual", "index"}}]}`. It covers Great Britain: Northern Ireland
belongs to the Irish grid.
"""

from dataclasses import dataclass

from ecoaudit.ingest.values import parse_time
from ecoaudit.quantity import percent
from ecoaudit.reference.live.client import Client
from ecoaudit.reference.live.provider import LiveError, Place, chunks, field, utc, years
from ecoaudit.reference.series import series_of
from ecoaudit.reference.types import Citation, IntensitySeries

URL = "https://api.carbonintensity.org.uk/intensity"
DAYS = 13.0
HALF_HOUR = 1800.0


@dataclass(frozen=True, slots=True)
class UkCarbonIntensity:
    """Great Britain's intensity as observed; where that is not published yet, as forecast, which the source says."""

    @property
    def name(self) -> str:
        """The provider's name."""
        return "UK Carbon Intensity"

    def series(self, place: Place, start_s: float, end_s: float, client: Client) -> IntensitySeries:
        """Return the half hours that hold the run; raises `LiveError` for a place outside Great Britain."""
        if place.code is None or place.code.upper() not in {"GB", "UK", "GBR"}:
            raise LiveError(f"it covers Great Britain only, the run was in {place.code or 'an unknown place'}")
        times: list[float] = []
        values: list[float] = []
        forecast = 0
        for start, end in chunks(start_s, end_s, DAYS, HALF_HOUR):
            answer = client.json(f"{URL}/{utc(start)}/{utc(end)}", {}, until_s=end)
            entries = field(answer, "data")
            if not isinstance(entries, list):
                message = field(answer, "error", "message") or "the answer holds no data"
                raise LiveError(str(message)[:200], where=self.name)
            for entry in entries:
                actual, expected = field(entry, "intensity", "actual"), field(entry, "intensity", "forecast")
                grams = expected if actual is None else actual
                if grams is None:
                    continue
                try:
                    at, naive = parse_time(str(field(entry, "from")))
                except ValueError as error:
                    raise LiveError("an entry has no time", where=self.name) from error
                if naive or not isinstance(grams, int | float) or grams < 0:
                    raise LiveError("an entry is not a time in UTC with an intensity", where=self.name)
                # The half hour before the first asked for comes along, and chunks share their edge.
                if start <= at < end:
                    times.append(at)
                    values.append(float(grams))
                    forecast += actual is None
        if not times:
            raise LiveError("no value for this time", where=self.name)
        share = f", {percent(forecast / len(times))} of the half hours forecast" if forecast else ""
        return series_of(
            times,
            values,
            basis="direct",
            zone_code="GB",
            citation=Citation(
                f"NESO Carbon Intensity API, Great Britain, half-hourly, direct{share}",
                years(start_s, end_s),
                "CC-BY-4.0",
            ),
            where=self.name,
        )
