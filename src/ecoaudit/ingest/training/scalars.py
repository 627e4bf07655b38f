"""From named scalars over steps (TensorBoard, W&B, MLflow) to a training log: which name is the loss, the tokens."""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, ReadOptions, TrainingLog
from ecoaudit.ingest.training.phases import Phases
from ecoaudit.ingest.training.steps import Steps

_LOSS = re.compile(
    r"^(?:train(?:ing)?[_/ ]?|loss_metrics/global_avg_)?(?:lm[ _-]|CE )?(?:epoch_|batch_)?"
    r"(?:loss|CrossEntropyLoss)(?:[_/ ](?:train|step|total))*$",
    re.IGNORECASE,
)
_TOKENS = re.compile(
    r"(?:^|[/ _])(?:num_input_tokens_seen|num_tokens|(?:total|consumed|trained)[ _]tokens|tokens/total|time/token"
    r"|(?:n_)?(?:total_)?tokens[ _]seen)$",
    re.IGNORECASE,
)
_SAMPLES = re.compile(
    r"(?:^|[/ _])(?:consumed[ _](?:train_)?samples|samples[ _]seen|train_samples|time/sample)$", re.IGNORECASE
)
_STEP = re.compile(
    r"^(?:(?:train(?:er)?/)?(?:global_|update_|optimizer_)?(?:step|iter|iteration)|num_(?:gradient_)?steps|time/batch)$"
)
_HELD_OUT = re.compile(r"(?:^|[/_])(?:val|eval|test|valid)", re.IGNORECASE)
TOTALS = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos")
"""The Trainer's totals, logged when training ends, as they are or below `train/`."""
_TOTAL = re.compile(rf"^(?:train/)?({'|'.join(TOTALS)})$")
TOKENS_SEEN = ("num_input_tokens_seen", "num_tokens", "tokens/total")
"""The running count of tokens in a row of the Trainer, TRL or axolotl."""
# Logged when the evaluation ends.
_EVALUATION = re.compile(r"^eval[/_](?:[\w.-]+_)?runtime$")
_BY_SAMPLES = "Train/Samples/"
"""DeepSpeed's monitor logs once a step, over the samples so far."""

_LEAST_FLOP_PER_S = 5e10
"""Less than a laptop's processor does; a count below it over a run on GPUs is no count."""

_AT_ONCE_S = 1.0
"""Scalars of one step further apart than this were logged by different parts of the run: training, then evaluation."""

Row = tuple[int, float, dict[str, float]]
"""Logger's step, time (Unix s or NaN), scalars by name."""


def training_log(
    file: LogFile,
    name: str,
    framework: str,
    account: Account,
    rows: Sequence[Row],
    *,
    clock: Clock = "utc",
    **known: Any,
) -> TrainingLog:
    """Return the log; the framework's own step counter wins over the logger's row number where it is logged."""
    if any(key.startswith(_BY_SAMPLES) for _, _, scalars in rows[:100] for key in scalars):
        rows = _steps_of_samples(rows, account)
    names = {key for _, _, scalars in rows for key in scalars}
    loss = _best(names, _LOSS)
    step_name = min((n for n in names if _STEP.match(n) and _rises(rows, n, whole=True)), key=len, default=None)
    tokens, samples = (
        _best((n for n in names if pattern.search(n) and _rises(rows, n)), pattern) for pattern in (_TOKENS, _SAMPLES)
    )
    steps, phases = Steps(), Phases()
    totals: dict[str, float] = {}
    seconds = [t for _, t, _ in rows if not math.isnan(t)]
    last = end = math.nan
    for row_step, time_s, scalars in rows:
        for key, value in scalars.items():
            if _EVALUATION.match(key):
                phases.span("eval", time_s - value, time_s)
            elif match := _TOTAL.match(key):
                totals[match[1]] = value
                end = time_s
        if (loss is not None and loss not in scalars) or all(_HELD_OUT.search(key) for key in scalars):
            continue
        value = scalars.get(step_name, last) if step_name else float(row_step)
        if step_name and step_name in scalars:
            last = scalars[step_name]
        steps.add(
            int(row_step if math.isnan(value) else value),
            time_s=time_s,
            loss=scalars.get(loss) if loss else None,
            tokens=scalars.get(tokens, math.nan) if tokens else math.nan,
            samples=scalars.get(samples, math.nan) if samples else math.nan,
        )
    if loss is None and len(steps):
        account.warn("no scalar is named like a training loss; every row is taken for a step")
    elif not len(steps):
        account.warn("the log holds nothing of training, only of evaluation")
    if not seconds:
        clock = "none"
    steps.repeated_lines = 0
    told: dict[str, Any] = {"job_start_s": min(seconds, default=None), "job_end_s": max(seconds, default=None)} | known
    told |= trainer_totals(totals, None if steps.resumed or not len(steps) else steps.step[-1], account)
    if "runtime_s" in told and not math.isnan(end):
        told |= {"train_start_s": end - told["runtime_s"], "train_end_s": end}
    told["phases"] = phases.localised(ReadOptions())
    return steps.log(file, name, framework, account, clock=clock, **told)


