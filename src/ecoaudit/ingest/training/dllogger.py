"""DLLogger's JSON stream, as NeMo and NVIDIA's Deep Learning Examples write it: `DLLL {"timestamp": ..., ...}`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="dllogger",
    kind="training",
    title="DLLogger JSON (NeMo, NVIDIA Deep Learning Examples)",
    reads=(
        "steps with their clock, loss, consumed samples, tokens (samples x sequence length), batch, layers, precision "
        "and attention of the PARAMETER record; steps of [epoch, iteration]; throughput with its unit"
    ),
    seen="DLLogger 0.1 to 1.1: with and without `DLLL`, `datetime` with and without a zone; NeMo 1 (2023 to 2024)",
    cannot_tell="evaluations and checkpoints; the number of GPUs unless it is a parameter",
)

_LOSSES = ("reduced_train_loss", "loss", "train_loss", "train.loss", "step_loss", "training_loss", "average_loss")
_TIMES = ("train_step_timing in s", "train_step_timing", "step_time", "train_step_time")
_RATES = {"tokens/s": "tokens", "samples/s": "samples", "images/s": "samples", "img/s": "samples"}
_RATES |= {"sequences/s": "samples", "sample/s": "samples", "seq/s": "samples"}
_PRECISION = {"bf16": "bf16", "16": "fp16", "fp16": "fp16", "32": "fp32", "fp32": "fp32", "amp": "fp16"}
_Step = int | tuple[int, int, int | None]  # a running number, or epoch, iteration and iterations of an epoch


def sniff(head: Head) -> str | None:
    """Recognise a record with DLLogger's keys."""
    for line in head.text.splitlines()[:2000]:
        if '"elapsedtime"' in line:
            try:
                _record(line)
            except ValueError:
                continue
            return "JSON lines with timestamp, elapsedtime, type and step of DLLogger"
    return None


def _record(text: str) -> dict[str, Any]:
    """Return the record in a line; `ValueError` when there is none."""
    try:
        found, _ = json.JSONDecoder().raw_decode(text, max(text.find("{"), 0))
    except json.JSONDecodeError as error:
        raise ValueError("the record is cut") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict) or found.get("type") not in ("LOG", "METADATA") or "elapsedtime" not in found:
        raise ValueError("not a record of DLLogger")
    return found


@dataclass
class _State:
    """What the log has told so far."""

    parameters: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    begin: list[float] = field(default_factory=list)
    rows: list[tuple[_Step, float, Mapping[str, Any]]] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=lambda: {"tokens": [], "samples": []})

    def take(self, record: dict[str, Any]) -> None:
        """Take a record; `ValueError` where it has no time or no step."""
        if record["type"] == "METADATA":
            unit = (record.get("metadata") or {}).get("unit") if isinstance(record.get("metadata"), dict) else None
            if isinstance(record.get("metric"), str) and isinstance(unit, str):
                self.units[record["metric"]] = unit.lower().replace("sec", "s")
            return
        time_s, elapsed, data = _number(record.get("timestamp")), _number(record["elapsedtime"]), record.get("data")
        if not isinstance(data, dict):
            raise ValueError("no data")  # noqa: TRY004 - a bad line, like every other
        if not math.isnan(time_s):
            values.epoch(time_s)
            self.times.append(time_s)
            self.begin.append(time_s - (0.0 if math.isnan(elapsed) else elapsed))
        step = _step(record.get("step"))
        if step is None:
            self.parameters = {**data, **self.parameters} if record.get("step") == "PARAMETER" else self.parameters
        elif any(name in data for name in _LOSSES + _TIMES):
            self.rows.append((step, time_s, data))
        for name, value in data.items():
            kind = _RATES.get(self.units.get(name, ""))
            rate = _number(value)
            if kind and "val" not in name and rate > 0:
                self.rates[kind].append(rate)

    def parameter(self, *names: str) -> Any:
        """Return the parameter of one of these names, whatever section of the configuration it stands in."""
        for name in names:
            for key, value in self.parameters.items():
                if key.rpartition("/")[2] == name and value is not None:
                    return value
        return None

    def number(self, *names: str) -> float | None:
        value = _number(self.parameter(*names))
        return value if 0 < value < 1e18 else None


def _number(value: Any) -> float:
    """Return a number, which DLLogger writes as text too; NaN for anything else."""
    if isinstance(value, str):
        try:
            return values.number(value)
        except ValueError:
            return math.nan
    found = values.real(value)
    return found if abs(found) < 1e30 else math.nan


