"""Hugging Face Trainer: `train_results.json` and `all_results.json`, the totals of a run."""

import json
import math

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training.scalars import seen_flops
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="hf_results",
    kind="training",
    title="Hugging Face Trainer, train_results.json",
    reads="runtime, samples and steps from their rates, total_flos",
    seen="transformers 4.x and 5.x, all_results.json",
    cannot_tell="single steps, the wall clock, tokens, the number of GPUs; counts of slow runs with rounded rates",
)

_SURE_RATE = 0.05
"""Rates have three decimals: below this, rounding alone is 1 %."""


def sniff(head: Head) -> str | None:
    """Recognise a flat JSON object with the Trainer's totals."""
    text = head.text.lstrip()
    if text.startswith("{") and '"train_runtime"' in text and '"log_history"' not in text and len(text) < 20_000:
        return "JSON with train_runtime and no log_history"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the file has no clock
    """Return the totals; raises `EcoauditError` when the JSON is cut."""
    account = Account()
    text = file.text()
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise EcoauditError(f"the JSON is cut or damaged: {error}", where=file.path) from error
    if not isinstance(data, dict):
        raise EcoauditError("a results file must hold an object", where=file.path)

    def value(key: str) -> float | None:
        number = data.get(key)
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
        return float(number) if math.isfinite(number) and number > 0 else None

    account.lines, account.records = text.count("\n") + 1, 1
    runtime, samples, steps = (value(f"train_{k}") for k in ("runtime", "samples_per_second", "steps_per_second"))
    flops = seen_flops(value("total_flos"), runtime, account)
    counts = [rate * runtime if rate and runtime and rate >= _SURE_RATE else None for rate in (samples, steps)]
    if runtime and None in counts:
        account.warn("a rate is rounded to less than 1 %: what it counts is unknown")
    return [
        Steps().log(
            file,
            FORMAT.format,
            "Hugging Face Trainer",
            account,
            runtime_s=runtime,
            samples=counts[0],
            step_count=values.whole(counts[1] + 0.5) if counts[1] and counts[1] >= 1 else None,
            flops=flops,
            flops_kind="model" if flops else None,
            throughput_samples_per_s=samples,
        )
    ]
