"""MosaicML Composer and LLM Foundry consoles: a batch line, then `Train name: value` lines."""

import math
import re
from itertools import pairwise
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines, without_rank
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.phases import Phases
from ecoaudit.ingest.training.settings import facts as settings_told
from ecoaudit.ingest.training.settings import notice
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="composer",
    kind="training",
    title="MosaicML Composer, LLM Foundry consoles",
    reads=(
        "batches, tokens, samples (without the last batch), loss, training time, rates, MFU, GPUs, precision, model, "
        "sequence, batch and attention of the configuration; evaluations where others put a clock before the lines"
    ),
    seen="0.16 to 0.23: `[batch=N/M]` and `[epoch=E][batch=N/M]`, time units; ranks in front of lines",
    cannot_tell="the clock of single batches; whether loss/train/total is the language-model loss",
)

_BATCH = re.compile(r"(?:^|[\s:|])(?:\[epoch=\d+(?:/\d+)?\])?\[batch=(\d+)/(\d+)\]:\s*$")
_METRIC = re.compile(r"(?:^\s+(?:Train )?|\bTrain )([\w/.-]+(?: [\w/.-]+)*): (-?[\d.]+(?:e[-+]?\d+)?|nan|inf)\s*$")
_EVALUATION = re.compile(r"\[Eval batch=(\d+)/(\d+)\]")
_FACT = re.compile(r"(?:^|\s)(num_gpus_per_node|num_nodes|time/remaining_estimate_unit|n_params): (\S+)")
_PRECISION = re.compile(r"Using precision Precision\.(\w+)")
_UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0}
_PRECISIONS = {"AMP_FP16": "fp16", "AMP_BF16": "bf16", "FP32": "fp32", "AMP_FP8": "fp8"}


def sniff(head: Head) -> str | None:
    """Recognise a batch line followed by a Train line."""
    lines = head.text.splitlines()
    for line, following in pairwise(lines):
        if _BATCH.search(line) and re.search(r"\s(Train|Eval) ", following):
            return "line `[batch=N/M]:` followed by Train lines"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps, clock, phases = Account(), Steps(), PrefixClock(), Phases()
    facts: dict[str, str] = {}
    settings: dict[str, Any] = {}
    evaluating = math.nan
    metrics: dict[str, float] = {}
    batch: int | None = None
    batch_s = math.nan
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
            time_s=batch_s,
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
        if match := _BATCH.search(text):
            close()
            batch, batch_s, metrics = int(match[1]), clock.read(text), {}
        elif match := _EVALUATION.search(text):
            # The bar shows the first batch when it begins and the last when it is done.
            evaluating = clock.read(text) if match[1] in ("0", "1") and math.isnan(evaluating) else evaluating
            if match[1] == match[2]:
                phases.span("eval", evaluating, clock.read(text))
                evaluating = math.nan
        elif batch is not None and (metric := _METRIC.search(text)):
            try:
                metrics[metric[1]] = values.number(metric[2])
            except ValueError as error:
                account.bad(number, text, str(error))
            runtime = metrics.get("time/total", metrics.get("time/train", runtime))
        elif fact := _FACT.search(text):
            facts.setdefault(fact[1], fact[2])
        else:
            console.first_group(_PRECISION, text, facts, "precision")
            if batch is None:
                notice(without_rank(text), settings)
    close()
    unit = _UNITS.get(facts.get("time/remaining_estimate_unit", ""))
    if unit is None and not math.isnan(runtime):
        account.warn("the time unit is not printed; hours, the default, are taken")
        unit = _UNITS["hours"]
    account.warn("the counters of tokens and samples are of before each batch: the last batch is not in them")
    nodes, gpus = (_count(facts, n) for n in ("num_nodes", "num_gpus_per_node"))
    tokens, samples, mfu = (console.mean(list(column)) for column in zip(*rates, strict=True)) if rates else (None,) * 3
    told_clock = console.set_clock(steps, options, naive=clock.naive)
    told = settings_told(settings)
    return [
        steps.log(
            file,
            FORMAT.format,
            "Composer",
            account,
            clock=told_clock,
            phases=phases.localised(options if clock.naive else ReadOptions()),
            runtime_s=runtime * unit if unit and not math.isnan(runtime) and runtime > 0 else None,
            params=values.fact(facts.get("n_params")),
            precision=_PRECISIONS.get(facts.get("precision", "")) or told.pop("precision", None),
            throughput_tokens_per_s=tokens,
            throughput_samples_per_s=samples,
            mfu=mfu,
            **{"world_size": nodes * gpus if nodes and gpus else None} | told,
        )
    ]


def _count(facts: dict[str, str], name: str) -> int | None:
    text = facts.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else None
