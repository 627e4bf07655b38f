"""llm.c: the console of train_gpt2 and its main.log."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="llmc",
    kind="training",
    title="llm.c console and main.log",
    reads="steps, loss, time a step, MFU, tokens/s, batch, sequence, parameters, precision, GPUs",
    seen="2024: `step N/M | loss`, optional watts at the end, main.log rows `s:N trl:x`",
    cannot_tell="the wall clock; main.log has no times at all",
)

_WHOLE = re.compile(
    r"\bstep\s+(\d+)/(\d+) \| loss\s+(-?[\d.]+|-?nan|inf) .*?\|\s*([\d.]+) ms \|"
    r"(?:\s*(-?[\d.]+)% (\w+) MFU \|)?\s*(-?\d+) tok/s"
)
_START = re.compile(r"\bstep\s+\d+/\d+ \| loss")
_MAIN = re.compile(r"(?:^|\s)s:(\d+) (tel|trl|eval|hellaswag):(-?[\d.]+|nan)")
_ROW = re.compile(r"(?:^|\s)\| ([\w() .]+?)\s*\| ([^|]*[^|\s])\s*\|\s*$")


def sniff(head: Head) -> str | None:
    """Recognise a step line, or rows of main.log."""
    if _WHOLE.search(head.text):
        return "console line `step N/M | loss x | ... ms | ... tok/s` of llm.c"
    return "rows `s:N trl:x` of llm.c's main.log" if console.mostly(_MAIN, head) else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps, clock = Account(), Steps(), PrefixClock()
    facts: dict[str, str] = {}
    rates: list[float] = []
    mfu: list[float] = []

    def notice(text: str) -> None:
        if match := _ROW.search(text):
            facts.setdefault(match[1].strip(), match[2])
        elif (match := _MAIN.search(text)) and match[2] == "trl":
            account.records += steps.add(int(match[1]), loss=float(match[3]))

    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        try:
            added = steps.add(
                int(match[1]),
                time_s=clock.read(text),
                loss=float(match[3]),
                duration_s=float(match[4]) / 1000.0,
                rank=rank_of(text),
            )
            share = float(match[5]) if match[5] else math.nan
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        account.records += added
        if match[6]:
            facts.setdefault("number format", match[6])
        rates.append(float(match[7]))
        mfu.append(share / 100 if share > 0 else math.nan)
    batch = _fact(facts, "total batch size")
    length = _fact(facts, "sequence length T")
    if batch:
        steps.tokens = [s * batch for s in steps.step]
    else:
        account.no_tokens("the parameter table is missing")
    told_clock = console.set_clock(steps, options, naive=clock.naive)
    total = steps.total(steps.tokens) if len(steps) else None
    return [
        steps.log(
            file,
            FORMAT.format,
            "llm.c",
            account,
            clock=told_clock,
            sequence_length=values.whole(length),
            tokens_per_sample=length,
            samples=total / length if total and length else None,
            global_batch_size=values.whole(batch / length if batch and length else None),
            params=_fact(facts, "num_parameters"),
            world_size=values.whole(_fact(facts, "num_processes")) or None,
            precision=(facts.get("precision") or facts.get("number format") or "").lower() or None,
            mfu=console.steady(mfu),
            throughput_tokens_per_s=console.steady(rates),
        )
    ]


def _fact(facts: dict[str, str], name: str) -> float | None:
    try:
        return values.number(facts[name].split("=>")[0])
    except (KeyError, ValueError):
        return None
