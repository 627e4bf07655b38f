"""OLMo and OLMo-core consoles: a step line, then indented metrics."""

import math
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, clean, console_lines, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.mixture import mixture_facts
from ecoaudit.ingest.training.phases import CONFIGURED, Phases, model_facts, notice_model, stamp_of
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="olmo",
    kind="training",
    title="OLMo and OLMo-core consoles",
    reads=(
        "steps, loss, total tokens, MFU (OLMo-core), devices estimated from the rates, evaluations, checkpoints, "
        "compilation (dry run); of the configuration model, batch, precision, attention"
    ),
    seen=(
        "OLMo 2024 to 2025 `[step=N/M]` with indented metrics, OLMo-core 2024 to 2026 `throughput/device/TPS`, "
        "`[step=N/???]`"
    ),
    cannot_tell=(
        "the time zone; how long a checkpoint in the background held up training; the device rate is a running mean"
    ),
)

_STEP = re.compile(r"\[step=(\d+)/(?:\d+|\?\?\?)[^\]]*\]")
_STAMP = re.compile(r"\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?)\]?")
_METRIC = re.compile(r"(?:^|\s)\s{3,}([A-Za-z][\w /().-]*?)=(-?[\d.,]+(?:e[-+]?\d+)?|nan|inf)\s*$")
_EVALUATING = re.compile(r"Running evaluation for '([^']{1,200})'")
_EVALUATED = re.compile(r"Finished .{1,200} evals in ([\d.]+) seconds")
_SIZE = re.compile(r"Total number of parameters: ([\d,]{1,20})")
_PRECISION = {"amp_bf16": "bf16", "amp_fp16": "fp16", "fp32": "fp32"}
_CONFIG = {
    "params": _SIZE,
    "sizes": re.compile(r"Total parameters: +([\d,]{1,20} \([\d,]{1,20}) active\)"),
    "experts": re.compile(r"\bblock_type[\"']?[:=] ?[\"']?(moe)\b"),
    "precision": re.compile(r"\bprecision[\"']?[:=] ?[\"']?(amp_bf16|amp_fp16|fp32)\b"),
    "fp8": re.compile(r"(Swapped linear layers to Float8)"),
    "flash": re.compile(r"\b(?:flash_attention|use_flash)[\"']?[:=] ?(True|False)\b", re.IGNORECASE),
    "length": re.compile(r"\b(?:max_sequence_length|sequence_length)[\"']?[:=] ?(\d{1,9})\b"),
    "attention": re.compile(r"\bAttentionBackendName\.(\w+)"),
    "batch": re.compile(r"\bglobal_train_batch_size[\"']?[:=] ?(\d{1,9})\b"),
    "compiled": re.compile(r"(Applied torch\.compile\(\) to the model)"),
}
_LOSS = ("train/CrossEntropyLoss", "train/CE loss", "train/loss")
_TOKENS = ("throughput/total_tokens", "throughput/total tokens")
_RATE = ("throughput/device/tokens_per_second", "throughput/device/TPS")
_MFU = ("throughput/device/MFU (actual avg)", "throughput/device/MFU")


def sniff(head: Head) -> str | None:
    """Recognise a step line followed by an indented metric."""
    lines = [clean(line) for line in head.text.splitlines()]
    for line, following in pairwise(lines):
        if _STEP.search(line) and _METRIC.search(following):
            return "line `[step=N/M]` followed by indented metrics"
    return None


