"""From named scalars over steps (TensorBoard, W&B, MLflow) to a training log: which name is the loss, the tokens."""

import math
import re
from collections.abc import Sequence
from typing import Any

from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, TrainingLog
from ecoaudit.ingest.training.steps import Steps

_LOSS = re.compile(
    r"^(?:train(?:ing)?[_/ ]?)?(?:lm[ _-])?(?:epoch_|batch_)?loss(?:[_/ ](?:train|step|total))?$", re.IGNORECASE
)
_TOKENS = re.compile(
    r"(?:^|[/ _])(?:num_input_tokens_seen|(?:total|consumed)[ _]tokens|(?:n_)?tokens[ _]seen|tokens/total)$",
    re.IGNORECASE,
)
_SAMPLES = re.compile(r"(?:^|[/ _])(?:consumed[ _](?:train_)?samples|samples[ _]seen|train_samples)$", re.I)
_STEP = re.compile(r"^(?:train/global_step|trainer/global_step|global_step|train/step|train/update_step|step)$")

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
    names = {key for _, _, scalars in rows for key in scalars}
    loss = _best(names, _LOSS)
    step_name = min((n for n in names if _STEP.match(n)), key=len, default=None)
    tokens, samples = _best(names, _TOKENS), _best(names, _SAMPLES)
    steps = Steps()
    seconds = [t for _, t, _ in rows if not math.isnan(t)]
    last = math.nan
    for row_step, time_s, scalars in rows:
        if loss is not None and loss not in scalars:
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
    if loss is None:
        account.warn("no scalar is named like a training loss; every row is taken for a step")
    if not seconds:
        clock = "none"
    steps.repeated_lines = 0
    known = {"job_start_s": min(seconds, default=None), "job_end_s": max(seconds, default=None)} | known
    return steps.log(file, name, framework, account, clock=clock, **known)


def _best(names: set[str], pattern: re.Pattern[str]) -> str | None:
    found = [n for n in names if pattern.search(n) and not re.search(r"(?:^|[/_])(?:val|eval|test|valid)", n, re.I)]
    return min(found, key=lambda n: (len(n), n), default=None)
