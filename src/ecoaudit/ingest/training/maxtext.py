"""MaxText consoles: `completed step: N, seconds: x, TFLOP/s/device: y, Tokens/s/device: z, ...`."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.mixture import mixture_facts, over_time
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="maxtext",
    kind="training",
    title="MaxText console",
    reads=(
        "steps (0-based), seconds, TFLOP/s and tokens/s a device, tokens of the batch, devices, parameters; batch, "
        "sequence, layers, precision and attention of the configuration; FLOPs of a mixture of experts"
    ),
    seen="2023 to 2026: with and without tokens/s and total_weights, batch ramp-up, profiler steps, elastic slices",
    cannot_tell=(
        "the wall clock (its own stamps have no year), so no phases; total_weights counts the tokens that carry loss"
    ),
)

_START = re.compile(r"completed (?:profiler activation/deactivation )?step: (\d{1,15})")
_WHOLE = re.compile(
    rf"{_START.pattern}(?P<fields>, .*?(?:\bloss|Tokens/s/device): -?[\w.+-]+.*?)(?=completed |[\r\n]|$)"
)
_FIELD = re.compile(r", ([A-Za-z_/ ]+): (-?[\d,]*\.?\d+(?:e[-+]?\d+)?|nan|-?inf)(?=,|\s|$)")
_PARAMETERS = re.compile(r"number (?:of model )?param(?:eter)?s?[=:]?\s*([\d.]+) billion", re.IGNORECASE)
_DEVICES = re.compile(r"(?:Num_devices|num_devices|Number of devices)[:=] ?(\d+)")
_CONFIG = re.compile(r"Config param (\w+): ([\w.+-]+)")
_PRECISION = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def sniff(head: Head) -> str | None:
    """Recognise a step line."""
    return "console line `completed step: N, seconds:`" if _WHOLE.search(head.text) else None


@dataclass
class _State:
    """What the log has told so far beside the steps."""

    facts: dict[str, str] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    weights: list[float] = field(default_factory=list)
    tflops: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def notice(self, text: str) -> None:
        """Take a line without a step."""
        if match := _CONFIG.search(text):
            self.config.setdefault(match[1], match[2])
        else:
            console.first_group(_PARAMETERS, text, self.facts, "params")
            console.first_group(_DEVICES, text, self.facts, "devices")

    def number(self, *names: str) -> float | None:
        """Return the first of these settings that is a number above zero."""
        found = (values.fact(self.config.get(name)) for name in names)
        return next((value for value in found if value is not None and value > 0), None)


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps, state, clock = Account(), Steps(), _State(), PrefixClock()
    for number, text, match in console.records(file, account, _WHOLE, _START, state.notice):
        try:
            fields = {name: values.number(value) for name, value in _FIELD.findall(match["fields"])}
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        added = steps.add(
            int(match[1]),
            time_s=clock.read(text),
            duration_s=fields.get("seconds", math.nan),
            loss=fields.get("loss"),
            rank=rank_of(text),
        )
        if added:
            account.records += 1
            state.weights.append(fields.get("total_weights", math.nan))
            state.tflops.append(fields.get("TFLOP/s/device", fields.get("TFLOP/s", math.nan)))
            state.rates.append(fields.get("Tokens/s/device", math.nan))
    return [_log(file, options, account, steps, state, clock)]


def _log(
    file: LogFile, options: ReadOptions, account: Account, steps: Steps, state: _State, clock: PrefixClock
) -> TrainingLog:
    length = state.number("max_target_length")
    batch = state.number("global_batch_size_to_train_on")
    _count_tokens(steps, state.weights, batch * length if batch and length else math.nan)
    if batch:
        steps.samples = [float((s + 1) * batch) for s in steps.step]
    if all(math.isnan(t) for t in steps.tokens):
        account.no_tokens("neither total_weights nor batch size and sequence length are printed")
    devices = values.whole(values.fact(state.facts.get("devices"))) or _devices(steps, state.weights, state.rates)
    rate = over_time(state.rates, steps.duration_s)
    quantised = state.config.get("quantization", "")
    attention = state.config.get("attention")
    layers = state.number("num_decoder_layers", "base_num_decoder_layers")
    params = values.fact(state.facts["params"] + "B") if "params" in state.facts else None
    size: dict[str, Any] = {"params": params, "flops_kind": "model" if console.mean(state.tflops) else None}
    if (state.number("num_experts") or 1) > 1:
        size |= mixture_facts(steps, state.tflops, devices, params, account)
    return steps.log(
        file,
        FORMAT.format,
        "MaxText",
        account,
        clock=console.set_clock(steps, options, naive=clock.naive),
        world_size=devices,
        global_batch_size=values.whole(batch),
        sequence_length=values.whole(length),
        tokens_per_sample=length,
        layers=values.whole(layers),
        hidden_size=values.whole(state.number("emb_dim", "base_emb_dim")),
        precision="fp8" if "fp8" in quantised else _PRECISION.get(state.config.get("dtype", "")),
        attention=attention if attention != "autoselected" else None,
        tflops_per_gpu=over_time(state.tflops, steps.duration_s),
        throughput_tokens_per_s=rate * devices if rate and devices else None,
        **size,
    )


def _count_tokens(steps: Steps, weights: list[float], per_step: float) -> None:
    """Add up the tokens in the order of the steps; those between two logged lines count like the later one."""
    running, last, done = 0.0, -1, dict[int, float]()
    for i, (step, weight) in enumerate(zip(steps.step, weights, strict=True)):
        tokens = per_step if math.isnan(weight) else weight
        if step <= last:  # trained again after a restart
            running = done.get(step - 1, 0.0) if step else 0.0
        running += tokens * (step - last if step > last >= 0 else 1)
        done[step], last = running, step
        steps.tokens[i] = running


def _devices(steps: Steps, weights: list[float], rates: list[float]) -> int | None:
    """Return tokens of a step over (seconds x tokens/s/device), where that is near a whole number."""
    work = zip(weights, steps.duration_s, rates, strict=True)
    shares = [w / (d * r) for w, d, r in work if d * r > 0 and not math.isnan(w)]
    found = float(np.median(shares)) if shares else 0.0
    if not found < 1e9:
        return None
    return round(found) if abs(found - round(found)) < 0.05 * found and round(found) >= 1 else None
