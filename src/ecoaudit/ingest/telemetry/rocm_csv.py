"""AMD: `rocm-smi --csv` and `amd-smi metric --csv` or `monitor --csv`, printed again and again."""

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass, field

from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import Clock, FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.stamps import Stamps, date_lines
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="rocm_smi_csv",
    kind="telemetry",
    title="rocm-smi --csv, amd-smi metric --csv",
    reads="socket or average package power, energy accumulator, utilisation, cards",
    seen="rocm-smi 5 to 7 (one table or one an option), amd-smi 24 to 26 with -w and its timestamp column",
    cannot_tell="times of rocm-smi, unless a wrapper prints them (else one second a sample); names with amd-smi",
)

# In this order: what a whole socket draws comes before averages of older cards; N/A falls to the next.
_POWER = (
    re.compile(r"current socket graphics package power \(w\)|(?:current_)?socket_power|power_usage"),
    re.compile(r"average graphics package power \(w\)|average_socket_power"),
    re.compile(r"(?:current|average)\b.* power \(w\)"),
)
_UTIL = re.compile(r"gpu use \(%\)|gfx_activity|gfx")
_ENERGY = re.compile(r"(?:accumulated energy \(uj\))|total_energy_consumption")
_NAME = re.compile(r"card series|device name|card model")
_ROW = re.compile(r"(?:(\S.*?)[ \t]+)?(?:card|GPU ?)?(\d{1,3})")


@dataclass(frozen=True)
class _Columns:
    """Places of one table's columns; `joules` is J per unit of the energy column."""

    header: str
    width: int
    card: int
    time: int | None
    power: tuple[int, ...]
    util: int | None
    energy: int | None
    name: int | None
    joules: float


def sniff(head: Head) -> str | None:
    """Recognise a header with cards or GPUs and one of AMD's powers."""
    for text in head.text.splitlines()[:200]:
        columns = _columns(text)
        if columns is not None and columns.power:
            return "CSV header of rocm-smi" if columns.header.startswith("device") else "CSV header of amd-smi"
    return None


def _columns(text: str) -> _Columns | None:
    names = [name.lower() for name in tables.cells_of(text)]
    card = next((names.index(n) for n in ("device", "gpu") if n in names), None)
    if card is None or len(names) < 2:
        return None

    def find(pattern: re.Pattern[str]) -> list[int]:
        return [i for i, n in enumerate(names) if pattern.fullmatch(n)]

    energy = find(_ENERGY)
    return _Columns(
        header=",".join(names[card:]),
        width=len(names),
        card=card,
        time=names.index("timestamp") if "timestamp" in names else None,
        power=tuple(dict.fromkeys(i for pattern in _POWER for i in find(pattern))),
        util=next(iter(find(_UTIL)), None),
        energy=next(iter(energy), None),
        name=next(iter(find(_NAME)), None),
        joules=1e-6 if energy and "uj" in names[energy[0]] else 1.0,
    )


@dataclass
class _Samples:
    """Samples in the order of the file: their times, and what their tables say of each card."""

    times: list[float] = field(default_factory=list)
    cards: list[dict[int, dict[str, float]]] = field(default_factory=list)
    _tables: set[tuple[int, str]] = field(default_factory=set)

    def put(self, time_s: float, card: int, table: str, found: dict[str, float]) -> None:
        """Add a row; the same card in the same table again begins the next sample."""
        if not self.cards or (card, table) in self._tables:
            self.times.append(time_s)
            self.cards.append({})
            self._tables = set()
        self._tables.add((card, table))
        known = self.cards[-1].setdefault(card, {})
        known.update({k: v for k, v in found.items() if not math.isnan(v)})

    def readings(self, info: dict[Hashable, GpuInfo]) -> Readings:
        """Return the readings of all cards, a sample without a time one second after the last."""
        timed = bool(self.times) and not any(map(math.isnan, self.times))
        out = Readings(info=info)
        for tick, (time_s, cards) in enumerate(zip(self.times, self.cards, strict=True)):
            for card, found in cards.items():
                power, util, joules = (found.get(k, math.nan) for k in ("power", "util", "energy"))
                out.add(time_s if timed else float(tick), card, power, util, joules)
        return out


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the samples of every card; tables of one sample are put together."""
    account, samples = Account(), _Samples()
    stamps = Stamps.of(date_lines(file))
    info: dict[Hashable, GpuInfo] = {}
    columns: _Columns | None = None
    stamp = math.nan
    for number, text in console_lines(file):
        account.lines += 1
        header = _columns(text)
        if header is not None:
            columns = header
            continue
        cells = tables.cells_of(text)
        row = _ROW.fullmatch(cells[columns.card]) if columns and len(cells) == columns.width else None
        if columns is None or row is None:
            if columns is not None and text.startswith("card"):
                account.bad(number, text, f"{len(cells)} of {columns.width} columns")
            elif "," not in text:
                stamp = _time(stamps, text, stamp)
            continue
        try:
            stamp = stamps.read(cells[columns.time]) if columns.time is not None else _time(stamps, row[1], stamp)
            card, found = values.gpu_index(row[2]), _values(columns, cells)
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        samples.put(stamp, card, columns.header, found)
        account.records += 1
        if columns.name is not None:
            info.setdefault(card, GpuInfo(index=card, name=cells[columns.name] or None))
    readings = samples.readings(info)
    clock: Clock = "none"
    if readings.time_s and not any(map(math.isnan, samples.times)):
        clock = stamps.clock(account)
    elif readings.time_s:
        account.warn("the samples have no times: one second a sample is assumed")
    return [telemetry(file, FORMAT.format, account, readings, options, clock=clock)]


def _time(stamps: Stamps, text: str | None, stamp: float) -> float:
    """Return the time that a wrapper printed, on a line of its own or before a card, else the last one."""
    cleaned = re.sub(r"\s+", " ", (text or "").strip("=-*#,[] \t"))
    if len(cleaned) < 8:
        return stamp
    try:
        return stamps.read(cleaned)
    except ValueError:
        return stamp


def _values(columns: _Columns, cells: list[str]) -> dict[str, float]:
    watts = next((w for i in columns.power if not math.isnan(w := values.number(cells[i]))), math.nan)
    util = values.number(cells[columns.util]) if columns.util is not None else math.nan
    joules = values.number(cells[columns.energy]) * columns.joules if columns.energy is not None else math.nan
    return {"power": watts, "util": util, "energy": joules}
