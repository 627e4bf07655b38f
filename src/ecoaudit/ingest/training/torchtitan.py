"""torchtitan consoles, and the course code that prints much the same."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, clean, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.phases import Phases, model_facts, notice_model, stamp_of
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="torchtitan",
    kind="training",
    title="torchtitan console",
    reads="steps, loss, tokens/s a device, TFLOP/s, MFU, devices, batch and sequence, parameters, phases",
    seen="2024-10 to 2026-05: wps and tps, ANSI colours, grad_norm, mfu N/A, with and without [titan] and rank",
    cannot_tell="the time zone; tokens unless batch, sequence and devices are printed",
)

_STEP = re.compile(
    r"(?<![\w.])[Ss]tep:\s*(\d+)\s*\|?\s+[Ll]oss:\s*([-\d.]+|nan|inf|NaN)\s(?P<rest>.*?(?:(?:tps|wps):\s*[\d,]+|"
    r"Tokens per second:\s*[\d.,]+).*?)(?=(?:\s|\])[Ss]tep:\s*\d|$)"
)
_START = re.compile(r"(?<![\w.])[Ss]tep:\s*\d+\s*\|?\s+[Ll]oss:")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})\s-\s")
_RATE = re.compile(r"(?:tps|wps|Tokens per second):\s*([\d.,]+)")
_TFLOPS = re.compile(r"tflops:\s*([\d.,]+)", re.IGNORECASE)
_MFU = re.compile(r"mfu(?: \(%\))?:\s*([\d.]+)", re.IGNORECASE)
_MESH = re.compile(r"parallelism: (.*)")
_SIZE = re.compile(r"size: ([\d,]{5,20}) (?:total )?parameters")
_SEQUENCE = re.compile(r"(?:seq_len|sequence length)[= ]+(\d{1,9})")
_LOCAL = re.compile(r"local[_ ]batch[_ ]size[= ]+(\d{1,9})")
_GLOBAL = re.compile(r"global[_ ]batch[_ ]size[= ]+(\d{1,9})")
_COMPILE = re.compile(r"(Compiling each \w+|Compiling .*with torch\.compile)")
_BF16 = re.compile(r"(float8|mxfp8|bfloat16|float16)", re.IGNORECASE)


def sniff(head: Head) -> str | None:
    """Recognise a step line with a rate a device."""
    for line in head.text.splitlines():
        if _STEP.search(clean(line)):
            return "console line `step: N  loss: ...  tps: ...`"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps = Account(), Steps()
    facts: dict[str, str] = {}
    rates: list[float] = []
    tflops: list[float] = []
    mfu: list[float] = []
    phases, starts = Phases(), []

    def notice(text: str) -> None:
        if phases.notice(text):
            return
        notice_model(text, facts)
        console.first_group(_COMPILE, text, facts, "compile")
        if "Training starts at step" in text:
            starts.append(stamp_of(text))
        for name, pattern in (("mesh", _MESH), ("params", _SIZE), ("length", _SEQUENCE), ("local", _LOCAL)):
            console.first_group(pattern, text, facts, name)
        console.first_group(_GLOBAL, text, facts, "global")
        if "dtype" in text or "float8" in text.lower():
            console.first_group(_BF16, text, facts, "precision")

    for number, text, match in console.records(file, account, _STEP, _START, notice):
        stamps = _STAMP.findall(text[: match.start()])
        rest = match["rest"]
        try:
            rate, tflop, share = _found(_RATE, rest), _found(_TFLOPS, rest), _found(_MFU, rest) / 100
            added = steps.add(
                int(match[1]),
                time_s=values.parse_time(stamps[-1])[0] if stamps else math.nan,
                loss=float(match[2]),
                rank=rank_of(text),
            )
            if added:
                account.records += 1
                rates.append(rate)
                tflops.append(tflop)
                mfu.append(share)
        except ValueError as error:
            account.bad(number, text, str(error))
    if starts and "compile" in facts:
        _compiled(starts[0], steps, phases)
    return [_log(file, options, account, steps, facts, rates, tflops, mfu, phases)]


def _compiled(start: float, steps: Steps, phases: Phases) -> None:
    """Add the compilation: from the training's start to the first step's line, less a steady step."""
    if len(steps) < 2 or steps.step[0] != 1:
        return
    steady = (steps.time_s[-1] - steps.time_s[0]) / (steps.step[-1] - steps.step[0] or 1)
    phases.span("compile", start, steps.time_s[0] - steady)


def _found(pattern: re.Pattern[str], text: str) -> float:
    match = pattern.search(text)
    return values.number(match[1]) if match else math.nan


def _log(
    file: LogFile,
    options: ReadOptions,
    account: Account,
    steps: Steps,
    facts: dict[str, str],
    rates: list[float],
    tflops: list[float],
    mfu: list[float],
    phases: Phases,
) -> TrainingLog:
    degrees = dict(re.findall(r"(\w+)=(\d{1,6})", facts.get("mesh", "")))
    degrees.pop("ep", None)  # expert parallelism lies inside the other degrees
    world = math.prod(int(d) for d in degrees.values()) if degrees else None
    length = int(facts["length"]) if "length" in facts else None
    batch = int(facts["global"]) if "global" in facts else None
    if batch is None and "local" in facts and degrees:
        ranks = int(degrees.get("dp_replicate", 1)) * int(degrees.get("dp_shard", 1))
        batch = int(facts["local"]) * ranks
    rate = console.steady(rates)
    if batch and length:
        steps.tokens = [float(s * batch * length) for s in steps.step]
        steps.samples = [float(s * batch) for s in steps.step]
        if rate and world:
            steps.duration_s = [batch * length / (r * world) if r > 0 else math.nan for r in rates]
    else:
        account.warn("batch size and sequence length are not printed: tokens are unknown")
    if rate and not world:
        account.warn("the number of devices is not printed: tokens/s is known a device only")
    model = model_facts(facts)
    named = {"bfloat16": "bf16", "float16": "fp16", "float8": "fp8", "mxfp8": "mxfp8"}
    model["precision"] = named.get(facts.get("precision", "").lower())
    return steps.log(
        file,
        FORMAT.format,
        "torchtitan",
        account,
        clock=console.set_clock(steps, options),
        world_size=world,
        sequence_length=length,
        tokens_per_sample=float(length) if length else None,
        global_batch_size=batch,
        params=values.fact(facts.get("params")),
        tflops_per_gpu=console.steady(tflops),
        flops_kind="model" if console.mean(tflops) else None,
        mfu=console.steady(mfu),
        throughput_tokens_per_s=rate * world if rate and world else None,
        phases=phases.localised(options),
        **model,
    )