@dataclass
class _State:
    """What the log has told so far: the record that is open, and what stands beside the steps."""

    account: Account = field(default_factory=Account)
    steps: Steps = field(default_factory=Steps)
    rates: list[float] = field(default_factory=list)
    mfu: list[float] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    phases: Phases = field(default_factory=Phases)
    current: tuple[int, float, str | None] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    evaluating: tuple[str, float] | None = None
    dry_run: float = math.nan

    def open(self, step: int, time_s: float, rank: str | None) -> None:
        """Begin a step's record. A step may have no metrics: on ranks above 0, and between OLMo-core's intervals."""
        if self.current is None or self.metrics or self.current[0] != step:
            self.close()
        self.current, self.metrics = (step, time_s, rank), {}

    def close(self) -> None:
        """End the record that is open."""
        if self.current is None:
            return
        (step, time_s, rank), metrics = self.current, self.metrics
        added = self.steps.add(
            step,
            time_s=time_s,
            tokens=_first(metrics, _TOKENS),
            loss=_first(metrics, _LOSS) if any(n in metrics for n in _LOSS) else None,
            rank=rank,
        )
        if added:
            self.account.records += 1
            self.rates.append(_first(metrics, _RATE))
            self.mfu.append(_first(metrics, _MFU) / 100)

    def notice(self, text: str) -> None:
        """Take a line without a step or a metric."""
        if self.phases.notice(text):
            return
        if match := _EVALUATED.search(text):  # OLMo-core
            end = stamp_of(text)
            self.phases.span("eval", end - float(match[1]), end)
        elif match := _EVALUATING.search(text):  # OLMo; its metrics follow a line that ends with the evaluator's name
            self.evaluating = (match[1], stamp_of(text))
        elif self.evaluating is not None and text.rstrip().endswith(self.evaluating[0]):
            self.phases.span("eval", self.evaluating[1], stamp_of(text))
            self.evaluating = None
        elif "Starting forward/backward dry-run batch" in text:
            self.dry_run = stamp_of(text)
        elif "Dry-run complete" in text:
            if "compiled" in self.facts:
                self.phases.span("compile", self.dry_run, stamp_of(text))
        elif len(self.steps) < CONFIGURED:
            notice_model(text, self.facts)
            for name, pattern in _CONFIG.items():
                console.first_group(pattern, text, self.facts, name)


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    state = _State()
    account = state.account
    for number, text in console_lines(file):
        account.lines += 1
        try:
            if match := _STEP.search(text):
                stamps = _STAMP.findall(text[: match.start()])
                time_s = values.parse_time(stamps[-1])[0] if stamps else math.nan
                state.open(values.step_number(match[1]), time_s, rank_of(text))
            elif state.current is not None and (metric := _METRIC.search(text)):
                state.metrics[metric[1]] = values.number(metric[2])
            else:
                state.notice(text)
        except ValueError as error:
            account.bad(number, text, str(error))
    state.close()
    return [_log(file, options, state)]


def _first(metrics: dict[str, float], names: tuple[str, ...]) -> float:
    return next((metrics[n] for n in names if n in metrics), math.nan)


def _log(file: LogFile, options: ReadOptions, state: _State) -> TrainingLog:
    steps, facts = state.steps, state.facts
    rate = console.mean(state.rates)
    total = _global_rate(steps, state.phases.found)
    world = round(total / rate) if total and rate and 0.9 <= total / rate < 1e7 else None
    if world:
        state.account.warn(f"the number of GPUs, {world}, is estimated: global rate over the rate of a device")
    length, batch = (int(facts[name]) if name in facts else None for name in ("length", "batch"))
    if batch:
        steps.samples = [float(s * batch) for s in steps.step]
    model = model_facts(facts)
    model["precision"] = "fp8" if "fp8" in facts else _PRECISION.get(facts.get("precision", ""))
    if facts.get("flash", "").lower() == "true":
        model["attention"] = "flash"
    whole, _, through = facts.get("sizes", "").partition(" (")
    params, active = values.fact(facts.get("params", whole or None)), values.fact(through or None)
    size: dict[str, Any] = {"params": params, "flops_kind": "model" if console.mean(state.mfu) else None}
    if "experts" in facts or active != (params if whole else None):
        size |= mixture_facts(steps, [], world, params, state.account, active=active)
    return steps.log(
        file,
        FORMAT.format,
        "OLMo",
        state.account,
        clock=console.set_clock(steps, options),
        world_size=world,
        global_batch_size=batch,
        sequence_length=length,
        tokens_per_sample=float(length) if length else None,
        mfu=console.steady(state.mfu),
        throughput_tokens_per_s=total,
        phases=state.phases.localised(options),
        **size,
        **model,
    )


def _global_rate(steps: Steps, phases: list[tuple[str, float, float]]) -> float | None:
    """Return tokens a second by clock from the first to the last line, without phases; the device rate begins later."""
    known = [(t, n) for t, n in zip(steps.time_s, steps.tokens, strict=True) if not math.isnan(t) and not math.isnan(n)]
    if len(known) < 2:
        return None
    (start, first), (end, last) = known[0], known[-1]
    seconds = end - start - sum(b - a for _, a, b in phases if start <= a and b <= end)
    return (last - first) / seconds if seconds > 0 and last > first else None
