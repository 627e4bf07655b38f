"""torchtitan consoles, and the course code that prints much the same."""

import math
import re
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, clean, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.mixture import mixture_facts
from ecoaudit.ingest.training.phases import CONFIGURED, Phases, model_facts, notice_model, stamp_of
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="torchtitan",
    kind="training",
    title=("torchtitan console (also flame)"),
    reads=(
        "steps, loss, tokens/s a device, TFLOP/s, MFU, devices, batch and sequence, parameters, precision, attention; "
        "validation, checkpoints (their blocking part), compilation, FLOPs of a mixture of experts"
    ),
    seen=(
        "2024-03 to 2026-08: wps and tps, ANSI colours, grad_norm, mfu N/A, tokens a step, with and "
        "without [titan] and rank"
    ),
    cannot_tell=("the time zone; tokens unless batch and sequence are printed; a validation whose step is not logged"),
)

_BEFORE = r"(?<![\w.])(?<!validate )"  # a validation's line is no step
_STEP = re.compile(
    _BEFORE + r"[Ss]tep:\s*(\d+)(?:/\d+ = [\d.]+%)?\s*\|?\s+[Ll]oss:\s*([-\d.]+|nan|inf|NaN)\s"
    r"(?P<rest>.*?(?:(?:tps|wps):\s*[\d,]+|Tokens per second:\s*[\d.,]+).*?)(?=(?:\s|\])[Ss]tep:\s*\d|$)"
)
_START = re.compile(_BEFORE + r"[Ss]tep:\s*\d+(?:/\d+ = [\d.]+%)?\s*\|?\s+[Ll]oss:")
_VALIDATED = re.compile(r"validate step:\s*(\d{1,12})\s")
_BEGUN = re.compile(r"Training starts at step (\d{1,12})")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})\s-\s")
_RATE = re.compile(r"(?:tps|wps|Tokens per second):\s*([\d.,]+)")
_TFLOPS = re.compile(r"tflops:\s*([\d.,]+)", re.IGNORECASE)
_MFU = re.compile(r"mfu(?: \(%\))?:\s*([\d.]+)", re.IGNORECASE)
_MESH = re.compile(r"parallelism: (.*)")
_OLD_MESH = re.compile(r"-D device mesh with \[[^\]]*\], \[([\d, ]{1,60})\]")
_SIZE = re.compile(r"size: ([\d,]{5,20}) (?:total )?parameters")
_EXPERTS = re.compile(r"Total parameter count: dense [\d,]+, ?sparse ([\d,]{1,25})")
_FACTS = {
    "length": re.compile(r"(?:(?<![a-z_])seq_len|sequence length|maximum context length)[\"']?[=: ]+(\d{1,9})"),
    "local": re.compile(r"local[_ ]batch[_ ]size[\"']?[=: ]+(\d{1,9})"),
    "global": re.compile(r"global[_ ]batch[_ ]size[\"']?[=: ]+(\d{1,9})"),
    "tokens": re.compile(r"(\d{1,12}) tokens per train step"),
}
_COMPILE = re.compile(r"(Compiling each \w+|Compiling .*with torch\.compile)")
_KEPT = re.compile(r"\b(?:mixed_precision_param|training\.dtype)\b[\"']?[=: ]+[\"']?(bfloat16|float16|float32)")
_NARROW = re.compile(r"(NVFP4)Linear|(MXFP8)Linear|(Float8)(?: \w+){0,3} training active|Swapped to (Float8)Linear")
_PRECISION = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "Float8": "fp8", "MXFP8": "mxfp8"}
_PRECISION |= {"NVFP4": "nvfp4"}
_HIDDEN = re.compile(r"Building .*\bdim=(\d{1,6})\b")
_FLEX = re.compile(r"\buse_flex_attn=(True|False)\b")


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
    phases = Phases()
    begun: list[tuple[int, float]] = []
    reached: tuple[int, float] = (-1, math.nan)  # a validation begins at its step's line or after the checkpoint

    def notice(text: str) -> None:
        nonlocal reached
        if phases.notice(text):
            reached = (reached[0], stamp_of(text))
        elif match := _VALIDATED.search(text):
            if int(match[1]) == reached[0]:
                phases.span("eval", reached[1], stamp_of(text))
        elif match := _BEGUN.search(text):
            begun.append((int(match[1]), stamp_of(text)))
            _notice(text, facts)
        elif len(steps) < CONFIGURED:
            _notice(text, facts)

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
                reached = (steps.step[-1], steps.time_s[-1])
                rates.append(rate)
                tflops.append(tflop)
                mfu.append(share)
        except ValueError as error:
            account.bad(number, text, str(error))
    if begun and "compile" in facts:
        _compiled(begun[0], steps, phases)
    return [_log(file, options, account, steps, facts, rates, tflops, mfu, phases)]


