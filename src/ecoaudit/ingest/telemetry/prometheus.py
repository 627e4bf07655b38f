"""dcgm-exporter: Prometheus exposition text, and range queries of Prometheus as JSON."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="prometheus",
    kind="telemetry",
    title="dcgm-exporter exposition text, Prometheus range-query JSON",
    reads="power, energy counter (mJ since driver load), utilisation, GPU model, UUID and host",
    seen="DCGM_FI_DEV_* and dcgm_* names, MIG series (left out), nvidia_gpu_exporter, matrix and vector results",
    cannot_tell="times in exposition text without stamps (30 s a scrape is assumed); series behind rate() or sum()",
)

_METRICS = {
    "DCGM_FI_DEV_POWER_USAGE": "power",
    "DCGM_FI_DEV_BOARD_POWER_WATTS": "power",
    "dcgm_power_usage": "power",
    "nvidia_smi_power_draw_watts": "power",
    "DCGM_FI_DEV_POWER_USAGE_INSTANT": "instant",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": "energy",
    "dcgm_total_energy_consumption": "energy",
    "DCGM_FI_DEV_GPU_UTIL": "util",
    "dcgm_gpu_utilization": "util",
    "nvidia_smi_utilization_gpu_ratio": "ratio",
}
_LINE = re.compile(r"^\s*([A-Za-z_:][\w:]*)\{(.*)\}\s+(\S+)(?:\s+(\d{9,}))?\s*$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_STAMP = re.compile(r"^#\s*(?:time(?:stamp)?|ts|date|scraped?(?: at)?)?\s*[:=]?\s*(\d.*)$", re.IGNORECASE)
_BLANK = 1e15  # DCGM's sentinel for "no value" lies near 2**63
_SCRAPE_S = 30.0  # default collection interval of dcgm-exporter


def sniff(head: Head) -> str | None:
    """Recognise one of the metric names with labels, or a query result that holds one."""
    text = head.text
    if text.lstrip().startswith("{") and '"resultType"' in text:
        return "JSON of a Prometheus query" if any(f'"{m}"' in text for m in _METRICS) or '"metric"' in text else None
    found = next((m for m in _METRICS if re.search(rf"^\s*{m}\{{", text, re.M)), None)
    if found:
        return f"exposition line of {found}"
    return "exposition lines of DCGM_FI metrics" if re.search(r"^\s*DCGM_FI_\w+\{[^}]*gpu=", text, re.M) else None


@dataclass
class _Node:
    """Values by time and GPU; a GPU's metrics of one time become one reading."""

    cells: dict[tuple[float, str], dict[str, float]] = field(default_factory=dict)
    info: dict[str, GpuInfo] = field(default_factory=dict)

    def put(self, time_s: float, labels: dict[str, str], kind: str, value: float) -> None:
        key = labels.get("UUID") or labels.get("uuid") or labels.get("gpu") or "0"
        index = labels.get("gpu", "")
        self.info.setdefault(
            key,
            GpuInfo(
                index=int(index) if values.is_index(index) else None,
                uuid=labels.get("UUID") or labels.get("uuid"),
                name=labels.get("modelName") or labels.get("name"),
            ),
        )
        self.cells.setdefault((time_s, key), {})[kind] = value


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return one `Telemetry` a host; raises `EcoauditError` when no series of a GPU is among them."""
    account = Account()
    nodes: dict[str | None, _Node] = {}
    clock: Clock = "utc"
    if file.head.text.lstrip().startswith("{"):
        _json(file, account, nodes)
    else:
        clock = _exposition(file, account, nodes)
    if not nodes:
        raise EcoauditError(
            "no power, energy or utilisation series of a GPU",
            where=file.path,
            fix="query DCGM_FI_DEV_POWER_USAGE or DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION as they are",
        )
    return [_telemetry(file, account, host, node, options, clock) for host, node in nodes.items()]


def _take(
    labels: dict[str, str],
    name: str,
    samples: Iterator[tuple[float, str]],
    account: Account,
    nodes: dict[str | None, _Node],
) -> None:
    kind = _METRICS.get(name)
    if kind is None:
        return
    if labels.get("GPU_I_ID"):
        account.warn("series of MIG instances were left out: the whole GPU's power holds theirs")
        return
    host = labels.get("Hostname") or labels.get("hostname") or labels.get("instance")
    for time_s, text in samples:
        try:
            value = values.number(text)
        except ValueError:
            account.bad(0, f"{name} {text}", "not a number")
            continue
        account.records += 1
        node = nodes.setdefault(host, _Node())
        node.put(time_s, labels, kind, value if abs(value) < _BLANK else math.nan)


def _json(file: LogFile, account: Account, nodes: dict[str | None, _Node]) -> None:
    try:
        data = json.loads(file.text())
        result = data["data"]["result"]
    except (json.JSONDecodeError, RecursionError, KeyError, TypeError) as error:
        raise EcoauditError("not a whole answer of a Prometheus query", where=file.path) from error
    for series in result if isinstance(result, list) else ():
        metric = series.get("metric", {}) if isinstance(series, dict) else {}
        name = metric.get("__name__")
        if name is None:
            account.warn("series without a name (behind rate, sum or avg) were left out")
            continue
        pairs = series.get("values") or [series.get("value")]
        good = [p for p in pairs if isinstance(p, list) and len(p) == 2 and values.clock_s(p[0]) > 0]
        account.bad_lines += len(pairs) - len(good)
        labels = {str(k): str(v) for k, v in metric.items()}
        _take(labels, str(name), ((float(t), str(v)) for t, v in good), account, nodes)


def _exposition(file: LogFile, account: Account, nodes: dict[str | None, _Node]) -> Clock:
    scrape, seen = 0, set[tuple[str, str]]()
    stamp: float | None = None
    clock: Clock = "none"
    for number, text in file.lines():
        account.lines += 1
        if text.startswith("#"):
            match = _STAMP.match(text)
            if match:
                try:
                    stamp, naive = values.parse_time(match[1])
                    clock = "naive" if naive else "utc"
                except ValueError:
                    continue
            continue
        line = _LINE.match(text)
        if line is None:
            if re.match(r"\s*(?:DCGM_FI_|dcgm_)\w+\{", text):
                account.bad(number, text, "the line is cut")
            continue
        if line[1] not in _METRICS:
            continue
        if (line[1], line[2]) in seen:
            scrape += 1
            seen.clear()
        seen.add((line[1], line[2]))
        if line[4]:
            stamp, clock = values.epoch(float(line[4])), "utc"
        time_s = stamp if stamp is not None else scrape * _SCRAPE_S
        _take(dict(_LABEL.findall(line[2])), line[1], iter([(time_s, line[3])]), account, nodes)
    if clock == "none" and scrape:
        account.warn(f"the scrapes have no times: {_SCRAPE_S:.0f} s a scrape, the exporter's default, is assumed")
    return clock


def _telemetry(
    file: LogFile, account: Account, host: str | None, node: _Node, options: ReadOptions, clock: Clock
) -> Telemetry:
    readings = Readings()
    readings.info.update(node.info)
    for (time_s, gpu), cell in sorted(node.cells.items()):
        power = cell.get("power", cell.get("instant", math.nan))
        util = cell.get("util", 100.0 * cell.get("ratio", math.nan))
        readings.add(time_s, gpu, power, util, cell.get("energy", math.nan) / 1000.0)
    return telemetry(file, FORMAT.format, account, readings, options, clock=clock, host=host)
