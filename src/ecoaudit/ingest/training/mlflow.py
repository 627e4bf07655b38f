"""MLflow run folders: `mlruns/<experiment>/<run>/meta.yaml` with `metrics/`, `params/` and system metrics beside it."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Record, Source, Telemetry
from ecoaudit.ingest.telemetry.frame import Readings, frame
from ecoaudit.ingest.telemetry.plausible import board_power
from ecoaudit.ingest.training.scalars import Row, joined, training_log
from ecoaudit.ingest.training.settings import facts
from ecoaudit.ingest.training.wandb_system import warn_of_idle
from ecoaudit.ingest.values import clock_s, epoch, real

FORMAT = FormatInfo(
    format="mlflow",
    kind="training",
    title="MLflow run folder (file store)",
    reads=(
        "start and end, status, metrics with the clock, evaluations by their runtime, GPU power and utilisation of the "
        "system metrics, node by node; model, batch, precision and attention of the parameters"
    ),
    seen="meta.yaml of MLflow 1.x to 3.x; deleted runs are refused; nested metric names",
    cannot_tell="tokens and samples unless a metric's name says so; which of the node's GPUs belong to the run",
)

_SYSTEM = re.compile(r"system/(?:(.+)/)?gpu_(\d{1,3})_(power_usage_watts|utilization_percentage)")
_DELETED = "deleted"
_STATUS = {3: "success", 4: "aborted", 5: "aborted", "FINISHED": "success", "FAILED": "aborted", "KILLED": "aborted"}


def sniff(head: Head) -> str | None:
    """Recognise a run's meta.yaml."""
    text = head.text
    if re.search(r"^run_(?:id|uuid): ", text, re.M) and re.search(r"^lifecycle_stage: ", text, re.M):
        return "YAML with run_id and lifecycle_stage of an MLflow run"
    return None


def read(file: LogFile, options: ReadOptions) -> list[Record]:  # noqa: ARG001 - MLflow times are UTC
    """Return the training log and the telemetry of the system metrics; raises `EcoauditError` for a deleted run."""
    account = Account()
    try:
        meta = yaml.safe_load(file.text())
    except yaml.YAMLError as error:
        raise EcoauditError("meta.yaml is not valid YAML", where=file.path) from error
    if not isinstance(meta, dict):
        raise EcoauditError("meta.yaml must hold a mapping", where=file.path)
    if meta.get("lifecycle_stage") == _DELETED:
        raise EcoauditError("this MLflow run is deleted", where=file.path, fix="restore it or leave it out")
    folder = Path(file.path).parent / "metrics"
    return records_of(
        file, FORMAT.format, account, meta, _metrics(folder, account), _parameters(folder.with_name("params"))
    )


def records_of(
    file: LogFile,
    name: str,
    account: Account,
    meta: Mapping[str, Any],
    metrics: Iterable[tuple[str, float, float, int]],
    parameters: Mapping[str, str],
) -> list[Record]:
    """Return one run's training log and telemetry; `meta` is as in meta.yaml, a metric (name, Unix s, value, step)."""
    rows: dict[tuple[int, float], dict[str, float]] = {}
    nodes: dict[str, dict[tuple[float, int], dict[str, float]]] = {}
    for metric, time_s, value, step in metrics:
        if system := _SYSTEM.fullmatch(metric):
            readings = nodes.setdefault(system[1] or "", {})
            readings.setdefault((time_s, int(system[2])), {})[system[3]] = value
        elif not metric.startswith("system/"):
            rows.setdefault((step, time_s), {})[metric] = value
    start, end = (_seconds(meta.get(k)) for k in ("start_time", "end_time"))
    series: list[Row] = [(step, time_s, scalars) for (step, time_s), scalars in sorted(rows.items(), key=_by_time)]
    run_id = str(meta.get("run_id") or meta.get("run_uuid") or "") or None
    known: dict[str, Any] = {"runtime_s": end - start if start and end else None}
    known |= {key: t for key, t in (("job_start_s", start), ("job_end_s", end)) if t}
    log = training_log(
        file,
        name,
        "MLflow",
        account,
        joined(series),
        **known,
        status=_STATUS.get(meta.get("status", "")),
        run_id=run_id,
        **facts(parameters),
    )
    found = (_telemetry(file, name, account, readings, node) for node, readings in nodes.items())
    return [log, *(replace(one, run_id=run_id) for one in found)]


def _metrics(folder: Path, account: Account) -> Iterator[tuple[str, float, float, int]]:
    """Yield the rows of a run's metric files, whose names are the metrics'."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else ():
        for time_s, value, step in _metric(path, account):
            yield path.relative_to(folder).as_posix(), time_s, value, step


def _parameters(folder: Path) -> dict[str, str]:
    """Return the run's parameters, a file each; those that cannot be read are left out."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else ():
        try:
            found[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
    return found


def _by_time(item: tuple[tuple[int, float], dict[str, float]]) -> tuple[float, int]:
    (step, time_s), _ = item
    return time_s, step


def _metric(path: Path, account: Account) -> list[tuple[float, float, int]]:
    out = []
    for number, text in LogFile(str(path)).lines():
        account.lines += 1
        if not text.strip():
            continue
        cells = text.split()
        try:
            row = (epoch(float(cells[0])), float(cells[1]), int(cells[2]) if len(cells) > 2 else 0)
        except (ValueError, IndexError, OverflowError):
            account.bad(number, f"{path.name}: {text}", "not `timestamp value step`")
            continue
        account.records += 1
        out.append(row)
    return out


def _seconds(value: object) -> float | None:
    seconds = clock_s(real(value) / 1000.0)
    return None if math.isnan(seconds) else seconds


def _telemetry(
    file: LogFile, name: str, account: Account, found: dict[tuple[float, int], dict[str, float]], node: str
) -> Telemetry:
    readings = Readings()
    for (time_s, gpu), values in sorted(found.items()):
        power, util = (values.get(k, math.nan) for k in ("power_usage_watts", "utilization_percentage"))
        readings.add(time_s, gpu, power, util)
    readings.power_w = board_power(np.array(readings.power_w), account).tolist()
    table = frame(readings)
    account.warn("MLflow logs every GPU of the node, other jobs' too")
    indices = [int(str(key)) for key in table.keys]
    warn_of_idle(indices, table.util_percent, account)
    return Telemetry(
        source=Source(file.path, name),
        host=node or None,
        gpus=tuple(GpuInfo(index=index) for index in indices),
        time_s=table.time_s,
        power_w=table.power_w,
        energy_j=None,
        util_percent=table.util_percent,
        quality=account.quality(file),
        interval_s=float(np.median(np.diff(table.time_s))) if len(table.time_s) > 1 else None,
    )
