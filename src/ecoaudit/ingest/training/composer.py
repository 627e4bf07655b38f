"""MosaicML Composer and LLM Foundry consoles: a batch line, then `Train name: value` lines."""

import math
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines, without_rank
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.phases import Phases
from ecoaudit.ingest.training.settings import facts, notice
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="composer",
    kind="training",
    title="MosaicML Composer, LLM Foundry consoles",
    reads=(
        "batches, tokens, samples (without the last batch), loss, training time, rates, MFU, GPUs, precision, model, "
        "sequence, batch and attention of the configuration; evaluations where others put a clock before the lines"
    ),
    seen="0.16 to 0.31: `[batch=N/M]`, `[epoch=E][batch=N/M]`, `[token=N/M]`, time units; ranks in front of lines",
    cannot_tell="the clock of single batches; whether loss/train/total is the language-model loss",
)

_PROGRESS = re.compile(
    r"(?:^|[\s:|])(?:\[epoch=(\d{1,9})(?:/\d+)?\])?\[(batch|token|sample|iteration)=(\d{1,15})(?:/(\d{1,15}))?\]:\s*$"
)
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
        if _PROGRESS.search(line) and re.search(r"\s(Train|Eval) ", following):
            return f"line `{line.strip()[:40]}` followed by Train lines"
    return None


@dataclass
class _Run:
    """What was read so far; `metrics` are those below the last progress line."""

    account: Account = field(default_factory=Account)
    steps: Steps = field(default_factory=Steps)
    phases: Phases = field(default_factory=Phases)
    clock: PrefixClock = field(default_factory=PrefixClock)
    told: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    progress: re.Match[str] | None = None
    progress_s: float = math.nan
    metrics: dict[str, float] = field(default_factory=dict)
    rates: list[tuple[float, float, float]] = field(default_factory=list)
    evaluating: float = math.nan
    runtime: float = math.nan

    def line(self, number: int, text: str) -> None:
        """Take one line."""
        if match := _PROGRESS.search(text):
            self.close()
            self.progress, self.progress_s, self.metrics = match, self.clock.read(text), {}
        elif match := _EVALUATION.search(text):
            self._evaluated(match, self.clock.read(text))
        elif self.progress is not None and (metric := _METRIC.search(text)):
            try:
                self.metrics[metric[1]] = values.number(metric[2])
            except ValueError as error:
                self.account.bad(number, text, str(error))
            self.runtime = self.metrics.get("time/total", self.metrics.get("time/train", self.runtime))
        elif fact := _FACT.search(text):
            self.told.setdefault(fact[1], fact[2])
        else:
            console.first_group(_PRECISION, text, self.told, "precision")
            if self.progress is None:
                notice(without_rank(text), self.settings)

    def close(self) -> None:
        """Add the step of the last progress line."""
        if self.progress is None:
            return
        batch = _batch(self.progress, self.metrics)
        if not self.metrics or batch is None:
            self.account.bad(self.account.lines, self.progress[0].strip(), "no metrics follow that tell the batch")
            return
        get = self.metrics.get
        added = self.steps.add(
            batch,
            time_s=self.progress_s,
            tokens=get("time/token", math.nan),
            samples=get("time/sample", math.nan),
            loss=get("metrics/train/LanguageCrossEntropy", get("loss/train/total")),
        )
        if added:
            self.account.records += 1
            names = ("throughput/tokens_per_sec", "throughput/samples_per_sec", "throughput/device/mfu")
            tokens, samples, mfu = (get(name, math.nan) for name in names)
            self.rates.append((tokens, samples, mfu))

    def _evaluated(self, match: re.Match[str], time_s: float) -> None:
        """Take a line of an evaluation; it stands at the end of its batch, so the first batch is not in the phase."""
        if match[1] == match[2]:
            self.phases.span("eval", self.evaluating, time_s)
            self.evaluating = math.nan
        elif math.isnan(self.evaluating):
            self.evaluating = time_s


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    run = _Run()
    for number, text in console_lines(file):
        run.account.lines += 1
        run.line(number, text)
    run.close()
    account, steps, told = run.account, run.steps, run.told
    unit = _UNITS.get(told.get("time/remaining_estimate_unit", ""))
    if unit is None and not math.isnan(run.runtime):
        account.warn("the time unit is not printed; hours, the default, are taken")
        unit = _UNITS["hours"]
    account.warn("the counters of tokens and samples are of before each batch: the last batch is not in them")
    nodes, gpus = (_count(told, n) for n in ("num_nodes", "num_gpus_per_node"))
    rates = zip(*run.rates, strict=True) if run.rates else ((),) * 3
    tokens, samples, mfu = (console.mean(list(column)) for column in rates)
    configured = facts(run.settings)
    precision = _PRECISIONS.get(told.get("precision", "")) or configured.pop("precision", None)
    clock = console.set_clock(steps, options, naive=run.clock.naive)
    return [
        steps.log(
            file,
            FORMAT.format,
            "Composer",
            account,
            clock=clock,
            phases=run.phases.localised(options if run.clock.naive else ReadOptions()),
            runtime_s=run.runtime * unit if unit and run.runtime > 0 else None,
            params=values.fact(told.get("n_params")),
            throughput_tokens_per_s=tokens,
            throughput_samples_per_s=samples,
            mfu=mfu,
            **{"world_size": nodes * gpus if nodes and gpus else None} | configured | {"precision": precision},
        )
    ]


def _batch(progress: re.Match[str], metrics: dict[str, float]) -> int | None:
    """Return the batch of a line, from 1 over all epochs: by the counter of batches before it, else by its label."""
    before = metrics.get("time/batch", math.nan)
    if 0 <= before < 1e15:
        return int(before) + 1
    epoch, unit, count, total = progress.groups()
    if unit != "batch":
        return None
    return int(count) + ((int(epoch) - 1) * int(total) if epoch and total else 0)


def _count(facts: dict[str, str], name: str) -> int | None:
    text = facts.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else None
