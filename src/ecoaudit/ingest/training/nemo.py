"""NVIDIA NeMo: the console lines of NeMo 2 and the progress bars of NeMo 1."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="nemo",
    kind="training",
    title="NVIDIA NeMo 1 and 2 consoles",
    reads="global steps (0-based), loss, time a step, consumed samples, TFLOP/s a GPU, batch size",
    seen="NeMo 1 progress bars (rounded samples: step x batch is used), NeMo 2 `Training epoch` lines",
    cannot_tell="the wall clock, tokens (sequence length), the number of GPUs",
)

_TWO = re.compile(r"Training epoch (\d+), iteration (\d+)/(\d+) \|(?P<two>[^\n]*?)(?=Training epoch|$)")
_ONE = re.compile(r"Epoch (\d+):\s*[\d.]*%?.*?\|?\s*(\d+)/(\d+) \[(?P<bar>[^\]]*?global_step=[^\]]*)\]")
_WHOLE = re.compile(f"{_TWO.pattern}|{_ONE.pattern}")
_START = re.compile(r"Training epoch \d+, iteration \d+/|Epoch \d+:[^\n\[]*?\d+/\d+ \[[^\n]*?global_step=")
_PAIR = re.compile(r"([\w ()/.]+?)\s*[:=]\s*([-\w.+]+)\s*(?:[|,]|$)")
_PACE = re.compile(r"([\d.]+)\s*(s/it|it/s)")
_SEQUENCE = re.compile(r"(?:encoder_seq_length|seq_length|seq_len)['\"]?[:=]\s*(\d{1,9})")
_GLOBAL = re.compile(r"global_batch_size['\"]?[:=]\s*(\d{1,9})")


def sniff(head: Head) -> str | None:
    """Recognise a line of NeMo 2 or a bar of NeMo 1."""
    if _TWO.search(head.text):
        return "console line `Training epoch N, iteration N/M |` of NeMo 2"
    return "progress bar with global_step of NeMo 1" if _ONE.search(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the console has no clock
    """Return the run."""
    account, steps = Account(), Steps()
    facts: dict[str, str] = {}
    tflops: list[float] = []
    batches: list[float] = []

    def notice(text: str) -> None:
        console.first_group(_SEQUENCE, text, facts, "length")
        console.first_group(_GLOBAL, text, facts, "batch")

    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        body = match["two"] if match["two"] is not None else match["bar"]
        fields = {name.strip(): value for name, value in _PAIR.findall(body)}
        try:
            step = values.step_number((fields.get("global_step") or match[2] or "").removesuffix(".0"))
            duration = _duration(fields, body)
            samples = values.number(fields.get("consumed_samples", ""))
            batch = values.number(fields.get("global_batch_size", ""))
            loss = values.number(fields.get("reduced_train_loss", fields.get("loss", "")))
            rate = values.number(fields.get("TFLOPS_per_GPU", ""))
        except (ValueError, OverflowError) as error:
            account.bad(number, text, str(error))
            continue
        if match["two"] is None and samples >= 1e5:
            samples = math.nan  # three digits only
        if match["two"] is not None and math.isnan(duration) and math.isnan(samples):
            account.bad(number, text, "the record is cut")
            continue
        if steps.add(step, duration_s=duration, samples=samples, loss=loss, rank=rank_of(text)):
            account.records += 1
            tflops.append(rate)
            batches.append(batch)
    batch_size = console.mean(batches) or (float(facts["batch"]) if "batch" in facts else None)
    if batch_size and len(steps) and all(math.isnan(s) for s in steps.samples):
        steps.samples = [(s + 1) * batch_size for s in steps.step]
    length = int(facts["length"]) if "length" in facts else None
    if length:
        steps.tokens = [s * length for s in steps.samples]
    else:
        account.warn("the sequence length is not printed: tokens are unknown")
    steps.repeated_lines = 0  # bars are drawn again and again
    return [
        steps.log(
            file,
            FORMAT.format,
            "NVIDIA NeMo",
            account,
            global_batch_size=values.whole(batch_size),
            sequence_length=length,
            tokens_per_sample=float(length) if length else None,
            tflops_per_gpu=console.steady(tflops),
            flops_kind="model" if console.mean(tflops) else None,
        )
    ]


def _duration(fields: dict[str, str], body: str) -> float:
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
