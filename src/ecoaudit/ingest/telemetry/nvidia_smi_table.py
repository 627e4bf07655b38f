"""The table that plain `nvidia-smi` prints, again and again with `-l` or by a loop."""

import math
import re

from ecoaudit.ingest import values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="nvidia_smi_table",
    kind="telemetry",
    title="nvidia-smi tables (nvidia-smi -l)",
    reads="power in whole watts, utilisation, limit, index, memory, names where the table does not cut them",
    seen="drivers 367 to 581, with the time line of nvidia-smi or of `date` before each table",
    cannot_tell="the time zone, the energy counter, fractions of a second, the end of long names; one table is no log",
)

_BANNER = re.compile(r"\|\s*NVIDIA-SMI \d")
_BOARD = re.compile(
    r"^\|\s+(?P<index>\d{1,3})\s+(?P<name>\S.*?)\s+(?:On|Off|WDDM|TCC|MCDM|N/A)\s*\|\s*[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:"
)
_VALUES = re.compile(
    r"^\|.*?(?P<power>\d+|N/A)W?\s*/\s*(?P<limit>\d+|N/A)W?\s*\|"
    r"\s*(?:\d+MiB\s*/\s*(?P<memory>\d+)MiB|[^|]*)\s*\|\s*(?P<util>\d+|N/A)%?"
)


def sniff(head: Head) -> str | None:
    """Recognise two tables or more with a board in them."""
    tables = len(_BANNER.findall(head.text))
    boards = sum(_BOARD.match(line) is not None for line in head.text.splitlines())
    return f"{tables} tables of nvidia-smi" if tables > 1 and boards > 1 else None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples; a table's time is the line before it."""
    account, readings = Account(), Readings()
    time_s, naive = math.nan, False
    board: re.Match[str] | None = None
    for number, text in console_lines(file):
        account.lines += 1
        if match := _BOARD.match(text):
            board = match
        elif board is not None:
            if (cells := _VALUES.match(text)) is None or math.isnan(time_s):
                account.bad(number, text, "no values of a board" if cells is None else "no time before the table")
            else:
                try:
                    _put(readings, time_s, board, cells)
                    account.records += 1
                except ValueError as error:
                    account.bad(number, text, str(error))
            board = None
        elif text[:1] not in ("|", "+") and (found := _time(text)) is not None:
            time_s, local = found
            naive |= local
    return [telemetry(file, FORMAT.format, account, readings, options, clock="naive" if naive else "utc")]


def _put(readings: Readings, time_s: float, board: re.Match[str], cells: re.Match[str]) -> None:
    index, name = int(board["index"]), board["name"]
    limit, memory = values.number(cells["limit"]), values.number(cells["memory"] or "")
    readings.add(time_s, index, values.number(cells["power"]), values.number(cells["util"]))
    readings.info.setdefault(
        index,
        GpuInfo(
            index=index,
            name=None if name.endswith("...") else name,
            power_limit_w=None if math.isnan(limit) else limit,
            memory_mib=None if math.isnan(memory) else memory,
        ),
    )


def _time(text: str) -> tuple[float, bool] | None:
    cleaned = re.sub(r"\s+", " ", text.strip().strip("=-*# "))
    if not 10 <= len(cleaned) < 48:
        return None
    try:
        return values.parse_time(cleaned)
    except ValueError:
        return None
