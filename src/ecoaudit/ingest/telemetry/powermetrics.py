"""macOS `powermetrics`: text with `*** Sampled system activity (...) (104.06ms elapsed) ***`, or property lists."""

import math
import plistlib
import re
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

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
    title="macOS powermetrics text and plist",
    reads="GPU power and residency, CPU power as a host counter, times with their zone",
    seen="macOS 12 to 15, Apple silicon",
    cannot_tell="wall power: display, memory and supply losses are not in it; whole seconds in the time",
)

_SAMPLE = re.compile(
    r"^\s*\*\*\* Sampled system activity \((.+?)\) \((\d{1,12}(?:\.\d*)?)ms elapsed\) \*\*\*", re.MULTILINE
)
_POWER = re.compile(r"^(GPU|CPU|Combined) Power(?: \([^)]*\))?: ([\d.]+) (mW|W)\s*$")
_ACTIVE = re.compile(r"^GPU (?:HW )?active residency:\s+([\d.]+)%")
_MODEL = re.compile(r"^Machine model: (\S+)")
_PLIST = re.compile(r"<plist\b.*?</plist>", re.DOTALL)

_Sample = tuple[float, float, dict[str, float]]
"""Time, elapsed seconds, and values: `GPU` and `CPU` in W, `active` in percent."""


def sniff(head: Head) -> str | None:
    """Recognise a sample's first line, or its keys."""
    if "<key>elapsed_ns</key>" in head.text and "<key>processor</key>" in head.text:
        return "property lists of powermetrics"
    return "powermetrics sample headers" if _SAMPLE.search(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples; a reading holds for the interval that ends at its time."""
    account = Account()
    plist = "<key>elapsed_ns</key>" in file.head.text
    samples, model = _lists(file, account) if plist else _lines(file, account)
    return [_telemetry(file, options, account, samples, model)]


def _lists(file: LogFile, account: Account) -> tuple[list[_Sample], str | None]:
    """Return the samples of property lists, which a zero byte parts, and the machine's model."""
    text = file.text()
    account.lines = text.count("\n") + 1
    samples: list[_Sample] = []
    model: str | None = None
    end = 0
    for match in _PLIST.finditer(text):
        end = match.end()
        try:
            # Only the element itself is parsed: no document type, so no entities to expand.
            found = plistlib.loads(match[0].encode(), fmt=plistlib.FMT_XML)
            samples.append(_of_list(found))
        except (ExpatError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            account.bad(text.count("\n", 0, match.start()) + 1, match[0][:120], f"not a sample: {error}")
            continue
        model = model or (str(found["hw_model"]) if "hw_model" in found else None)
    if "<plist" in text[end:]:
        account.bad(text.count("\n", 0, end) + 1, text[end : end + 120].strip(), "the last sample is cut")
    return samples, model


def _of_list(found: dict[str, Any]) -> _Sample:
    stamp, elapsed = found["timestamp"], values.real(found["elapsed_ns"]) * 1e-9
    if not isinstance(stamp, datetime) or not 0 < elapsed < 1e9:
        raise ValueError("no time")
    processor, gpu = found.get("processor", {}), found.get("gpu", {})
    out: dict[str, float] = {}
    for name, holders in (("CPU", (processor,)), ("GPU", (processor, gpu))):
        milliwatts = values.real(processor.get(f"{name.lower()}_power"))
        for holder in holders if math.isnan(milliwatts) else ():
            milliwatts = values.real(holder.get(f"{name.lower()}_energy")) / elapsed
            if not math.isnan(milliwatts):
                break
        if not math.isnan(milliwatts):
            out[name] = milliwatts * 1e-3
    idle = values.real(gpu.get("idle_ratio"))
    if 0 <= idle <= 1:
        out["active"] = 100.0 * (1.0 - idle)
    return stamp.replace(tzinfo=UTC).timestamp(), elapsed, out


def _lines(file: LogFile, account: Account) -> tuple[list[_Sample], str | None]:
    samples: list[_Sample] = []
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
        elif samples and (match := _ACTIVE.match(text)) and (share := values.fact(match[1])) is not None:
            samples[-1][2].setdefault("active", share)
    return samples, model


def _telemetry(
    file: LogFile, options: ReadOptions, account: Account, samples: list[_Sample], model: str | None
) -> Telemetry:
    readings = Readings()
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
    return telemetry(file, FORMAT.format, account, readings, options, power_field="average", host_energy_j=counters)
