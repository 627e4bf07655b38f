"""modded-nanogpt logs: the script's source, then `step:N/M train_loss:x train_time:yms step_avg:zms`."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="modded_nanogpt",
    kind="training",
    title="modded-nanogpt log",
    reads="steps, loss, training time (evaluation left out by the script), GPUs of the nvidia-smi table",
    seen="2024 to 2025: train_time in ms and s, val_loss rows",
    cannot_tell="the wall clock and evaluation time; step_avg leaves out the first ten steps; tokens",
)

_WHOLE = re.compile(
    r"\bstep:(\d+)/(\d+) (train_loss|val_loss|train_time|val_time):(\S+?)(?: (?:train|val)_time:([\d.]+)(ms|s))? "
    r"step_avg:(\S+)"
)
_START = re.compile(r"\bstep:\d+/\d+ ")
_GPU_ROW = re.compile(r"^\|\s+\d+\s+(NVIDIA [^|]+?)\s+(?:On|Off)\s+\|")


def sniff(head: Head) -> str | None:
    """Recognise a step line."""
    match = _WHOLE.search(head.text)
    return "line `step:N/M train_loss:x train_time:y step_avg:z`" if match else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the log has no clock
    """Return the run."""
    account, steps = Account(), Steps()
    gpus = 0
    last_ms = last_step = None
    runtime = None

    def notice(text: str) -> None:
        nonlocal gpus
        gpus += _GPU_ROW.match(text) is not None

    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        kind = match[3]
        time_text, unit = (match[4], None) if kind.endswith("time") else (match[5], match[6])
        try:
            step = values.step_number(match[1])
            elapsed = _seconds(time_text, unit)
            loss = values.number(match[4]) if kind.endswith("loss") else math.nan
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        runtime = elapsed if not math.isnan(elapsed) else runtime
        if kind == "val_loss":
            continue
        rate = math.nan
        if last_ms is not None and last_step is not None and step > last_step:
            rate = (elapsed - last_ms) / (step - last_step)
        added = steps.add(
            step,
            loss=loss if kind == "train_loss" else None,
            duration_s=rate if rate > 0 else math.nan,
            rank=rank_of(text),
        )
        account.records += added
        last_ms, last_step = elapsed, step
    account.warn("evaluation is not in the training time of this log")
    return [steps.log(file, FORMAT.format, "modded-nanogpt", account, runtime_s=runtime, world_size=gpus or None)]


def _seconds(text: str | None, unit: str | None) -> float:
    if not text:
        return math.nan
    value, suffix = values.split_unit(text)
    return value * (1e-3 if (unit or suffix) == "ms" else 1.0)
