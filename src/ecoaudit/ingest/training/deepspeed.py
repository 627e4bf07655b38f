"""DeepSpeed: timer and step lines, pipeline engine, DeepSpeed-Chat, flops profiler."""

import math
import re
from dataclasses import dataclass, field

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.phases import Phases
from ecoaudit.ingest.training.steps import Steps, whole_batch
from ecoaudit.quantity import percent

FORMAT = FormatInfo(
    format="deepspeed",
    kind="training",
    title="DeepSpeed timer, pipeline, Chat and flops profiler lines",
    reads=(
        "steps, samples/s, skipped steps, loss and time of the pipeline engine, batch, precision, parameters; "
        "checkpoints; tokens and TFLOP/s of DeepSpeed-Chat"
    ),
    seen=(
        "0.1 to 0.17: global_step timer, `steps: N loss:`, `0/10, SamplesPerSec=` (epoch/micro-step), OVERFLOW lines, "
        "Chat latencies"
    ),
    cannot_tell=(
        "the time zone, tokens (but for Chat), the loss (timer lines), the number of GPUs; the end of a checkpoint in "
        "versions since 2025"
    ),
)

_STAMP = re.compile(r"\[(?:INFO )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})?)\]")
_TIMER = re.compile(r"epoch=(\d+)/micro_step=(\d+)/global_step=(\d+),.*?CurrSamplesPerSec=([\d.]+(?:e[-+]?\d+)?)")
# Until 2022: epoch and micro-steps in it
_OLD_TIMER = re.compile(r"\] (\d+)/(\d+), (?:RunningAvgSamplesPerSec=[\d.]+, Curr)?SamplesPerSec=([\d.]+)")
_PIPELINE = re.compile(r"steps: (\d+) loss: (-?[\d.]+|nan|inf) iter time \(s\): ([\d.]+)(?: samples/sec: ([\d.]+))?")
_STEP = re.compile(r"(?:\[Rank \d+\]|rank:\d+) step=(\d+), skipped=(\d+), lr=")
_START = re.compile(r"/global_step=|\d, (?:RunningAvg)?SamplesPerSec=|\bsteps: \d+ loss:")
_CHAT = re.compile(
    r"Model Parameters: ([\d.]+) B, Latency: ([\d.]+)s, TFLOPs: ([\d.]+), Samples/sec: ([\d.]+)"
    r"(?:, Time/seq [\d.]+s, Batch Size: (\d{1,9}), (?:Total )?Sequence Length: (\d{1,9}))?"
)
_PHASES = re.compile(r"\|E2E latency=([\d.]+)s.*?\|Generate time=([\d.]+)s.*?\|Training time=([\d.]+)s")
_BATCH = re.compile(r"\btrain_batch_size(?: \.+|\":) (\d{1,12})\b")
_ACCUMULATED = re.compile(r"\bgradient_accumulation_steps(?: \.+|\":) (\d{1,6})\b")
_PROFILER = re.compile(
    r"^(world size|params per gpu|params of model|FLOPS? per GPU[^:]*|samples/second):\s+([\d.]+ ?\w*)"
)
_PRECISION = re.compile(r"\b(bfloat16|float16|fp16)_(?:enabled \.+ True|config \.+ enabled=True)")


def sniff(head: Head) -> str | None:
    """Recognise one of DeepSpeed's step lines."""
    for pattern, what in ((_TIMER, "timer"), (_PIPELINE, "pipeline"), (_STEP, "step"), (_OLD_TIMER, "timer")):
        if pattern.search(head.text):
            return f"DeepSpeed {what} line"
    if _CHAT.search(head.text) or _PHASES.search(head.text):
        return "DeepSpeed-Chat latency line"
    return "DeepSpeed flops profiler block" if "DeepSpeed Flops Profiler" in head.text else None


