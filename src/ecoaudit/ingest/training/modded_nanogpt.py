"""modded-nanogpt logs: the script's source, then `step:N/M train_loss:x train_time:yms step_avg:zms`."""

import math
import re
from dataclasses import dataclass, field

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
    reads=(
        "steps, loss, training time (evaluation left out by the script), GPUs of the nvidia-smi table; batch, sequence "
        "and tokens where the script at the top states them as constants"
    ),
    seen="records of 2024-06 to 2026-07: train_time in ms and s, logs of val_loss rows only",
    cannot_tell="the wall clock, evaluation time; step_avg leaves out the first ten steps; tokens of batch schedules",
)

_WHOLE = re.compile(
    r"\bstep:(\d+)/(\d+) (train_loss|val_loss|train_time|val_time):(\S+?)(?: (?:train|val)_time:([\d.]+)(ms|s))? "
    r"step_avg:(\S+)"
)
_START = re.compile(r"\bstep:\d+/\d+ ")
_GPU_ROW = re.compile(r"(?:^|\s)\|\s+\d+\s+(NVIDIA [^|]+?)\s+(?:On|Off)\s+\|")
# Constants of the script: products of numbers.
_PRODUCT = r"(\d{1,9}(?: ?\* ?\d{1,9}){0,3})"
_CONSTANTS = (
    ("sequences", re.compile(rf"\bbatch_size ?: ?int = {_PRODUCT} # batch size, in sequences, across all devices")),
    ("tokens", re.compile(rf"\bbatch_size = {_PRODUCT} # batch size in tokens")),
    ("length", re.compile(rf"\bsequence_length ?: ?int = {_PRODUCT} # sequence length")),
)


def sniff(head: Head) -> str | None:
    """Recognise a step line."""
    match = _WHOLE.search(head.text)
    return "line `step:N/M train_loss:x train_time:y step_avg:z`" if match else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the log has no clock
    """Return the run."""
    account = Account()
    training, validation = _Rows(), _Rows()
    told: dict[str, int] = {}
    gpus = 0
    runtime = None

    def notice(text: str) -> None:
        nonlocal gpus
        gpus += _GPU_ROW.search(text) is not None
        for name, pattern in _CONSTANTS:
            if name not in told and (match := pattern.search(text)):
                told[name] = math.prod(int(factor) for factor in match[1].split("*"))

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
        rows = validation if kind == "val_loss" else training
        rows.add(step, elapsed, loss if kind == "train_loss" else None, rank_of(text))
    # Some logs have validation rows only; they tell the steps, too.
    steps = (training if len(training.steps) else validation).steps
    account.records = len(steps)
    account.warn("evaluation is not in the training time of this log")
    tokens = told.get("tokens") or told.get("sequences", 0) * told.get("length", 0)
    if tokens:
        steps.tokens = [step * float(tokens) for step in steps.step]
    return [
        steps.log(
            file,
            FORMAT.format,
            "modded-nanogpt",
            account,
            runtime_s=runtime,
            world_size=gpus or None,
            sequence_length=told.get("length"),
            global_batch_size=told.get("sequences"),
            tokens_per_sample=told.get("length"),
        )
    ]


@dataclass
class _Rows:
    """Steps of one kind of row and what is needed to tell the time between two."""

    steps: Steps = field(default_factory=Steps)
    last_s: float = math.nan
    last_step: int = 0

    def add(self, step: int, elapsed_s: float, loss: float | None, rank: str | None) -> None:
        rate = math.nan
        if step > self.last_step:
            rate = (elapsed_s - self.last_s) / (step - self.last_step)
        self.steps.add(step, loss=loss, duration_s=rate if rate > 0 else math.nan, rank=rank)
        self.last_s, self.last_step = elapsed_s, step


def _seconds(text: str | None, unit: str | None) -> float:
    if not text:
        return math.nan
    value, suffix = values.split_unit(text)
    return value * (1e-3 if (unit or suffix) == "ms" else 1.0)