def _notice(text: str, facts: dict[str, str]) -> None:
    """Keep what a line tells of the model and the batch; the trainer's own summary wins over the configuration."""
    notice_model(text, facts)
    summary = "total steps" in text
    for name, pattern in _FACTS.items():
        if (match := pattern.search(text)) and (summary or name not in facts):
            facts[name] = match[1]
    patterns = {"compile": _COMPILE, "mesh": _MESH, "old_mesh": _OLD_MESH, "params": _SIZE, "hidden": _HIDDEN}
    patterns["experts"] = _EXPERTS
    for name, pattern in (patterns | {"kept": _KEPT, "flex": _FLEX}).items():
        console.first_group(pattern, text, facts, name)
    if "narrow" not in facts and (match := _NARROW.search(text)):
        facts["narrow"] = next(group for group in match.groups() if group)


def _compiled(begun: tuple[int, float], steps: Steps, phases: Phases) -> None:
    """Add the compilation: from the training's start to the first step's line, less a steady step."""
    if len(steps) < 2 or steps.step[0] != begun[0]:
        return
    steady = (steps.time_s[-1] - steps.time_s[0]) / (steps.step[-1] - steps.step[0] or 1)
    phases.span("compile", begun[1], steps.time_s[0] - steady)


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
    sizes = degrees.values() if degrees else re.findall(r"\d{1,6}", facts.get("old_mesh", ""))
    world = math.prod(int(size) for size in sizes) if sizes else None
    length = int(facts["length"]) if "length" in facts else None
    batch = int(facts["global"]) if "global" in facts else None
    if batch is None and "local" in facts and degrees:
        ranks = int(degrees.get("dp_replicate", 1)) * int(degrees.get("dp_shard", 1))
        batch = int(facts["local"]) * ranks
    per_step = int(facts["tokens"]) if "tokens" in facts else batch * length if batch and length else None
    if "tokens" in facts and length and per_step and per_step % length == 0:
        batch = per_step // length
    rate = console.steady(rates)
    if per_step:
        steps.tokens = [float(s * per_step) for s in steps.step]
        if batch:
            steps.samples = [float(s * batch) for s in steps.step]
        if rate and world:
            steps.duration_s = [per_step / (r * world) if r > 0 else math.nan for r in rates]
    else:
        account.no_tokens("batch size and sequence length are not printed")
    if rate and not world:
        account.warn("the number of devices is not printed: tokens/s is known a device only")
    model = model_facts(facts)
    model["precision"] = _PRECISION.get(facts.get("narrow", facts.get("kept", "")))
    if "flex" in facts and "attention" not in model:
        model["attention"] = "flex" if facts["flex"] == "True" else "sdpa"
    params = values.fact(facts.get("params"))
    size: dict[str, Any] = {"params": params, "flops_kind": "model" if console.mean(tflops) else None}
    if values.fact(facts.get("experts")):
        size |= mixture_facts(steps, tflops, world, params, account)
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
        tflops_per_gpu=console.steady(tflops),
        mfu=console.steady(mfu),
        throughput_tokens_per_s=rate * world if rate and world else None,
        phases=phases.localised(options),
        **size,
        **model,
    )
