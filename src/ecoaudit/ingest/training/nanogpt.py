"""nanoGPT, build-nanogpt, llama2.c and nanochat consoles, and build-nanogpt's log.txt."""

import math
import re
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.settings import facts
from ecoaudit.ingest.training.settings import notice as settings_of_line
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="nanogpt",
    kind="training",
    title="nanoGPT, build-nanogpt, llama2.c, nanochat consoles",
    reads=(
        "steps, loss, time a step, tokens/s, MFU (nanoGPT: always of an A100), parameters, tokens an iteration, GPUs, "
        "sequence, precision and attention where printed; the clock of a container or CI runner in front of lines"
    ),
    seen="nanoGPT `iter N:`, llama2.c `N | loss`, build-nanogpt `step N |` and log.txt, nanochat `step N/M (x%) |`",
    cannot_tell="a clock of its own, hence phases; often the number of GPUs; nanoGPT's MFU is of 312 TFLOP/s",
)

_NUMBER = r"(-?\d[\d.,]*(?:e[-+]?\d+)?|nan|inf)"
_NANOGPT = re.compile(rf"\biter (\d+): loss {_NUMBER}, time ([\d.]+)ms(?:, mfu (-?[\d.]+)%)?")
_BUILD = re.compile(
    rf"\bstep\s+(\d+)(?:/\d+)?\s*(?:\([\d.]+%\)\s*)?[|,]\s*loss:\s+{_NUMBER}\s*[|,].*?\bdt: ([\d.]+)ms"
    rf"(?:.*?\btok/sec: ([\d.,]*\d))?(?:.*?mfu: ([\d.]+))?"
)
_LLAMA2C = re.compile(rf"(?<![\w.])(\d+) \| loss {_NUMBER} \| lr [\d.e+-]+ \| ([\d.]+)ms(?: \| mfu (-?[\d.]+)%)?")
_WHOLE = re.compile(f"{_NANOGPT.pattern}|{_BUILD.pattern}|{_LLAMA2C.pattern}")
_START = re.compile(
    r"\biter \d+: loss|\bstep\s+\d+(?:/\d+)?\s*(?:\([\d.]+%\)\s*)?[|,]\s*loss:|(?<![\w.])\d+ \| loss .{1,12} \| lr "
)
_LOGTXT = re.compile(r"(?:^|\s)(\d+) (train|val|hella) (-?[\d.]+|nan)$")
_EVALUATED = re.compile(r"\bstep \d+: train loss ")
_OVERRIDING = re.compile(r"Overriding: (\w+) = ([\w.]+)")
_COUNT = r"(\d[\d,]{0,20})"
_FACTS = (
    ("tokens", re.compile(rf"tokens per iteration(?: will be)?: {_COUNT}", re.IGNORECASE)),
    ("tokens", re.compile(rf"total (?:desired )?batch size:? {_COUNT}", re.IGNORECASE)),
    ("params", re.compile(r"number of parameters: (\d[\d.]{0,15}[MBK]|\d[\d,]{4,20})", re.IGNORECASE)),
    ("params", re.compile(rf"(?:^|\s)total {{10,}}: {_COUNT}$")),
    ("world", re.compile(r"grad accum steps \* (\d{1,6}) processes")),
    ("sequence", re.compile(r"batch size \* (\d{1,8}) max seq len")),
    ("sequence", re.compile(r"Tokens / micro-batch / rank: \d+ x (\d{1,8}) = ")),
    ("rank tokens", re.compile(rf"Tokens / micro-batch / rank: \d+ x \d+ = {_COUNT}")),
    ("all tokens", re.compile(rf"Tokens / micro-batch: {_COUNT}")),
    ("fp8", re.compile(r"(FP8) training enabled")),
    ("precision", re.compile(r"COMPUTE_DTYPE: torch\.(\w+)")),
    ("attention", re.compile(r"Using Flash Attention (3)")),
    ("fallback", re.compile(r"using PyTorch (SDPA) fallback")),
    ("slow", re.compile(r"using (slow) attention")),
    ("flops", re.compile(r"Estimated FLOPs per token: ([\d.]+e[+-]?\d+)")),
)


