"""MosaicML Composer and LLM Foundry consoles: a batch line, then `Train name: value` lines."""

import math
import re
from itertools import pairwise

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="composer",
    kind="training",
    title="MosaicML Composer, LLM Foundry consoles",
    reads="batches, tokens and samples (without the last batch), loss, training time, rates, MFU, GPUs, precision",
    seen="0.16 to 0.23: `[batch=N/M]` and `[epoch=E][batch=N/M]`, time units",
    cannot_tell="the clock of single batches; whether loss/train/total is the language-model loss",
)

_BATCH = re.compile(r"^\s*(?:\[epoch=\d+(?:/\d+)?\])?\[batch=(\d+)/(\d+)\]:")
_METRIC = re.compile(r"^\s+(?:Train )?([\w/ .-]+): (-?[\d.]+(?:e[-+]?\d+)?|nan|inf)\s*$")
_FACT = re.compile(
    r"^\s*(num_gpus_per_node|num_nodes|time/remaining_estimate_unit|n_params|global_train_batch_size): (\S+)"
)
_PRECISION = re.compile(r"Using precision Precision\.(\w+)")
_UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0}
_PRECISIONS = {"AMP_FP16": "fp16", "AMP_BF16": "bf16", "FP32": "fp32", "AMP_FP8": "fp8"}


def sniff(head: Head) -> str | None:
    """Recognise a batch line followed by a Train line."""
    lines = head.text.splitlines()
    for line, following in pairwise(lines):
        if _BATCH.match(line) and re.match(r"^\s+(Train|Eval) ", following):
            return "line `[batch=N/M]:` followed by Train lines"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - batches have no clock
    """Return the run."""
    account, steps = Account(), Steps()
    facts: dict[str, str] = {}
    metrics: dict[str, float] = {}
    batch: int | None = None
    rates: list[tuple[float, float, float]] = []

    def close() -> None:
        if batch is None:
            return
        if not metrics:
            account.bad(account.lines, f"[batch={batch}/...]", "no metrics follow")
            return
        get = metrics.get
        added = steps.add(
            batch,
            tokens=get("time/token", math.nan),
            samples=get("time/sample", math.nan),
            loss=get("metrics/train/LanguageCrossEntropy", get("loss/train/total")),
        )
        if added:
            account.records += 1
            rates.append(
                (
                    get("throughput/tokens_per_sec", math.nan),
                    get("throughput/samples_per_sec", math.nan),
                    get("throughput/device/mfu", math.nan),
                )
            )

    runtime = math.nan
    for number, text in console_lines(file):
        account.lines += 1
        if match := _BATCH.match(text):
            close()
            batch, metrics = int(match[1]), {}
        elif batch is not None and (metric := _METRIC.match(text)):
            try:
                metrics[metric[1]] = values.number(metric[2])
            except ValueError as error:
                account.bad(number, text, str(error))
            runtime = metrics.get("time/total", metrics.get("time/train", runtime))
        elif fact := _FACT.match(text):
            facts.setdefault(fact[1], fact[2])
        else:
            console.first_group(_PRECISION, text, facts, "precision")
    close()
    unit = _UNITS.get(facts.get("time/remaining_estimate_unit", ""))
    if unit is None and not math.isnan(runtime):
        account.warn("the time unit is not printed; hours, the default, are taken")
        unit = _UNITS["hours"]
    account.warn("the counters of tokens and samples are of before each batch: the last batch is not in them")
    nodes, gpus = (_count(facts, n) for n in ("num_nodes", "num_gpus_per_node"))
    tokens, samples, mfu = (console.mean(list(column)) for column in zip(*rates, strict=True)) if rates else (None,) * 3
    return [
        steps.log(
            file,
            FORMAT.format,
            "Composer",
            account,
            runtime_s=runtime * unit if unit and not math.isnan(runtime) and runtime > 0 else None,
            world_size=nodes * gpus if nodes and gpus else None,
            params=values.fact(facts.get("n_params")),
            precision=_PRECISIONS.get(facts.get("precision", "")),
            global_batch_size=_count(facts, "global_train_batch_size"),
            throughput_tokens_per_s=tokens,
            throughput_samples_per_s=samples,
            mfu=mfu,
        )
    ]


def _count(facts: dict[str, str], name: str) -> int | None:
    text = facts.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else None
