"""Hugging Face Trainer and its children (TRL, axolotl): the dicts that they print, and the bars around them."""

import math
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.phases import Phases, model_facts, notice_model, stamp_of
from ecoaudit.ingest.training.scalars import TOKENS_SEEN, seen_flops
from ecoaudit.ingest.training.settings import adapter, facts, notice
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="hf_console",
    kind="training",
    title="Hugging Face Trainer console (also TRL, axolotl)",
    reads=(
        "loss and epoch rows, steps from bar or epoch, runtime, rates, batch, GPUs, parameters, phases of its log "
        "lines; precision, attention and sequence length of printed configurations"
    ),
    seen="transformers 4.x, 5.x (quoted numbers), nan and inf, wrapped dicts, 64 ranks, glued progress bars",
    cannot_tell="the wall clock and the number of GPUs unless the Trainer logs at INFO; the step without bar and total",
)

_START = re.compile(r"\{\s*'(?:loss|eval_loss|train_runtime|grad_norm|train_loss)'\s*:")
# A script's own `{'loss': 'mse'}` is no row.
_NUMBERED = re.compile(rf"{_START.pattern}\s*'?(?=-?(?:\d|nan|inf|NaN|Infinity))")
_PAIR = re.compile(r"'([^'\n]+)'\s*:\s*'?(-?(?:\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|nan|inf|NaN|Infinity))'?\s*(?=[,}])")
_BAR = re.compile(r"(\d{1,12})/(\d{1,12}) \[(\d+:)?(\d+):(\d\d)<")
_WRAP_LINES = 40
_FACTS = {
    "Num examples": "examples",
    "Num Epochs": "epochs",
    "Num update steps per epoch": "per_epoch",
    "Total optimization steps": "total",
    "Total train batch size (w. parallel, distributed & accumulation)": "batch",
    "Instantaneous batch size per device": "device_batch",
    "Gradient Accumulation steps": "accumulation",
    "Number of trainable parameters": "params",
}
_FACT = re.compile(r"(" + "|".join(re.escape(k) for k in _FACTS) + r") = ([\d,]{1,20})")


MOST_DIGITS = 16
_PEFT = re.compile(r"trainable params: ([\d,]{1,20}) \|\| all params: ([\d,]{1,20})")
_FORMAT_ARGUMENT = re.compile(r"\b(bf16|fp16|fp8)=True\b")


def sniff(head: Head) -> str | None:
    """Recognise a printed dict with the Trainer's keys."""
    match = _NUMBERED.search(head.text)
    return f"printed dict {match[0]}...}} as the Trainer writes it" if match else None


@dataclass
class _Run:
    facts: dict[str, float] = field(default_factory=dict)
    bar: tuple[int, int] | None = None
    summary: dict[str, float] = field(default_factory=dict)
    rows: list[tuple[int | None, float, dict[str, float]]] = field(default_factory=list)
    clock: PrefixClock = field(default_factory=PrefixClock)
    prefixed: bool = False

    def time_of(self, text: str) -> float:
        """Return the time in front of a line, as a container or a CI runner puts it; NaN without one."""
        time_s = self.clock.read(text)
        self.prefixed |= math.isfinite(time_s)
        return time_s

    copies: int = 0
    model: dict[str, str] = field(default_factory=dict)
    phases: Phases = field(default_factory=Phases)
    settings: dict[str, Any] = field(default_factory=dict)
    begun: list[float] = field(default_factory=list)
    completed: list[float] = field(default_factory=list)
    blank_s: float = math.nan
    eval_start: float = math.nan
    saving: list[float] = field(default_factory=list)


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run; its clock is that of the Trainer's own log lines, where they were switched on."""
    account, run = Account(), _Run()
    held, held_from, held_lines = "", 0, 0
    for number, text in console_lines(file):
        account.lines += 1
        _notice(text, run)
        if held:
            held, held_lines = held + " " + text, held_lines + 1
        elif _START.search(text):
            held, held_from, held_lines = text, number, 1
        if held:
            if held.count("{") <= held.count("}"):
                _rows(held, held_from, run, account)
                held = ""
            elif held_lines >= _WRAP_LINES:
                account.bad(held_from, held, "the dict does not end")
                held = ""
    if held:
        account.bad(held_from, held, "the dict is cut")
    _saved(run)
    return [_log(file, options, account, run)]


def _count(text: str) -> float:
    """Return a count with thousands separators; 0, which no such count is, for one that a torn line garbled."""
    digits = text.replace(",", "")
    return float(digits) if digits.isdigit() and len(digits) < MOST_DIGITS else 0.0