def sniff(head: Head) -> str | None:
    """Recognise one of the family's step lines."""
    if _NANOGPT.search(head.text):
        return "console line `iter N: loss x, time y ms` of nanoGPT"
    if _BUILD.search(head.text):
        return "console line `step N | loss: x | ... dt: y ms`"
    if _LLAMA2C.search(head.text):
        return "console line `N | loss x | lr y | z ms` of llama2.c"
    return "rows `N train loss` of build-nanogpt's log.txt" if console.mostly(_LOGTXT, head) else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps, clock = Account(), Steps(), PrefixClock()
    told: dict[str, str] = {}
    settings: dict[str, Any] = {}
    rates: list[float] = []
    mfu: list[float] = []
    with_evaluation: list[int] = []
    evaluated = False

    def notice(text: str) -> None:
        nonlocal evaluated
        for name, pattern in _FACTS:
            if name not in told and (match := pattern.search(text)):
                told[name] = match[1]
        row = _LOGTXT.search(text)
        if row and row[2] == "train":
            account.records += steps.add(int(row[1]), loss=float(row[3]))
        evaluated |= _EVALUATED.search(text) is not None
        if match := _OVERRIDING.search(text):
            settings[match[1]] = match[2]  # the command line comes after the configuration's file
        else:
            settings_of_line(text, settings)

    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        g = match.groups()
        step, loss, duration, rate_text, share_text = _cells(g)
        try:
            rate = values.number(rate_text) if rate_text else math.nan
            share = values.number(share_text) if share_text else math.nan
            added = steps.add(
                int(step),
                time_s=clock.read(text),
                loss=values.number(loss),
                duration_s=float(duration) / 1000.0,
                rank=rank_of(text),
            )
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        if added:
            account.records += 1
            rates.append(rate)
            mfu.append(share / 100 if share > 0 else math.nan)
            if evaluated:
                with_evaluation.append(len(steps) - 1)
            evaluated = False
    _spread(steps, with_evaluation)
    tokens = values.fact(told.get("tokens")) or _a_step(rates, steps.duration_s)
    if tokens:
        steps.tokens = [(s + 1) * tokens for s in steps.step]
    else:
        account.no_tokens("tokens a step are not printed")
    if console.mean(mfu) and not console.mean(rates):
        account.warn("nanoGPT's MFU is of an A100 (312 TFLOP/s) whatever the GPU; it is not used")
    if "precision" in told:
        settings["dtype"] = told["precision"]
    told_clock = console.set_clock(steps, options, naive=clock.naive)
    return [
        steps.log(
            file,
            FORMAT.format,
            "nanoGPT family",
            account,
            clock=told_clock,
            mfu=console.steady(mfu) if console.mean(rates) else None,
            throughput_tokens_per_s=console.steady(rates),
            **facts(settings) | _known(told, steps),
        )
    ]


def _cells(groups: tuple[str | None, ...]) -> tuple[str, str, str, str | None, str | None]:
    """Return step, loss, milliseconds, tokens/s and MFU of whichever dialect matched."""
    g = groups
    if g[0] is not None:
        return g[0], g[1] or "", g[2] or "", None, g[3]
    if g[4] is not None:
        return g[4], g[5] or "", g[6] or "", g[7], g[8]
    return g[9] or "", g[10] or "", g[11] or "", None, g[12]


def _spread(steps: Steps, with_evaluation: list[int]) -> None:
    """Give the steps of a line their mean duration where nanoGPT's time of its last one holds an evaluation, too."""
    held = set(with_evaluation)
    usual = sorted(d for i, d in enumerate(steps.duration_s) if i and i not in held and math.isfinite(d))
    if not usual:
        return
    typical = usual[len(usual) // 2]
    for i in with_evaluation:
        count = steps.step[i] - steps.step[i - 1] if i else 1
        if count > 1:
            steps.duration_s[i] = (steps.duration_s[i] + (count - 1) * typical) / count


def _known(told: dict[str, str], steps: Steps) -> dict[str, Any]:
    whole = {name: values.whole(values.fact(told.get(name))) for name in ("world", "sequence")}
    rank, every = (values.fact(told.get(name)) for name in ("rank tokens", "all tokens"))
    each, tokens = values.fact(told.get("flops")), steps.total(steps.tokens) if len(steps) else None
    known: dict[str, Any] = {
        "params": values.fact(told.get("params")),
        "world_size": whole["world"] or (round(every / rank) if rank and every else None),
        "sequence_length": whole["sequence"],
        "precision": "fp8" if "fp8" in told else None,
        "attention": next((name for key, name in _ATTENTION if key in told), None),
        "flops": each * tokens if each and tokens else None,
        "flops_kind": "model" if each and tokens else None,
    }
    return {name: value for name, value in known.items() if value is not None}


_ATTENTION = (("attention", "flash_attention_3"), ("fallback", "sdpa"), ("slow", "eager"))


def _a_step(rates: list[float], durations: list[float]) -> float | None:
    """Return tokens a step from rate times duration where both are printed; a batch is a multiple of 64 tokens."""
    known = [r * d for r, d in zip(rates, durations, strict=False) if math.isfinite(r * d)]
    if not known:
        return None
    middle = sorted(known)[len(known) // 2]
    return float(round(middle / 64) * 64)
