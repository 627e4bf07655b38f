"""litgpt consoles and its CSV logger."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.phases import Phases, model_facts, notice_model
from ecoaudit.ingest.training.settings import facts, notice
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="litgpt",
    kind="training",
    title="litgpt console and metrics.csv",
    reads=(
        "iterations, optimizer steps, loss, time an iteration, tokens and training time of the closing lines, batch, "
        "precision, sequence of the hyperparameters; from the CSV tokens, elapsed time and GPUs"
    ),
    seen="2023 to 2025: `iter N step M: loss`, `Epoch E | iter N step M | loss train:`, CSV with total_tokens",
    cannot_tell=(
        "the wall clock, hence the place of evaluations, unless one stands in front of lines; from the console the "
        "number of GPUs; the closing Tok/sec of some versions is wrong and not read"
    ),
)

_NEW = re.compile(
    r"Ep(?:och)? (\d+) ?\| iter +(\d+) (?:\| )?st[eE]p (\d+)(?: ?\||:) loss train(?: \(curr\))?: +(-?[\d.]+|nan|inf),?"
    r".*?iter time: +([\d.]+) ?ms( \((?:opt\.|optimizer\.)?step\))?"
)
_OLD = re.compile(
    r"\biter (\d+) (?:\| )?step (\d+): loss (?:train )?(-?[\d.]+|nan|inf),.*?iter time: ([\d.]+) ?ms"
    r"( \(optimizer\.step\))?"
)
_WHOLE = re.compile(f"{_NEW.pattern}|{_OLD.pattern}")
_START = re.compile(r"\biter +\d+ (?:\| )?st[eE]p \d+(?::| ?\|) loss")
_PARAMETERS = re.compile(r"(\b[Tt]otal|\btrainable|\bnon-trainable) parameters: (\d[\d,]{0,20})\b")
_DEVICES = re.compile(r"'(devices|num_nodes)': (\d{1,6})\b")
_TOTAL_TOKENS = re.compile(r"\bTotal tokens\s*: (\d[\d,]{0,20})\b")
_TRAINING_TIME = re.compile(r"\bTraining [Tt]ime\s*: ([\d.]{1,15}) ?s\b")
_VALIDATED = re.compile(r"\bval loss [\w.]+, val time: ([\d.]{1,15}) ?ms")
_ARGUMENT = re.compile(r"\b(global_batch_size|max_seq_length|block_size)=(\d{1,9})\b")


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


@dataclass
class _Told:
    """What the lines beside the iterations say."""

    facts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    clock: PrefixClock = field(default_factory=PrefixClock)
    phases: Phases = field(default_factory=Phases)

    def notice(self, text: str) -> None:
        """Take one line."""
        for pattern in (_PARAMETERS, _DEVICES):
            if match := pattern.search(text):
                self.facts.setdefault(match[1].lower(), match[2])
        for name, pattern in (("tokens", _TOTAL_TOKENS), ("runtime", _TRAINING_TIME)):
            console.first_group(pattern, text, self.facts, name)
        if match := _VALIDATED.search(text):
            end = self.clock.read(text)
            self.phases.span("eval", end - float(match[1]) / 1000.0, end)
        for match in _ARGUMENT.finditer(text):
            self.settings.setdefault(match[1], match[2])
        notice_model(text, self.facts)
        notice(text, self.settings)

    def gpus(self) -> int | None:
        """Return the number of devices of all nodes, None where it was left to the program."""
        devices, nodes = (values.fact(self.facts.get(name)) for name in ("devices", "num_nodes"))
        return values.whole(devices * (nodes or 1)) if devices else None

    def parameters(self) -> dict[str, Any]:
        """Return the model's parameters, and whether most of them are frozen below an adapter."""
        total, trained, frozen = (values.fact(self.facts.get(n)) for n in ("total", "trainable", "non-trainable"))
        if trained and frozen:
            return {"params": trained + frozen, "lora": frozen > trained}
        return {"params": total or trained}


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run by optimizer steps; the times of a step's iterations are added up."""
    names = _columns(file.head.text)
    account, steps, told = Account(), Steps(), _Told()
    known: dict[str, Any] = {}
    if names:
        known["world_size"] = _csv(file, names, account, steps)
    else:
        known["step_count"] = _console(file, account, steps, told)
        known["world_size"] = told.gpus()
    clock = console.set_clock(steps, options, naive=told.clock.naive)
    return [
        steps.log(
            file,
            FORMAT.format,
            "litgpt",
            account,
            clock=clock,
            phases=told.phases.localised(options if told.clock.naive else ReadOptions()),
            **told.parameters(),
            tokens=values.fact(told.facts.get("tokens")),
            runtime_s=values.fact(told.facts.get("runtime")),
            **known | facts(told.settings) | model_facts(told.facts),
        )
    ]


def _console(file: LogFile, account: Account, steps: Steps, told: _Told) -> int | None:
    """Read a console; return the last optimizer step it tells, which may lie behind the last line that ends one."""
    last_step = 0
    spent, last_iteration = 0.0, 0
    for number, text, match in console.records(file, account, _WHOLE, _START, told.notice):
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
        last_step = max(last_step, number_of_step)
        spent += duration * between
        if done and (not steps.step or steps.step[-1] != number_of_step):
            since = number_of_step - steps.step[-1] if steps.step else 1
            steps.add(
                number_of_step,
                time_s=told.clock.read(text),
                duration_s=spent / max(since, 1),
                loss=value,
                rank=rank_of(text),
            )
            spent = 0.0
    if not steps.step:
        account.warn("no optimizer step ends in this log")
        return None
    return None if steps.resumed else last_step


def _csv(file: LogFile, names: list[str], account: Account, steps: Steps) -> int | None:
    """Read the CSV logger's rows, of which validation fills only its own cells; return the number of GPUs."""
    gpus: float | None = None
    last: tuple[int, float] | None = None
    for number, cells, text in tables.rows(file.lines()):
        account.lines += 1
        if not text.strip() or cells[: len(names)] == names:
            continue
        if len(cells) != len(names):
            account.bad(number, text, f"{len(cells)} of {len(names)} columns")
            continue
        row = dict(zip(names, cells, strict=True))
        try:
            if not row["iter"] and not row["iter_time"]:
                continue
            step = int(values.number(row.get("step") or row["iter"]))
            tokens, loss, each, elapsed = (
                values.number(row.get(name, "")) for name in ("total_tokens", "loss", "iter_time", "time")
            )
            own = values.number(row.get("tokens", ""))
        except (ValueError, KeyError, OverflowError) as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        gpus = tokens / own if own > 0 and tokens > 0 else gpus
        steps.add(
            step,
            tokens=tokens,
            loss=None if math.isnan(loss) and not row.get("loss") else loss,
            duration_s=_duration(step, elapsed, last, each if row.get("step", "") in ("", row["iter"]) else math.nan),
        )
        last = (step, elapsed)
    whole = values.whole(gpus + 0.5) if gpus else None
    return whole if whole and gpus and abs(gpus - whole) < 0.01 else None


def _duration(step: int, elapsed: float, last: tuple[int, float] | None, iteration: float) -> float:
    """Return seconds a step: by the elapsed time where it is logged, else an iteration's where that is a step."""
    since, before = last if last is not None else (0, 0.0)
    if step > since and elapsed > before:
        return (elapsed - before) / (step - since)
    return iteration
