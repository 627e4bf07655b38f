"""`nvidia-smi -q` as text: one report a sample, appended with `-l` or by a loop."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings
from ecoaudit.ingest.telemetry.smi_columns import PowerField

FORMAT = FormatInfo(
    format="nvidia_smi_query",
    kind="telemetry",
    title="nvidia-smi -q (text)",
    reads="power, utilisation, enforced limit, names, UUIDs or bus addresses, MIG mode",
    seen="drivers 390 to 580, with -d POWER and without, Power Draw, Average and Instantaneous Power Draw",
    cannot_tell="the time zone, the energy counter, the names with -d POWER; module power is another boundary, unread",
)

_BANNER = re.compile(r"^\s*={6,}\s*NVSMI LOG\s*={6,}", re.MULTILINE)
_GPU = re.compile(r"^\s*GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d)\s*\\?$")
_FIELD = re.compile(r"^\s*(\S.*?)\s*:\s(.*?)\s*\\?$")
# A module holds more than the GPU, its memory less: only these two sections are the boards' boundary.
_POWER_SECTIONS = {"Power Readings", "GPU Power Readings"}
_POWER: tuple[tuple[str, PowerField], ...] = (
    ("Average Power Draw", "average"),
    ("Power Draw", "unspecified"),
    ("Instantaneous Power Draw", "instant"),
)
_LIMITS = ("Enforced Power Limit", "Current Power Limit", "Power Limit")


def sniff(head: Head) -> str | None:
    """Recognise the banner and a power reading."""
    if _BANNER.search(head.text) and re.search(r"Power Draw\s*:", head.text):
        return "the banner NVSMI LOG and power readings"
    return None


@dataclass
class _Board:
    """What one report says of one GPU: fields by section and name, the first of each."""

    line: int
    bus: str
    time_s: float
    fields: dict[tuple[str, str], str] = field(default_factory=dict)
    memory_mib: float = math.nan

    def put(self, section: str, name: str, value: str) -> None:
        self.fields.setdefault((section, name), value)
        if (section, name) == ("FB Memory Usage", "Total"):  # MIG instances list theirs, too
            self.memory_mib = float(np.fmax(self.memory_mib, _number(value)))

    def power(self, names: tuple[str, ...]) -> tuple[float, str | None]:
        """Return the first of the named readings that is there, in W, and its name."""
        for name in names:
            for section in _POWER_SECTIONS:
                text = self.fields.get((section, name))
                if text is not None and not values.is_missing(text):
                    return values.power_w(text), name
        return math.nan, None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples; a report whose time is not readable counts as bad."""
    account, readings = Account(), Readings()
    used: set[str] = set()
    for board in _boards(file, account):
        try:
            watts, name = board.power(tuple(n for n, _ in _POWER))
            limit, _ = board.power(_LIMITS)
            util = _number(board.fields.get(("Utilization", "Gpu")) or board.fields.get(("Utilization", "GPU")) or "")
        except ValueError as error:
            account.bad(board.line, board.bus, str(error))
            continue
        account.records += 1
        used |= {name} if name else set()
        uuid = board.fields.get(("", "GPU UUID"))
        readings.add(board.time_s, board.bus, watts, util)
        readings.info.setdefault(
            board.bus,
            GpuInfo(
                uuid=uuid,
                name=board.fields.get(("", "Product Name")),
                power_limit_w=None if math.isnan(limit) else limit,
                memory_mib=board.memory_mib if math.isfinite(board.memory_mib) else None,
                mig=board.fields.get(("MIG Mode", "Current")) == "Enabled",
            ),
        )
    _number_boards(readings)
    meaning: PowerField = next((m for n, m in _POWER if n in used), "unspecified")
    return [telemetry(file, FORMAT.format, account, readings, options, clock="naive", power_field=meaning)]


def _boards(file: LogFile, account: Account) -> Iterator[_Board]:
    time_s, board, section = math.nan, None, ""
    for number, text in console_lines(file):
        account.lines += 1
        if _BANNER.search(text) or (start := _GPU.match(text)):
            if board is not None:
                yield board
            board, section = None, ""
            if _BANNER.search(text):
                time_s = math.nan
            elif math.isnan(time_s):
                account.bad(number, text, "a GPU before a time that can be read")
            else:
                board = _Board(number, start[1], time_s) if start else None
            continue
        match = _FIELD.match(text)
        if match and match[1] == "Timestamp":
            try:
                time_s, _ = values.parse_time(match[2])
            except ValueError as error:
                account.bad(number, text, str(error))
        elif board is not None and match:
            # Fields of a GPU itself stand before its first section, or are told by their names.
            own = match[1] in ("GPU UUID", "Product Name")
            board.put("" if own else section, match[1], match[2])
        elif text.strip():
            section = text.strip().rstrip(":").strip()
    if board is not None:
        yield board


def _number(text: str) -> float:
    try:
        return values.number(text)
    except ValueError:
        return math.nan


def _number_boards(readings: Readings) -> None:
    """Number the GPUs in the order of their bus addresses, as nvidia-smi does."""
    for index, bus in enumerate(sorted(readings.info, key=str)):
        info = readings.info[bus]
        readings.info[bus] = GpuInfo(index, info.uuid, info.name, info.power_limit_w, info.memory_mib, info.mig)