def _step(value: Any) -> _Step | None:
    """Return the step of a record, None for parameters and for the summaries of epochs and runs."""
    if isinstance(value, bool) or not isinstance(value, int | list):
        return None
    if isinstance(value, int):
        return values.step_number(str(value))
    if len(value) < 2 or not all(isinstance(part, int) and abs(part) < 10**9 for part in value):
        return None
    return value[0], value[1], value[2] if len(value) > 2 else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - times are Unix seconds
    """Return the run."""
    account, state = Account(), _State()
    for number, text in console_lines(file):
        account.lines += 1
        if '"elapsedtime"' not in text:
            if "DLLL {" in text:
                account.bad(number, text, "the record is cut")
            continue
        try:
            state.take(_record(text))
        except (ValueError, OverflowError) as error:
            account.bad(number, text, str(error))
    return [_log(file, account, state)]


def _log(file: LogFile, account: Account, state: _State) -> TrainingLog:
    steps = _steps(state, account)
    length = state.number("encoder_seq_length", "seq_length", "max_seq_length", "seq_len")
    batch = state.number("global_batch_size", "train_global_batch_size")
    if batch and all(math.isnan(s) for s in steps.samples):
        steps.samples = [(step + 1) * batch for step in steps.step]
    if length:
        steps.tokens = [samples * length for samples in steps.samples]
    if all(math.isnan(t) for t in steps.tokens):
        account.no_tokens("the parameters do not tell batch and sequence length")
    nodes, devices = state.number("num_nodes"), state.number("devices", "gpus_per_node")
    return steps.log(
        file,
        FORMAT.format,
        "NVIDIA NeMo" if any("reduced_train_loss" in data for _, _, data in state.rows) else "DLLogger",
        account,
        clock="utc" if state.times else "none",
        job_start_s=min(state.begin, default=None),
        job_end_s=max(state.times, default=None),
        global_batch_size=values.whole(batch),
        sequence_length=values.whole(length),
        tokens_per_sample=length,
        layers=values.whole(state.number("num_layers", "num_hidden_layers")),
        hidden_size=values.whole(state.number("hidden_size")),
        precision=_precision(state),
        attention="flash" if state.parameter("use_flash_attention", "flash_attention") is True else None,
        world_size=values.whole(nodes * devices if nodes and devices else state.number("world_size", "num_gpus")),
        throughput_tokens_per_s=console.steady(state.rates["tokens"]),
        throughput_samples_per_s=console.steady(state.rates["samples"]),
    )


def _steps(state: _State, account: Account) -> Steps:
    """Return the rows as steps, each with the time since the one before (its own where it is the first)."""
    steps = Steps()
    lengths = [step[2] for step, _, _ in state.rows if not isinstance(step, int) and step[2]]
    pairs = [(step[0], step[1]) for step, _, _ in state.rows if not isinstance(step, int)]
    running = all(b[1] >= a[1] for a, b in pairwise(pairs) if b[0] > a[0])
    epoch = max(lengths, default=None) or _iterations(pairs)
    for step, time_s, data in state.rows:
        number = step if isinstance(step, int) else step[1] if running else step[0] * epoch + step[1]
        duration = next((_number(data[name]) for name in _TIMES if name in data), math.nan)
        if len(steps) and number > steps.step[-1] and time_s > steps.time_s[-1]:
            duration = (time_s - steps.time_s[-1]) / (number - steps.step[-1])
        loss = next((_number(data[name]) for name in _LOSSES if name in data), None)
        samples = _number(data.get("consumed_samples"))
        if steps.add(number, time_s=time_s, duration_s=duration, samples=samples, loss=loss):
            account.records += 1
    return steps


def _iterations(pairs: list[tuple[int, int]]) -> int:
    """Return the iterations of an epoch, where each counts anew: the last and an interval, less the first."""
    counts = sorted({iteration for _, iteration in pairs})
    if len(counts) < 2:
        return 1
    return counts[-1] + (counts[-1] - counts[-2]) - counts[0]


def _precision(state: _State) -> str | None:
    if state.parameter("fp8") is True:
        return "fp8"
    told = str(state.parameter("precision")).lower().split("-")[0]
    if told in _PRECISION:
        return _PRECISION[told]
    return next((name for name in ("bf16", "fp16") if state.parameter(name) is True), None)
