"""nanotron consoles: numbers with three digits and K, M, B suffixes."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.mixture import mixture_facts
from ecoaudit.ingest.training.phases import CONFIGURED, Phases, model_facts, notice_model
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="nanotron",
    kind="training",
    title="nanotron console",
    reads=(
        "iterations, time an iteration, tokens and samples (step x batch x sequence), loss, TFLOP/s a GPU, GPUs, "
        "parameters, checkpoints; of the configuration model, precision, attention"
    ),
    seen=(
        "2024 to 2026: elapsed_time_per_iteration_ms and time_per_iteration_ms (batch in tokens), suffixes (4.71K ms = "
        "4710 ms), both start lines"
    ),
    cannot_tell=("the time zone; more than three digits of most numbers; the end of the last checkpoint; evaluations"),
)

_WHOLE = re.compile(r"iteration: (\d+) / (\d+) \|(?P<fields>.*?_per_iteration_ms: [\d.]+[KMB]?.*)")
_START = re.compile(r"iteration: \d+ / \d+ \|")
_STAMP = re.compile(r"(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d) \[")
_PAIR = re.compile(r"(\w+): ([-\d.]+(?:e[-+]?\d+)?[KMGBT]?|nan)\b")
_BEGIN = re.compile(r"(?:\[Start training\] datetime: (\S+ \S+) \| )?(mbs: \d+ \| grad_accum: .*)")
_PARAMETERS = re.compile(r"Total number of parameters: ([\d.]+[KMGBT]?)")
_SAVING = re.compile(r"\]: Saving checkpoint at ")
_EXPERTS = re.compile(r"\b(MoEConfig)\(")
_DTYPE = re.compile(r"\bdtype=torch\.(bfloat16|float16|float32|float8\w*)")
_DEGREE = re.compile(r"[( ](dp|pp|tp|context_parallel_size)=(\d{1,6})\b")
_PRECISION = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def sniff(head: Head) -> str | None:
    """Recognise an iteration line."""
    return "console line `iteration: N / M | ... per_iteration_ms:`" if _WHOLE.search(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps, state = Account(), Steps(), _State()
    for number, text, match in console.records(file, account, _WHOLE, _START, state.notice):
        try:
            fields = {
                name: values.scaled(value) if value != "nan" else math.nan
                for name, value in _PAIR.findall(match["fields"])
            }
            time_s = _stamp(text)
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        old = fields.get("elapsed_time_per_iteration_ms", math.nan)
        duration = fields.get("time_per_iteration_ms", old) / 1000.0
        if steps.add(int(match[1]), time_s=time_s, duration_s=duration, loss=fields.get("lm_loss"), rank=rank_of(text)):
            account.records += 1
            state.iteration(int(match[1]), time_s, duration)
            batch = fields.get("global_batch_size", math.nan)
            if not math.isnan(old) and batch < 1000:  # since 2025 this counts tokens; above, three digits are too few
                state.facts.setdefault("global_batch_size", batch)
            state.tflops.append(fields.get("model_tflops_per_gpu", math.nan))
            rate, one = fields.get("tokens_per_sec", math.nan), fields.get("tokens_per_sec_per_gpu", math.nan)
            state.rates.append(rate)
            state.world.append(rate / one if one else math.nan)
            state.printed.append(fields.get("consumed_tokens", math.nan))
    return [_log(file, options, account, steps, state)]


@dataclass
class _State:
    """What the log has told so far beside the steps."""

    facts: dict[str, float] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    degrees: dict[str, int] = field(default_factory=dict)
    begin: list[float] = field(default_factory=list)
    tflops: list[float] = field(default_factory=list)
    world: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    printed: list[float] = field(default_factory=list)
    phases: Phases = field(default_factory=Phases)
    saving: float = math.nan
    step: int = -1

    def notice(self, text: str) -> None:
        """Take a line without a step."""
        if match := _BEGIN.search(text):
            self.begin.append(values.parse_time(match[1])[0] if match[1] else _stamp(text))
            for name, value in _PAIR.findall(match[2]):
                self.facts[name] = values.scaled(value)
        elif match := _PARAMETERS.search(text):
            self.facts.setdefault("params", values.scaled(match[1]))
        elif _SAVING.search(text):
            self.saving = _stamp(text)
        elif len(self.rates) < CONFIGURED:
            notice_model(text, self.model)
            console.first_group(_DTYPE, text, self.model, "dtype")
            console.first_group(_EXPERTS, text, self.model, "experts")
            for name, size in _DEGREE.findall(text):
                self.degrees.setdefault(name, int(size))

    def iteration(self, step: int, time_s: float, duration_s: float) -> None:
        """Take a logged iteration; a checkpoint before it lasted until it began."""
        if step == self.step + 1:
            self.phases.span("checkpoint", self.saving, time_s - duration_s)
        self.saving, self.step = math.nan, step


def _stamp(text: str) -> float:
    stamp = _STAMP.search(text)
    return values.parse_time(stamp[1])[0] if stamp else math.nan


def _log(file: LogFile, options: ReadOptions, account: Account, steps: Steps, state: _State) -> TrainingLog:
    facts = state.facts
    batch, length = facts.get("global_batch_size", math.nan), facts.get("sequence_length", math.nan)
    exact = not math.isnan(batch * length)
    steps.tokens = [s * batch * length for s in steps.step] if exact else state.printed
    if not exact and len(steps):
        account.warn("the start line is missing: tokens are the printed ones, to three digits")
    if not math.isnan(batch):
        steps.samples = [s * batch for s in steps.step]
    clock = console.set_clock(steps, options)
    gpus = console.mean(state.world)
    world = math.prod(state.degrees.values()) if {"dp", "tp", "pp"} <= state.degrees.keys() else None
    if world is None and gpus and gpus < 1e9:
        world = round(gpus)
    known: dict[str, Any] = model_facts(state.model)
    known["precision"] = _PRECISION.get(state.model.get("dtype", ""), known.get("precision"))
    if "experts" in state.model:  # the TFLOP/s that it prints are those of a dense model
        known |= mixture_facts(steps, [], world, None, account)
    else:
        known |= {"params": facts.get("params"), "tflops_per_gpu": console.steady(state.tflops)}
        known["flops_kind"] = "model" if known["tflops_per_gpu"] else None
    if state.begin:
        known["train_start_s"] = float(values.localise(np.array(state.begin[:1]), options.zone)[0])
    return steps.log(
        file,
        FORMAT.format,
        "nanotron",
        account,
        clock=clock,
        global_batch_size=values.whole(batch),
        sequence_length=values.whole(length),
        tokens_per_sample=length if not math.isnan(length) else None,
        world_size=values.whole(world),
        throughput_tokens_per_s=console.steady(state.rates),
        phases=state.phases.localised(options),
        **known,
    )
