"""Megatron-LM and its relatives: console lines ` iteration 10/ 1000 | consumed samples: ... | ...`."""

import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training.phases import Phases
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="megatron",
    kind="training",
    title="Megatron-LM, Megatron-DeepSpeed, GPT-NeoX, Megatron-Bridge consoles",
    reads="iterations and their time, samples and tokens, loss, TFLOP/s, J and W a GPU (--log-energy), phases",
    seen="2019 to 2026: ms and s units, rank prefixes, Megatron-DeepSpeed tgs, NeoX MFU and HFU, Primus averages",
    cannot_tell="the time zone; the clock before 2024-03; tokens unless the sequence length is printed",
)

_ITERATION = re.compile(r"(?<![\w-])iteration:?\s+(\d+)\s*/\s*(\d+)\s*\|")
_STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?)[^\]]*\][^\[]*$")
_FIELD = re.compile(r"\s*([^:|]+?)\s*:\s*([^|]*?)\s*(?=\||$)")
_ARGUMENT = re.compile(r"^\s*(?:\[\S+\]:?\s*)?(\w+)\s\.{3,}\s(\S.*?)\s*$")
_DATETIME = re.compile(r"\[([a-z ]+)\] datetime: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)")
_PARAMETERS = re.compile(r"number of parameters on .*?rank \((\d+), ?(\d+)\)\s*:?\s*(\d{1,15})\b")
_TIMED = re.compile(r"\b(eval-time|evaluate|save-checkpoint)\b\s*(?:\.*:|:)\s*(?:\([\d.]+, ([\d.]+)\)|([\d.]+))")
_AT_ITERATION = re.compile(r"(?:validation loss at iteration|saving checkpoint at iteration)\s+(\d+)")
_UNIT = {"ms": 1e-3, "s": 1.0}
_PRECISION = {"torch.bfloat16": "bf16", "torch.float16": "fp16", "torch.half": "fp16", "torch.float32": "fp32"}


def sniff(head: Head) -> str | None:
    """Recognise an iteration line with its fields."""
    match = _ITERATION.search(head.text)
    if match is None:
        return None
    line = head.text[match.end() : match.end() + 600].split("\n")[0]
    keys = ("elapsed time per iteration", "iteration time", "learning rate", "lm loss", "consumed samples")
    return "console line `iteration N/ M |` with Megatron's fields" if any(k in line for k in keys) else None


@dataclass
class _State:
    """What the log has told so far beside the steps."""

    arguments: dict[str, str] = field(default_factory=dict)
    moments: dict[str, float] = field(default_factory=dict)
    parameters: dict[tuple[str, str], int] = field(default_factory=dict)
    tflops: list[float] = field(default_factory=list)
    mfu: list[float] = field(default_factory=list)
    batch: list[float] = field(default_factory=list)
    length: float = math.nan
    tgs: list[tuple[float, float]] = field(default_factory=list)
    hardware_flops: bool = False
    deepspeed: bool = False
    skipped: int = 0
    stamped: bool = False
    phases: Phases = field(default_factory=Phases)
    cursor: float = math.nan  # where evaluation or checkpoint begin: at the stamp of their own iteration's line
    cursor_step: int = -1


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run as its last rank printed it."""
    account, steps, state = Account(), Steps(), _State()
    for number, text in console_lines(file):
        account.lines += 1
        starts = [m.start() for m in _ITERATION.finditer(text)]
        if not starts:
            try:
                _remember(text, state)
            except ValueError as error:
                account.bad(number, text, str(error))
            continue
        for begin, end in zip(starts, [*starts[1:], len(text)], strict=True):
            _iteration(text[:begin], text[begin:end], number, steps, state, account)
    return [_log(file, options, account, steps, state)]


def _remember(text: str, state: _State) -> None:
    if state.phases.notice(text):
        return
    if match := _AT_ITERATION.search(text):
        if int(match[1]) != state.cursor_step:  # not right after a logged iteration: no place on the clock
            state.cursor = math.nan
    elif match := _TIMED.search(text):
        end = state.cursor + float(match[2] or match[3]) / 1e3
        state.phases.span("checkpoint" if match[1] == "save-checkpoint" else "eval", state.cursor, end)
        state.cursor = end
    elif match := _ARGUMENT.match(text):
        state.arguments.setdefault(match[1], match[2])
    elif match := _DATETIME.search(text):
        state.moments[match[1]] = values.parse_time(match[2])[0]
    elif match := _PARAMETERS.search(text):
        state.parameters[(match[1], match[2])] = int(match[3])


def _iteration(before: str, text: str, number: int, steps: Steps, state: _State, account: Account) -> None:
    match = _ITERATION.match(text)
    assert match is not None
    fields = {name.lower(): value for name, value in _FIELD.findall(text[match.end() :])}
    fields |= {name.lower(): value for name, value in _FIELD.findall(before.rpartition("]")[2]) if name != "iteration"}
    try:
        duration = _duration(fields)
        if duration is None:
            account.bad(number, text, "the line is cut before the time of the iteration")
            return
        stamp = _STAMP.search(before)
        time_s = values.parse_time(stamp[1])[0] if stamp else math.nan
        samples = _value(fields, "consumed samples")
        tokens = _value(fields, "consumed tokens")
        loss = next((fields[k] for k in ("lm loss", "lm-loss", "loss", "lm loss value") if k in fields), None)
        energy = _value(fields, "energy per gpu (j/iter/gpu)")
        added = steps.add(
            int(match[1]),
            time_s=time_s,
            duration_s=duration,
            tokens=tokens,
            samples=samples,
            loss=None if loss is None else _loss(loss),
            energy_j=energy,
            rank=rank_of(before),
        )
    except ValueError as error:
        account.bad(number, text, str(error))
        return
    state.stamped |= stamp is not None
    state.cursor, state.cursor_step = time_s, int(match[1])
    if added:
        account.records += 1
        try:
            _collect(fields, duration, state)
        except ValueError as error:
            account.bad(number, text, str(error))


def _duration(fields: dict[str, str]) -> float | None:
    for unit, factor in _UNIT.items():
        text = fields.get(f"elapsed time per iteration ({unit})")
        if text:
            return values.number(text.split("/")[0]) * factor
    text = fields.get("iteration time")
    if text:
        value, suffix = values.split_unit(text.split("samples")[0].strip())
        return value * _UNIT.get(suffix, 1.0)
    return None


def _value(fields: dict[str, str], name: str) -> float:
    text = fields.get(name)
    if not text:
        return math.nan
    return values.scaled(text.split("(")[0].split("/")[0].strip())


def _loss(text: str) -> float:
    return float(text.split(maxsplit=1)[0]) if text.strip() else math.nan


def _collect(fields: dict[str, str], duration: float, state: _State) -> None:
    for name in fields:
        if name.startswith(("throughput per gpu (tflop", "compute per gpu")):
            state.tflops.append(_value(fields, name))
        elif name in ("tflops", "approx flops per gpu"):
            # Megatron-DeepSpeed and NeoX count the recomputed forward pass where it is on.
            state.tflops.append(values.split_unit(fields[name])[0])
            state.hardware_flops = True
        elif name == "mfu":
            state.mfu.append(values.split_unit(fields[name])[0] / 100.0)
        elif name == "global batch size":
            state.batch.append(_value(fields, name))
        elif name in ("actual seqlen", "actual sequence length"):
            state.length, state.deepspeed = _value(fields, name), True
        elif name.startswith("tokens per gpu per second"):
            state.tgs.append((_value(fields, name), duration))
        elif name in ("number of skipped iterations", "number of nan iterations"):
            state.skipped += int(_value(fields, name))


def _log(file: LogFile, options: ReadOptions, account: Account, steps: Steps, state: _State) -> TrainingLog:
    length = state.length if not math.isnan(state.length) else _argument(state, "seq_length")
    batch = state.batch[-1] if state.batch else _argument(state, "global_batch_size")
    if np.isnan(np.array(steps.tokens)).all() and length and not math.isnan(length):
        steps.tokens = [samples * length for samples in steps.samples]
    if state.skipped:
        account.warn(f"{state.skipped} iterations were skipped or NaN: their energy counts, they trained nothing")
    if state.stamped:
        steps.time_s = values.localise(np.array(steps.time_s), options.zone).tolist()
    known: dict[str, Any] = {}
    moments = {k: float(values.localise(np.array([v]), options.zone)[0]) for k, v in state.moments.items()}
    if moments:
        known["job_start_s"] = min(moments.values())
        known["train_start_s"] = moments.get("before the start of training step")
        known["train_end_s"] = known["job_end_s"] = moments.get("after training is done")
    clock: Literal["utc", "naive", "none"] = "none"
    if state.stamped or moments:
        clock = "naive" if options.zone is None else "utc"
    if length is None or math.isnan(length):
        account.warn("the log does not print the sequence length: tokens are unknown")
    world = _argument(state, "world_size")
    pieces = (_argument(state, "tensor_model_parallel_size") or 1) * (
        _argument(state, "pipeline_model_parallel_size") or 1
    )
    kind: Literal["model", "hardware"] = "hardware" if state.hardware_flops else "model"
    return steps.log(
        file,
        FORMAT.format,
        "Megatron-DeepSpeed" if state.deepspeed else "Megatron-LM",
        account,
        clock=clock,
        params=float(sum(state.parameters.values())) if len(state.parameters) == pieces else None,
        sequence_length=values.whole(length),
        tokens_per_sample=length if length and not math.isnan(length) else None,
        global_batch_size=values.whole(batch),
        world_size=values.whole(world),
        precision=_precision(state.arguments),
        layers=values.whole(_argument(state, "num_layers")),
        hidden_size=values.whole(_argument(state, "hidden_size")),
        phases=state.phases.localised(options),
        tflops_per_gpu=_mean(state.tflops),
        flops_kind=kind if state.tflops else None,
        mfu=_mean(state.mfu),
        attention=_attention(state.arguments),
        throughput_tokens_per_s=_rate(steps),
        **known,
    )


def _precision(arguments: dict[str, str]) -> str | None:
    """Return the number format of the matrix products: FP8 where it is on, else what the parameters are kept in."""
    if arguments.get("fp8", "None") not in ("None", "False"):
        return "fp8"
    named = next((name for name in ("bf16", "fp16") if arguments.get(name) == "True"), None)
    return named or _PRECISION.get(arguments.get("params_dtype", ""))


def _attention(arguments: dict[str, str]) -> str | None:
    """Return the attention kernels that the arguments name; `auto` names none."""
    if arguments.get("use_flash_attn") == "True":
        return "flash"
    backend = arguments.get("attention_backend", "").rpartition(".")[2]
    return backend if backend not in ("", "auto", "None") else None


def _argument(state: _State, name: str) -> float | None:
    try:
        return float(state.arguments[name])
    except (KeyError, ValueError):
        return None


def _mean(numbers: list[float]) -> float | None:
    known = [x for x in numbers if math.isfinite(x)]
    return float(np.mean(known)) if known else None


def _rate(steps: Steps) -> float | None:
    """Return tokens a second over the logged iterations: tokens a step over the mean time of a step."""
    total, times = steps.total(steps.tokens), [d for d in steps.duration_s if not math.isnan(d)]
    return total / steps.count() / float(np.mean(times)) if total and times else None
