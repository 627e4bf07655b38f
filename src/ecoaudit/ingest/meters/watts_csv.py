"""Any table of a time and watts: exports of meters, PDUs and plugs, and wide tables with a column a GPU."""

import math
import re
from itertools import pairwise
from pathlib import PurePath

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.meters.build import meter
from ecoaudit.ingest.meters.watt_columns import Layout, layout_of
from ecoaudit.ingest.records import FormatInfo, ReadOptions, Record
from ecoaudit.ingest.stamps import Stamps, date_lines
from ecoaudit.ingest.telemetry.build import telemetry
from ecoaudit.ingest.telemetry.frame import Readings

FORMAT = FormatInfo(
    format="watts_csv",
    kind="meter",
    title="CSV of time and watts (PDU, plug, meter, scripts)",
    reads="a node's watts, a column a node, supplies and phases added up; or GPUs' (GPU0, gpu0_power_w, board power)",
    seen="comma, semicolon and tab, decimal commas, W, kW and mW, lines before the header; exports of Hioki, Yokogawa, "
    "Joulescope, GPU-Z and Home Assistant",
    cannot_tell="what the meter measures: one column is taken for the node; its side unless --meter-boundary says so",
)

_HEADER_WITHIN = 60
_FIX = "keep one column of power, or name them node0, node1 ... or gpu0, gpu1 ..."


def sniff(head: Head) -> str | None:
    """Recognise a header with a time and a power, and a row below it that holds them."""
    found = _find(head)
    if found is None:
        return None
    layout, row = found
    cells = tables.cells_of(row, layout.delimiter)
    try:
        layout.stamps([row]).read(layout.stamp(cells))
        columns = [*layout.gpus.values(), *(i for of_node in layout.nodes.values() for i in of_node)]
        if layout.entity is None and not columns:
            return "CSV with a time and columns of watts" if layout.problem else None
        for column in columns if layout.entity is None else []:
            layout.watts(cells, column)
    except (ValueError, IndexError):
        return None
    if layout.entity is not None:
        return "CSV of Home Assistant's history"
    whose = "a column a GPU" if len(layout.gpus) > 1 else "a GPU's watts" if layout.gpus else "a column of watts"
    return f"CSV with a time and {whose}"


def _find(head: Head) -> tuple[Layout, str] | None:
    """Return the layout of the first line that can be the header, and the row below it."""
    lines = [line for line in head.text.splitlines()[:_HEADER_WITHIN] if line.strip()]
    named = head.name.lower()
    about_gpus = re.search(r"gpu|nvidia", named) is not None and "cpu" not in named
    for header, row in pairwise(lines):
        if len(header) < 20_000 and (layout := layout_of(header, about_gpus=about_gpus)) is not None:
            return layout, row
    return None


def read(file: LogFile, options: ReadOptions) -> list[Record]:
    """Return a meter log a node, and telemetry for columns of GPUs.

    Raises `EcoauditError` where nothing says whose the columns are.
    """
    found = _find(file.head)
    if found is None:
        raise EcoauditError("no header with a time and a power", where=file.path)
    layout = found[0]
    if layout.problem:
        raise EcoauditError(layout.problem, where=file.path, fix=_FIX)
    account, readings = Account(), Readings()
    stamps = layout.stamps(date_lines(file))
    node: dict[str, list[tuple[float, float]]] = {}
    inside = False
    for number, cells, text in tables.rows(file.lines(), layout.delimiter):
        account.lines += 1
        if not text.strip():
            continue
        header = text.strip().lstrip("#").split(layout.delimiter)
        if len(header) == layout.width and [c.strip().strip('"').strip() for c in header] == list(layout.names):
            inside = True
            continue
        if not inside or len(cells) != layout.width:
            reason = f"{len(cells)} of {layout.width} columns" if inside else "before the header"
            account.bad(number, text, reason)
            continue
        try:
            if not _row(layout, cells, stamps, readings, node):
                account.bad(number, text, "no reading")
                continue
        except ValueError as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
    return _records(file, layout, account, stamps, readings, node, options)


def _row(
    layout: Layout, cells: list[str], stamps: Stamps, readings: Readings, node: dict[str, list[tuple[float, float]]]
) -> bool:
    """Take in one row; return whether it holds any reading."""
    if layout.entity is not None and not re.search(r"power|watt|_w$", cells[layout.entity]):
        return True  # another sensor of the house
    time_s = stamps.read(layout.stamp(cells))
    boards = {gpu: layout.watts(cells, column) for gpu, column in layout.gpus.items()}
    sums = {label: math.fsum(layout.watts(cells, i) for i in columns) for label, columns in layout.nodes.items()}
    if any(not math.isnan(w) for w in boards.values()):
        for gpu, watts in boards.items():
            readings.add(time_s, gpu, watts)
    for label, watts in sums.items():
        if not math.isnan(watts):
            node.setdefault(cells[layout.entity] if layout.entity is not None else label, []).append((time_s, watts))
    # A logger that writes whatever is new leaves the others' cells empty.
    return any(not math.isnan(w) for w in (*boards.values(), *sums.values())) or len(layout.left_out) > 0


def _records(
    file: LogFile,
    layout: Layout,
    account: Account,
    stamps: Stamps,
    readings: Readings,
    node: dict[str, list[tuple[float, float]]],
    options: ReadOptions,
) -> list[Record]:
    if layout.entity is not None and len(node) > 1:
        raise EcoauditError(
            f"the history holds the power of {len(node)} sensors", where=file.path, fix="export the node's meter alone"
        )
    clock = stamps.clock(account)
    _tell(layout, account)
    out: list[Record] = []
    if readings.time_s:
        out.append(telemetry(file, FORMAT.format, account, readings, options, clock=clock, same_tick_s=0.0))
    stem = PurePath(file.path).stem
    for label, found in node.items():
        whose = label if label and layout.entity is None else stem
        out.append(meter(file, FORMAT.format, account, found, options, label=whose, clock=clock))
    if not out:
        raise EcoauditError("no power reading in this table", where=file.path)
    return out


def _tell(layout: Layout, account: Account) -> None:
    """Say which columns were taken for what."""
    if layout.entity is not None:
        account.warn("the sensor's power is taken for the node's own meter; only changes of it are in the history")
        return
    for label, columns in layout.nodes.items():
        if len(columns) > 1:
            account.warn(f"the columns {layout.named(columns)} are added up and taken for the node's own meter")
        elif label:
            account.warn(f"the column {layout.named(columns)} is taken for one node's own meter")
        else:
            account.warn("the column of watts is taken for the node's own meter")
    for column in layout.gpus.values() if len(layout.gpus) == 1 else ():
        account.warn(f"the column {layout.named([column])} is taken for one GPU's board power")
    if layout.left_out:
        account.warn(f"the columns {layout.named(layout.left_out)} are left out")
