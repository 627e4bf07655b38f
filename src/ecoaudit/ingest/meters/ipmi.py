"""IPMI: `ipmitool dcmi power reading`, `ipmi-dcmi --get-system-power-statistics`, sensor rows in watts."""

import math
import re
from pathlib import PurePath

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.meters.build import meter
from ecoaudit.ingest.records import FormatInfo, MeterLog, ReadOptions

FORMAT = FormatInfo(
    format="ipmi",
    kind="meter",
    title="ipmitool dcmi power reading, ipmi-dcmi, ipmitool sensor",
    reads="node watts with the BMC's time stamp, or the time that a wrapper prints before it",
    seen="ipmitool 1.8 to 1.8.19, freeipmi 1.6; BMC clocks in 1970 and states without power are refused",
    cannot_tell="the side of the meter, the time zone, anything between BMC updates (seconds to tens of seconds)",
)

_READING = re.compile(
    r"Instantaneous power reading\s*:\s*([\d.]+) Watts|Current Power\s*:\s*([\d.]+) Watts|"
    r"(?:(?:Total|Sys)[_ ]Power|Pwr Consumption|Power Consumption|System Level|PWR_SYS|Power Meter)[^|\n]*\|"
    r"(?:[^|\n]*\|){0,3}\s*([\d.]+)\s*(?:\|\s*)?Watts"
)
# ipmitool 1.8.19 leaves out the end of the line behind the time.
_BMC_TIME = re.compile(r"IPMI timestamp\s*:\s*(.+?)\s*(?:Sampling period\s*:.*)?$")
_FREE_TIME = re.compile(r"^Time Stamp\s*:\s*(.+?)\s*$")
_STATE = re.compile(r"Power reading state is\s*:\s*(\w+)|Power Measurement\s*:\s*(\w[\w ]*)", re.IGNORECASE)
_EARLIEST = 946684800.0  # 2000: BMCs without a clock count from 1970


def sniff(head: Head) -> str | None:
    """Recognise a reading."""
    match = _READING.search(head.text)
    return f"power reading `{match[0].strip()[:50]}`" if match else None


class _Block:
    """One reading with what stands around it: the wrapper's time before, the BMC's time and state after."""

    def __init__(self, line: int, watts: float, wrapper: tuple[float, bool] | None) -> None:
        self.line = line
        self.watts = watts
        self.time = wrapper
        self.active = True


def read(file: LogFile, options: ReadOptions) -> list[MeterLog]:
    """Return the readings; a reading whose state is not active counts as bad."""
    account = Account()
    blocks: list[_Block] = []
    wrapper: tuple[float, bool] | None = None
    for number, text in console_lines(file):
        account.lines += 1
        if match := _READING.search(text):
            before = _time(text[: match.start()]) or wrapper
            try:
                blocks.append(_Block(number, float(next(g for g in match.groups() if g)), before))
            except ValueError:
                account.bad(number, text, "the power reading is no number")
            wrapper = None
        if match := _BMC_TIME.search(text) or _FREE_TIME.search(text):
            found = _time(match[1])
            if blocks and blocks[-1].time is None and found is not None and found[0] >= _EARLIEST:
                blocks[-1].time = found
        elif match := _STATE.search(text):
            state = (match[1] or match[2]).lower()
            if blocks:
                blocks[-1].active = state in ("activated", "active", "available", "on")
        elif not _READING.search(text):
            wrapper = _time(text) or wrapper
    readings: list[tuple[float, float]] = []
    naive = False
    for block in blocks:
        if not block.active:
            account.bad(block.line, f"{block.watts:g} Watts", "the power reading is not active")
            continue
        account.records += 1
        naive |= block.time is not None and block.time[1]
        readings.append((block.time[0] if block.time else math.nan, block.watts))
    label = PurePath(file.path).stem
    return [meter(file, FORMAT.format, account, readings, options, label=label, clock="naive" if naive else "utc")]


def _time(text: str) -> tuple[float, bool] | None:
    cleaned = re.sub(r"\s+", " ", text.strip().strip("-=#*,;| \t")).replace(" - ", " ")
    if len(cleaned) < 8:
        return None
    try:
        return values.parse_time(cleaned)
    except ValueError:
        return None
