"""The lines of `ecoaudit.telemetry/1`: which keys they have and how many digits.

Power is rounded to 0.1 W (the driver's noise is larger), counters to 1 mJ (their own resolution, so that differences
stay exact), times to 1 ms. Non-finite numbers are never written.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

SCHEMA = "ecoaudit.telemetry/1"

Json = str | float | int | bool | None | Sequence["Json"] | Mapping[str, "Json"]

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def encode(record: Mapping[str, Json]) -> bytes:
    """Return the record as one line of JSON, newline included."""
    return _ENCODER.encode(record).encode("ascii") + b"\n"


def watts(milliwatts: int | None) -> float | None:
    """Return watts with one decimal; None stays None."""
    return None if milliwatts is None else round(milliwatts / 1000, 1)


def joules(millijoules: int | None) -> float | None:
    """Return joules with three decimals, which is the counter's own resolution."""
    return None if millijoules is None else millijoules / 1000


def iso(wall_s: float) -> str:
    """Return a UTC time as `2026-11-23T10:00:00.000Z`."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
