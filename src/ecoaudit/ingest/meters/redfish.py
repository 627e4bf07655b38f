"""Redfish JSON: Power, EnvironmentMetrics and MetricReport resources, one after another or in lines."""

import math
import re
from pathlib import PurePath
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.meters.build import meter
from ecoaudit.ingest.records import FormatInfo, MeterLog, ReadOptions
from ecoaudit.ingest.telemetry.gpustat import objects

FORMAT = FormatInfo(
    format="redfish",
    kind="meter",
    title="Redfish Power, EnvironmentMetrics, MetricReport JSON",
    reads="PowerConsumedWatts, PowerWatts, SystemInputPower with the time stamp beside or around them",
    seen="DMTF Power 1.x, EnvironmentMetrics 1.x, MetricReport (iDRAC, iLO, XCC); wrapped with a time",
    cannot_tell="times of bare Power resources: a wrapper must add them",
)

_TIME_KEYS = ("timestamp", "Timestamp", "time", "ts", "DateTime", "date")
_METRIC = re.compile(r"SystemInputPower|SystemPowerConsumption|PowerConsumedWatts|TotalPower|InputPower$")


def sniff(head: Head) -> str | None:
    """Recognise one of the resources' power properties."""
    text = head.text
    if text.lstrip()[:1] not in "{[":
        return None
    for key in ("PowerConsumedWatts", "PowerWatts", "MetricValues"):
        if f'"{key}"' in text:
            return f"JSON with the Redfish property {key}"
    return None


def read(file: LogFile, options: ReadOptions) -> list[MeterLog]:
    """Return the readings."""
    account = Account()
    text = file.text()
    account.lines = text.count("\n") + 1
    readings: list[tuple[float, float]] = []
    naive = False
    for resource in objects(text, account):
        found = list(_readings(resource, None))
        if not found:
            account.bad(0, str(resource)[:120], "no power in this object")
        for watts, stamp in found:
            account.records += 1
            time_s = math.nan
            if stamp is not None:
                try:
                    time_s, local = values.parse_time(stamp)
                    naive |= local
                except ValueError as error:
                    account.bad(0, stamp, str(error))
            readings.append((time_s, watts))
    label = PurePath(file.path).stem
    return [meter(file, FORMAT.format, account, readings, options, label=label, clock="naive" if naive else "utc")]


def _readings(node: dict[str, Any], outer: str | None) -> list[tuple[float, str | None]]:
    """Return `(watts, time)` of an object and what it holds; the nearest time around a reading is its own."""
    stamp = next((str(node[k]) for k in _TIME_KEYS if isinstance(node.get(k), str | int | float)), outer)
    watts = _watts(node)
    if watts is not None:
        return [(watts, stamp)]
    out: list[tuple[float, str | None]] = []
    controls = node.get("PowerControl")
    for value in node.values() if not controls else [controls[:1] if isinstance(controls, list) else controls]:
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                out += _readings(inner, stamp)
    return out


def _watts(node: dict[str, Any]) -> float | None:
    value = node.get("PowerConsumedWatts", node.get("PowerWatts"))
    if isinstance(value, dict):
        value = value.get("Reading")
    identity = str(node.get("MetricId") or node.get("MetricProperty") or "")
    if value is None and _METRIC.search(identity):
        value = node.get("MetricValue")
    try:
        number = float(value) if isinstance(value, str) else values.real(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
