"""macOS `powermetrics` text: `*** Sampled system activity (...) (104.06ms elapsed) ***` and milliwatt lines."""

import math
import re

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="powermetrics",
    kind="telemetry",
    title="macOS powermetrics text",
    reads="GPU power and residency, CPU power as a host counter, times with their zone",
    seen="macOS 12 to 15, Apple silicon",
    cannot_tell="wall power: display, memory and supply losses are not in it; whole seconds in the time",
)

_SAMPLE = re.compile(r"\*\*\* Sampled system activity \((.+?)\) \((\d{1,12}(?:\.\d*)?)ms elapsed\) \*\*\*")
_POWER = re.compile(r"^(GPU|CPU|Combined) Power(?: \([^)]*\))?: ([\d.]+) (mW|W)\s*$")
_ACTIVE = re.compile(r"^GPU (?:HW )?active residency:\s+([\d.]+)%")
_MODEL = re.compile(r"^Machine model: (\S+)")


def sniff(head: Head) -> str | None:
    """Recognise a sample's first line."""
    return "powermetrics sample headers" if _SAMPLE.search(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples; a reading holds for the interval that ends at its time."""
    account, readings = Account(), Readings()
    samples: list[tuple[float, float, dict[str, float]]] = []
    model: str | None = None
    for number, text in console_lines(file):
        account.lines += 1
        if match := _SAMPLE.search(text):
            try:
                time_s, _ = values.parse_time(match[1])
                samples.append((time_s, float(match[2]) / 1000.0, {}))
            except ValueError as error:
                account.bad(number, text, str(error))
        elif match := _MODEL.match(text):
            model = model or match[1]
        elif samples and (match := _POWER.match(text)):
            try:
                samples[-1][2].setdefault(match[1], values.power_w(f"{match[2]} {match[3]}"))
            except ValueError as error:
                account.bad(number, text, str(error))
        elif samples and (match := _ACTIVE.match(text)):
            samples[-1][2].setdefault("active", float(match[1]))
    host: list[float] = []
    spent, previous = 0.0, -math.inf
    for stamp, elapsed, found in samples:
        if "GPU" not in found and "CPU" not in found:
            account.bad(0, f"sample at {stamp:.0f}", "no power in this sample")
            continue
        account.records += 1
        # Stamps have whole seconds; the elapsed times place samples inside them.
        time_s = max(stamp, previous + elapsed)
        previous = time_s
        spent += found.get("CPU", 0.0) * elapsed
        host.append(spent)
        readings.add(time_s, 0, found.get("GPU", math.nan), found.get("active", math.nan))
    readings.info[0] = GpuInfo(index=0, name=f"Apple GPU ({model})" if model else "Apple GPU")
    counters = {"package-0": np.array(host, dtype=np.float64)} if any(host) else {}
    account.warn("powermetrics estimates the chip's power; the machine draws more at the wall")
    return [telemetry(file, FORMAT.format, account, readings, options, power_field="average", host_energy_j=counters)]
