"""LLaMA-Factory: `trainer_log.jsonl`."""

import json
import math
import re
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="llama_factory",
    kind="training",
    title="LLaMA-Factory trainer_log.jsonl",
    reads="steps, loss, elapsed time, total tokens where counted",
    seen="2023 to 2025: learning_rate and lr, nulls of old rows, throughput and total_tokens since 2024-06",
    cannot_tell="the wall clock, batch size, the number of GPUs; tokens unless counting was on",
)

_ROW = re.compile(r'\{[^\n}]*"current_steps"[^\n}]*"elapsed_time"')
_ELAPSED = re.compile(r"(?:(\d{1,5}) days?, )?(\d{1,6}):(\d\d):(\d\d)")


def sniff(head: Head) -> str | None:
    """Recognise rows with these keys."""
    return "JSON lines with current_steps and elapsed_time" if _ROW.search(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - elapsed time only
    """Return the run."""
    account, steps = Account(), Steps()
    runtime = last_time = None
    last_step = done = 0
    for number, text in file.lines():
        account.lines += 1
        start = text.find("{")
        if start < 0:
            continue  # the rows may stand in an issue or behind a container's clock
        try:
            row, _ = json.JSONDecoder().raw_decode(text, start)
            step = values.step_number(row["current_steps"])
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            account.bad(number, text, "cut or not a row")
            continue
        account.records += 1
        done = max(done, step)
        elapsed = _seconds(row.get("elapsed_time"))
        runtime = elapsed if elapsed is not None else runtime
        if not isinstance(row.get("loss"), int | float):
            continue  # evaluation, prediction and the closing row
        duration = math.nan
        if elapsed is not None and step > last_step and elapsed >= (last_time or 0.0):
            duration = (elapsed - (last_time or 0.0)) / (step - last_step)
        steps.add(step, loss=values.real(row["loss"]), duration_s=duration, tokens=_tokens(row))
        last_time, last_step = elapsed, step
    if not len(steps):
        runtime = None
        account.warn("no row has a training loss: the log is of an evaluation or a prediction, not of training")
    # The closing row, which has no loss, tells the last step.
    count = done if len(steps) and not steps.resumed else None
    return [steps.log(file, FORMAT.format, "LLaMA-Factory", account, runtime_s=runtime, step_count=count)]


def _tokens(row: dict[str, Any]) -> float:
    value = values.real(row.get("total_tokens"))
    return value if value > 0 else math.nan


def _seconds(text: object) -> float | None:
    match = _ELAPSED.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    return int(match[1] or 0) * 86400.0 + int(match[2]) * 3600.0 + int(match[3]) * 60.0 + int(match[4])
