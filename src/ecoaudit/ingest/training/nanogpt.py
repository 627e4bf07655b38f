"""nanoGPT, build-nanogpt and nanochat consoles, and build-nanogpt's log.txt."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="nanogpt",
    kind="training",
    title="nanoGPT, build-nanogpt, nanochat consoles",
    reads="steps, loss, time a step, tokens/s, MFU (nanoGPT: always of an A100), parameters, tokens an iteration",
    seen="nanoGPT `iter N:`, build-nanogpt `step N |` and log.txt, nanochat `step N/M (x%) |`",
    cannot_tell="the wall clock, the number of GPUs; the GPU behind nanoGPT's MFU, which is of 312 TFLOP/s",
)

_NUMBER = r"(-?\d[\d.,]*(?:e[-+]?\d+)?|nan|inf)"
_NANOGPT = re.compile(rf"\biter (\d+): loss {_NUMBER}, time ([\d.]+)ms(?:, mfu (-?[\d.]+)%)?")
_BUILD = re.compile(
    rf"\bstep\s+(\d+)(?:/\d+)?\s*(?:\([\d.]+%\)\s*)?\|\s*loss:\s+{_NUMBER}\s*\|.*?\bdt: ([\d.]+)ms"
    rf"(?:.*?\btok/sec: ([\d.,]+))?(?:.*?mfu: ([\d.]+))?"
)
_WHOLE = re.compile(f"{_NANOGPT.pattern}|{_BUILD.pattern}")
_START = re.compile(r"\biter \d+: loss|\bstep\s+\d+(?:/\d+)?\s*(?:\([\d.]+%\)\s*)?\|\s*loss:")
_LOGTXT = re.compile(r"^(\d+) (train|val|hella) (-?[\d.]+|nan)$")
_TOKENS = re.compile(r"tokens per iteration will be: ([\d,]{1,20})|total desired batch size: ([\d,]{1,20})")
_TOTAL_BATCH = re.compile(r"[Tt]otal batch size ([\d,]{1,20})")
_PARAMETERS = re.compile(r"number of parameters: (\d[\d.]{0,15}[MBK])|Number of parameters: (\d[\d,]{0,20})")


def sniff(head: Head) -> str | None:
    """Recognise one of the family's step lines."""
    if _NANOGPT.search(head.text):
        return "console line `iter N: loss x, time y ms` of nanoGPT"
    if _BUILD.search(head.text):
        return "console line `step N | loss: x | ... dt: y ms`"
    rows = [line for line in head.text.splitlines() if line.strip()][:20]
    if len(rows) >= 2 and all(_LOGTXT.match(row) for row in rows[:-1]):
        return "rows `N train loss` of build-nanogpt's log.txt"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the console has no clock
    """Return the run."""
    account, steps = Account(), Steps()
    facts: dict[str, str] = {}
    rates: list[float] = []
    mfu: list[float] = []
    evaluations = 0

    def notice(text: str) -> None:
        nonlocal evaluations
        for name, pattern in (("tokens", _TOKENS), ("tokens", _TOTAL_BATCH), ("params", _PARAMETERS)):
            match = pattern.search(text)
            if match:
                facts.setdefault(name, next(g for g in match.groups() if g))
        row = _LOGTXT.match(text)
        if row and row[2] == "train":
            account.records += steps.add(int(row[1]), loss=float(row[3]))
        evaluations += "val loss" in text or bool(row and row[2] == "val")

    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        g = match.groups()
        step, loss, duration = (g[0], g[1], g[2]) if g[0] is not None else (g[4], g[5], g[6])
        try:
            rate = values.number(g[7]) if g[7] else math.nan
            share = values.number(g[3] or g[8]) if g[3] or g[8] else math.nan
            added = steps.add(
                int(step), loss=values.number(loss), duration_s=float(duration) / 1000.0, rank=rank_of(text)
            )
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        if added:
            account.records += 1
            rates.append(rate)
            mfu.append(share / 100 if share > 0 else math.nan)
    tokens = values.fact(facts.get("tokens")) or _a_step(rates, steps.duration_s)
    if tokens:
        steps.tokens = [(s + 1) * tokens for s in steps.step]
    else:
        account.warn("tokens a step are not printed: tokens are unknown")
    if console.mean(mfu) and not console.mean(rates):
        account.warn("nanoGPT's MFU is of an A100 (312 TFLOP/s) whatever the GPU; it is not used")
    log_mfu = console.steady(mfu) if console.mean(rates) else None
    return [
        steps.log(
            file,
            FORMAT.format,
            "nanoGPT family",
            account,
            params=values.fact(facts.get("params")),
            mfu=log_mfu,
            throughput_tokens_per_s=console.steady(rates),
        )
    ]


def _a_step(rates: list[float], durations: list[float]) -> float | None:
    """Return tokens a step from rate times duration where both are printed; a batch is a multiple of 64 tokens."""
    known = [r * d for r, d in zip(rates, durations, strict=False) if math.isfinite(r * d)]
    if not known:
        return None
    middle = sorted(known)[len(known) // 2]
    return float(round(middle / 64) * 64)
