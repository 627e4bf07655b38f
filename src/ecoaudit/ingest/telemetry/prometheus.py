"""dcgm-exporter and other GPU exporters: exposition text, and series of Prometheus in several forms."""

import re
from collections.abc import Hashable, Iterable
from pathlib import PurePath

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.meters.build import meter
from ecoaudit.ingest.records import Clock, FormatInfo, ReadOptions, Record
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.prometheus_forms import (
    Series,
    from_grafana,
    from_json,
    from_promtool,
    grafana_columns,
    is_promtool,
    labels_of,
)
from ecoaudit.ingest.telemetry.prometheus_nodes import METRICS, NODE_METERS, Nodes, readings_of, scrape_interval_s
from ecoaudit.ingest.telemetry.tenants import tenants

FORMAT = FormatInfo(
    format="prometheus",
    kind="telemetry",
    title="dcgm-exporter exposition text, Prometheus range-query JSON, Grafana CSV",
    reads="power, energy counter (mJ since driver load), utilisation, GPU model, UUID and host, in one file or "
    "several; the pods that held the GPUs: unused GPUs beside one job's are left out; a node's power by its BMC",
    seen="DCGM_FI_DEV_* and dcgm_* names, MIG series (the GPU's power once), nvidia_gpu_exporter, AMD's exporter; "
    "matrix and vector results, /federate, VictoriaMetrics exports, promtool's text, JSON and tsdb dump, a panel's CSV",
    cannot_tell="times in exposition text without stamps (30 s a scrape is assumed where no counter tells); series "
    "behind rate() or sum(); "
    "which job is the run's where pods of several held GPUs",
)

_LINE = re.compile(r"^\s*((?:[A-Za-z_:][\w:]*)?\{.*\})\s+(\S+)(?:\s+(\d{9,}(?:\.\d+)?|\d\.\d+e\+\d+))?\s*$")
_JSON = re.compile(r'\s*(?:\[|\{\s*["}])')
_STAMP = re.compile(r"^#\s*(?:time(?:stamp)?|ts|date|scraped?(?: at)?)?\s*[:=]?\s*(\d.*)$", re.IGNORECASE)
_SCRAPE_S = 30.0  # default collection interval of dcgm-exporter
_SHOWN_JOBS = 3
_NAMES = (*METRICS, *sorted(NODE_METERS))


def sniff(head: Head) -> str | None:
    """Recognise one of the metric names with labels, or a query result that holds one."""
    text = head.text
    if _JSON.match(text):
        if '"resultType"' in text:
            return "JSON of a Prometheus query"
        named = '"metric"' in text and any(f'"{m}"' in text for m in _NAMES)
        if named and '"timestamps"' in text:
            return "exported series as JSON lines"
        return "JSON series of promtool" if named and '"__name__"' in text and '"value' in text else None
    if grafana_columns(text.split("\n", 1)[0]) and any(m in text for m in _NAMES):
        return "CSV of a Grafana panel with a column a series"
    found = next((m for m in _NAMES if re.search(rf"^\s*{m}\{{", text, re.M)), None)
    if found:
        return f"{'promtool' if is_promtool(text) else 'exposition'} line of {found}"
    found = next((m for m in _NAMES if re.search(rf'^\{{[^\n]*__name__="{m}"', text, re.M)), None)
    if found:
        return f"dumped samples of {found}"
    return "exposition lines of DCGM_FI metrics" if re.search(r"^\s*DCGM_FI_\w+\{[^}]*gpu=", text, re.M) else None


def read(file: LogFile, options: ReadOptions) -> list[Record]:
    """Return one `Telemetry` a host, and a meter log a node whose BMC tells its power.

    Raises `EcoauditError` when no such series is in the file.
    """
    account, nodes = Account(), Nodes()
    clock: Clock = "utc"
    text = file.head.text
    if _JSON.match(text):
        whole = file.text()
        account.lines = whole.count("\n") + 1
        _collect(from_json(whole, account), account, nodes)
    elif grafana_columns(text.split("\n", 1)[0]):
        _collect(from_grafana(file, account), account, nodes)
    elif is_promtool(text):
        _collect(from_promtool(file, account), account, nodes)
    else:
        clock = _exposition(file, account, nodes)
    if not (nodes.boards or nodes.meters):
        raise EcoauditError(
            "no power, energy or utilisation series of a GPU",
            where=file.path,
            fix="query DCGM_FI_DEV_POWER_USAGE or DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION as they are",
        )
    if clock == "none":
        _tell_of_interval(nodes, account)
    _tell_of_mig(nodes, account)
    left_out = _others(nodes, account)
    readings = {
        host: readings_of({key: board for key, board in boards.items() if (host, key) not in left_out})
        for host, boards in nodes.boards.items()
    }
    if readings and all(len(set(r.time_s)) < 2 for r in readings.values()):
        account.warn("one moment is no series, and gives no energy: use query_range, or scrape again and again")
    out: list[Record] = []
    stem = PurePath(file.path).stem
    for number, of_meter in enumerate(m for m in nodes.meters.values() if len(m) > 1):
        label = f"{stem} node {number}"  # reports name nodes by number, not by host
        out.append(meter(file, FORMAT.format, account, list(of_meter.items()), options, label=label, clock=clock))
    for host, found in readings.items():
        of_node = len(nodes.boards[host])
        beside = of_node if len(set(found.gpu)) < of_node else None
        if found.time_s:
            out.append(
                telemetry(file, FORMAT.format, account, found, options, clock=clock, host=host, node_gpu_count=beside)
            )
    if not out:
        raise EcoauditError("the series hold no value, or one moment of a node's meter", where=file.path)
    return out


