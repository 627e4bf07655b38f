"""`nvidia-smi --query-gpu=... --format=csv` logs, and the hand-made CSV files that look like them."""

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, clean
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Source, Telemetry
from ecoaudit.ingest.telemetry.frame import Readings, frame, gpus_a_tick, turns
from ecoaudit.ingest.telemetry.plausible import board_power, warn_of_holes

FORMAT = FormatInfo(
    format="nvidia_smi_csv",
    kind="telemetry",
    title="nvidia-smi --query-gpu CSV",
    reads="power, utilisation, GPU name, index or UUID, power limit, memory size",
    seen="drivers 470 to 590; with and without units and header, [N/A], UTF-16, `;` with decimal comma, epoch times",
    cannot_tell="the host, the energy counter, the time zone; the GPU where neither index nor UUID was asked for",
)

_NAMES: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "datetime", "date_time", "date", "ts", "unix_time", "epoch"),
    "uuid": ("uuid", "gpu_uuid"),
    "index": ("index", "gpu_index", "gpu", "gpu_id", "id", "count_index"),
    "bus": ("pci.bus_id", "gpu_bus_id", "pci.bus", "gpu_bus"),
    "name": ("name", "gpu_name", "product_name"),
    "average": ("power.draw.average",),
    "instant": ("power.draw.instant",),
    "power": (
        "power.draw",
        "power_draw",
        "power",
        "power_w",
        "power_draw_w",
        "gpu_power",
        "gpu_power_w",
        "power_watts",
    ),
    "limit": ("enforced.power.limit", "power.limit", "power_limit", "power_limit_w"),
    "util": ("utilization.gpu", "utilization_gpu", "gpu_util", "utilization", "util", "gpu_utilization", "util_gpu"),
    "memory": ("memory.total", "memory_total"),
}
_HEADER_UNIT = re.compile(r"\s*[\[(]\s*([^\])]*?)\s*[\])]\s*$")
_POWER_COLUMNS: tuple[tuple[str, Literal["average", "instant", "unspecified"]], ...] = (
    ("average", "average"),
    ("power", "unspecified"),
    ("instant", "instant"),
)


@dataclass(frozen=True)
class _Layout:
    """Which column holds what; `units` is the unit in the header of a power column."""

    columns: dict[str, int]
    units: dict[str, str]
    width: int
    delimiter: str

    def get(self, cells: list[str], name: str) -> str | None:
        position = self.columns.get(name)
        return cells[position] if position is not None else None


def sniff(head: Head) -> str | None:
    """Recognise the header's column names, or headerless rows of time and watts."""
    for text in head.text.splitlines()[:5]:
        layout = _layout(text)
        if layout is None:
            continue
        names = [n for n in ("average", "power", "instant", "util") if n in layout.columns]
        native = "." in text or "[w]" in text.lower()
        known = names and ({"util", "limit", "memory", "name", "uuid", "index"} & set(layout.columns) or native)
        if known and "time" in layout.columns:
            return f"CSV header with a time and {', '.join(names)}" + (" as nvidia-smi names them" if native else "")
    layout = _headerless(head.text)
    return "CSV rows of a time stamp and one value in watts, without a header" if layout else None


def _layout(text: str) -> _Layout | None:
    delimiter = tables.delimiter_of(text)
    cells = [c.strip().strip('"').strip() for c in text.split(delimiter)]
    if len(cells) < 2:
        return None
    columns: dict[str, int] = {}
    units: dict[str, str] = {}
    for position, cell in enumerate(cells):
        unit = _HEADER_UNIT.search(cell)
        name = _HEADER_UNIT.sub("", cell).strip().lower().replace(" ", "_")
        for field, spellings in _NAMES.items():
            if name in spellings and field not in columns:
                columns[field] = position
                units[field] = unit[1].lower() if unit else ""
    if "time" not in columns or not {"average", "power", "instant", "util"} & set(columns):
        return None
    return _Layout(columns, units, len(cells), delimiter)


