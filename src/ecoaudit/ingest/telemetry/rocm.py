"""AMD: `rocm-smi --json` and `amd-smi metric --json`, one object or list a sample."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="rocm_smi",
    kind="telemetry",
    title="rocm-smi --json, amd-smi metric --json",
    reads="socket or average package power, energy accumulator, utilisation, cards",
    seen="rocm-smi 5 and 6 (average and current socket power), amd-smi 24 to 26 (lists, gpu_data, units)",
    cannot_tell="times, unless a wrapper adds them (else one second a sample); an MI250X reads as one card of two",
)

_CARD = re.compile(r"card(\d{1,3})")
_POWER = re.compile(r"(?:Current Socket|Average) Graphics Package Power \(W\)|(?:Current|Average)\b.* Power \(W\)")
_ENERGY = re.compile(r"Accumulated Energy \(uJ\)")
_TIME_KEYS = ("timestamp", "time", "ts", "datetime", "date")


def sniff(head: Head) -> str | None:
    """Recognise rocm-smi's cards or amd-smi's power objects."""
    text = head.text
    if text.lstrip()[:1] not in ("{", "["):
        return None
    if re.search(r'"card\d+"\s*:', text) and "Power (W)" in text:
        return "JSON with cardN and a power in W of rocm-smi"
    return "JSON with socket_power of amd-smi" if '"socket_power"' in text and '"gpu"' in text else None


def _samples(text: str, account: Account) -> Iterator[Any]:
    """Yield JSON values one after another; a damaged one is counted and the rest of its line skipped."""
    decoder, position = json.JSONDecoder(), 0
    while match := re.compile(r"[\[{]").search(text, position):
        try:
            value, position = decoder.raw_decode(text, match.start())
        except (json.JSONDecodeError, RecursionError):
            account.bad(text.count("\n", 0, match.start()) + 1, text[match.start() : match.start() + 120], "cut")
            following = text.find("\n", match.end())
            if following < 0:
                return
            position = following
            continue
        yield value


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples of every card."""
    account, readings = Account(), Readings()
    text = file.text()
    account.lines = text.count("\n") + 1
    clock: Clock = "none"
    for tick, value in enumerate(_flat(_samples(text, account))):
        time_s, found = float(tick), _time(value)
        if found is not None:
            time_s, naive = found
            clock = "naive" if naive else "utc"
        before = len(readings.time_s)
        _cards(value, time_s, readings)
        if len(readings.time_s) > before:
            account.records += 1
        else:
            account.bad(0, str(value)[:120], "no card with a power")
    if clock == "none":
        account.warn("the samples have no times: one second a sample is assumed")
    return [telemetry(file, FORMAT.format, account, readings, options, clock=clock, same_tick_s=0.0)]


def _flat(samples: Iterator[Any]) -> Iterator[Any]:
    """Yield one value a sample; a list of rocm-smi objects is many, a list of amd-smi's GPUs is one."""
    for value in samples:
        if isinstance(value, list) and value and not (isinstance(value[0], dict) and "gpu" in value[0]):
            yield from value
        else:
            yield value


def _time(value: Any) -> tuple[float, bool] | None:
    holder = value[0] if isinstance(value, list) and value else value
    for key in _TIME_KEYS:
        if isinstance(holder, dict) and isinstance(holder.get(key), str | int | float):
            try:
                return values.parse_time(str(holder[key]))
            except ValueError:
                return None
    return None


def _cards(value: Any, time_s: float, readings: Readings) -> None:
    if isinstance(value, dict):
        for name, card in value.items():
            match = _CARD.fullmatch(name)
            if match and isinstance(card, dict):
                _rocm(int(match[1]), card, time_s, readings)
    holder = value.get("gpu_data") if isinstance(value, dict) else value
    for gpu in holder if isinstance(holder, list) else ():
        if isinstance(gpu, dict) and isinstance(gpu.get("gpu"), int) and 0 <= gpu["gpu"] < 1024:
            _amd(gpu, time_s, readings)


def _rocm(index: int, card: dict[str, Any], time_s: float, readings: Readings) -> None:
    def find(pattern: re.Pattern[str]) -> float:
        return next((_quantity(v) for k, v in card.items() if pattern.fullmatch(k)), math.nan)

    name = next((str(card[k]) for k in ("Card Series", "Card series", "Card model") if card.get(k)), None)
    readings.info.setdefault(index, GpuInfo(index=index, uuid=card.get("Unique ID"), name=name))
    readings.add(time_s, index, find(_POWER), _quantity(card.get("GPU use (%)")), find(_ENERGY) * 1e-6)


def _amd(gpu: dict[str, Any], time_s: float, readings: Readings) -> None:
    def part(name: str) -> dict[str, Any]:
        value = gpu.get(name)
        return value if isinstance(value, dict) else {}

    power = part("power")
    watts = _quantity(power.get("socket_power"))
    if math.isnan(watts):
        watts = _quantity(power.get("average_socket_power") or power.get("current_socket_power"))
    joules = _quantity(part("energy").get("total_energy_consumption"))
    readings.add(time_s, gpu["gpu"], watts, _quantity(part("usage").get("gfx_activity")), joules)


def _quantity(value: Any) -> float:
    """Return a number given as number, text or `{"value": x, "unit": u}`; NaN for N/A."""
    inner = value.get("value") if isinstance(value, dict) else value
    if isinstance(inner, bool) or not isinstance(inner, str | int | float):
        return math.nan
    try:
        return values.number(str(inner))
    except ValueError:
        return math.nan
