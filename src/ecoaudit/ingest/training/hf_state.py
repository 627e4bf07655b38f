"""Hugging Face Trainer: `trainer_state.json`."""

import json
import math
from typing import Any

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training.scalars import TOKENS_SEEN, seen_flops
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="hf_trainer_state",
    kind="training",
    title="Hugging Face Trainer, trainer_state.json",
    reads="steps, loss, epochs, evaluation, total_flos, tokens where counted, runtime and rates of the whole run",
    seen="transformers 4.x and 5.x; NaN and Infinity literals",
    cannot_tell="the wall clock, the number of GPUs; tokens unless the Trainer, TRL or axolotl counted them",
)


def sniff(head: Head) -> str | None:
    """Recognise the keys that only this file has together."""
    text = head.text
    if text.lstrip().startswith("{") and '"log_history"' in text and '"global_step"' in text:
        return "JSON with log_history and global_step"
    if head.name == "trainer_state.json" and '"log_history"' in text:
        return "JSON with log_history, named trainer_state.json"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the file has no clock
    """Return the run; raises `EcoauditError` when the file is not whole JSON and no row can be recovered."""
    account = Account()
    text = file.text()
    account.lines = text.count("\n") + 1
    state = _state(text, file, account)
    steps = Steps()
    history = [row for row in state.get("log_history") or [] if isinstance(row, dict)]
    summary: dict[str, Any] = {}
    for row in history:
        step = row.get("step")
        # A Trainer that counts tokens adds the runtime so far to each row.
        if isinstance(step, int | float) and "loss" in row:
            account.records += 1
            steps.add(int(step), loss=_number(row["loss"]), tokens=_seen(row))
        elif "train_runtime" in row:
            summary = row
    runtime = _positive(summary.get("train_runtime"))
    last = _positive(state.get("global_step"))
    tokens = _positive(state.get("num_input_tokens_seen")) or _positive(summary.get("num_input_tokens_seen"))
    samples = _samples(summary, runtime, state, account)
    flops = _positive(state.get("total_flos")) or _positive(summary.get("total_flos"))
    seen = seen_flops(flops, runtime, account)
    if flops is None:
        account.warn("total_flos is 0 or absent: the Trainer did not count FLOPs")
    if len({row["epoch"] for row in history if isinstance(row.get("epoch"), int | float)}) == 0 and not history:
        account.warn("log_history is empty: logging_steps is longer than the run")
    return [
        steps.log(
            file,
            FORMAT.format,
            "Hugging Face Trainer",
            account,
            step_count=int(last) if last else None,
            runtime_s=runtime,
            tokens=tokens,
            samples=samples,
            flops=seen,
            flops_kind="model" if seen else None,
            throughput_samples_per_s=_positive(summary.get("train_samples_per_second")),
            throughput_tokens_per_s=tokens / runtime if tokens and runtime else None,
        )
    ]


def _state(text: str, file: LogFile, account: Account) -> dict[str, Any]:
    try:
        state = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        account.bad(account.lines, text[-80:], "the file is cut; rows before the cut are read")
        return _recovered(text, file)
    if not isinstance(state, dict):
        raise EcoauditError("trainer_state.json must hold an object", where=file.path)
    return state


def _recovered(text: str, file: LogFile) -> dict[str, Any]:
    """Return the rows of `log_history` that stand whole in a cut file."""
    decoder = json.JSONDecoder()
    position = text.find("[", text.find('"log_history"'))
    rows = []
    while position >= 0:
        brace = text.find("{", position)
        if brace < 0:
            break
        try:
            row, position = decoder.raw_decode(text, brace)
        except (json.JSONDecodeError, RecursionError):
            break
        rows.append(row)
        if text[position : position + 40].lstrip().startswith("]"):
            break
    if not rows:
        raise EcoauditError("the JSON is cut before the first row of log_history", where=file.path)
    last = [row["step"] for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]
    return {"log_history": rows, "global_step": max(last, default=None)}


def _samples(summary: dict[str, Any], runtime: float | None, state: dict[str, Any], account: Account) -> float | None:
    """Return samples of the run from its rate; both are rounded, so to three digits. None after a resume.

    The runtime is the time since a resume. The rates count what was planned from step 0 on, in transformers 5 what was
    done in that time.
    """
    rate, steps_rate = (_positive(summary.get(f"train_{what}_per_second")) for what in ("samples", "steps"))
    if rate is None or runtime is None:
        return None
    steps, planned = _positive(state.get("global_step")), _positive(state.get("max_steps"))
    if steps_rate is None or steps is None:
        return rate * runtime
    counted, rounding = steps_rate * runtime, max(0.05 * steps, 0.002 * runtime + 1)
    if abs(counted - steps) <= rounding:
        return rate * runtime
    if planned and steps < planned and abs(counted - planned) <= max(rounding, 0.05 * planned):
        account.warn(f"stopped at step {steps:.0f} of {planned:.0f}: train_samples_per_second counts the planned run")
        return rate * runtime * steps / planned
    account.warn("the rates do not fit the steps (a resumed run): samples are unknown")
    return None


def _number(value: Any) -> float:
    return values.real(value)


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if math.isfinite(number) and number > 0 else None


def _seen(row: dict[str, Any]) -> float:
    return next((count for name in TOKENS_SEEN if (count := _positive(row.get(name)))), math.nan)
