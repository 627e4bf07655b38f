"""Weights & Biases exports: history and system JSON Lines, `wandb-summary.json`."""

import json
import math
import re
from typing import Any

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FloatArray, FormatInfo, GpuInfo, ReadOptions, Record, Source, Telemetry
from ecoaudit.ingest.telemetry.frame import Readings, frame
from ecoaudit.ingest.telemetry.plausible import board_power
from ecoaudit.ingest.training.scalars import Row, training_log
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="wandb",
    kind="training",
    title="Weights & Biases history and system JSON Lines, wandb-summary.json",
    reads="steps, loss and token scalars with the clock; GPU power, utilisation and limit of the system metrics",
    seen="rows with _timestamp, _runtime, _step; system rows gpu.N.powerWatts; old and new SDK intervals (30 s, 15 s)",
    cannot_tell="which GPUs of the node are the run's, unless gpu.process.N names them; `_step` is a row number",
)

_GPU = re.compile(r"(?:system[./])?gpu\.(\d{1,3})\.(powerWatts|gpu|enforcedPowerLimitWatts)")


_PROCESS = re.compile(r"(?:system[./])?gpu\.process\.(\d{1,3})\.")
_IDLE_PERCENT = 5.0


def sniff(head: Head) -> str | None:
    """Recognise rows, or a summary, with W&B's own keys."""
    text = head.text.lstrip()
    if not text.startswith("{"):
        return None
    own = '"_timestamp"' in text and '"_runtime"' in text
    if own and '"_step"' in text:
        return "JSON with _timestamp, _runtime and _step"
    return "JSON lines with gpu.N.powerWatts" if re.search(r'"(?:system[./])?gpu\.\d+\.powerWatts"', text) else None


def read(file: LogFile, options: ReadOptions) -> list[Record]:  # noqa: ARG001 - W&B times are UTC
    """Return the training log and, where the file has system rows, the telemetry of the node."""
    account = Account()
    history: list[Row] = []
    readings = Readings()
    limits: dict[int, float] = {}
    own: set[int] = set()
    summary = _summary(file)
    if summary is not None:
        account.lines = account.records = 1
        return [_from_summary(file, summary, account)]
    for number, text in file.lines():
        account.lines += 1
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            account.bad(number, text, "cut or not JSON")
            continue
        if not isinstance(row, dict):
            account.bad(number, text, "not an object")
            continue
        account.records += 1
        time_s = values.clock_s(row.get("_timestamp", row.get("_ts")))
        own |= {int(m[1]) for k in row if (m := _PROCESS.match(k))}
        gpus = [(m, v) for k, v in row.items() if (m := _GPU.fullmatch(k))]
        if gpus and math.isnan(time_s):
            account.bad(number, text, "a system row without a time")
        elif gpus:
            _system(time_s, gpus, readings, limits)
        elif "_step" in row and isinstance(row["_step"], int):
            scalars = {k: values.real(v) for k, v in row.items() if not k.startswith("_") and _is_number(v)}
            history.append((row["_step"], time_s, scalars))
    out: list[Record] = []
    if history:
        out.append(training_log(file, FORMAT.format, "Weights & Biases", account, history))
    if readings.time_s:
        out.append(_telemetry(file, account, readings, limits, own))
    if not out:
        raise EcoauditError("no history and no GPU row in the W&B export", where=file.path)
    return out


def _summary(file: LogFile) -> dict[str, Any] | None:
    """Return the object of a summary file: one JSON object and nothing behind it, `_wandb` or `_runtime` inside."""
    if not file.head.complete:
        return None
    text = file.text().strip()
    if "\n{" in text:
        return None
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return None
    return data if isinstance(data, dict) and "_runtime" in data else None


def _from_summary(file: LogFile, data: dict[str, Any], account: Account) -> Record:
    steps = Steps()
    end, runtime = values.clock_s(data.get("_timestamp")), values.real(data.get("_runtime"))
    step = next(
        (data[k] for k in ("train/global_step", "trainer/global_step", "_step") if _is_number(data.get(k))), None
    )
    known = not (math.isnan(end) or math.isnan(runtime))
    tokens = next((float(v) for k, v in data.items() if k.endswith("num_input_tokens_seen") and _is_number(v)), None)
    return steps.log(
        file,
        FORMAT.format,
        "Weights & Biases",
        account,
        clock="utc" if known else "none",
        last_step=int(step) if step is not None else None,
        step_count=int(step) if step is not None else None,
        runtime_s=None if math.isnan(runtime) else runtime,
        job_start_s=end - runtime if known else None,
        job_end_s=end if known else None,
        tokens=tokens,
    )


def _system(time_s: float, gpus: list[tuple[re.Match[str], Any]], readings: Readings, limits: dict[int, float]) -> None:
    by_gpu: dict[int, dict[str, float]] = {}
    for match, value in gpus:
        by_gpu.setdefault(int(match[1]), {})[match[2]] = values.real(value)
    for index, found in sorted(by_gpu.items()):
        limit = found.get("enforcedPowerLimitWatts", math.nan)
        if not math.isnan(limit):
            limits[index] = limit
        if "powerWatts" in found or "gpu" in found:
            readings.add(time_s, index, found.get("powerWatts", math.nan), found.get("gpu", math.nan))


def _of_the_run(indices: list[int], util: FloatArray | None, own: set[int], account: Account) -> list[int]:
    """Return the columns of the GPUs that the logging process used (`gpu.process.N`), all where that is ambiguous.

    A process of one GPU beside busy ones is either a job of its own or one rank of several: nothing tells which.
    """
    mine = [column for column, index in enumerate(indices) if index in own]
    others = [column for column in range(len(indices)) if column not in mine]
    if not mine or not others:
        account.warn("W&B logs every GPU of the node, other jobs' too; its rows are means over the interval")
        return list(range(len(indices)))
    known = util is not None and bool(np.isfinite(util[:, others]).any())
    busy = util is None or not known or float(np.nanmax(util[:, others])) > _IDLE_PERCENT
    if len(mine) == 1 and busy:
        account.warn(
            f"W&B names one GPU of {len(indices)} as its process's, others were busy or not told: all are counted; if "
            "the run used one GPU, its energy is too high"
        )
        return list(range(len(indices)))
    account.warn(
        f"W&B names {len(mine)} of the node's {len(indices)} GPUs as its process's: {len(others)} are left out"
    )
    return mine


def _telemetry(
    file: LogFile, account: Account, readings: Readings, limits: dict[int, float], own: set[int]
) -> Telemetry:
    readings.power_w = board_power(np.array(readings.power_w), account).tolist()
    table = frame(readings)
    interval = float(np.median(np.diff(table.time_s))) if len(table.time_s) > 1 else None
    indices = [int(str(k)) for k in table.keys]
    kept = _of_the_run(indices, table.util_percent, own, account)
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=None,
        gpus=tuple(GpuInfo(index=indices[c], power_limit_w=limits.get(indices[c])) for c in kept),
        time_s=table.time_s,
        power_w=table.power_w[:, kept],
        energy_j=None,
        util_percent=None if table.util_percent is None else table.util_percent[:, kept],
        quality=account.quality(file),
        interval_s=interval,
        power_field="average",
        node_gpu_count=len(indices) if len(kept) < len(indices) else None,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
