"""The lines of `ecoaudit.telemetry/1` and how a file's bytes become them.

Samples are read as columns (`columns.py`). Lines that differ from the usual ones go through the JSON decoder, and only
a block with a bad line goes through it line by line.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.telemetry.columns import Columns, columns, joined
from ecoaudit.ingest.telemetry.shapes import Shapes

SCHEMA = "ecoaudit.telemetry/1"

Values = list[float | None] | None | msgspec.UnsetType
Scalar = float | None


class Gpu(msgspec.Struct):
    index: int | None = None
    uuid: str | None = None
    name: str | None = None
    power_limit_w: Scalar = None
    memory_mib: Scalar = None
    mig: bool | None = None
    share: Scalar = None


class Header(msgspec.Struct, tag_field="type", tag="header"):
    schema: str
    gpus: list[Gpu] = []
    host: str | None = None
    run_id: str | None = None
    interval_s: Scalar = None
    sources: list[str] = []
    node_gpu_count: int | None = None
    node_power_source: str | None = None
    rapl_max_j: dict[str, float] = {}
    reason: str | None = None


class Sample(msgspec.Struct, tag_field="type", tag="sample"):
    t: float
    m: Scalar = None
    power_w: Values = msgspec.UNSET
    power_instant_w: Values = msgspec.UNSET
    energy_j: Values = msgspec.UNSET
    util: Values = msgspec.UNSET
    rapl_j: dict[str, Scalar] | msgspec.UnsetType | None = msgspec.UNSET
    node_w: Scalar | msgspec.UnsetType = msgspec.UNSET


class Event(msgspec.Struct, tag_field="type", tag="event"):
    t: float
    name: str
    m: Scalar = None
    value: str | bool | float | int | None = None
    attributes: dict[str, Any] = {}
    tokens: float | None = None


class Footer(msgspec.Struct, tag_field="type", tag="footer"):
    t: float | None = None
    samples: int | None = None
    missed: int | None = None
    reason: str | None = None


Line = Header | Sample | Event | Footer
_DECODER = msgspec.json.Decoder(Line)
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BLOCK_BYTES = 320 * 1024
_MOSTLY = 0.25
"""Blocks in which more than this share of the lines is not read as columns are decoded whole."""


def records(file: LogFile, account: Account, unread: frozenset[str] = frozenset()) -> Iterator[list[Line | Columns]]:
    """Yield what the lines hold block by block; bad lines are counted in `account`, whole ones around them kept.

    Values of the metrics in `unread` may be 0 where there are any.
    """
    shapes = Shapes(_sample, unread)
    _keep_freed_memory()
    for block in file.line_blocks():
        start = 0
        while start < len(block):
            # A decompressed block may be long; short ones stay in the processor's cache.
            end = block.rfind(b"\n", start, start + _BLOCK_BYTES) + 1 or block.find(b"\n", start) + 1 or len(block)
            yield _decoded(block[start:end], shapes, account)
            start = end


def _keep_freed_memory() -> None:
    """Let the allocator keep the memory of one block's arrays for those of the next.

    The GNU C library gives freed memory back and asks for it anew, page by page, at every block; with the kernel's work
    that takes longer than the reading. To free one large piece, never written to, raises its thresholds (mallopt(3),
    M_MMAP_THRESHOLD and M_TRIM_THRESHOLD). Elsewhere this does nothing.
    """
    np.empty(_BLOCK_BYTES * 64, dtype=np.uint8)


def _decoded(block: bytes, shapes: Shapes, account: Account) -> list[Line | Columns]:
    number = account.lines
    whole = _by_columns(block, number, shapes, account) if block.endswith(b"\n") else None
    if whole is not None:
        out, lines = whole
    else:
        lines = block.count(b"\n") + (0 if block.endswith(b"\n") else 1)
        try:
            out = _DECODER.decode_lines(block)
        except _UNDECODABLE:
            out = []
        if len(out) != lines:  # the decoder would join lines that a record was broken into
            out = _line_by_line(block, number, account)
    account.lines += lines
    account.records += sum(len(record) if isinstance(record, Columns) else 1 for record in out)
    return out


def _sample(line: bytes) -> Sample | None:
    try:
        record = _DECODER.decode(line)
    except _UNDECODABLE:
        return None
    return record if isinstance(record, Sample) else None


def _by_columns(block: bytes, number: int, shapes: Shapes, account: Account) -> tuple[list[Line | Columns], int] | None:
    """Return samples as columns and what stands between them, and the lines' count.

    None where too little of the block can be read so.
    """
    found, left, ends = columns(block, shapes)
    rows, samples, other = joined(found)
    left = sorted([*left, *other])
    if samples is None or len(left) > max(_MOSTLY * len(ends), 2):
        return None
    out: list[Line | Columns] = []
    done = 0
    for line in left:
        start, end = int(ends[line - 1]) if line else 0, int(ends[line]) - 1
        between = _line_by_line(block[start:end], number + line, account)
        here = int(np.searchsorted(rows, line))
        if between and here > done:
            out.append(samples.rows(done, here))
            done = here
        out += between
    if done < len(samples):
        out.append(samples.rows(done, len(samples)))
    return out, len(ends)


def _line_by_line(block: bytes, number: int, account: Account) -> list[Line | Columns]:
    out: list[Line | Columns] = []
    for line in block.split(b"\n"):
        number += 1
        if not line.strip():
            continue
        try:
            out += _DECODER.decode_lines(line)  # two whole records on a line, their line end lost, are both read
        except _UNDECODABLE as error:
            _salvage(line, number, str(error), account, out)
    return out


def _salvage(line: bytes, number: int, reason: str, account: Account, out: list[Line | Columns]) -> None:
    """Take what can still be read: bare NaN, a whole record behind a torn one, a record of a newer writer."""
    text = line.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except (json.JSONDecodeError, RecursionError):
        account.bad(number, text, "cut or not JSON")
        cut = line.rfind(b'{"type":')
        if cut > 0:
            try:
                out.append(_DECODER.decode(line[cut:]))
            except _UNDECODABLE:
                return
        return
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind not in ("header", "sample", "event", "footer"):
        account.warn(f"records of the unknown type {kind[:40]!r} were left out")
        return
    try:
        out.append(msgspec.convert(value, Line))
    except msgspec.ValidationError:
        account.bad(number, text, reason)
