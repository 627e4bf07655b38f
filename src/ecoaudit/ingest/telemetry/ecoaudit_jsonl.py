"""The project's own telemetry, `ecoaudit.telemetry/1`: JSON Lines, one line a tick with an array per metric.

The format is described by `telemetry.schema.json` beside this file.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import (
    Event,
    FloatArray,
    FormatInfo,
    GpuInfo,
    IntArray,
    ReadOptions,
    Source,
    Telemetry,
)
from ecoaudit.ingest.telemetry.clock import corrected
from ecoaudit.ingest.telemetry.columns import Columns
from ecoaudit.ingest.telemetry.ecoaudit_lines import (
    SCHEMA,
    Footer,
    Gpu,
    Header,
    Line,
    Sample,
    records,
)
from ecoaudit.ingest.telemetry.ecoaudit_lines import (
    Event as EventLine,
)
from ecoaudit.ingest.telemetry.plausible import board_power, warn_of_holes
from ecoaudit.ingest.telemetry.rapl import unwrap
from ecoaudit.ingest.telemetry.shapes import METRICS

FORMAT = FormatInfo(
    format="ecoaudit",
    kind="telemetry",
    title="ecoaudit telemetry JSON Lines",
    reads="power, energy counter, utilisation a GPU; RAPL; node power; phase and step events; clock steps repaired",
    seen="ecoaudit.telemetry/1, plain, gzip, zstd, bzip2, xz; several headers in one file",
    cannot_tell="nothing about the model that was trained, unless the job marked steps with tokens",
)


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

    header: Header
    rows: int = 0
    wall: list[FloatArray] = field(default_factory=list)
    mono: list[FloatArray] = field(default_factory=list)
    blocks: dict[str, list[FloatArray]] = field(default_factory=lambda: {name: [] for name in METRICS})
    zones: list[tuple[int, dict[str, FloatArray]]] = field(default_factory=list)
    node_w: list[FloatArray] = field(default_factory=list)
    events: list[tuple[int, EventLine]] = field(default_factory=list)
    last: dict[str, FloatArray] = field(default_factory=dict)
    last_node_w: float = math.nan
    reason: str | None = None

    def add(self, samples: Columns) -> None:
        """Append samples whose arrays have an entry a GPU; an absent key repeats the value before it."""
        gpus, count = len(self.header.gpus), len(samples)
        self.wall.append(samples.wall)
        self.mono.append(samples.mono)
        for name in METRICS:
            values = samples.metrics.get(name)
            if values is None and (name in samples.metrics or name not in self.last):
                values = np.full((count, gpus), np.nan)
            elif values is None:
                values = np.tile(self.last[name], (count, 1))
            self.blocks[name].append(values)
            self.last[name] = values[-1]
        if samples.zones:
            self.zones.append((self.rows, samples.zones))
        node_w = np.full(count, np.nan) if samples.node_w is None else samples.node_w.copy()
        read = np.zeros(count, dtype=bool) if samples.has_node_w is None else samples.has_node_w
        latest = np.maximum.accumulate(np.where(read, np.arange(count), -1))
        self.node_w.append(np.where(latest < 0, self.last_node_w, node_w[latest]))
        self.last_node_w = float(self.node_w[-1][-1])
        self.rows += count


def _read(values: list[Any]) -> FloatArray:
    """Return decoded numbers, None as NaN; so are numbers too large for a float, which no device reads."""
    array = np.array(values, dtype=np.float64)
    array[np.isinf(array)] = np.nan
    return array


def _as_columns(samples: list[Sample], segment: _Segment) -> Columns:
    """Return decoded samples as columns, absent keys filled from before."""
    gpus = len(segment.header.gpus)
    metrics: dict[str, FloatArray | None] = {}
    for name in METRICS:
        rows = [getattr(s, name) for s in samples]
        last: Any = segment.last.get(name)
        for i, row in enumerate(rows):
            if row is msgspec.UNSET:
                rows[i] = last
            else:
                last = row
        blank = [None] * gpus
        filled = [blank if row is None else row for row in rows]
        metrics[name] = _read(filled).reshape(len(rows), gpus)
    zones = sorted({zone for s in samples if isinstance(s.rapl_j, dict) for zone in s.rapl_j})
    counters = [s.rapl_j if isinstance(s.rapl_j, dict) else {} for s in samples]
    return Columns(
        wall=np.array([s.t for s in samples], dtype=np.float64),
        mono=_read([s.m for s in samples]),
        metrics=metrics,
        zones={zone: _read([row.get(zone) for row in counters]) for zone in zones},
        node_w=_read([None if s.node_w is msgspec.UNSET else s.node_w for s in samples]),
        has_node_w=np.array([s.node_w is not msgspec.UNSET for s in samples]),
    )


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:  # noqa: ARG001 - the clock is UTC by definition
    """Return one `Telemetry` per host and set of GPUs in the file; raises `EcoauditError` when no line is whole."""
    account = Account()
    segments: list[_Segment] = []
    for block in records(file, account):
        _append(block, segments, account)
    if not segments:
        raise EcoauditError(f"no header and no sample among {account.lines} lines", where=file.path)
    groups: dict[tuple[object, ...], list[_Segment]] = {}
    for segment in segments:
        if segment.header.reason and not segment.header.gpus:
            account.warn(f"no GPU was recorded: {segment.header.reason}")
        gpus = tuple((g.uuid or g.index) for g in segment.header.gpus)
        groups.setdefault((segment.header.host, gpus), []).append(segment)
    return [_telemetry(file, group, account) for group in groups.values()]


def _append(block: list[Line | Columns], segments: list[_Segment], account: Account) -> None:
    """Sort the records of a block into segments, whole stretches of samples at a time."""
    pending: list[Sample] = []

    def flush() -> None:
        if pending:
            gpus = len(segments[-1].header.gpus)
            fitting = [s for s in pending if _fits(s, gpus)]
            for sample in pending if len(fitting) < len(pending) else ():
                if not _fits(sample, gpus):
                    account.records -= 1
                    account.bad(0, f"sample at t={sample.t}", f"an array that has not {gpus} entries, one a GPU")
            if fitting:
                segments[-1].add(_as_columns(fitting, segments[-1]))
            pending.clear()

    for record in block:
        if isinstance(record, Sample):
            if not segments:
                width = next((len(v) for v in (record.power_w, record.energy_j, record.util) if v), 0)
                segments.append(_without_header(width, account))
            pending.append(record)
            continue
        flush()
        if isinstance(record, Columns):
            if not segments:
                segments.append(_without_header(max(record.widths(), default=0), account))
            _add(record, segments[-1], account)
        elif isinstance(record, Header):
            if record.schema != SCHEMA:
                account.warn(f"the file names the schema {record.schema!r}; read as {SCHEMA}")
            segments.append(_Segment(record))
        elif isinstance(record, EventLine) and segments:
            segments[-1].events.append((segments[-1].rows, record))
        elif isinstance(record, Footer) and segments:
            segments[-1].reason = record.reason
            if record.missed:
                account.warn(f"the recorder missed {record.missed} ticks")
    flush()


def _add(samples: Columns, segment: _Segment, account: Account) -> None:
    gpus = len(segment.header.gpus)
    if samples.widths() <= {gpus}:
        segment.add(samples)
        return
    account.records -= len(samples)
    for t in samples.wall.tolist():
        account.bad(0, f"sample at t={t}", f"an array that has not {gpus} entries, one a GPU")


def _without_header(gpus: int, account: Account) -> _Segment:
    account.warn("the header is missing; GPUs are known by position only")
    return _Segment(Header(schema=SCHEMA, gpus=[Gpu(index=i) for i in range(gpus)]))


def _fits(sample: Sample, gpus: int) -> bool:
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
        wall, mono = (np.concatenate(parts) if parts else np.empty(0) for parts in (segment.wall, segment.mono))
        time_s, steps = corrected(wall, mono)
        account.clock_steps += steps
        times.append(time_s)
        events += _events(segment, time_s, wall, mono)
    if account.clock_steps:
        account.warn(f"the wall clock was stepped {account.clock_steps} time(s); the monotonic clock gives the times")
    time_s = np.concatenate(times) if times else np.empty(0)
    order: IntArray | slice = slice(None)
    if (np.diff(time_s) < 0).any():
        order = np.argsort(time_s, kind="stable")
        account.warn("recordings in this file overlap in time; their samples are merged by time")

    def column(name: str) -> FloatArray:
        parts = [np.concatenate(s.blocks[name]) if s.blocks[name] else np.empty((0, gpus)) for s in group]
        return np.concatenate(parts)[order] if parts else np.empty((0, gpus))

    average, instant = column("power_w"), column("power_instant_w")
    use_instant = bool(np.isnan(average).all() and not np.isnan(instant).all())
    energy, util = column("energy_j"), column("util")
    power_w = board_power(instant if use_instant else average, account)
    warn_of_holes(power_w, account, energy)
    node = np.concatenate([np.empty(0), *(part for s in group for part in s.node_w)])[order]
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=header.host,
        gpus=tuple(GpuInfo(g.index, g.uuid, g.name, g.power_limit_w, g.memory_mib, g.mig) for g in header.gpus),
        time_s=time_s[order],
        power_w=power_w,
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


def _events(segment: _Segment, time_s: FloatArray, wall: FloatArray, mono: FloatArray) -> list[Event]:
    """Move events onto the corrected axis with the correction of the sample before them."""
    out = []
    for position, event in segment.events:
        near = min(max(position - 1, 0), len(time_s) - 1)
        shift = float(time_s[near]) - float(wall[near]) if len(time_s) else 0.0
        if event.m is not None and len(time_s) and not math.isnan(float(mono[near])):
            shift = float(time_s[near]) - float(mono[near]) + event.m - event.t
        attributes = {k: v if isinstance(v, str | int | float) else str(v) for k, v in event.attributes.items()}
        if event.tokens is not None:
            attributes["tokens"] = event.tokens
        out.append(Event(event.t + shift, event.name, event.value, attributes))
    return out


def _rapl(group: list[_Segment], order: IntArray | slice) -> dict[str, FloatArray]:
    """Return each zone's counter, unwrapped within a segment; over a restart of the recorder only a rise is counted."""
    read = [counters for segment in group for _, counters in segment.zones]
    zones = sorted({zone for counters in read for zone, values in counters.items() if not np.isnan(values).all()})
    out: dict[str, FloatArray] = {}
    for name in zones:
        parts: list[FloatArray] = []
        last_raw = last_joined = math.nan
        for segment in group:
            raw = np.full(segment.rows, np.nan)
            for start, counters in segment.zones:
                if name in counters:
                    raw[start : start + len(counters[name])] = counters[name]
            joined = unwrap(raw, segment.header.rapl_max_j.get(name))
            known = np.flatnonzero(~np.isnan(raw))
            if len(known):
                if not math.isnan(last_raw):
                    joined = joined + last_joined + max(raw[known[0]] - last_raw, 0.0) - raw[known[0]]
                last_raw, last_joined = float(raw[known[-1]]), float(joined[known[-1]])
            parts.append(joined)
        out[name] = np.concatenate(parts)[order]
    return out
