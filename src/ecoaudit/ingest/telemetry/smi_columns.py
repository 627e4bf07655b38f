"""Which column of an nvidia-smi CSV, or of a table like it, holds what: by header, or by the cells where none is."""

import math
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

from ecoaudit.ingest import tables, values
from ecoaudit.ingest.records import GpuInfo
from ecoaudit.ingest.stamps import Stamps, time_columns

# Names as nvidia-smi and scripts print them; case, units and what is no letter or digit do not count.
_NAMES: dict[str, frozenset[str]] = {
    field: frozenset(names.split())
    for field, names in {
        "uuid": "uuid gpu_uuid",
        "index": "index gpu_index gpu_idx gpu gpu_id id count_index device device_id",
        "bus": "pci_bus_id gpu_bus_id pci_bus gpu_bus",
        "name": "name gpu_name product_name",
        "average": "power_draw_average",
        "instant": "power_draw_instant",
        "power": "power_draw gpu_power_draw gpu_power board_power_draw board_power power power_usage gpu_power_usage",
        "chip": "gpu_chip_power_draw gpu_only_power_draw",
        "limit": "enforced_power_limit power_limit",
        "util": "utilization_gpu gpu_util utilization util gpu_utilization util_gpu gpu_load",
        "memory": "memory_total mem_total",
    }.items()
}
_HEADER_UNIT = re.compile(r"\s*[\[(]\s*([^\])]*?)\s*[\])]\s*$")
_SUFFIX = re.compile(r"_(w|watts?|mw|kw|milliwatts?|pct|percent|mb|mib)$")
_BOARD = re.compile(r"draw|^gpu_|^board_")
PowerField = Literal["average", "instant", "unspecified"]
POWER_COLUMNS: tuple[tuple[str, PowerField], ...] = (
    ("average", "average"),
    ("power", "unspecified"),
    ("instant", "instant"),
    ("chip", "unspecified"),
)


@dataclass(frozen=True)
class Layout:
    """Which column holds what; `units` is the unit in the header of a column, `native` whether the names are
    nvidia-smi's own, `board` whether a power column can only be a board's, `dated` whether times must be Unix times."""

    columns: dict[str, int]
    units: dict[str, str]
    width: int
    delimiter: str
    native: bool = False
    board: bool = False
    dated: bool = False

    @property
    def readings(self) -> tuple[str, ...]:
        """The columns of power and utilisation."""
        return tuple(n for n in (*(name for name, _ in POWER_COLUMNS), "util") if n in self.columns)

    @property
    def described(self) -> bool:
        """Whether other columns, or the names, show that the readings are a GPU's."""
        beside = {"util", "limit", "memory", "name", "uuid", "index"} & set(self.columns)
        return self.native or self.board or bool(beside and self.readings)

    def stamps(self, texts: Iterable[str]) -> Stamps:
        """Return the reader of the time column, given the first lines of the table."""
        return Stamps.of(texts, 1e-3 if self.units.get("time") == "ms" else 1.0, dated=self.dated)

    def get(self, cells: list[str], name: str) -> str | None:
        position = self.columns.get(name)
        return cells[position] if position is not None else None

    def time(self, cells: list[str]) -> str:
        """Return the time of a row; a date and a time of day may stand in two columns."""
        day = self.get(cells, "time") or ""
        return f"{day} {self.get(cells, 'clock')}" if "clock" in self.columns else day

    def power(self, cells: list[str]) -> float:
        """Return watts, NaN where no column has any."""
        for name, _ in POWER_COLUMNS:
            if name in self.columns:
                value = values.power_w(self._number(cells, name), unit=self.units.get(name) or "w")
                if not math.isnan(value):
                    return value
        return math.nan

    def plain(self, cells: list[str], name: str) -> float:
        """Return the number of a column, NaN where it says that there is none."""
        return values.number(self._number(cells, name)) if name in self.columns else math.nan

    def _number(self, cells: list[str], name: str) -> str:
        # A script that splits the output of two GPUs at commas leaves the second's first cell in the first's last.
        return tables.decimal(cells[self.columns[name]].partition("\n")[0], self.delimiter)

    def identity(self, cells: list[str]) -> Hashable:
        """Return what tells a GPU from the others: UUID, index or bus; None where the row does not say."""
        for name in ("uuid", "index", "bus"):
            text = self.get(cells, name)
            if text is None or values.is_missing(text):
                continue
            if name != "index":
                return text
            if (index := index_of(text)) is not None:
                return index
        return None

    def info(self, cells: list[str]) -> GpuInfo:
        """Return what a row says of its GPU; a column `gpu` may hold its name."""
        index = self.get(cells, "index")
        number = None if index is None else index_of(index)
        name = self.get(cells, "name") or (index if number is None else None)
        return GpuInfo(
            index=number,
            uuid=self.get(cells, "uuid"),
            name=name if name and not values.is_missing(name) else None,
            power_limit_w=self._quiet(cells, "limit"),
            memory_mib=self._quiet(cells, "memory"),
        )

    def _quiet(self, cells: list[str], name: str) -> float | None:
        try:
            value = self.plain(cells, name)
        except ValueError:
            return None
        return None if math.isnan(value) else value


