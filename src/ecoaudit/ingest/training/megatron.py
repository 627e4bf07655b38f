"""Megatron-LM and its relatives: console lines ` iteration 10/ 1000 | consumed samples: ... | ...`."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.megatron_arguments import Arguments
from ecoaudit.ingest.training.megatron_phases import MegatronPhases
from ecoaudit.ingest.training.mixture import mixture_facts, over_time
from ecoaudit.ingest.training.steps import Steps, whole_batch

FORMAT = FormatInfo(
    format="megatron",
    kind="training",
    title="Megatron-LM, Megatron-DeepSpeed, GPT-NeoX, Megatron-Bridge consoles",
    reads=(
        "iterations and their time, samples and tokens, loss, TFLOP/s, J and W a GPU (--log-energy); evaluations and "
        "checkpoints; FLOPs of a mixture of experts; of the arguments batch, sequence, model, GPUs, precision and "
        "attention"
    ),
    seen=(
        "2019 to 2026: ms and s units, rank prefixes, Megatron-DeepSpeed tgs, NeoX MFU and HFU, Primus averages, "
        "stamped checkpoint lines, --async-save, Megatron-Bridge's Step Time lines"
    ),
    cannot_tell=(
        "the time zone; the clock before 2024-03 (Megatron-DeepSpeed and GPT-NeoX: by DeepSpeed's lines); tokens "
        "unless sequence length and, for GPT-NeoX, batch are told; the place of GPT-NeoX's evaluations"
    ),
)

_ITERATION = re.compile(r"(?<![\w-])iteration:?\s+(\d+)\s*/\s*(\d+)\s*\|")
_STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?)[^\]]*\][^\[]*$")
_FIELD = re.compile(r"\s*([^:|]+?)\s*:\s*([^|]*?)\s*(?=\||$)")
_BEGIN, _DONE = "before the start of training step", "after training is done"
_DATETIME = re.compile(r"\[([a-z ]+)\] datetime: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)")
_PARAMETERS = re.compile(r"number of parameters on .*?rank \((\d+), ?(\d+)\)\s*:?\s*(\d{1,15})\b")
_WORLD = re.compile(r"using world size: (\d{1,7}),")
_TOTAL = re.compile(r"> total params: ([\d,]{1,20})")
_BILLIONS = re.compile(r"Total number of parameters in billions: ([\d.]{1,12})")
# DeepSpeed's line for the step, which GPT-NeoX and Megatron-DeepSpeed print before their own and which has a clock.
_DEEPSPEED = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})\].*\[Rank 0\] step=(\d{1,12}), skipped=")
# Megatron-Bridge's own line before each iteration's; it knows no rate of hybrid models and prints 0.
_BRIDGE = re.compile(r"Step Time ?: [\d.]{1,12}s.{0,60}?GPU utilization: ([\d.]{1,12}) ?MODEL_TFLOP/s/GPU")
_TERA = {"GFLOPS": 1e-3, "PFLOPS": 1e3}
_UNIT = {"ms": 1e-3, "s": 1.0}


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

    arguments: Arguments = field(default_factory=Arguments)
    moments: dict[str, float] = field(default_factory=dict)
    begun: float = -math.inf  # when the last attempt began to train
    parameters: dict[tuple[str, str], int] = field(default_factory=dict)
    tflops: list[float] = field(default_factory=list)  # at each step
    bridge: float = math.nan
    mfu: list[float] = field(default_factory=list)
    batch: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    length: float = math.nan
    tgs: list[tuple[float, float]] = field(default_factory=list)
    rounded_tokens: bool = False
    framework: str = "Megatron-LM"
    hardware_flops: bool = False
    skipped: int = 0
    stamped: bool = False
    prefix: PrefixClock = field(default_factory=PrefixClock)
    collected: list[float] = field(default_factory=list)  # the times of a collector, where the lines have none
    total: float | None = None
    rounded_total: float | None = None
    deepspeed_step: tuple[int, float] = (-1, math.nan)
    phases: MegatronPhases = field(default_factory=MegatronPhases)
    world: float | None = None

    @property
    def devices(self) -> float | None:
        return self.arguments.number("world_size", "global_num_gpus") or self.world


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
    if match := _DEEPSPEED.search(text):
        state.deepspeed_step = (int(match[2]), values.parse_time(match[1])[0])
    elif match := _DATETIME.search(text):
        moment = values.parse_time(match[2])[0]
        if match[1] == _DONE:
            state.moments[match[1]] = moment
            state.phases.training_done(moment)
        else:
            state.moments.setdefault(match[1], moment)  # of the first attempt
            if match[1] == _BEGIN:
                state.begun = moment
    elif match := _PARAMETERS.search(text):
        state.parameters[(match[1], match[2])] = int(match[3])
    elif match := _BRIDGE.search(text):
        state.bridge = values.number(match[1]) or math.nan
    elif match := _WORLD.search(text):
        state.world = values.fact(match[1])
    elif match := _TOTAL.search(text):
        state.total = values.fact(match[1])
    elif match := _BILLIONS.search(text):
        state.rounded_total = values.fact(match[1] + "B")
    elif state.arguments.notice(text):
        state.phases.background = state.arguments.true("async_save")
    else:
        state.phases.notice(text)


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
        step = int(match[1])
        stamp = _STAMP.search(before)
        time_s = values.parse_time(stamp[1])[0] if stamp else math.nan
        if stamp is None and step == state.deepspeed_step[0]:
            time_s = state.deepspeed_step[1]
        samples = _value(fields, "consumed samples")
        tokens = _value(fields, "consumed tokens")
        loss = next((fields[k] for k in ("lm loss", "lm-loss", "loss", "lm loss value") if k in fields), None)
        energy = _value(fields, "energy per gpu (j/iter/gpu)")
        added = steps.add(
            step,
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
    if added:
        account.records += 1
        state.stamped |= not math.isnan(time_s)
        state.collected.append(state.prefix.read(before))
        state.phases.iteration(step, time_s, duration, own=stamp is not None)
        state.tflops.append(state.bridge)
        state.bridge = math.nan
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
    for name, text in fields.items():
        if name.startswith(("throughput per gpu (tflop", "compute per gpu")):
            state.tflops[-1] = _value(fields, name)
        elif name in ("tflops", "approx flops per gpu"):
            # Megatron-DeepSpeed and NeoX count the recomputed forward pass where it is on.
            rate, unit = values.split_unit(text)
            state.tflops[-1] = rate * _TERA.get(unit, 1.0)
            state.hardware_flops = True
            if name == "approx flops per gpu":
                state.framework = "GPT-NeoX"
        elif name == "samples/sec":
            state.rates.append(_value(fields, name))
        elif name == "mfu":
            state.mfu.append(values.split_unit(text)[0] / 100.0)
        elif name == "global batch size":
            state.batch.append(_value(fields, name))
        elif name in ("actual seqlen", "actual sequence length"):
            state.length, state.framework = _value(fields, name), "Megatron-DeepSpeed"
        elif name.startswith("tokens per gpu per second"):
            state.tgs.append((_value(fields, name), duration))
        elif name == "consumed tokens":
            state.rounded_tokens |= text[-1:].isalpha()
        elif name in ("number of skipped iterations", "number of nan iterations"):
            state.skipped += int(_value(fields, name))


def _log(file: LogFile, options: ReadOptions, account: Account, steps: Steps, state: _State) -> TrainingLog:
    arguments = state.arguments
    length = state.length if not math.isnan(state.length) else arguments.number("seq_length")
    batch = state.batch[-1] if state.batch else arguments.number("global_batch_size", "train_batch_size")
    if batch is None and len(state.rates) == len(steps):
        batch = whole_batch(state.rates, steps.duration_s, second_error=5e-5)
    if batch and np.isnan(np.array(steps.samples)).all() and state.framework == "GPT-NeoX":
        steps.samples = [step * batch for step in steps.step]
    exact = length is not None and not np.isnan(np.array(steps.samples)).any()
    if length is not None and (np.isnan(np.array(steps.tokens)).all() or (exact and state.rounded_tokens)):
        steps.tokens = [samples * length for samples in steps.samples]
    if state.skipped:
        account.warn(f"{state.skipped} iterations were skipped or NaN: their energy counts, they trained nothing")
    size = _size(steps, state, account)
    _leave_out_first(steps)
    naive = state.stamped or state.prefix.naive
    if not state.stamped:
        steps.time_s = state.collected
    clock = console.set_clock(steps, options, naive=naive)
    known: dict[str, Any] = {}
    moments = {k: float(values.localise(np.array([v]), options.zone)[0]) for k, v in state.moments.items()}
    if moments:
        known["job_start_s"] = min(moments.values())
        known["train_start_s"] = moments.get(_BEGIN)
        done = moments.get(_DONE)
        if done is not None and state.moments[_DONE] > state.begun and not any(t > done for t in steps.time_s):
            known["train_end_s"] = known["job_end_s"] = done  # no attempt after it
        elif state.begun > state.moments.get(_BEGIN, state.begun) and not state.stamped:
            del known["train_start_s"]  # several attempts, of which none tells how long it trained
    if clock != "none" and not state.stamped:
        moments = {}  # by another clock than the collector's
    if moments and clock == "none":
        clock = "naive" if options.zone is None else "utc"
    if np.isnan(np.array(steps.tokens)).all():
        what = "batch size and sequence length" if batch is None else "sequence length (give --sequence-length)"
        account.no_tokens(f"the log does not print the {what}")
    return steps.log(
        file,
        FORMAT.format,
        state.framework,
        account,
        clock=clock,
        sequence_length=values.whole(length),
        tokens_per_sample=length,
        global_batch_size=values.whole(batch),
        world_size=values.whole(state.devices),
        precision=arguments.precision,
        layers=values.whole(arguments.number("num_layers")),
        hidden_size=values.whole(arguments.number("hidden_size")),
        phases=state.phases.phases.localised(options),
        mfu=_mean(state.mfu),
        attention=arguments.attention,
        throughput_tokens_per_s=_rate(steps),
        **size,
        **known,
    )


def _size(steps: Steps, state: _State, account: Account) -> dict[str, Any]:
    """Return parameters and FLOPs; the ranks' own numbers of parameters leave out the experts that lie elsewhere."""
    arguments = state.arguments
    tensor, pipeline, expert = (
        arguments.number(f"{kind}_model_parallel_size") or 1 for kind in ("tensor", "pipeline", "expert")
    )
    whole = len(state.parameters) == tensor * pipeline and expert == 1
    params = float(sum(state.parameters.values())) if whole else state.total
    rate = over_time(state.tflops, steps.duration_s)
    size: dict[str, Any] = {"params": params, "tflops_per_gpu": rate}
    if arguments.true("untie_embeddings_and_output_weights"):
        rows, width = arguments.number("padded_vocab_size"), arguments.number("hidden_size")
        size["embedding_params"] = rows * width if rows and width else None
    if rate is not None:
        size["flops_kind"] = "hardware" if state.hardware_flops else "model"
    if (arguments.number("num_experts") or 1) > 1:
        model = [] if state.hardware_flops else state.tflops
        devices = state.devices
        size |= mixture_facts(steps, model, devices, params or state.rounded_total, account)
    return size


def _leave_out_first(steps: Steps) -> None:
    """Take the first iteration out of the second line's mean.

    Since 2025-12 the first iteration has a line of its own and counts in the next one's mean again, which is then
    longer than the time between the two lines.
    """
    if len(steps) < 2 or steps.step[1] <= steps.step[0]:
        return
    between, first, second = steps.step[1] - steps.step[0], steps.duration_s[0], steps.duration_s[1]
    if between * second > steps.time_s[1] - steps.time_s[0] + 1.0:
        rest = (between + 1) * second - first
        steps.duration_s[1] = rest / between if rest > 0 else steps.duration_s[1]


def _mean(numbers: list[float]) -> float | None:
    known = [x for x in numbers if math.isfinite(x)]
    return float(np.mean(known)) if known else None


def _rate(steps: Steps) -> float | None:
    """Return tokens a second over the logged iterations: tokens a step over the mean time of a step."""
    total, times = steps.total(steps.tokens), [d for d in steps.duration_s if not math.isnan(d)]
    return total / steps.count() / float(np.mean(times)) if total and any(times) else None
