"""litgpt consoles and its CSV logger."""

import math
import re

from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="litgpt",
    kind="training",
    title="litgpt console and metrics.csv",
    reads="iterations, optimizer steps, loss, time an iteration; from the CSV tokens and throughput",
    seen="2023 to 2025: `iter N step M: loss`, `Epoch E | iter N step M | loss train:`, CSV with total_tokens",
    cannot_tell="the wall clock, the number of GPUs; the closing Tokens/sec of some versions is wrong and not read",
)

_NEW = re.compile(
    r"Epoch (\d+) ?\| iter (\d+) step (\d+) ?\| loss train: (-?[\d.]+|nan|inf),"
    r".*?iter time: ([\d.]+) ?ms( \((?:step|optimizer\.step)\))?"
)
_OLD = re.compile(r"\biter (\d+) step (\d+): loss (-?[\d.]+|nan|inf), iter time: ([\d.]+) ?ms( \(optimizer\.step\))?")
_WHOLE = re.compile(f"{_NEW.pattern}|{_OLD.pattern}")
_START = re.compile(r"\biter \d+ step \d+(?::| ?\|) loss")
_PARAMETERS = re.compile(r"[Tt]otal parameters: (\d[\d,]{0,20})\b|trainable parameters: (\d[\d,]{0,20})\b")


def sniff(head: Head) -> str | None:
    """Recognise an iteration line, or the CSV's columns."""
    if _WHOLE.search(head.text):
        return "console line `iter N step M: loss x, iter time: y ms`"
    names = _columns(head.text)
    return (
        "CSV header with iter, step, iter_time and total_tokens"
        if {"iter", "iter_time", "total_tokens"} <= set(names)
        else None
    )


def _columns(text: str) -> list[str]:
    first = text.split("\n", 1)[0]
    return [c.strip() for c in first.split(",")] if "iter_time" in first else []


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - no clock
    """Return the run by optimizer steps; the times of a step's iterations are added up."""
    names = _columns(file.head.text)
    account, steps = Account(), Steps()
    facts: dict[str, str] = {}
    if names:
        _csv(file, names, account, steps)
    else:
        _console(file, account, steps, facts)
    return [
        steps.log(
            file,
            FORMAT.format,
            "litgpt",
            account,
            params=values.fact(facts.get("params")),
        )
    ]


def _console(file: LogFile, account: Account, steps: Steps, facts: dict[str, str]) -> None:
    def notice(text: str) -> None:
        match = _PARAMETERS.search(text)
        if match:
            facts.setdefault("params", match[1] or match[2])

    spent, last_iteration, runtime = 0.0, 0, 0.0
    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        g = match.groups()
        iteration, step, loss, time_ms, done = g[1:6] if g[1] is not None else g[6:11]
        try:
            between = max(values.step_number(iteration) - last_iteration, 1) if last_iteration else 1
            number_of_step = values.step_number(step)
            duration = float(time_ms) / 1000.0
            value = float(loss)
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        last_iteration = int(iteration)
        spent += duration * between
        runtime += duration * between
        if done and (not steps.step or steps.step[-1] != number_of_step):
            since = number_of_step - steps.step[-1] if steps.step else 1
            steps.add(number_of_step, duration_s=spent / max(since, 1), loss=value, rank=rank_of(text))
            spent = 0.0
        elif not done and not steps.step:
            continue
    if not steps.step:
        account.warn("no optimizer step ends in this log")


def _csv(file: LogFile, names: list[str], account: Account, steps: Steps) -> None:
    for number, cells, text in tables.rows(file.lines()):
        account.lines += 1
        if not text.strip() or cells[: len(names)] == names:
            continue
        if len(cells) != len(names):
            account.bad(number, text, f"{len(cells)} of {len(names)} columns")
            continue
        row = dict(zip(names, cells, strict=True))
        try:
            step = int(values.number(row.get("step") or row["iter"]))
            tokens = values.number(row["total_tokens"])
            loss = values.number(row.get("loss", ""))
            duration = values.number(row["iter_time"])
        except (ValueError, KeyError, OverflowError) as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        steps.add(
            step,
            tokens=tokens,
            loss=None if math.isnan(loss) and not row.get("loss") else loss,
            duration_s=duration if row.get("step", "") in ("", row.get("iter", "")) else math.nan,
        )
