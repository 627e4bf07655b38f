"""`nvidia-smi dmon`: columns under `# gpu pwr ...`, headers again and again, with or without times."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import Clock, FormatInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="nvidia_smi_dmon",
    kind="telemetry",
    title="nvidia-smi dmon",
    reads="power in whole watts, SM utilisation; times with -o T or -o DT, or that a wrapper puts before each line",
    seen="drivers 450 to 580, all -s selections, indented, repeated headers, missing GPUs",
    cannot_tell="times without -o (one second a tick is assumed), the date with -o T, names, the energy counter",
)

_HEADER = re.compile(r"^(?:[\dT:.,+Z/-]{8,40} ?){0,2}\s*(#\s*(?:Date\s+)?(?:Time\s+)?gpu\s.*)", re.IGNORECASE)
_DAY_S = 86400.0


def sniff(head: Head) -> str | None:
    """Recognise the header line."""
    for line in head.text.splitlines():
        if _HEADER.match(line) and (" pwr" in line or " sm" in line):
            return "dmon header `# gpu ...`"
    return None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples."""
    account, readings = Account(), Readings()
    names: list[str] = []
    tick, seen = -1, set[int]()
    day, last_clock = 0.0, -math.inf
    clock: Clock = "none"
    for number, text in console_lines(file):
        account.lines += 1
        if header := _HEADER.match(text):
            names = header[1].replace("#", " ").lower().split()
            continue
        cells = text.split()
        if not cells or not names or "#" in text:
            continue
        before, cells = cells[: -len(names)], cells[-len(names) :]
        if len(cells) != len(names) or len(before) > 2:
            if cells[0].isdigit():
                account.bad(number, text, f"{len(cells)} of {len(names)} columns")
            continue
        row = dict(zip(names, cells, strict=True))
        try:
            gpu = values.gpu_index(row["gpu"])
            power, util = (values.number(row.get(n, "-")) for n in ("pwr", "sm"))
            if gpu in seen or tick < 0:
                tick += 1
                seen.clear()
            seen.add(gpu)
            time_s = float(tick)
            if "date" in row:
                time_s, clock = values.parse_time(f"{row['date']} {row['time']}")[0], "naive"
            elif "time" in row:
                of_day = _of_day(row["time"])
                day += _DAY_S if of_day < last_clock - _DAY_S / 2 else 0.0
                last_clock = of_day
                time_s = day + of_day
            elif before:
                time_s, naive = values.parse_time(" ".join(before).strip(",;|"))
                clock = "naive" if naive else "utc"
        except (ValueError, KeyError) as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        readings.add(time_s, gpu, power, util)
    if "time" not in names and clock == "none":
        account.warn("dmon printed no times: one second a tick, its default, is assumed")
    elif clock == "none":
        account.warn("dmon printed no dates: times count from midnight of an unknown day")
    return [telemetry(file, FORMAT.format, account, readings, options, clock=clock, same_tick_s=0.5)]


def _of_day(text: str) -> float:
    match = re.fullmatch(r"(\d\d?):(\d\d):(\d\d)", text)
    if match is None:
        raise ValueError(f"not a time of day: {text[:20]}")
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0 + int(match[3])