def trainer_totals(totals: dict[str, float], steps_done: float | None, account: Account) -> dict[str, Any]:
    """Return the fields of `TrainingLog` that the Trainer's totals tell.

    Its rates are the planned run's samples and steps by the runtime since the start or a resume: samples are those of
    the share that was done, and unknown without `steps_done`, the steps that the log covers from the first on.
    """
    get = {name: value for name, value in totals.items() if math.isfinite(value) and value > 0}
    told: dict[str, Any] = {}
    if flops := seen_flops(get.get("total_flos"), get.get("train_runtime"), account):
        told |= {"flops": flops, "flops_kind": "model"}
    if runtime := get.get("train_runtime"):
        told["runtime_s"] = runtime
        rate, steps_rate = (get.get(f"train_{what}_per_second") for what in ("samples", "steps"))
        if rate and steps_rate and steps_done:
            planned = steps_rate * runtime
            done = steps_done / planned if steps_done < 0.95 * planned - 1 else 1.0  # both are rounded
            told |= {"samples": rate * runtime * done, "throughput_samples_per_s": rate * done}
    return told


def seen_flops(flops: float | None, runtime_s: float | None, account: Account) -> float | None:
    """Return the Trainer's `total_flos`, None where its rate shows that it did not see the parameters (ZeRO-3)."""
    if flops and runtime_s and flops < _LEAST_FLOP_PER_S * runtime_s:
        account.warn(
            f"total_flos is {flops / runtime_s / 1e12:.2g} TFLOP/s over the run: the Trainer did not see the "
            "parameters (ZeRO-3 keeps them apart); FLOPs are unknown"
        )
        return None
    return flops or None


def joined(rows: Iterable[Row]) -> list[Row]:
    """Put scalars of one step that were logged at once into one row; loggers stamp each alone, milliseconds apart."""
    out: list[Row] = []
    last_s = math.nan
    for step, time_s, scalars in rows:
        if out and out[-1][0] == step and not time_s - last_s >= _AT_ONCE_S and not set(scalars) & set(out[-1][2]):
            out[-1][2].update(scalars)
        else:
            out.append((step, time_s, dict(scalars)))
        last_s = time_s
    return out


def _steps_of_samples(rows: Sequence[Row], account: Account) -> list[Row]:
    """Return rows of DeepSpeed's monitor by steps; what it logs them over becomes their samples."""
    account.warn("DeepSpeed logs over samples: a step is taken for each of its rows with a loss")
    loss = f"{_BY_SAMPLES}train_loss"
    out: list[Row] = []
    step = 0
    for samples, time_s, scalars in rows:
        if loss in scalars:
            step += 1
            out.append((step, time_s, {"train/loss": scalars[loss], "consumed_samples": float(samples)}))
    return out


def _rises(rows: Sequence[Row], name: str, *, whole: bool = False) -> bool:
    """Return whether a scalar is a counter: it may start again after a restart, but mostly does not fall."""
    found = [value for _, _, scalars in rows if math.isfinite(value := scalars.get(name, math.nan))]
    falls = sum(b < a for a, b in pairwise(found))
    kind = all(value == int(value) for value in found) if whole else True
    return bool(found) and kind and falls <= 0.02 * len(found) + 1


def _best(names: Iterable[str], pattern: re.Pattern[str]) -> str | None:
    found = [n for n in names if pattern.search(n) and not _HELD_OUT.search(n)]
    return min(found, key=lambda n: (len(n), n), default=None)