def _headerless(text: str) -> _Layout | None:
    """Return the layout of rows without a header when the units leave no doubt: one time, one value in W."""
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    if len(lines) < 2:
        return None
    cells = [c.strip() for c in lines[0].split(",")]
    watts = [i for i, c in enumerate(cells) if re.fullmatch(r"[\d.]+ W", c)]
    percent = [i for i, c in enumerate(cells) if re.fullmatch(r"\d+ %", c)]
    times = [i for i, c in enumerate(cells) if re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?", c)]
    if len(watts) != 1 or len(times) != 1:
        return None
    columns = {"time": times[0], "power": watts[0]}
    if percent:
        columns["util"] = percent[0]
    for i, cell in enumerate(cells):
        if cell.startswith("GPU-"):
            columns["uuid"] = i
        elif re.fullmatch(r"\d{1,2}", cell):
            columns.setdefault("index", i)
        elif re.match(r"(NVIDIA|Tesla|GeForce|Quadro)\b", cell):
            columns["name"] = i
    return _Layout(columns, {}, len(cells), ",")


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the GPUs' samples; raises `EcoauditError` when no row can be read."""
    account = Account()
    layout = _headerless(file.head.text)
    delimiter = layout.delimiter if layout else _delimiter(file.head)
    readings = Readings()
    naive = False
    header_text = ""
    for number, cells, text in tables.rows(((n, clean(t)) for n, t in file.lines()), delimiter):
        account.lines += 1
        if not text.strip():
            continue
        again = _layout(text) if layout is None or not _is_reading(layout, cells) else None
        if again is not None:
            if layout is not None and text.strip() != header_text:
                account.warn(f"line {number}: the columns change in the middle of the file")
            layout, header_text = again, text.strip()
            continue
        if layout is None:
            account.bad(number, text, "before the header")
            continue
        if len(cells) != layout.width:
            account.bad(number, text, f"{len(cells)} of {layout.width} columns")
            continue
        try:
            time_s, is_naive = values.parse_time(layout.get(cells, "time") or "")
            power = _power(layout, cells)
            util = _plain(layout, cells, "util")
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        naive |= is_naive
        key = _identity(layout, cells)
        readings.add(time_s, key, power, util)
        if key not in readings.info:
            readings.info[key] = _info(layout, cells)
        account.records += 1
    if not readings.time_s:
        raise EcoauditError("the nvidia-smi log has no row that can be read", where=file.path)
    if all(key is None for key in readings.gpu):
        _by_turns(readings, account)
    return [_telemetry(file, readings, layout, account, options, naive=naive)]


def _is_reading(layout: _Layout, cells: list[str]) -> bool:
    """Return whether a row holds a time where the header says, so that it cannot be the header again."""
    position = layout.columns["time"]
    return len(cells) > position and cells[position][:1].isdigit()


def _delimiter(head: Head) -> str:
    for text in head.text.splitlines()[:5]:
        layout = _layout(text)
        if layout:
            return layout.delimiter
    return ","


def _decimal(layout: _Layout, text: str) -> str:
    return text.replace(",", ".") if layout.delimiter == ";" else text


def _power(layout: _Layout, cells: list[str]) -> float:
    for name, _ in _POWER_COLUMNS:
        if name in layout.columns:
            unit = layout.units.get(name) or "w"
            value = values.power_w(_decimal(layout, cells[layout.columns[name]]), unit=unit)
            if not math.isnan(value):
                return value
    return math.nan


def _plain(layout: _Layout, cells: list[str], name: str) -> float:
    text = layout.get(cells, name)
    return math.nan if text is None else values.number(_decimal(layout, text))


def _identity(layout: _Layout, cells: list[str]) -> Hashable:
    for name in ("uuid", "index", "bus"):
        text = layout.get(cells, name)
        if text is not None and not values.is_missing(text):
            return int(text) if name == "index" and values.is_index(text) else text
    return None


def _info(layout: _Layout, cells: list[str]) -> GpuInfo:
    """Return what a row says of its GPU."""
    index = layout.get(cells, "index")
    name = layout.get(cells, "name")
    return GpuInfo(
        index=int(index) if index is not None and values.is_index(index) else None,
        uuid=layout.get(cells, "uuid"),
        name=name if name and not values.is_missing(name) else None,
        power_limit_w=_quiet(layout, cells, "limit"),
        memory_mib=_quiet(layout, cells, "memory"),
    )


def _quiet(layout: _Layout, cells: list[str], name: str) -> float | None:
    try:
        value = _plain(layout, cells, name)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _by_turns(readings: Readings, account: Account) -> None:
    """Give GPUs without an index the number of their turn within a tick."""
    gpus = gpus_a_tick(readings.time_s)
    base = readings.info.get(None, GpuInfo())
    readings.gpu = list(turns(readings.time_s, gpus))
    readings.info = {
        i: GpuInfo(index=None, name=base.name, power_limit_w=base.power_limit_w, memory_mib=base.memory_mib)
        for i in range(gpus)
    }
    if gpus > 1:
        account.warn(f"no index or UUID column: the rows of a tick are taken for {gpus} GPUs by their order")


def _telemetry(
    file: LogFile, readings: Readings, layout: _Layout | None, account: Account, options: ReadOptions, *, naive: bool
) -> Telemetry:
    if naive:
        local = np.array(readings.time_s, dtype=np.float64)
        readings.time_s = values.localise(local, options.zone).tolist()
        if options.zone is None:
            account.warn("times have no zone and are taken as UTC; name the zone with --timezone")
    power_w = board_power(np.array(readings.power_w), account)
    warn_of_holes(power_w, account)
    readings.power_w = power_w.tolist()
    table = frame(readings)
    field: Literal["average", "instant", "unspecified"] = "unspecified"
    for name, meaning in _POWER_COLUMNS:
        if layout and name in layout.columns:
            field = meaning
            break
    if np.isnan(table.power_w).all():
        account.warn("the log has no power readings")
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=None,
        gpus=tuple(readings.info.get(key, GpuInfo()) for key in table.keys),
        time_s=table.time_s,
        power_w=table.power_w,
        energy_j=None,
        util_percent=table.util_percent,
        quality=account.quality(file),
        clock="naive" if naive and options.zone is None else "utc",
        power_field=field,
    )
