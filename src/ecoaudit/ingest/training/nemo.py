"""NVIDIA NeMo: the console lines of NeMo 2 and the progress bars of NeMo 1."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, Phase, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.nemo_clock import NemoClock
from ecoaudit.ingest.training.phases import CONFIGURED, model_facts, notice_model
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="nemo",
    kind="training",
    title="NVIDIA NeMo 1 and 2 consoles",
    reads=(
        "global steps (0-based), loss, time a step, consumed samples, TFLOP/s a GPU, batch size; begin and end of the "
        "job, checkpoints (their blocking part); validation where a launcher stamps the lines; configuration"
    ),
    seen="NeMo 1 progress bars (three digits above 99999: step x batch is used), NeMo 2 `Training epoch` lines to 2026",
    cannot_tell="the clock of a step unless a launcher stamps the lines; tokens unless the sequence length is printed",
)

_TWO = re.compile(r"Training epoch (\d+), iteration (\d+)/(\d+) \|(?P<two>[^\r\n]*?)(?=Training epoch|[\r\n]|$)")
_ONE = re.compile(
    r"Epoch (\d+):\s*[\d.]*:?\s*[\d.]*%?[^\n\[]*?\|?\s*(?P<done>\d+)(?:/\d+|it) \[(?P<bar>[^\]]*?global_step=[^\]]*)\]"
)
_WHOLE = re.compile(f"{_TWO.pattern}|{_ONE.pattern}")
_START = re.compile(r"Training epoch \d+, iteration \d+/|Epoch \d+:[^\n\[]*?\d+(?:/\d+|it) \[[^\n]*?global_step=")
_PAIR = re.compile(r"([\w ()/.]+?)\s*[:=]\s*([-\w.+]+)\s*(?:[|,\\]|$)")
_PACE = re.compile(r"([\d.]+)\s*(s/it|it/s)")
_ELAPSED = re.compile(r"^\s*(?:(\d{1,5}):)?(\d{1,2}):(\d\d)(?:<|,)")
_FACTS = {
    "length": re.compile(r"(?:encoder_seq_length|seq_length|seq_len)['\"]?[:=]\s*(\d{1,9})"),
    "batch": re.compile(r"global_batch_size['\"]?[:=]\s*(\d{1,9})"),
    "devices": re.compile(r"^\s*devices: (\d{1,5})\s*$"),
    "nodes": re.compile(r"^\s*num_nodes: (\d{1,6})\s*$"),
    "kept": re.compile(r"\bprecision: ['\"]?(bf16|16|32)(?:-mixed|-true)?['\"]?\s*$"),
    "flash": re.compile(r"\buse_flash_attention['\"]?[:=]\s*([Tt]rue)"),
    "backend": re.compile(r"\bAttnBackend\.(flash|fused|unfused|local)\b"),
}
_PRECISION = {"bf16": "bf16", "16": "fp16", "32": "fp32"}


def sniff(head: Head) -> str | None:
    """Recognise a line of NeMo 2 or a bar of NeMo 1."""
    if _TWO.search(head.text):
        return "console line `Training epoch N, iteration N/M |` of NeMo 2"
    return "progress bar with global_step of NeMo 1" if _ONE.search(head.text) else None


@dataclass
class _State:
    """What the log has told so far beside the steps."""

    facts: dict[str, str] = field(default_factory=dict)
    tflops: list[float] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)
    clock: NemoClock = field(default_factory=NemoClock)
    bar: tuple[int, float] | None = None
    ahead: int = -1  # the global step less the bar's count

    def notice(self, text: str) -> None:
        """Take a line without a step."""
        self.clock.notice(text)
        if len(self.batches) < CONFIGURED:
            notice_model(text, self.facts)
            for name, pattern in _FACTS.items():
                console.first_group(pattern, text, self.facts, name)


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:
    """Return the run."""
    account, steps, state = Account(), Steps(), _State()
    for number, text, match in console.records(file, account, _WHOLE, _START, state.notice):
        two = match["two"] is not None
        body = match["two"] if two else match["bar"]
        fields = {name.strip(): value for name, value in _PAIR.findall(body)}
        try:
            step = values.step_number(fields.get("global_step") or match[2]) if two else _step(match, fields, state)
            samples = values.number(fields.get("consumed_samples", ""))
            batch = values.number(fields.get("global_batch_size", ""))
            loss = values.number(fields.get("reduced_train_loss", fields.get("loss", "")))
            rate = values.number(fields.get("TFLOPS_per_GPU", ""))
            duration = _timing(fields, body) if two else _bar_duration(match, fields, body, state)
        except (ValueError, OverflowError) as error:
            account.bad(number, text, str(error))
            continue
        if "e" in fields.get("consumed_samples", "") and not two:
            samples = math.nan  # three digits only
        if two and math.isnan(duration) and math.isnan(samples):
            account.bad(number, text, "the record is cut")
            continue
        time_s = state.clock.prefix.read(text)
        if steps.add(step, time_s=time_s, duration_s=duration, samples=samples, loss=loss, rank=rank_of(text)):
            account.records += 1
            state.tflops.append(rate)
            state.batches.append(batch)
    return [_log(file, options, account, steps, state)]


def _step(match: re.Match[str], fields: dict[str, str], state: _State) -> int:
    """Return the step of a bar; a count with an exponent is rounded to three digits, the bar's own is not."""
    text, done = fields.get("global_step", ""), values.step_number(match["done"])
    told = values.number(text)
    if math.isnan(told):
        raise ValueError("no global step")
    if "e" in text:
        exact = done + state.ahead
        return exact if abs(exact - told) <= 0.006 * told else round(told)
    state.ahead = round(told) - done
    return round(told)


