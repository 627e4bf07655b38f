"""MaxText consoles: `completed step: N, seconds: x, TFLOP/s/device: y, Tokens/s/device: z, ...`."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, rank_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training import console
from ecoaudit.ingest.training.steps import Steps

FORMAT = FormatInfo(
    format="maxtext",
    kind="training",
    title="MaxText console",
    reads="steps (0-based), seconds, TFLOP/s and tokens/s a device, tokens of the batch, devices, parameters",
    seen="2024 to 2026",
    cannot_tell="the wall clock; total_weights counts the tokens that carry loss",
)

_NUMBER = r"(-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf)"
_WHOLE = re.compile(
    rf"completed step: (\d+), seconds: {_NUMBER}, TFLOP/s/device: {_NUMBER}, Tokens/s/device: {_NUMBER}"
    rf"(?:, total_weights: {_NUMBER})?(?:, loss: {_NUMBER})?"
)
_START = re.compile(r"completed step: \d+")
_PARAMETERS = re.compile(r"number (?:of model )?param(?:eter)?s?[=:]?\s*([\d.]+) billion", re.IGNORECASE)
_DEVICES = re.compile(r"(?:Num_devices|num_devices|Number of devices)[:=] ?(\d+)")


def sniff(head: Head) -> str | None:
    """Recognise a step line."""
    return "console line `completed step: N, seconds:`" if _WHOLE.search(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - the console has no clock
    """Return the run."""
    account, steps = Account(), Steps()
    facts: dict[str, str] = {}
    tflops: list[float] = []
    rates: list[float] = []
    running = 0.0

    def notice(text: str) -> None:
        console.first_group(_PARAMETERS, text, facts, "params")
        console.first_group(_DEVICES, text, facts, "devices")

    for number, text, match in console.records(file, account, _WHOLE, _START, notice):
        try:
            cells = [values.number(c) if c else math.nan for c in match.groups()[1:]]
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        duration, tflop, rate, weights, loss = cells
        total = running + weights
        if steps.add(
            int(match[1]), duration_s=duration, tokens=total, loss=None if not match[6] else loss, rank=rank_of(text)
        ):
            account.records += 1
            running = total
            tflops.append(tflop)
            rates.append(rate)
    devices = values.whole(values.fact(facts.get("devices"))) or _devices(steps, rates)
    rate_mean = console.steady(rates)
    return [
        steps.log(
            file,
            FORMAT.format,
            "MaxText",
            account,
            params=values.fact(facts["params"] + "B") if "params" in facts else None,
            world_size=devices,
            tflops_per_gpu=console.steady(tflops),
            flops_kind="model" if console.mean(tflops) else None,
            throughput_tokens_per_s=rate_mean * devices if rate_mean and devices else None,
        )
    ]


def _devices(steps: Steps, rates: list[float]) -> int | None:
    """Return tokens of a step over (seconds x tokens/s/device), where that is near a whole number."""
    if not len(steps) or len(rates) != len(steps):
        return None
    share = [b - a for a, b in zip([0.0, *steps.tokens], steps.tokens, strict=False)]
    found = console.mean(
        [t / (d * r) if d * r else math.nan for t, d, r in zip(share, steps.duration_s, rates, strict=True)]
    )
    return round(found) if found and abs(found - round(found)) < 0.05 * found and round(found) >= 1 else None