def _notice(text: str, run: _Run) -> None:
    for done, total, *_ in _BAR.findall(text):
        # Evaluation shows bars of its own; the training bar has the most steps.
        if run.bar is None or int(total) >= run.bar[1]:
            run.bar = (int(done), int(total))
    if match := _FACT.search(text):
        run.facts.setdefault(_FACTS[match[1]], _count(match[2]))
    if match := _PEFT.search(text):
        run.facts |= {"trainable": _count(match[1]), "all": _count(match[2])}
    notice_model(text, run.model)
    notice(text, run.settings)
    if "TrainingArguments(" in text and (match := _FORMAT_ARGUMENT.search(text)):
        run.settings.setdefault(match[1], "true")
    if "Training completed." in text and ">>" not in text:
        run.completed.append(run.blank_s)  # the Trainer breaks this line: its stamp stands alone before it
    if not run.phases.notice(text) and ">>" in text:
        prefix = run.time_of(text)
        _moment(text, prefix if math.isfinite(prefix) else stamp_of(text), run)


def _moment(text: str, time_s: float, run: _Run) -> None:
    """Take a line of the Trainer's own logging, `[INFO|trainer.py:1812] 2024-05-01 12:34:56,789 >> ...`."""
    if text.rstrip().endswith(">>"):
        run.blank_s = time_s
    elif "***** Running training *****" in text:
        run.begun.append(time_s)
    elif "Training completed." in text:
        run.completed.append(time_s)
    elif "***** Running Evaluation *****" in text:
        run.eval_start = time_s
    elif "Saving model checkpoint to" in text:
        _saved(run)
        run.saving = [time_s]
    elif run.saving and " saved in " in text:
        run.saving.append(time_s)
    elif run.saving:
        _saved(run)


def _saved(run: _Run) -> None:
    """Close a checkpoint with the last file that the log says was written; what it wrote after is not told."""
    if run.saving:
        run.phases.span("checkpoint", run.saving[0], run.saving[-1])
    run.saving = []


def _number(text: str) -> float:
    return values.number(text) if any(c.isdigit() for c in text) else float(text.lower())


def _rows(text: str, number: int, run: _Run, account: Account) -> None:
    time_s = run.time_of(text)
    for match in _START.finditer(text):
        end = text.find("}", match.start())
        try:
            row = {key: _number(value) for key, value in _PAIR.findall(text[match.start() : end + 1])}
        except ValueError as error:
            account.bad(number, text[match.start() :], str(error))
            continue
        if not row:
            account.bad(number, text[match.start() :], "a dict without numbers")
        elif "eval_runtime" in row and math.isfinite(run.eval_start):
            run.phases.span("eval", run.eval_start, run.eval_start + row["eval_runtime"])
            run.eval_start = math.nan
        elif "eval_runtime" in row:
            run.phases.span("eval", time_s - row["eval_runtime"], time_s)
        elif "loss" in row:  # with the runtime so far too, where the Trainer counts tokens
            done = run.bar[0] if run.bar else None
            # NaN equals itself in text; a collapsed run repeats its rows, but its bar goes on.
            if run.rows and run.rows[-1][0] == done and repr(run.rows[-1][2]) == repr(row):
                run.copies += 1
                continue
            account.records += 1
            run.rows.append((done, time_s, row))

        elif "train_runtime" in row:
            if math.isfinite(time_s):
                run.completed.append(time_s)
            run.copies += bool(run.summary)
            run.summary = run.summary or row


def _log(file: LogFile, options: ReadOptions, account: Account, run: _Run) -> TrainingLog:
    steps = Steps()
    total = run.facts.get("total") or (run.bar[1] if run.bar else None)
    epochs = _planned_epochs(run, total)
    guesses = [
        row["epoch"] / epochs * total
        if total and epochs and "epoch" in row
        else float(math.nan if bar is None else bar)
        for bar, _, row in run.rows
    ]
    for (_, time_s, row), step in zip(run.rows, _even(guesses, total, epochs), strict=True):
        if math.isfinite(step):
            tokens = next((row[name] for name in TOKENS_SEEN if row.get(name)), math.nan)
            steps.add(round(step), time_s=time_s, loss=row["loss"], tokens=tokens)
    if run.rows and not steps.step:
        account.warn("no progress bar and no total: the rows cannot be given a step")
    if run.copies:
        account.warn(f"{run.copies} lines repeat a row (other ranks); counted once")
    runtime = run.summary.get("train_runtime")
    flops = seen_flops(run.summary.get("total_flos"), runtime, account)
    rate = run.summary.get("train_samples_per_second")
    # The rates are of the planned run.
    done = run.summary.get("epoch", epochs) / epochs if epochs else 1.0
    done = done if done < 0.98 else 1.0
    last = run.facts.get("total") if run.summary else None
    account.records += bool(run.summary) and not run.rows
    if run.prefixed and not run.clock.naive:
        options = ReadOptions(zone=UTC)  # the times in front of the lines name their zone
    clock = console.set_clock(steps, options)
    lora = _is_adapter(run)
    return steps.log(
        file,
        FORMAT.format,
        "Hugging Face Trainer",
        account,
        step_count=None if steps.resumed else round(last * done) if last else _estimate(run.summary),
        runtime_s=runtime,
        samples=_samples(run, steps, done),
        flops=flops,
        flops_kind="model" if flops else None,
        params=run.facts.get("all") or (None if lora else run.facts.get("params")),
        lora=lora,
        global_batch_size=int(run.facts["batch"]) if "batch" in run.facts else None,
        throughput_samples_per_s=rate,
        phases=run.phases.localised(options),
        **{"clock": clock} | _window(run, runtime, options),
        **{"world_size": _gpus(run.facts)} | facts(run.settings, hugging_face=True) | model_facts(run.model),
    )


