"""MLPerf power logs: `node_N.txt` and `sw_N.txt`, MLLOG lines of readings in watts."""

import re

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import mllog
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.meters.side import declared_side
from ecoaudit.ingest.records import FormatInfo, MeterLog, ReadOptions, Source

FORMAT = FormatInfo(
    format="mlperf_power",
    kind="meter",
    title="MLPerf power log (node_N.txt, sw_N.txt)",
    reads="node or switch watts, measurement window, conversion efficiency, AC or DC side",
    seen="training v4.0, v4.1, v5.0: with and without metadata, stop stamp equal to start, estimated switches",
    cannot_tell="GPU power; whether two nodes share one meter channel",
)

_KEYS = ("power_reading", "power_measurement_start", "power_measurement_stop", "interconnect_power_est")
_SWITCH = re.compile(r"(?:^|[^a-z])(?:sw|switch|ibsw|leaf|spine)[-_ ]?\d*(?:$|[^a-z])", re.IGNORECASE)


def sniff(head: Head) -> str | None:
    """Recognise MLLOG lines with a power key."""
    if mllog.MARK not in head.text:
        return None
    key = next((k for k in _KEYS if f'"{k}"' in head.text), None)
    return f"MLLOG lines with the key {key}" if key else None


def read(file: LogFile, options: ReadOptions) -> list[MeterLog]:
    """Return the readings; raises `EcoauditError` when there is none."""
    account = Account()
    times: list[float] = []
    watts: list[float] = []
    stated: list[tuple[float, float]] = []
    start = stop = efficiency = side = None
    labels: list[str] = []
    for entry in mllog.entries(file, account):
        if entry.key == "power_reading":
            value = mllog.numeric(entry.value)
            if value is None:
                account.records -= 1
                account.bad(entry.line, f"power_reading {entry.value!r}", "the reading is not a number")
                continue
            times.append(entry.time_s)
            watts.append(value)
        elif entry.key == "interconnect_power_est":
            value = mllog.numeric(entry.value)
            if value is not None:
                stated.append((entry.time_s, value))
        elif entry.key == "conversion_eff":
            efficiency = mllog.numeric(entry.value) or efficiency
        elif entry.key == "power_measurement_start" and start is None:
            start = entry.time_s
        elif entry.key == "power_measurement_stop":
            stop = entry.time_s
        side = side or _side(entry.metadata.get("measurement_type"))
        labels += [str(entry.metadata[k]) for k in ("switch_id", "host") if k in entry.metadata]
    if not times and not stated:
        raise EcoauditError("the power log has no reading", where=file.path)
    if start is not None and stop is not None and stop <= start:
        account.warn("power_measurement_stop is not later than power_measurement_start; the readings give the window")
        stop = None
    switch = bool(stated) or _SWITCH.search(file.name) is not None or any(map(_SWITCH.search, labels))
    if efficiency is not None and side is None:
        side = "ac"  # a factor from AC to DC is declared only for readings on the AC side
    if not times:
        account.warn("the switch power is stated, not measured")
        times, watts = [stated[0][0]], [stated[0][1]]
    time = np.array(times, dtype=np.float64)
    order = np.argsort(time, kind="stable")
    return [
        MeterLog(
            source=Source(file.path, FORMAT.format),
            kind="network" if switch else "node",
            label=_label(file.name),
            time_s=time[order],
            power_w=np.array(watts, dtype=np.float64)[order],
            stated=bool(stated) and len(times) == 1,
            boundary=None if stated else declared_side(side, file.path, options, account),
            conversion_efficiency=efficiency,
            started_at_s=start,
            stopped_at_s=stop,
            quality=account.quality(file),
        )
    ]


def _side(text: object) -> str | None:
    word = str(text).strip().lower()
    return word if word in ("ac", "dc") else None


def _label(name: str) -> str:
    return re.sub(r"\.(?:txt|log)(?:\.\w+)?$", "", name)
