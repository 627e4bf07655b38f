"""`dcgmi dmon`: columns under `#Entity`, units below, rows `GPU 0 ...`, no times of its own."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import Clock, FormatInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="dcgmi_dmon",
    kind="telemetry",
    title="dcgmi dmon",
    reads="power (fields 155, 157), energy counter (156), utilisation (203) or SM activity (1002) of whole GPUs",
    seen="DCGM 2 and 3: repeated headers, N/A, blank sentinels, times that wrappers put in front",
    cannot_tell="times (one second a tick, dmon's default, is assumed), names; MIG instances are left out",
)

_STAMP = r"^(?:[\dT:.,+Z/-]{8,40}[ ,]+(?:[\d:.,]{5,16}[ ,]+)?)?\s*"
_HEADER = re.compile(_STAMP + r"#\s*Entity\b(.*)$|^\s*#\s+\w+.*\bPOWER\b(.*)$")
_UNITS = re.compile(_STAMP + r"I[Dd]\b(.*)$")
_ROW = re.compile(r"^(?P<stamp>.*?)\b(?P<kind>GPU(?:-I|-CI)?) (?P<id>\d+)\s+(?P<cells>\S.*)$")
_POWER = {"POWER": "average", "PWR": "average", "PWRIN": "instant", "PINST": "instant"}
_ENERGY = ("TOTEC", "ENRGY", "TOTEN")
_UTIL = ("GPUTL", "SMACT", "GRACT")
_INTERVAL = re.compile(r"dcgmi\s+dmon\b[^|>]*\s-{1,2}d(?:elay)?[= ]?\s*([1-9]\d{1,6})\b")
_BLANK = 1e12  # DCGM's "no value" sentinels lie near 2**63 and 2**47


def sniff(head: Head) -> str | None:
    """Recognise the header and a row."""
    lines = head.text.splitlines()
    if any(_HEADER.match(line) for line in lines) and any(_ROW.match(line) for line in lines):
        return "dcgmi dmon header `#Entity` and rows `GPU N`"
    return None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples of whole GPUs."""
    account, readings = Account(), Readings()
    names: list[str] = []
    units: list[str] = []
    tick, seen = -1, set[int]()
    clock: Clock = "none"
    instances = 0
    command = _INTERVAL.search(file.head.text)
    interval = float(command[1]) / 1000.0 if command else 1.0
    for number, text in console_lines(file):
        account.lines += 1
        if header := _HEADER.match(text):
            names, units = (header[1] or header[2] or "").split(), []
            continue
        match = _ROW.match(text)
        if match is None:
            if names and not units and (unit := _UNITS.match(text)):
                units = unit[1].split()
            continue
        if match["kind"] != "GPU":
            instances += 1
            continue
        cells = match["cells"].split()
        if len(cells) != len(names):
            account.bad(number, text, f"{len(cells)} of {len(names)} columns")
            continue
        row = dict(zip(names, cells, strict=True))
        try:
            power, energy, util = _value(row, tuple(_POWER)), _value(row, _ENERGY), _value(row, _UTIL[:1])
            if math.isnan(util):
                util = 100.0 * _value(row, _UTIL[1:])
            gpu = values.gpu_index(match["id"])
            if gpu in seen or tick < 0:
                tick += 1
                seen.clear()
            seen.add(gpu)
            time_s = tick * interval
            if match["stamp"].strip(" ,;|\t"):
                time_s, naive = values.parse_time(match["stamp"].strip(" ,;|\t"))
                clock = "naive" if naive else "utc"
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        joules = 1.0 if _unit(names, units, _ENERGY) == "J" else 1e-3
        readings.add(time_s, gpu, power, util, energy * joules)
    if clock == "none":
        stated = "as its command says" if interval != 1.0 else "its default, is assumed"
        account.warn(f"dcgmi printed no times: {interval:g} s a tick, {stated}")
    if instances:
        account.warn(f"{instances} rows of MIG instances were left out: the whole GPU's power holds theirs")
    return [telemetry(file, FORMAT.format, account, readings, options, clock=clock, same_tick_s=0.5)]


def _value(row: dict[str, str], names: tuple[str, ...]) -> float:
    for name in names:
        if name in row:
            value = values.number(row[name])
            return value if abs(value) < _BLANK else math.nan
    return math.nan


def _unit(names: list[str], units: list[str], wanted: tuple[str, ...]) -> str | None:
    # Unit cells stand under their columns only when every column has one.
    position = next((i for i, n in enumerate(names) if n in wanted), None)
    return units[position] if position is not None and len(units) == len(names) else None
