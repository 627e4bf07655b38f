"""`nvidia-smi --query-gpu=... --format=csv` logs, and the hand-made CSV files that look like them."""

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, clean
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Telemetry
from ecoaudit.ingest.stamps import Stamps, date_lines
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings, gpus_a_tick, turns
from ecoaudit.ingest.telemetry.smi_columns import POWER_COLUMNS, Layout, PowerField, by_cells, by_header

FORMAT = FormatInfo(
    format="nvidia_smi_csv",
    kind="telemetry",
    title="nvidia-smi --query-gpu CSV",
    reads="power, utilisation, GPU name, index or UUID, power limit, memory size",
    seen="drivers 470 to 590; with and without units and header, [N/A], UTF-16, `;` with decimal comma, epoch and "
    "elapsed times, a column for the date and one for the time",
    cannot_tell="the host, the energy counter, the time zone; the GPU where neither index nor UUID was asked for",
)

_HEADER_WITHIN = 12
"""Lines in which a header is looked for: a title or a pasted issue may stand before it."""


def sniff(head: Head) -> str | None:
    """Recognise the header's column names, or headerless rows of time and watts."""
    for text in head.text.splitlines()[:_HEADER_WITHIN]:
        layout = by_header(text)
        if layout is None:
            continue
        if layout.described and "time" in layout.columns:
            names = ", ".join(layout.readings)
            return f"CSV header with a time and {names}" + (" as nvidia-smi names them" if layout.native else "")
        if layout.native and "time" not in text.lower():
            return "columns as nvidia-smi names them, without a time"
    return "CSV rows of a time stamp and one value in watts, without a header" if by_cells(head.text) else None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:
    """Return the GPUs' samples; raises `EcoauditError` when no row can be read, or none has a time."""
    account = Account()
    layout = by_cells(file.head.text)
    delimiter = layout.delimiter if layout else _delimiter(file.head)
    stamps = layout.stamps(date_lines(file)) if layout else Stamps()
    readings = Readings()
    header_text = ""
    for number, cells, text in tables.rows(((n, clean(t)) for n, t in file.lines()), delimiter):
        account.lines += 1
        if not text.strip():
            continue
        again = by_header(text) if layout is None or not _is_reading(layout, cells) else None
        if again is not None and "time" in again.columns:
            if layout is not None and text.strip() != header_text:
                account.warn(f"line {number}: the columns change in the middle of the file")
            if layout is None:
                stamps = again.stamps(date_lines(file))
            layout, header_text = again, text.strip()
            continue
        if layout is None:
            account.bad(number, text, "before the header" if again is None else "columns without a time")
            continue
        if len(cells) != layout.width:
            account.bad(number, text, f"{len(cells)} of {layout.width} columns")
            continue
        try:
            time_s = stamps.read(layout.time(cells))
            power, util = layout.power(cells), layout.plain(cells, "util")
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        key = layout.identity(cells)
        readings.add(time_s, key, power, util)
        if key not in readings.info:
            readings.info[key] = layout.info(cells)
        account.records += 1
    if not readings.time_s:
        raise _unreadable(file, layout)
    if all(key is None for key in readings.gpu):
        _by_turns(readings, account)
    if layout and layout.readings[0] == "chip":
        account.warn("the power is the GPU chip's alone: the board's memory and losses are not in it")
    field = _power_field(layout)
    return [telemetry(file, FORMAT.format, account, readings, options, clock=stamps.clock(account), power_field=field)]


def _unreadable(file: LogFile, layout: Layout | None) -> EcoauditError:
    if layout is None:
        return EcoauditError(
            "the readings have no times, so they give no energy",
            where=file.path,
            fix="put timestamp first: nvidia-smi --query-gpu=timestamp,index,power.draw --format=csv -l 1",
        )
    return EcoauditError("the nvidia-smi log has no row that can be read", where=file.path)


def _power_field(layout: Layout | None) -> PowerField:
    return next((meaning for name, meaning in POWER_COLUMNS if layout and name in layout.columns), "unspecified")


def _is_reading(layout: Layout, cells: list[str]) -> bool:
    """Return whether a row holds a time where the header says, so that it cannot be the header again."""
    position = layout.columns["time"]
    return len(cells) > position and cells[position][:1].isdigit()


def _delimiter(head: Head) -> str:
    for text in head.text.splitlines()[:_HEADER_WITHIN]:
        layout = by_header(text)
        if layout:
            return layout.delimiter
    return ","


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