def _planned_epochs(run: _Run, total: float | None) -> float:
    """Return the epochs, with their fraction, that all planned steps take; 0 where the log does not tell."""
    if total and run.facts.get("per_epoch"):
        return total / run.facts["per_epoch"]
    planned, ended = run.facts.get("epochs", 0.0), run.summary.get("epoch", 0.0)
    # A run of so many steps plans whole epochs and ends within one; one that stopped early leaves its bar unfinished.
    complete = run.bar is not None and run.bar[0] == run.bar[1] == total
    # Epochs of steps that do not divide them end a little early; one that stopped early ends far from the plan.
    return ended if ended and (complete or ended >= 0.98 * planned) else planned


def _even(guesses: list[float], total: float | None, epochs: float) -> list[float]:
    """Return the steps of rows that come every so many steps, by guesses from rounded epochs; else the guesses."""
    if len(guesses) < 3 or not total or not epochs or not all(map(math.isfinite, guesses)):
        return guesses
    every = round((guesses[-1] - guesses[1]) / (len(guesses) - 2))
    first = round(guesses[1] / every) if every > 0 else 0
    steps = [float(every * (first + i - 1)) for i in range(len(guesses))]
    if steps[0] <= 0:
        steps[0] = 1.0  # logging_first_step
    rounding = 0.0051 * total / epochs + 1
    fits = all(abs(step - guess) <= rounding + 0.01 * guess for step, guess in zip(steps, guesses, strict=True))
    return steps if every > 0 and fits else guesses


def _window(run: _Run, runtime: float | None, options: ReadOptions) -> dict[str, Any]:
    """Return the clock and the training window that the Trainer's log lines tell, nothing without them."""
    begun, completed = ([t for t in times if math.isfinite(t)] for times in (run.begun, run.completed))
    # Every rank may print both; the first begins, the last completes.
    first, last = min(begun, default=math.nan), max(completed, default=math.nan)
    if math.isnan(last) and runtime:
        last = first + runtime
    elif math.isnan(first) and runtime:
        first = last - runtime
    if not last > first:
        return {}
    start, end = values.localise(np.array([first, last]), options.zone)
    clock = "naive" if options.zone is None else "utc"
    return {"clock": clock, "train_start_s": float(start), "train_end_s": float(end)}


def _is_adapter(run: _Run) -> bool:
    """Return whether an adapter is trained on a frozen model; then the Trainer's own count is the adapter's."""
    trainable = run.facts.get("params") or run.facts.get("trainable")
    return bool(trainable) and (adapter(run.settings) or (trainable or 0.0) < 0.5 * run.facts.get("all", 0.0))


def _samples(run: _Run, steps: Steps, done: float) -> float | None:
    """Return the samples trained: of the plan and the share of it that was done, else by the rounded rate."""
    planned = run.facts.get("examples", 0.0) * run.facts.get("epochs", 0.0)
    batch, total = run.facts.get("batch", 0.0), run.facts.get("total", 0.0)
    if planned and batch and total:
        if steps.resumed:
            return batch * steps.count()
        if run.summary:
            return min(planned, batch * total) * done
        return min(planned, batch * steps.step[-1]) if len(steps) else None
    rate, runtime = (run.summary.get(name) for name in ("train_samples_per_second", "train_runtime"))
    return rate * runtime * done if rate and runtime else None


def _gpus(told: dict[str, float]) -> int | None:
    """Return how many GPUs share the total batch, None where the log does not tell or the numbers do not divide."""
    each = told.get("device_batch", 0.0) * told.get("accumulation", 0.0)
    gpus = told.get("batch", 0.0) / each if each else 0.0
    return values.whole(gpus) if gpus >= 1 and gpus % 1 == 0 else None


def _estimate(summary: dict[str, float]) -> int | None:
    """Return steps from rate and runtime when both have digits enough."""
    rate, runtime = summary.get("train_steps_per_second", 0.0), summary.get("train_runtime", 0.0)
    return values.whole(rate * runtime + 0.5) if rate >= 0.1 and rate * runtime >= 1 else None
