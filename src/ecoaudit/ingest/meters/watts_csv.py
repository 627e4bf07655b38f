"""Any CSV of a time and watts: PDU and meter exports, and wide tables with a column a GPU."""

import math
import re
from dataclasses import dataclass
from pathlib import PurePath

from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.meters.build import meter
from ecoaudit.ingest.records import Clock, FormatInfo, ReadOptions, Record
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="watts_csv",
    kind="meter",
    title="CSV of time and watts (PDU, meter, scripts)",
    reads="one node's watts; or a column a GPU (GPU0, GPU1, gpu0_power_w ...)",
    seen="comma, semicolon with decimal comma, tab; W, kW and mW in the header",
    cannot_tell="what the meter measures: one column is taken for the node; its side unless --meter-boundary says so",
)

_TIME = {"timestamp", "time", "datetime", "date", "ts", "epoch", "unix_time", "time_s", "date_time", "date/time"}
_WATTS = re.compile(
    r"(?:watts?|w|power|active[_ ]?power|real[_ ]?power|total[_ ]?power|node[_ ]?power|system[_ ]?power|psu[_ ]?power|"
    r"power[_ ]?(?:w|watts?|kw|mw)|input[_ ]?power|wall[_ ]?power|outlet[_ ]?power|apower)(?:_(?:w|kw|mw|watts?))?",
    re.IGNORECASE,
)
_GPU = re.compile(r"gpu[_ -]?(\d{1,3})(?:[_ -]?(?:power(?:[_ .]?draw)?)?(?:[_ -]?(?:w|watts?|mw))?)?", re.IGNORECASE)
_UNIT = re.compile(r"\s*[\[(]\s*([a-z]+)\s*[\])]\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    width: int
    time: int
    node: int | None
    gpus: dict[int, int]
    units: dict[int, str]


def sniff(head: Head) -> str | None:
    """Recognise a header with one time and one watt column, or with a time and GPU columns, numbers below."""
    lines = [line for line in head.text.splitlines()[:4] if line.strip()]
    layout = _layout(lines[0]) if len(lines) > 1 else None
    if layout is None:
        return None
    cells = [c.strip() for c in lines[1].split(layout.delimiter)]
    try:
        values.parse_time(cells[layout.time])
        column = next(iter(layout.gpus.values())) if layout.gpus else layout.node
        values.power_w(cells[column or 0].replace(",", ".") if layout.delimiter == ";" else cells[column or 0])
    except (ValueError, IndexError):
        return None
    return "CSV with a time and a column a GPU" if layout.gpus else "CSV with a time and a column of watts"


def _layout(text: str) -> _Layout | None:
    delimiter = tables.delimiter_of(text)
    names = [c.strip().strip('"') for c in text.split(delimiter)]
    units = {i: m[1].lower() for i, n in enumerate(names) if (m := _UNIT.search(n))}
    bare = [_UNIT.sub("", n).strip() for n in names]
    times = [i for i, n in enumerate(bare) if n.lower() in _TIME]
    gpus = {int(m[1]): i for i, n in enumerate(bare) if (m := _GPU.fullmatch(n))}
    watts = [i for i, n in enumerate(bare) if _WATTS.fullmatch(n)]
    for i in (*watts, *gpus.values()):
        suffix = re.search(r"(?:^|[_ ])(kw|mw)$", bare[i], re.IGNORECASE)
        if suffix:
            units.setdefault(i, suffix[1].lower())
    if len(names) < 2 or len(times) != 1 or (not gpus and not watts):
        return None
    return _Layout(delimiter, len(names), times[0], None if gpus else watts[0], gpus, units)


def read(file: LogFile, options: ReadOptions) -> list[Record]:
    """Return a node's meter log, or telemetry for a column a GPU."""
    account, readings = Account(), Readings()
    node: list[tuple[float, float]] = []
    layout: _Layout | None = None
    naive = False
    delimiter = tables.delimiter_of(next(iter(file.head.text.splitlines()), ","))
    for number, cells, text in tables.rows(file.lines(), delimiter):
        account.lines += 1
        if not text.strip():
            continue
        again = _layout(text)
        if again is not None:
            layout = again
            continue
        if layout is None or len(cells) != layout.width:
            account.bad(
                number, text, "before the header" if layout is None else f"{len(cells)} of {layout.width} columns"
            )
            continue
        try:
            time_s, local = values.parse_time(cells[layout.time])
            power = {gpu: _power(layout, cells, i) for gpu, i in layout.gpus.items()}
            watts = _power(layout, cells, layout.node) if layout.node is not None else math.nan
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        if layout.node is not None and math.isnan(watts):
            account.bad(number, text, "no reading")
            continue
        account.records += 1
        naive |= local
        for gpu, value in power.items():
            readings.add(time_s, gpu, value)
        if layout.node is not None:
            node.append((time_s, watts))
    if readings.time_s:
        clock: Clock = "naive" if naive else "utc"
        return [telemetry(file, FORMAT.format, account, readings, options, clock=clock, same_tick_s=0.0)]
    account.warn("the column of watts is taken for the node's own meter")
    label = PurePath(file.path).stem
    return [meter(file, FORMAT.format, account, node, options, label=label, naive=naive)]


def _power(layout: _Layout, cells: list[str], column: int) -> float:
    text = cells[column].replace(",", ".") if layout.delimiter == ";" else cells[column]
    return values.power_w(text, unit=layout.units.get(column, "w"))
