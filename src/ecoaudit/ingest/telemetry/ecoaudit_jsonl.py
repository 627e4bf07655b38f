"""The project's own telemetry, `ecoaudit.telemetry/1`: JSON Lines, one line a tick with an array per metric.

The format is described by `telemetry.schema.json` beside this file.
"""

import math
import mmap
from dataclasses import dataclass, field, replace

import numpy as np

from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Event, FloatArray, FormatInfo, IntArray, ReadOptions, Source, Telemetry
from ecoaudit.ingest.telemetry.clock import corrected
from ecoaudit.ingest.telemetry.ecoaudit_lines import SCHEMA
from ecoaudit.ingest.telemetry.ecoaudit_lines import Event as EventLine
from ecoaudit.ingest.telemetry.ecoaudit_recordings import (
    Recording,
    Rows,
    boards,
    grouped,
    moved,
    power_field,
    recordings,
    warn_of_no_gpu,
)
from ecoaudit.ingest.telemetry.plausible import board_power, warn_of_holes
from ecoaudit.ingest.telemetry.rapl import Unwrapped, usual_range

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


_BYTES_A_GPU = 24
"""Bytes of a log for each sample of a GPU, rather too few: more memory than is written to is none."""


def _unwritten(rows: int, columns: int) -> FloatArray:
    """Return an array whose memory is taken as it is written.

    `numpy.empty` asks for huge pages, which the kernel at times searches for as long as all of the reading takes.
    """
    size = max(rows * columns, 1)
    pages = mmap.mmap(-1, 8 * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, dtype=np.float64, count=rows * columns).reshape(rows, columns)


class _Grown:
    """Values of `width` devices that come block by block, in one array that doubles when it is full.

    Pieces put together at the end would take twice the memory, and the kernel's time for it.
    """

    def __init__(self, width: int, expected: int) -> None:
        self._width, self._expected = width, expected
        self._array: FloatArray | None = None

    def add(self, values: FloatArray | None, start: int, end: int) -> None:
        """Put values, shape (samples, width), into the samples from `start` to `end`; None for nothing read."""
        if values is None and self._array is None:
            return
        if self._array is None or end > self._array.shape[1]:
            wider = _unwritten(self._width, max(2 * end, self._expected))
            wider[:, :start] = np.nan if self._array is None else self._array[:, :start]
            self._array = wider
        self._array[:, start:end] = np.nan if values is None else values.T

    def values(self, samples: int) -> FloatArray | None:
        """Return the values, shape (samples, width), a device's side by side in memory; None where nothing was read."""
        return None if self._array is None else self._array[:, :samples].T


