"""What every provider of live intensities has in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from ecoaudit.errors import EcoauditError
from ecoaudit.reference.types import IntensitySeries, Region

if TYPE_CHECKING:
    from ecoaudit.reference.live.client import Client


class LiveError(EcoauditError):
    """A provider did not give what it was asked for; the annual table serves instead."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the run was: a grid zone as stated, or a cloud region with its zone; the zone goes first."""

    zone: str | None = None
    region: Region | None = None

    @property
    def code(self) -> str | None:
        """The grid zone, as stated or the region's."""
        return self.zone or (self.region.zone if self.region else None)


class Provider(Protocol):
    """A source of grid intensity over time."""

    @property
    def name(self) -> str:
        """The provider's name as the reports print it."""
        ...

    def series(self, place: Place, start_s: float, end_s: float, client: "Client") -> IntensitySeries:
        """Return the intensity at `place` from `start_s` to `end_s` (Unix s); raises `LiveError`."""
        ...


def chunks(start_s: float, end_s: float, days: float, step_s: float) -> Iterator[tuple[float, float]]:
    """Yield spans of at most `days`, from the step that holds `start_s` to the one that holds `end_s`."""
    start, end = start_s // step_s * step_s, (end_s // step_s + 1) * step_s
    while start < end:
        until = min(end, start + days * 86400.0)
        yield start, until
        start = until


def utc(seconds: float) -> str:
    """Return Unix s as ISO 8601 UTC to the minute, `2026-01-01T00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


def field(record: Any, *path: str | int) -> Any:
    """Return a value inside decoded JSON, None where the shape is another."""
    for key in path:
        if isinstance(record, dict):
            record = record.get(key)
        elif isinstance(record, list) and isinstance(key, int) and -len(record) <= key < len(record):
            record = record[key]
        else:
            return None
    return record


def years(start_s: float, end_s: float) -> str:
    """Return the year or years of a span, for a citation."""
    first, last = (datetime.fromtimestamp(s, UTC).year for s in (start_s, end_s))
    return str(first) if first == last else f"{first}-{last}"
