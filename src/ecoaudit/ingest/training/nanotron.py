"""nanotron consoles: numbers with three digits and K, M, B suffixes."""

import math
import re

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="nanotron",
    kind="training",
    title="nanotron console",
    reads="iterations, time an iteration, tokens (step x batch x sequence), loss, TFLOP/s a GPU, GPUs, parameters",
    seen="2024 to 2025: elapsed_time_per_iteration_ms and time_per_iteration_ms, suffixes (4.71K ms = 4710 ms)",
    cannot_tell="the time zone; more than three digits of most numbers",
)

_WHOLE = re.compile(r"iteration: (\d+) / (\d+) \|(?P<fields>.*?_per_iteration_ms: [\d.]+[KMB]?.*)")
_START = re.compile(r"iteration: \d+ / \d+ \|")
_STAMP = re.compile(r"(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d) \[")
_PAIR = re.compile(r"(\w+): ([-\d.]+(?:e[-+]?\d+)?[KMGBT]?|nan)\b")
_BEGIN = re.compile(r"\[Start training\] datetime: (\S+ \S+) \|(.*)")
_PARAMETERS = re.compile(r"Total number of parameters: ([\d.]+[KMGBT]?)")


def sniff(head: Head) -> str | None:
    """Recognise an iteration line."""
    return "console line `iteration: N / M | ... per_iteration_ms:`" if _WHOLE.search(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps = Account(), Steps()
    facts: dict[str, float] = {}
    begin: list[float] = []
    tflops: list[float] = []
    world: list[float] = []
    rates: list[float] = []
    printed: list[float] = []

    def notice(text: str) -> None:
        if match := _BEGIN.search(text):
            begin.append(values.parse_time(match[1])[0])
            facts.update({name: values.scaled(value) for name, value in _PAIR.findall(match[2])})
        elif match := _PARAMETERS.search(text):
            facts.setdefault("params", values.scaled(match[1]))

    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        try:
            fields = {
                name: values.scaled(value) if value != "nan" else math.nan
                for name, value in _PAIR.findall(match["fields"])
            }
            stamp = _STAMP.search(text)
            time_s = values.parse_time(stamp[1])[0] if stamp else math.nan
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        duration = fields.get("elapsed_time_per_iteration_ms", fields.get("time_per_iteration_ms", math.nan)) / 1000.0
        if steps.add(int(match[1]), time_s=time_s, duration_s=duration, loss=fields.get("lm_loss"), rank=rank_of(text)):
            account.records += 1
            facts.setdefault("global_batch_size", fields.get("global_batch_size", math.nan))
            tflops.append(fields.get("model_tflops_per_gpu", math.nan))
            rate, one = fields.get("tokens_per_sec", math.nan), fields.get("tokens_per_sec_per_gpu", math.nan)
            rates.append(rate)
            world.append(rate / one if one else math.nan)
            printed.append(fields.get("consumed_tokens", math.nan))
    batch, length = facts.get("global_batch_size", math.nan), facts.get("sequence_length", math.nan)
    exact = not math.isnan(batch * length)
    steps.tokens = [s * batch * length for s in steps.step] if exact else printed
    if not exact and len(steps):
        account.warn("the start line is missing: tokens are the printed ones, to three digits")
    clock = console.set_clock(steps, options)
    gpus = console.mean(world)
    known: dict[str, float] = {}
    if begin:
        known["train_start_s"] = float(values.localise(np.array(begin[:1]), options.zone)[0])
    return [
        steps.log(
            file,
            FORMAT.format,
            "nanotron",
            account,
            clock=clock,
            params=facts.get("params"),
            global_batch_size=values.whole(batch),
            sequence_length=values.whole(length),
            tokens_per_sample=length if not math.isnan(length) else None,
            world_size=values.whole(round(gpus) if gpus and gpus < 1e9 else None),
            tflops_per_gpu=console.steady(tflops),
            flops_kind="model" if console.mean(tflops) else None,
            throughput_tokens_per_s=console.steady(rates),
            **known,
        )
    ]
