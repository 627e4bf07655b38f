"""OLMo and OLMo-core consoles: a step line, then indented metrics."""

import math
import re
from itertools import pairwise

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, clean, console_lines, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.phases import Phases
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="olmo",
    kind="training",
    title="OLMo and OLMo-core consoles",
    reads="steps, loss, total tokens, MFU (OLMo-core), devices estimated from the rates, checkpoints",
    seen="OLMo 2024 `[step=N/M]` with indented metrics, OLMo-core `throughput/device/TPS`",
    cannot_tell="the time zone; the device rate is a running mean and lags after a stall",
)

_STEP = re.compile(r"\[step=(\d+)/(\d+)[^\]]*\]")
_STAMP = re.compile(r"^\s*\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?)\]?")
_METRIC = re.compile(r"^\s+([A-Za-z][\w /().-]*?)=(-?[\d.,]+(?:e[-+]?\d+)?|nan|inf)\s*$")
_LOSS = ("train/CrossEntropyLoss", "train/CE loss", "train/loss")
_TOKENS = ("throughput/total_tokens", "throughput/total tokens")
_RATE = ("throughput/device/tokens_per_second", "throughput/device/TPS")
_MFU = ("throughput/device/MFU (actual avg)", "throughput/device/MFU")


def sniff(head: Head) -> str | None:
    """Recognise a step line followed by an indented metric."""
    lines = [clean(line) for line in head.text.splitlines()]
    for line, following in pairwise(lines):
        if _STEP.search(line) and _METRIC.match(following):
            return "line `[step=N/M]` followed by indented metrics"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps = Account(), Steps()
    rates: list[float] = []
    mfu: list[float] = []
    phases = Phases()
    current: tuple[int, float, str | None] | None = None
    metrics: dict[str, float] = {}

    def close() -> None:
        if current is None:
            return
        step, time_s, rank = current
        if not metrics:
            account.bad(account.lines, f"[step={step}/...]", "no metrics follow")
            return
        loss = _first(metrics, _LOSS)
        added = steps.add(
            step,
            time_s=time_s,
            tokens=_first(metrics, _TOKENS),
            loss=loss if any(n in metrics for n in _LOSS) else None,
            rank=rank,
        )
        if added:
            account.records += 1
            rates.append(_first(metrics, _RATE))
            mfu.append(_first(metrics, _MFU) / 100)

    for number, text in console_lines(file):
        account.lines += 1
        if match := _STEP.search(text):
            close()
            stamp = _STAMP.search(text)
            metrics = {}
            try:
                time_s = values.parse_time(stamp[1])[0] if stamp else math.nan
            except ValueError as error:
                account.bad(number, text, str(error))
                time_s = math.nan
            current = (int(match[1]), time_s, rank_of(text))
        elif current is not None and (metric := _METRIC.match(text)):
            try:
                metrics[metric[1]] = values.number(metric[2])
            except ValueError as error:
                account.bad(number, text, str(error))
        else:
            phases.notice(text)
    close()
    return [_log(file, options, account, steps, rates, mfu, phases)]


def _first(metrics: dict[str, float], names: tuple[str, ...]) -> float:
    return next((metrics[n] for n in names if n in metrics), math.nan)


def _log(
    file: LogFile,
    options: ReadOptions,
    account: Account,
    steps: Steps,
    rates: list[float],
    mfu: list[float],
    phases: Phases,
) -> TrainingLog:
    rate = console.mean(rates)
    total = _global_rate(steps)
    world = round(total / rate) if total and rate and 0.9 <= total / rate < 1e7 else None
    if world:
        account.warn(f"the number of GPUs, {world}, is estimated: global rate over the rate of a device")
    return steps.log(
        file,
        FORMAT.format,
        "OLMo",
        account,
        clock=console.set_clock(steps, options),
        world_size=world,
        mfu=console.steady(mfu),
        throughput_tokens_per_s=total,
        phases=phases.localised(options),
    )


def _global_rate(steps: Steps) -> float | None:
    """Return tokens a second by clock between the first and the last line; the device rate begins at the second."""
    known = [(t, n) for t, n in zip(steps.time_s, steps.tokens, strict=True) if not math.isnan(t) and not math.isnan(n)]
    if len(known) < 2 or known[-1][0] <= known[0][0] or known[-1][1] <= known[0][1]:
        return None
    return (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])
