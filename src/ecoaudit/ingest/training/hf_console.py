"""Hugging Face Trainer and its children (TRL, axolotl): the dicts that they print, and the bars around them."""

import math
import re
from dataclasses import dataclass, field

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="hf_console",
    kind="training",
    title="Hugging Face Trainer console (also TRL, axolotl)",
    reads="loss and epoch rows, steps from the progress bar or the epoch, runtime, rates, batch size, parameters",
    seen="transformers 4.x, 5.x (quoted numbers), nan and inf, wrapped dicts, 64 ranks, glued progress bars",
    cannot_tell="the wall clock, the number of GPUs; the step where neither bar nor total is printed",
)

_START = re.compile(r"\{\s*'(?:loss|eval_loss|train_runtime|grad_norm|train_loss)'\s*:")
_PAIR = re.compile(r"'([^'\n]+)'\s*:\s*'?(-?(?:\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|nan|inf|NaN|Infinity))'?\s*(?=[,}])")
_BAR = re.compile(r"(\d{1,12})/(\d{1,12}) \[(\d+:)?(\d+):(\d\d)<")
_WRAP_LINES = 40
_FACTS = {
    "Num examples": "examples",
    "Num Epochs": "epochs",
    "Total optimization steps": "total",
    "Total train batch size (w. parallel, distributed & accumulation)": "batch",
    "Number of trainable parameters": "params",
}
_FACT = re.compile(r"(" + "|".join(re.escape(k) for k in _FACTS) + r") = ([\d,]{1,20})")


def sniff(head: Head) -> str | None:
    """Recognise a printed dict with the Trainer's keys."""
    match = _START.search(head.text)
    return f"printed dict {match[0]}...}} as the Trainer writes it" if match else None


@dataclass
class _Run:
    facts: dict[str, float] = field(default_factory=dict)
    bar: tuple[int, int] | None = None
    summary: dict[str, float] = field(default_factory=dict)
    rows: list[tuple[int | None, dict[str, float]]] = field(default_factory=list)
    copies: int = 0


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the console has no clock
    """Return the run."""
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
    return [_log(file, account, run)]


def _notice(text: str, run: _Run) -> None:
    for done, total, *_ in _BAR.findall(text):
        # Evaluation shows bars of its own; the training bar has the most steps.
        if run.bar is None or int(total) >= run.bar[1]:
            run.bar = (int(done), int(total))
    if match := _FACT.search(text):
        run.facts.setdefault(_FACTS[match[1]], values.number(match[2]))


def _number(text: str) -> float:
    return values.number(text) if any(c.isdigit() for c in text) else float(text.lower())


def _rows(text: str, number: int, run: _Run, account: Account) -> None:
    for match in _START.finditer(text):
        end = text.find("}", match.start())
        try:
            row = {key: _number(value) for key, value in _PAIR.findall(text[match.start() : end + 1])}
        except ValueError as error:
            account.bad(number, text[match.start() :], str(error))
            continue
        if not row:
            account.bad(number, text[match.start() :], "a dict without numbers")
        elif "train_runtime" in row:
            run.copies += bool(run.summary)
            run.summary = run.summary or row
        elif "loss" in row:
            if run.rows and repr(run.rows[-1][1]) == repr(row):  # NaN equals itself here
                run.copies += 1
                continue
            account.records += 1
            run.rows.append((run.bar[0] if run.bar else None, row))


def _log(file: LogFile, account: Account, run: _Run) -> TrainingLog:
    steps = Steps()
    total = run.facts.get("total") or (run.bar[1] if run.bar else None)
    epochs = run.facts.get("epochs") or run.summary.get("epoch")
    for bar, row in run.rows:
        step: float | None = None
        if total and epochs and row.get("epoch"):
            step = row["epoch"] / epochs * total
        elif bar is not None:
            step = bar
        if step is not None and math.isfinite(step):
            tokens = row.get("num_input_tokens_seen") or row.get("tokens/total") or math.nan
            steps.add(round(step), loss=row["loss"], tokens=tokens)
    if run.rows and not steps.step:
        account.warn("no progress bar and no total: the rows cannot be given a step")
    if run.copies:
        account.warn(f"{run.copies} lines repeat a row (other ranks); counted once")
    runtime = run.summary.get("train_runtime")
    rate = run.summary.get("train_samples_per_second")
    last = run.facts.get("total") if run.summary else None
    account.records += bool(run.summary) and not run.rows
    return steps.log(
        file,
        FORMAT.format,
        "Hugging Face Trainer",
        account,
        step_count=int(last) if last else _estimate(run.summary),
        runtime_s=runtime,
        samples=rate * runtime if rate and runtime else None,
        flops=run.summary.get("total_flos") or None,
        flops_kind="model" if run.summary.get("total_flos") else None,
        params=run.facts.get("params"),
        global_batch_size=int(run.facts["batch"]) if "batch" in run.facts else None,
        throughput_samples_per_s=rate,
    )


def _estimate(summary: dict[str, float]) -> int | None:
    """Return steps from rate and runtime when both have digits enough."""
    rate, runtime = summary.get("train_steps_per_second", 0.0), summary.get("train_runtime", 0.0)
    return round(rate * runtime) if rate >= 0.1 and rate * runtime >= 1 else None
