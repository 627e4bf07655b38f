"""TensorBoard event files (`events.out.tfevents.*`), read without TensorFlow.

TFRecord: uint64 length, its masked CRC32C, the bytes, their masked CRC32C. Event (event.proto): wall_time (field 1,
double), step (2, varint, absent when 0), summary (5) with values {tag 1, simple_value 2, tensor 8}.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.protobuf import fields, signed
from ecoaudit.ingest.records import FormatInfo, ReadOptions, TrainingLog
from ecoaudit.ingest.training.scalars import Row, joined, training_log
from ecoaudit.ingest.values import clock_s

FORMAT = FormatInfo(
    format="tensorboard",
    kind="training",
    title="TensorBoard event file",
    reads="wall clock, steps, loss and token scalars, from simple values (TF1, PyTorch) and tensors (TF2)",
    seen="brain.Event:2; PyTorch, Lightning, Keras writers; cut and empty files",
    cannot_tell="tokens and samples unless a scalar's name says so; Keras writes the epoch as step",
)

# Keras writes the evaluation's scalars by the training's names into a folder of its own.
_HELD_OUT_FOLDERS = frozenset({"validation", "valid", "val", "eval", "evaluation", "test"})
_HEADER = struct.Struct("<QI")
_MAX_RECORD = 256 * 1024 * 1024


def sniff(head: Head) -> str | None:
    """Recognise a first record that holds the file version."""
    if b"brain.Event:" in head.raw[:64]:
        return "TFRecord whose first event is a brain.Event version"
    return None


def read(file: LogFile, options: ReadOptions) -> list[TrainingLog]:  # noqa: ARG001 - event times are UTC
    """Return the run; raises `EcoauditError` when the file holds no scalar."""
    account = Account()
    order: list[Row] = []
    for data in _records(b"".join(file.blocks()), account):
        try:
            event = _event(data)
        except (ValueError, struct.error, IndexError) as error:
            account.bad(account.records + account.bad_lines, repr(data[:40]), f"damaged event: {error}")
            continue
        account.lines += 1
        if not event.scalars:
            continue
        account.records += 1
        order.append((event.step, event.wall_s, event.scalars))
    if not order:
        raise EcoauditError("the event file holds no scalars", where=file.path)
    if not file.is_url and Path(file.path).parent.name.lower() in _HELD_OUT_FOLDERS:
        order = [(step, time_s, {f"eval/{tag}": value for tag, value in row.items()}) for step, time_s, row in order]
    return [training_log(file, FORMAT.format, "TensorBoard", account, joined(order))]


def _records(data: bytes, account: Account) -> Iterator[bytes]:
    position = 0
    while position + _HEADER.size <= len(data):
        length, _ = _HEADER.unpack_from(data, position)
        end = position + _HEADER.size + length + 4
        if length > _MAX_RECORD or end > len(data):
            account.bad(account.lines + 1, f"record of {length} bytes at {position}", "the file is cut or damaged here")
            return
        yield data[position + _HEADER.size : end - 4]
        position = end
    if position < len(data):
        account.bad(account.lines + 1, f"{len(data) - position} bytes at the end", "the file is cut here")


@dataclass
class _Event:
    wall_s: float = math.nan
    step: int = 0
    scalars: dict[str, float] = field(default_factory=dict)


def _event(data: bytes) -> _Event:
    event = _Event()
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes) and len(value) == 8:
            event.wall_s = clock_s(struct.unpack("<d", value)[0])
        elif number == 2 and isinstance(value, int):
            event.step = signed(value)
        elif number == 5 and isinstance(value, bytes):
            for inner, summary in fields(value):
                if inner == 1 and isinstance(summary, bytes):
                    tag, scalar = _value(summary)
                    if scalar is not None:
                        event.scalars[tag] = scalar
    return event


def _value(data: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            scalar = struct.unpack("<f", value)[0]
        elif number == 8 and isinstance(value, bytes):
            scalar = _tensor(value)
    return tag, scalar


# DataType of tensor.proto: struct code and size of one element.
_TYPES = {1: ("<f", 4), 2: ("<d", 8), 3: ("<i", 4), 9: ("<q", 8)}


def _tensor(data: bytes) -> float | None:
    """Return the number in a tensor of one element: dtype is field 1, content 4, float_val 5, double_val 6."""
    kind, content, number_ = 0, b"", None
    for number, value in fields(data):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6) and isinstance(value, bytes):
            size = 4 if number == 5 else 8
            if len(value) == size:
                number_ = struct.unpack("<f" if size == 4 else "<d", value)[0]
    if number_ is None and kind in _TYPES and len(content) == _TYPES[kind][1]:
        number_ = float(struct.unpack(_TYPES[kind][0], content)[0])
    return number_
