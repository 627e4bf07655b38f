"""The run file that every W&B SDK keeps on disk, `run-<id>.wandb`: a LevelDB log of protobuf records.

Field numbers are those of wandb_internal.proto. Of the run's environment only its GPUs are read: it names people, too.
"""

import json
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import leveldb, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.protobuf import fields, messages, signed, timestamp_s, zigzag
from ecoaudit.ingest.records import FormatInfo, GpuInfo, ReadOptions, Record
from ecoaudit.ingest.training.scalars import TOTALS, Row, training_log
from ecoaudit.ingest.training.settings import facts
from ecoaudit.ingest.training.wandb import NAME, scalars_of, with_totals
from ecoaudit.ingest.training.wandb_system import GpuMetrics, boards_of, metadata_near

FORMAT = FormatInfo(
    format="wandb_run",
    kind="training",
    title="Weights & Biases run file, run-<id>.wandb",
    reads=(
        "steps, loss and token scalars with the clock; evaluations by their runtime; GPU names, power, utilisation and "
        "limits; model, batch, precision and attention of the config; exit status"
    ),
    seen="SDKs 0.12 to 0.31, online and offline; torn ends; the shifted blocks of 0.17.0; several run folders at once",
    cannot_tell="which GPUs of the node are the run's, unless gpu.process.N names them; `_step` is a row number",
)

_HISTORY, _SUMMARY, _CONFIG, _STATS, _RUN, _EXIT, _ENVIRONMENT = 2, 3, 5, 7, 17, 18, 26
_TOTALS = tuple(name.encode() for name in TOTALS)
_TRAILING_S = 120.0
"""How far behind the last row the process may end: some intervals of the system monitor."""


def sniff(head: Head) -> str | None:
    """Recognise the file's first bytes."""
    return "the header of a W&B run file" if head.raw.startswith(b":W&B") else None


@dataclass
class _Run:
    history: list[Row] = field(default_factory=list)
    metrics: GpuMetrics = field(default_factory=GpuMetrics)
    config: dict[str, Any] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)
    boards: tuple[GpuInfo, ...] = ()
    run_id: str | None = None
    host: str | None = None
    start_s: float = math.nan
    last_s: float = math.nan
    resumed: bool = False
    exit_code: int | None = None
    runtime_s: float = math.nan

    def seen(self, time_s: float) -> None:
        self.last_s = time_s if math.isnan(self.last_s) else max(self.last_s, time_s)


def read(file: LogFile, options: ReadOptions) -> list[Record]:  # noqa: ARG001 - W&B times are UTC
    """Return the training log and, where GPUs were monitored, the telemetry of the node.

    Raises `EcoauditError` when the file holds neither rows nor GPU metrics.
    """
    account, run = Account(), _Run()
    for data in leveldb.records(file.blocks(), account):
        account.lines += 1
        try:
            _record(data, run, account)
        except (ValueError, IndexError, OverflowError, struct.error, RecursionError) as error:
            account.bad(account.lines, repr(data[:40]), f"damaged record: {error}")
    out: list[Record] = []
    told = facts(run.config)
    if run.history:
        with_totals(run.history, run.totals)
        log = training_log(file, FORMAT.format, NAME, account, run.history, **_known(run), **told)
        out.append(log)
    if run.metrics.readings.time_s:
        boards = run.boards or boards_of(metadata_near(file))
        found = run.metrics.telemetry(file, FORMAT.format, account, boards, told.get("world_size"), run.host)
        out.append(replace(found, run_id=run.run_id))
    if not out:
        raise EcoauditError("the W&B run file holds no history row and no GPU metric", where=file.path)
    return out


def _known(run: _Run) -> dict[str, Any]:
    known: dict[str, Any] = {"run_id": run.run_id}
    if not math.isnan(run.start_s):
        known["job_start_s"] = run.start_s
        end = run.start_s + run.runtime_s
        if not run.resumed and run.last_s <= end <= run.last_s + _TRAILING_S:
            known["job_end_s"] = end
        elif not math.isnan(run.last_s):
            known["job_end_s"] = run.last_s
    if run.exit_code is not None:
        known["status"] = "aborted" if run.exit_code else "success"
    return known


