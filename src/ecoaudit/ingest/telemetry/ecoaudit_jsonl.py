"""The project's own telemetry, `ecoaudit.telemetry/1`: JSON Lines, one line a tick with an array per metric.

The format is described by `telemetry.schema.json` beside this file. Blocks of lines are decoded at once; only a block
with a bad line is decoded line by line.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import (
    Event,
    FloatArray,
    FormatInfo,
    GpuInfo,
    ReadOptions,
    Source,
    Telemetry,
)
from ecoaudit.ingest.telemetry.clock import corrected
from ecoaudit.ingest.telemetry.rapl import unwrap

SCHEMA = "ecoaudit.telemetry/1"
FORMAT = FormatInfo(
    format="ecoaudit",
    kind="telemetry",
    title="ecoaudit telemetry JSON Lines",
    reads="power, energy counter, utilisation a GPU; RAPL; node power; phase and step events; clock steps repaired",
    seen="ecoaudit.telemetry/1, plain, gzip, zstd, bzip2, xz; several headers in one file",
    cannot_tell="nothing about the model that was trained, unless the job marked steps with tokens",
)

_Values = list[float | None] | None | msgspec.UnsetType
_Scalar = float | None


class _Gpu(msgspec.Struct):
    index: int | None = None
    uuid: str | None = None
    name: str | None = None
    power_limit_w: _Scalar = None
    memory_mib: _Scalar = None
    mig: bool | None = None


class _Header(msgspec.Struct, tag_field="type", tag="header"):
    schema: str
    gpus: list[_Gpu] = []
    host: str | None = None
    run_id: str | None = None
    interval_s: _Scalar = None
    sources: list[str] = []
    node_gpu_count: int | None = None
    node_power_source: str | None = None
    rapl_max_j: dict[str, float] = {}
    reason: str | None = None


class _Sample(msgspec.Struct, tag_field="type", tag="sample"):
    t: float
    m: _Scalar = None
    power_w: _Values = msgspec.UNSET
    power_instant_w: _Values = msgspec.UNSET
    energy_j: _Values = msgspec.UNSET
    util: _Values = msgspec.UNSET
    rapl_j: dict[str, _Scalar] | msgspec.UnsetType | None = msgspec.UNSET
    node_w: _Scalar | msgspec.UnsetType = msgspec.UNSET


class _Event(msgspec.Struct, tag_field="type", tag="event"):
    t: float
    name: str
    m: _Scalar = None
    value: str | bool | float | int | None = None
    attributes: dict[str, Any] = {}
    tokens: float | None = None


class _Footer(msgspec.Struct, tag_field="type", tag="footer"):
    t: float | None = None
    samples: int | None = None
    missed: int | None = None
    reason: str | None = None


_Line = _Header | _Sample | _Event | _Footer
_DECODER = msgspec.json.Decoder(_Line)
_METRICS = ("power_w", "power_instant_w", "energy_j", "util")


def sniff(head: Head) -> str | None:
    """Recognise the schema name in a header, or sample lines of this shape where the header is torn off."""
    if f'"{SCHEMA}"' in head.text:
        return f"a header names the schema {SCHEMA}"
    for line in head.text.splitlines()[:20]:
        if line.startswith('{"type":"sample"') and '"power_w":' in line:
            return "lines of type sample with power_w arrays; the header is missing"
    return None


@dataclass
class _Segment:
    """What follows one header: columns grow block by block and become arrays at the end."""

    header: _Header
    wall: list[float] = field(default_factory=list)
    mono: list[float] = field(default_factory=list)
    blocks: dict[str, list[FloatArray]] = field(default_factory=lambda: {name: [] for name in _METRICS})
    rapl: list[dict[str, _Scalar]] = field(default_factory=list)
    node_w: list[float] = field(default_factory=list)
    events: list[tuple[int, _Event]] = field(default_factory=list)
    last: dict[str, list[float | None] | None] = field(default_factory=dict)
    reason: str | None = None

    def add(self, samples: list[_Sample], gpus: int) -> None:
        """Append samples whose arrays have `gpus` entries; an absent key repeats the value before it."""
        self.wall += [s.t for s in samples]
        self.mono += [math.nan if s.m is None else s.m for s in samples]
        for name in _METRICS:
            rows = [getattr(s, name) for s in samples]
            last = self.last.get(name)
            for i, row in enumerate(rows):
                if row is msgspec.UNSET:
                    rows[i] = last
                else:
                    last = row
            self.last[name] = last
            if last is None and all(row is None for row in rows):
                self.blocks[name].append(np.full((len(rows), gpus), np.nan))
            else:
                blank = [None] * gpus
                filled = [blank if row is None else row for row in rows]
                self.blocks[name].append(np.array(filled, dtype=np.float64).reshape(len(rows), gpus))
        for s in samples:
            self.rapl.append({} if s.rapl_j in (None, msgspec.UNSET) else s.rapl_j)
            if s.node_w is not msgspec.UNSET:
                self.node_w.append(math.nan if s.node_w is None else float(s.node_w))
            else:
                self.node_w.append(self.node_w[-1] if self.node_w else math.nan)


def records(file: LogFile, account: Account) -> Iterator[list[_Line]]:
    """Yield the decoded lines block by block; bad lines are counted in `account`, whole ones around them kept."""
    number = 0
    for block in file.line_blocks():
        count = block.count(b"\n") + (0 if block.endswith(b"\n") else 1)
        try:
            decoded = _DECODER.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError):
            decoded = _line_by_line(block, number, account)
        account.lines += count
        account.records += len(decoded)
        number += count
        yield decoded


def _line_by_line(block: bytes, number: int, account: Account) -> list[_Line]:
    out: list[_Line] = []
    for line in block.split(b"\n"):
        number += 1
        if not line.strip():
            continue
        try:
            out.append(_DECODER.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _salvage(line, number, str(error), account, out)
    return out


def _salvage(line: bytes, number: int, reason: str, account: Account, out: list[_Line]) -> None:
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
            except (msgspec.DecodeError, UnicodeDecodeError):
                return
        return
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind not in ("header", "sample", "event", "footer"):
        account.warn(f"records of the unknown type {kind[:40]!r} were left out")
        return
    try:
        out.append(msgspec.convert(value, _Line))
    except msgspec.ValidationError:
        account.bad(number, text, reason)


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:  # noqa: ARG001 - the clock is UTC by definition
    """Return one `Telemetry` per host and set of GPUs in the file."""
    account = Account()
    segments: list[_Segment] = []
    for block in records(file, account):
        _append(block, segments, account)
    groups: dict[tuple[object, ...], list[_Segment]] = {}
    for segment in segments:
        if segment.header.reason and not segment.header.gpus:
            account.warn(f"no GPU was recorded: {segment.header.reason}")
        gpus = tuple((g.uuid or g.index) for g in segment.header.gpus)
        groups.setdefault((segment.header.host, gpus), []).append(segment)
    return [_telemetry(file, group, account) for group in groups.values()]


def _append(block: list[_Line], segments: list[_Segment], account: Account) -> None:
    """Sort the records of a block into segments, whole stretches of samples at a time."""
    pending: list[_Sample] = []

    def flush() -> None:
        if pending:
            gpus = len(segments[-1].header.gpus)
            fitting = [s for s in pending if _fits(s, gpus)]
            for sample in pending if len(fitting) < len(pending) else ():
                if not _fits(sample, gpus):
                    account.records -= 1
                    account.bad(0, f"sample at t={sample.t}", f"an array that has not {gpus} entries, one a GPU")
            segments[-1].add(fitting, gpus)
            pending.clear()

    for record in block:
        if isinstance(record, _Sample):
            if not segments:
                account.warn("the header is missing; GPUs are known by position only")
                width = next((len(v) for v in (record.power_w, record.energy_j, record.util) if v), 0)
                segments.append(_Segment(_Header(schema=SCHEMA, gpus=[_Gpu(index=i) for i in range(width)])))
            pending.append(record)
            continue
        flush()
        if isinstance(record, _Header):
            if record.schema != SCHEMA:
                account.warn(f"the file names the schema {record.schema!r}; read as {SCHEMA}")
            segments.append(_Segment(record))
        elif isinstance(record, _Event) and segments:
            segments[-1].events.append((len(segments[-1].wall), record))
        elif isinstance(record, _Footer) and segments:
            segments[-1].reason = record.reason
            if record.missed:
                account.warn(f"the recorder missed {record.missed} ticks")
    flush()


def _fits(sample: _Sample, gpus: int) -> bool:
    return math.isfinite(sample.t) and all(
        not isinstance(value, list) or len(value) == gpus
        for value in (sample.power_w, sample.power_instant_w, sample.energy_j, sample.util)
    )


def _telemetry(file: LogFile, group: list[_Segment], account: Account) -> Telemetry:
    header = group[0].header
    gpus = len(header.gpus)
    times: list[FloatArray] = []
    events: list[Event] = []
    for segment in group:
        time_s, steps = corrected(np.array(segment.wall, dtype=np.float64), np.array(segment.mono, dtype=np.float64))
        account.clock_steps += steps
        times.append(time_s)
        events += _events(segment, time_s)
    if account.clock_steps:
        account.warn(f"the wall clock was stepped {account.clock_steps} time(s); the monotonic clock gives the times")
    time_s = np.concatenate(times) if times else np.empty(0)
    order = np.argsort(time_s, kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        account.warn("recordings in this file overlap in time; their samples are merged by time")

    def column(name: str) -> FloatArray:
        parts = [np.concatenate(s.blocks[name]) if s.blocks[name] else np.empty((0, gpus)) for s in group]
        return np.concatenate(parts)[order] if parts else np.empty((0, gpus))

    average, instant = column("power_w"), column("power_instant_w")
    use_instant = bool(np.isnan(average).all() and not np.isnan(instant).all())
    energy, util = column("energy_j"), column("util")
    node = np.array([w for s in group for w in s.node_w], dtype=np.float64)[order]
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=header.host,
        gpus=tuple(GpuInfo(g.index, g.uuid, g.name, g.power_limit_w, g.memory_mib, g.mig) for g in header.gpus),
        time_s=time_s[order],
        power_w=instant if use_instant else average,
        energy_j=None if np.isnan(energy).all() else energy,
        util_percent=None if np.isnan(util).all() else util,
        quality=account.quality(file),
        run_id=header.run_id,
        interval_s=header.interval_s,
        power_field="instant" if use_instant else _power_field(header.sources),
        host_energy_j=_rapl(group, order),
        node_power_w=None if np.isnan(node).all() else node,
        node_power_source=header.node_power_source,
        node_gpu_count=header.node_gpu_count,
        events=tuple(sorted(events, key=lambda e: e.time_s)),
    )


def _power_field(sources: list[str]) -> Literal["average", "instant", "unspecified"]:
    if "nvml.power.average" in sources:
        return "average"
    return "instant" if "nvml.power.instant" in sources else "unspecified"


def _events(segment: _Segment, time_s: FloatArray) -> list[Event]:
    """Move events onto the corrected axis with the correction of the sample before them."""
    out = []
    for position, event in segment.events:
        near = min(max(position - 1, 0), len(time_s) - 1)
        shift = float(time_s[near]) - segment.wall[near] if len(time_s) else 0.0
        if event.m is not None and len(time_s) and not math.isnan(segment.mono[near]):
            shift = float(time_s[near]) - segment.mono[near] + event.m - event.t
        attributes = {k: v if isinstance(v, str | int | float) else str(v) for k, v in event.attributes.items()}
        if event.tokens is not None:
            attributes["tokens"] = event.tokens
        out.append(Event(event.t + shift, event.name, event.value, attributes))
    return out


def _rapl(group: list[_Segment], order: np.ndarray) -> dict[str, FloatArray]:
    """Return each zone's counter, unwrapped within a segment; over a restart of the recorder only a rise is counted."""
    zones = sorted({zone for s in group for row in s.rapl for zone in row})
    out: dict[str, FloatArray] = {}
    for name in zones:
        parts: list[FloatArray] = []
        last_raw = last_joined = math.nan
        for segment in group:
            raw = np.array([row.get(name) for row in segment.rapl], dtype=np.float64)
            joined = unwrap(raw, segment.header.rapl_max_j.get(name))
            known = np.flatnonzero(~np.isnan(raw))
            if len(known):
                if not math.isnan(last_raw):
                    joined = joined + last_joined + max(raw[known[0]] - last_raw, 0.0) - raw[known[0]]
                last_raw, last_joined = float(raw[known[-1]]), float(joined[known[-1]])
            parts.append(joined)
        out[name] = np.concatenate(parts)[order]
    return out