def index_of(text: str) -> int | None:
    """Return a GPU's index from `3`, `GPU 3`, `gpu3`, `cuda:3` or `nvidia3`; None for anything else."""
    match = re.fullmatch(r"(?:(?:gpu|cuda|nvidia|card)[ _:#-]?)?(\d{1,4})", text.strip(), re.IGNORECASE)
    return int(match[1]) if match else None


def by_header(text: str) -> Layout | None:
    """Return the layout that a header line names: a reading of power or utilisation, with or without a time."""
    delimiter = tables.delimiter_of(text)
    cells = [c.strip().strip('"').strip() for c in text.split(delimiter)]
    columns: dict[str, int] = {}
    units: dict[str, str] = {}
    fulls: list[str] = []
    words: list[str] = []
    board = False
    for position, cell in enumerate(cells):
        unit = _HEADER_UNIT.search(cell)
        full = tables.word_of(_HEADER_UNIT.sub("", cell))
        suffix = _SUFFIX.search(full)
        bare = _SUFFIX.sub("", full)
        fulls.append(full)
        words.append(bare)
        for field, spellings in _NAMES.items():
            if field in columns or not (full in spellings or bare in spellings):
                continue
            columns[field] = position
            units[field] = unit[1].lower() if unit else suffix[1] if suffix else ""
            board |= field in ("power", "chip") and _BOARD.search(bare) is not None
    time = time_columns(fulls)
    if time:
        columns |= dict(zip(("time", "clock"), time, strict=False))
        unit = _HEADER_UNIT.search(cells[time[0]])
        units["time"] = "ms" if fulls[time[0]].endswith("_ms") or (unit and unit[1] == "ms") else ""
    if not {*(name for name, _ in POWER_COLUMNS), "util"} & set(columns):
        return None
    if any(words.count(words[columns[name]]) > 1 for name, _ in POWER_COLUMNS if name in columns):
        return None  # a column a GPU under one name: a wide table
    native = any(re.match(r"(power\.draw|utilization\.gpu)", c, re.IGNORECASE) for c in cells)
    dated = bool(time) and fulls[time[0]] == "epoch"
    return Layout(columns, units, len(cells), delimiter, native=native, board=board, dated=dated)


def by_cells(text: str) -> Layout | None:
    """Return the layout of rows without a header when the units leave no doubt: one time, one value in W."""
    rows = [[c.strip() for c in line.split(",")] for line in text.splitlines()[:40] if line.strip()]
    rows = [row for row in rows if len(row) == len(rows[0])]
    if len(rows) < 2:
        return None
    cells = rows[0]
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
        elif _takes_turns([row[i] for row in rows]):
            columns.setdefault("index", i)
        elif re.match(r"(NVIDIA|Tesla|GeForce|Quadro)\b", cell):
            columns["name"] = i
    return Layout(columns, {}, len(cells), ",", native=True)


def _takes_turns(cells: list[str]) -> bool:
    """Return whether a column of bare numbers can be the GPU's index: the same ascending numbers in every tick.

    A temperature or a fan speed is a small number, too, but does not come in turns from tick to tick.
    """
    if not all(re.fullmatch(r"\d{1,2}", c) for c in cells):
        return False
    numbers = [int(c) for c in cells]
    turn = numbers[: next((i for i, n in enumerate(numbers) if i and n <= numbers[i - 1]), len(numbers))]
    return turn[-1] < 16 and all(n == expected for n, expected in zip(numbers, cycle(turn), strict=False))