def _bar_duration(match: re.Match[str], fields: dict[str, str], body: str, state: _State) -> float:
    """Return seconds a step: what the bar's clock gained since the last bar, else the bar's own pace."""
    elapsed = _ELAPSED.match(body)
    if elapsed is None:
        return _timing(fields, body)
    seconds = int(elapsed[1] or 0) * 3600.0 + int(elapsed[2]) * 60 + int(elapsed[3])
    done, previous = values.step_number(match["done"]), state.bar
    state.bar = (done, seconds)
    if previous is not None and done > previous[0] and seconds >= previous[1]:
        return (seconds - previous[1]) / (done - previous[0])
    return seconds / done if done and state.ahead == -1 else _timing(fields, body)


def _timing(fields: dict[str, str], body: str) -> float:
    for name in ("train_step_timing in s", "train_step_timing"):
        if name in fields:
            return values.number(fields[name])
    pace = _PACE.search(body)
    if pace is None:
        return math.nan
    value = float(pace[1])
    if pace[2] == "it/s":
        return 1.0 / value if value else math.nan
    return value


def _log(file: LogFile, options: ReadOptions, account: Account, steps: Steps, state: _State) -> TrainingLog:
    facts, clock = state.facts, state.clock
    batch = console.mean(state.batches) or (float(facts["batch"]) if "batch" in facts else None)
    if batch and len(steps):
        steps.samples = [
            (s + 1) * batch if math.isnan(n) else n for s, n in zip(steps.step, steps.samples, strict=True)
        ]
    length = int(facts["length"]) if "length" in facts else None
    if length:
        steps.tokens = [s * length for s in steps.samples]
    else:
        account.no_tokens("the log does not print the sequence length (give --sequence-length)")
    steps.repeated_lines = 0  # bars are drawn again and again
    told = console.set_clock(steps, options, naive=clock.prefix.naive)
    known: dict[str, Any] = clock.window(options)
    model = model_facts(facts)
    model["precision"] = model.get("precision") or _PRECISION.get(facts.get("kept", ""))
    model["attention"] = "flash" if "flash" in facts else facts.get("backend")
    phases: tuple[Phase, ...] = clock.phases(options)
    return steps.log(
        file,
        FORMAT.format,
        "NVIDIA NeMo",
        account,
        clock=told if told != "none" else clock.kind(options),
        world_size=int(facts["devices"]) * int(facts["nodes"]) if {"devices", "nodes"} <= facts.keys() else None,
        global_batch_size=values.whole(batch),
        sequence_length=length,
        tokens_per_sample=float(length) if length else None,
        tflops_per_gpu=console.steady(state.tflops),
        flops_kind="model" if console.mean(state.tflops) else None,
        phases=phases,
        **known,
        **model,
    )
