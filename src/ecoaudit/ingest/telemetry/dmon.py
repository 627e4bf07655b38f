"""`nvidia-smi dmon`: columns under `# gpu pwr ...`, headers again and again, with or without times."""

import math
import re
from dataclasses import dataclass, field

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
    cannot_tell="times without -o (one second a tick is assumed), the date with -o T, names, the energy "
    "counter; more than four GPUs with old drivers unless -i names them",
)

_HEADER = re.compile(r"^(?:[\dT:.,+Z/-]{8,40} ?){0,2}\s*(#\s*(?:Date\s+)?(?:Time\s+)?gpu\s.*)", re.IGNORECASE)
_INTERVAL = re.compile(r"nvidia-smi\s+dmon\b[^|>]*\s-{1,2}d(?:elay)?[= ]?\s*(\d{1,4})\b")
_DAY_S = 86400.0


def sniff(head: Head) -> str | None:
    """Recognise the header line."""
    for line in head.text.splitlines():
        if _HEADER.match(line) and (" pwr" in line or " sm" in line):
            return "dmon header `# gpu ...`"
    return None


@dataclass
class _Times:
    """The time of each row: dmon's own, a wrapper's before it, else counted in ticks."""

    interval_s: float = 1.0
    clock: Clock = "none"
    of_day: bool = False
    _tick: int = -1
    _seen: set[int] = field(default_factory=set)
    _day: float = 0.0
    _last: float = -math.inf

    def read(self, row: dict[str, str], before: list[str]) -> tuple[int, float]:
        """Return GPU and time of a row; a tick ends when a GPU comes again. `ValueError` for neither."""
        gpu = values.gpu_index(row["gpu"])
        if gpu in self._seen or self._tick < 0:
            self._tick += 1
            self._seen.clear()
        self._seen.add(gpu)
        if "date" in row:
            self.clock = "naive"
            return gpu, values.parse_time(f"{row['date']} {row['time']}")[0]
        if "time" in row:
            self.of_day = True
            of_day = _of_day(row["time"])
            self._day += _DAY_S if of_day < self._last - _DAY_S / 2 else 0.0
            self._last = of_day
            return gpu, self._day + of_day
        if before:
            time_s, naive = values.parse_time(" ".join(before).strip(",;|"))
            self.clock = "naive" if naive else "utc"
            return gpu, time_s
        return gpu, self._tick * self.interval_s

    def warn(self, account: Account) -> None:
        """Say what the times lack."""
        if self.of_day and self.clock == "none":
            account.warn("dmon printed no dates: times count from midnight of an unknown day")
        elif self.clock == "none":
            stated = "as its command says" if self.interval_s != 1.0 else "its default, is assumed"
            account.warn(f"dmon printed no times: {self.interval_s:g} s a tick, {stated}")


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples."""
    account, readings, times = Account(), Readings(), _Times()
    names: list[str] = []
    for number, text in console_lines(file):
        account.lines += 1
        if header := _HEADER.match(text):
            names = header[1].replace("#", " ").lower().split()
            continue
        if command := _INTERVAL.search(text):
            times.interval_s = float(command[1])
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
            power, util = (values.number(row.get(n, "-")) for n in ("pwr", "sm"))
            gpu, time_s = times.read(row, before)
        except (ValueError, KeyError) as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        readings.add(time_s, gpu, power, util)
    times.warn(account)
    return [telemetry(file, FORMAT.format, account, readings, options, clock=times.clock, same_tick_s=0.5)]


def _of_day(text: str) -> float:
    match = re.fullmatch(r"(\d\d?):(\d\d):(\d\d)", text)
    if match is None:
        raise ValueError(f"not a time of day: {text[:20]}")
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0 + int(match[3])