@dataclass
class _Segment:
    """A recording in memory."""

    recording: Recording
    expected: int
    rows: int = 0
    columns: dict[str, _Grown] = field(default_factory=dict)
    zones: list[tuple[int, dict[str, FloatArray]]] = field(default_factory=list)
    events: list[tuple[int, EventLine]] = field(default_factory=list)
    order: IntArray | slice = field(default_factory=lambda: slice(None))
    """The samples in the order of time."""

    def add(self, rows: Rows) -> None:
        start, end = self.rows, self.rows + len(rows)
        one = {"wall": rows.wall, "mono": rows.mono, "node_w": rows.node_w}
        for name, values in one.items():
            self._put(name, 1, None if values is None else values[:, np.newaxis], start, end)
        for name, values in rows.metrics.items():
            self._put(name, len(self.recording.header.gpus), values, start, end)
        if rows.zones:
            self.zones.append((start, rows.zones))
        self.rows = end

    def _put(self, name: str, width: int, values: FloatArray | None, start: int, end: int) -> None:
        if name not in self.columns:
            self.columns[name] = _Grown(width, self.expected)
        self.columns[name].add(values, start, end)

    def values(self, name: str) -> FloatArray | None:
        """Return what was read of each sample in the order of time, shape (samples, width); None for nothing."""
        found = self.columns[name].values(self.rows) if name in self.columns else None
        return None if found is None else found[self.order]

    def single(self, name: str) -> FloatArray:
        """Return the clock or the node's power, shape (samples,)."""
        found = self.values(name)
        return np.full(self.rows, np.nan) if found is None else found[:, 0]


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:  # noqa: ARG001 - the clock is UTC by definition
    """Return one `Telemetry` per host, set of GPUs and interval in the file.

    Raises `EcoauditError` when no line is whole.
    """
    account = Account()
    segments: list[_Segment] = []
    for recording, part in recordings(file, account):
        if part is None:
            segments.append(
                _Segment(recording, file.plain_bytes() // (_BYTES_A_GPU * (len(recording.header.gpus) + 1)))
            )
        elif isinstance(part, Rows):
            segments[-1].add(part)
        else:
            segments[-1].events.append((segments[-1].rows, part))
    for segment in segments:
        warn_of_no_gpu(segment.recording, account)
    groups = grouped([segment.recording for segment in segments])
    return [_telemetry(file, [segments[number] for number in group], account) for group in groups]


def _telemetry(file: LogFile, group: list[_Segment], account: Account) -> Telemetry:
    header = group[0].recording.header
    times: list[FloatArray] = []
    events: list[Event] = []
    clock_steps = 0
    for segment in group:
        wall, mono = segment.single("wall"), segment.single("mono")
        time_s, steps = corrected(wall, mono)
        clock_steps += steps
        events += _events(segment, time_s, wall, mono)
        if (np.diff(time_s) < 0).any():
            segment.order = np.argsort(time_s, kind="stable")
            account.warn("samples stand out of order in this file; they are put in the order of their clock")
        times.append(time_s[segment.order])
    if clock_steps:
        account.warn(f"the wall clock was stepped {clock_steps} time(s); the monotonic clock gives the times")
    time_s = joined(times)
    order: IntArray | slice = slice(None)
    if (np.diff(time_s) < 0).any():
        order = np.argsort(time_s, kind="stable")
        account.warn("recordings in this file overlap in time; their samples are merged by time")

    def column(name: str) -> FloatArray | None:
        parts = [segment.values(name) for segment in group]
        if all(part is None or np.isnan(part).all() for part in parts):
            return None
        shape = len(header.gpus)
        return joined(
            [np.full((s.rows, shape), np.nan) if v is None else v for s, v in zip(group, parts, strict=True)]
        )[order]

    average, instant = column("power_w"), column("power_instant_w")
    energy, util = column("energy_j"), column("util")
    read_w = instant if average is None else average
    power_w = np.full((len(time_s), len(header.gpus)), np.nan) if read_w is None else board_power(read_w, account)
    warn_of_holes(power_w, account, energy)
    node = joined([segment.single("node_w") for segment in group])[order]
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=header.host,
        gpus=boards(header),
        time_s=time_s[order],
        power_w=power_w,
        energy_j=energy,
        util_percent=util,
        quality=replace(account.quality(file), clock_steps=clock_steps),
        run_id=header.run_id,
        interval_s=header.interval_s,
        power_field="instant" if average is None and instant is not None else power_field(header.sources),
        host_energy_j=_rapl(group, order),
        node_power_w=None if np.isnan(node).all() else node,
        node_power_source=header.node_power_source,
        node_gpu_count=header.node_gpu_count,
        events=tuple(sorted(events, key=lambda e: e.time_s)),
    )


def joined(parts: list[FloatArray]) -> FloatArray:
    """Return arrays one behind the other, a single one as it is."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _events(segment: _Segment, time_s: FloatArray, wall: FloatArray, mono: FloatArray) -> list[Event]:
    """Move events onto the corrected axis with the correction of the sample before them."""
    out = []
    for position, event in segment.events:
        near = min(max(position - 1, 0), len(time_s) - 1)
        shift = float(time_s[near]) - float(wall[near]) if len(time_s) else 0.0
        if event.m is not None and len(time_s) and not math.isnan(float(mono[near])):
            shift = float(time_s[near]) - float(mono[near]) + event.m - event.t
        out.append(moved(event, event.t + shift))
    return out


def _rapl(group: list[_Segment], order: IntArray | slice) -> dict[str, FloatArray]:
    """Return each zone's counter without its wraps."""
    read = [counters for segment in group for _, counters in segment.zones]
    zones = sorted({zone for counters in read for zone, values in counters.items() if not np.isnan(values).all()})
    out: dict[str, FloatArray] = {}
    for name in zones:
        counter = Unwrapped()
        parts: list[FloatArray] = []
        for segment in group:
            raw = np.full(segment.rows, np.nan)
            for start, counters in segment.zones:
                if name in counters:
                    raw[start : start + len(counters[name])] = counters[name]
            range_j = segment.recording.header.rapl_max_j.get(name)
            highest_j = float(np.nanmax(raw, initial=0.0)) if segment.rows else 0.0
            counter.restart()
            parts.append(counter.add(raw[segment.order], range_j or usual_range(highest_j)))
        out[name] = joined(parts)[order]
    return out