def _record(data: bytes, run: _Run, account: Account) -> None:
    for number, value in fields(data):
        if not isinstance(value, bytes):
            continue
        if number == _HISTORY:
            account.records += 1
            _history(value, run)
        elif number == _STATS:
            account.records += 1
            _stats(value, run)
        elif number == _SUMMARY:
            if any(name in value for name in _TOTALS):
                run.totals |= scalars_of(dict(_items(messages(value, 1))))
        elif number == _CONFIG:
            _configure(value, run)
        elif number == _RUN:
            _start(value, run)
        elif number == _EXIT:
            parts = dict(fields(value))
            run.exit_code, run.runtime_s = _int(parts.get(1, 0)), float(_int(parts.get(2, 0)) or math.nan)
        elif number == _ENVIRONMENT:
            run.boards = _boards(value) or run.boards


def _history(data: bytes, run: _Run) -> None:
    row = dict(_items(messages(data, 1)))
    counted = next((dict(fields(step)).get(1, 0) for step in messages(data, 2)), None)
    step = values.real(row.get("_step", counted))
    time_s = values.clock_s(row.get("_timestamp"))
    if not math.isnan(time_s):
        run.seen(time_s)
    if not math.isnan(step):
        run.history.append((int(step), time_s, scalars_of(row)))


def _stats(data: bytes, run: _Run) -> None:
    """Take a row of the system monitor: timestamp 2, items 3."""
    time_s = next((values.clock_s(timestamp_s(stamp)) for stamp in messages(data, 2)), math.nan)
    if math.isnan(time_s):
        raise ValueError("a system row without a time")
    run.seen(time_s)
    row = dict(_items(messages(data, 3)))
    if run.metrics.has_gpus(row):
        run.metrics.add(time_s, row)


def _start(data: bytes, run: _Run) -> None:
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            run.run_id = value.decode("utf-8", "replace") or None
        elif number == 4 and isinstance(value, bytes):
            _configure(value, run)
        elif number == 13 and isinstance(value, bytes):
            run.host = value.decode("utf-8", "replace") or None
        elif number == 17 and isinstance(value, bytes):
            run.start_s = values.clock_s(timestamp_s(value))
        elif number == 18:
            run.resumed = bool(value)


def _configure(data: bytes, run: _Run) -> None:
    run.config |= dict(_items(messages(data, 1), nested=True))


def _items(items: Iterable[bytes], *, nested: bool = False) -> Iterable[tuple[str, Any]]:
    """Yield `(name, value)` of items: key 1 or nested_key 2, then value_json 16 or one of the typed fields 3 to 8.

    Values are decoded whole for `nested`; of rows, where objects are media and histograms, only numbers are told.
    """
    for item in items:
        names: list[str] = []
        value: Any = None
        for number, part in fields(item):
            if isinstance(part, int):
                value = zigzag(part) if number == 5 else bool(part) if number == 4 else value
            elif number == 16:
                value = json.loads(part) if nested else _number(part)
            elif number in (1, 2):
                names.append(part.decode("utf-8", "replace"))
            elif number == 6:
                value = struct.unpack("<d", part)[0]
        if names:
            yield names[0] if len(names) == 1 else ".".join(names), value


def _number(text: bytes) -> float | None:
    """Return a JSON number, also one that W&B puts in quotes because JSON has no word for it; None for other values."""
    try:
        return float(text.strip(b'"') if text in (b'"NaN"', b'"Infinity"', b'"-Infinity"') else text)
    except ValueError:
        return None


def _boards(environment: bytes) -> tuple[GpuInfo, ...]:
    """Return the GPUs of an EnvironmentRecord: gpu_nvidia 24 (name 1, memory_total 2 in bytes, uuid 5), gpu_amd 26."""
    nvidia, amd = ([dict(fields(entry)) for entry in messages(environment, number)] for number in (24, 26))
    return boards_of(
        {
            "gpu_nvidia": [
                {"name": _text(board.get(1)), "memoryTotal": board.get(2, 0), "uuid": _text(board.get(5))}
                for board in nvidia
            ],
            "gpu_amd": [{"series": _text(board.get(8))} for board in amd],
        }
    )


def _text(value: bytes | int | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def _int(value: bytes | int) -> int:
    return signed(value) if isinstance(value, int) else 0