@dataclass
class _State:
    skipped: int = 0
    overflows: int = 0
    micro_steps: int | None = None  # of an optimizer step
    old: list[tuple[int, int, float]] = field(default_factory=list)
    chat: list[tuple[float, float]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    step_lines: list[tuple[int, float]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    stages: list[tuple[float, float, float]] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    phases: Phases = field(default_factory=Phases)


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps, state = Account(), Steps(), _State()
    for number, text in console_lines(file):
        account.lines += 1
        stamp = _STAMP.search(text)
        time_s = math.nan
        try:
            if stamp:
                time_s = values.parse_time(stamp[1])[0]
                state.stamps.append(time_s)
            found = _step(text, time_s, steps, state)
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        if found:
            account.records += 1
        elif _START.search(text) and found is None:
            account.bad(number, text, "the record is cut")
    return [_log(file, options, account, steps, state)]


def _step(text: str, time_s: float, steps: Steps, state: _State) -> bool | None:
    """Take a line; True for a new step, False for a copy or a step line of another kind, None for no step."""
    rank = rank_of(text)
    if match := _TIMER.search(text):
        rate = values.number(match[4])
        if not steps.add(int(match[3]), time_s=time_s, rank=rank):
            return False
        micro, step = int(match[2]), int(match[3])
        state.micro_steps = micro // step if step and micro % step == 0 else None
        state.rates.append(rate)
        return True
    if match := _PIPELINE.search(text):
        state.rates.append(values.number(match[4]) if match[4] else math.nan)
        return steps.add(
            int(match[1]), time_s=time_s, duration_s=values.number(match[3]), loss=values.number(match[2]), rank=rank
        )
    if match := _STEP.search(text):
        state.step_lines.append((int(match[1]), time_s))
        state.skipped = max(state.skipped, int(match[2]))
        return False
    if match := _OLD_TIMER.search(text):
        state.rates.append(values.number(match[3]))
        state.old.append((int(match[1]), values.step_number(match[2]), time_s))
        return False
    _notice(text, state)
    return None


def _notice(text: str, state: _State) -> None:
    if state.phases.notice(text):
        return
    if "OVERFLOW!" in text:
        state.overflows += 1
    elif match := _CHAT.search(text):
        state.facts.setdefault("params", f"{match[1]} B")
        state.chat.append((values.number(match[2]), values.number(match[3])))
        if match[5]:
            state.facts.setdefault("chat_batch", match[5])
            state.facts.setdefault("length", match[6])
    elif match := _PHASES.search(text):
        state.stages.append((values.number(match[1]), values.number(match[2]), values.number(match[3])))
    elif match := _PROFILER.search(text):
        state.facts.setdefault(match[1], match[2])
    else:
        console.first_group(_BATCH, text, state.facts, "batch")
        console.first_group(_ACCUMULATED, text, state.facts, "accumulated")
        console.first_group(_PRECISION, text, state.facts, "precision")


def _log(file: LogFile, options: ReadOptions, account: Account, steps: Steps, state: _State) -> TrainingLog:
    micro = not len(steps) and len(state.old) > len(state.step_lines)
    if not len(steps):
        for step, time_s in _micro_steps(state.old) if micro else state.step_lines:
            account.records += steps.add(step, time_s=time_s)
    skipped = max(state.skipped, state.overflows)
    if skipped:
        account.warn(f"{skipped} steps were skipped by overflow: their energy counts, they trained nothing")
    batch = values.fact(state.facts.get("batch"))
    if batch is None and "chat_batch" in state.facts and state.micro_steps:
        batch = float(state.facts["chat_batch"]) * state.micro_steps
    if batch is None and len(state.rates) == len(steps):
        batch = whole_batch(state.rates, steps.duration_s, second_error=5e-4)
    length = values.fact(state.facts.get("length"))
    part = values.fact(state.facts.get("accumulated")) if micro else 1.0
    if micro and part != 1:
        account.warn("the old timer counts micro-steps, not optimizer steps")
    if batch and part:
        steps.samples = [s * batch / part for s in steps.step]
        steps.tokens = [s * length if length else math.nan for s in steps.samples]
        if len(state.rates) == len(steps):
            steps.duration_s = [
                batch / part / r if math.isnan(d) and r > 0 else d
                for d, r in zip(steps.duration_s, state.rates, strict=True)
            ]
    if state.stages:
        total, generate, train = (sum(column) for column in zip(*state.stages, strict=True))
        if total > 0:
            shares = f"generation took {percent(generate / total)} and training {percent(train / total)}"
            account.warn(f"of {total:.0f} s, {shares}")
    if state.facts.get("FLOPS per GPU"):
        account.warn("the flops profiler's rate is of one step and is not used for the run")
    clock = console.set_clock(steps, options)
    known: dict[str, float | None] = {}
    if clock != "none" and state.stamps:
        shift = values.localise(np.array([min(state.stamps), max(state.stamps)]), options.zone)
        known = {"job_start_s": float(shift[0]), "job_end_s": float(shift[1])}
    params = state.facts.get("params") or state.facts.get("params of model")
    world = state.facts.get("world size")
    return steps.log(
        file,
        FORMAT.format,
        "DeepSpeed",
        account,
        clock=clock,
        params=values.fact(params),
        global_batch_size=values.whole(batch),
        sequence_length=values.whole(length),
        tokens_per_sample=length,
        world_size=values.whole(values.fact(world)),
        precision={"bfloat16": "bf16", "float16": "fp16", "fp16": "fp16"}.get(state.facts.get("precision", "")),
        tflops_per_gpu=console.steady([tflops for _, tflops in state.chat]),
        flops_kind="hardware" if state.chat else None,
        throughput_samples_per_s=console.steady(state.rates),
        phases=state.phases.localised(options),
        **known,
    )


def _micro_steps(lines: list[tuple[int, int, float]]) -> list[tuple[int, float]]:
    """Return the old timer's lines as steps that run on from epoch to epoch."""
    out: list[tuple[int, float]] = []
    before, last = 0, (0, 0)
    for epoch, step, time_s in lines:
        if epoch > last[0] and step < last[1]:
            before += last[1]
        out.append((before + step, time_s))
        last = (epoch, step)
    return out