def _tell_of_interval(nodes: Nodes, account: Account) -> None:
    """Give scrapes without times the interval in which the counters rose as the power says, else the default."""
    interval_s = scrape_interval_s(nodes, _SCRAPE_S)
    if interval_s is not None:
        nodes.stretch(interval_s / _SCRAPE_S)
        account.warn(f"the scrapes have no times: {interval_s:.3g} s apart, by the power and the energy counters")
    elif nodes.scrapes > 1:
        account.warn(f"the scrapes have no times: {_SCRAPE_S:.0f} s a scrape, the exporter's default, is assumed")


def _tell_of_mig(nodes: Nodes, account: Account) -> None:
    boards = [board for of_node in nodes.boards.values() for board in of_node.values() if board.instances]
    if any(not board.split for board in boards):
        account.warn("series of MIG instances were left out: the whole GPU's power holds theirs")
    split = sum(board.split for board in boards)
    if split:
        account.warn(
            f"{split} GPUs are told by their MIG instances only: each repeats the whole GPU's power, which is counted "
            "once; an instance's share is not told"
        )


def _others(nodes: Nodes, account: Account) -> frozenset[Hashable]:
    """Return the GPUs, as (host, key), that are not the run's, and say what the pods tell of the rest."""
    used_by: dict[Hashable, set[str]] = {
        (h, k): b.jobs for h, boards in nodes.boards.items() for k, b in boards.items()
    }
    shared = tenants(used_by)
    if len(shared.owners) > 1:
        names = ", ".join(shared.owners[:_SHOWN_JOBS]) + (" ..." if len(shared.owners) > _SHOWN_JOBS else "")
        account.warn(
            f"pods of {len(shared.owners)} jobs held these GPUs ({names}): all are counted; "
            "query yours only, by the label exported_pod or pod, or name the run's GPUs with --own-gpus"
        )
    if shared.left_out:
        account.warn(f"{len(shared.left_out)} of {len(used_by)} GPUs were held by no pod: they are left out")
    return shared.left_out


def _collect(found: Iterable[Series], account: Account, nodes: Nodes) -> None:
    for series in found:
        if series.name is None:
            account.warn("series without a name (behind rate, sum or avg) were left out")
            continue
        _take(series, account, nodes)


def _take(series: Series, account: Account, nodes: Nodes) -> None:
    name = series.name or ""
    kind = METRICS.get(name, "power" if name in NODE_METERS else "")
    if not kind:
        return
    if kind == "info":
        nodes.describe(series.labels)
        return
    samples = []
    for time_s, text in series.samples:
        try:
            samples.append((time_s, _value(kind, text)))
        except ValueError:
            account.bad(0, f"{series.name} {text}", "not a number")
            continue
        account.records += 1
    if samples and name in NODE_METERS:
        nodes.put_meter(series.labels, samples)
    elif samples:
        nodes.put(kind, series.labels, samples)


def _value(kind: str, text: str) -> float:
    """Return a value; a panel's CSV may carry the unit that the panel shows."""
    return values.power_w(text) if kind in ("power", "instant") else values.number(text)


def _exposition(file: LogFile, account: Account, nodes: Nodes) -> Clock:
    scrape, seen = 0, set[str]()
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
        name, labels = labels_of(line[1]) or (None, {})
        if name not in _NAMES:
            continue
        if line[1] in seen:
            scrape += 1
            seen.clear()
        seen.add(line[1])
        if line[3]:
            stamp, clock = values.epoch(float(line[3])), "utc"
        time_s = stamp if stamp is not None else scrape * _SCRAPE_S
        _take(Series(name, labels, [(time_s, line[2])]), account, nodes)
    return clock
