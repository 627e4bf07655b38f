"""The recordings in a file of `ecoaudit.telemetry/1`, one a header, block by block as they are read."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Event, FloatArray, GpuInfo
from ecoaudit.ingest.telemetry.columns import Columns
from ecoaudit.ingest.telemetry.ecoaudit_lines import SCHEMA, Footer, Gpu, Header, Line, Sample, records
from ecoaudit.ingest.telemetry.ecoaudit_lines import Event as EventLine
from ecoaudit.ingest.telemetry.shapes import METRICS

RESTATED_S = 60.0
"""The recorder states every value at least once a minute; the node's own meter at each of its answers."""
RESTATED_INTERVALS = 3.0
"""A node meter that is asked at one sample and answers by the next has a reading at every second one."""
LATEST_S = 1e10
"""No clock shows the year 2286: a larger number counts milliseconds, or is damage."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Consecutive samples of one recording, n of them, with what did not change restated.

    `metrics` have shape (n, gpus), `node_w` and the RAPL counters in `zones` (n,); None where nothing was read.
    """

    wall: FloatArray
    mono: FloatArray
    metrics: dict[str, FloatArray | None]
    zones: dict[str, FloatArray]
    node_w: FloatArray | None

    def __len__(self) -> int:
        return len(self.wall)


@dataclass
class Recording:
    """What follows one header, as far as it was read: how many samples, and the latest values.

    `last_node_s` is when the node's power was read, by the wall clock and the monotonic one.
    """

    header: Header
    rows: int = 0
    last: dict[str, FloatArray] = field(default_factory=dict)
    last_node_w: float = math.nan
    last_node_s: tuple[float, float] = (math.nan, math.nan)

    @property
    def key(self) -> tuple[object, ...]:
        """Host and GPUs: recordings of one file that agree in them are one."""
        return (self.header.host, tuple((g.uuid or g.index) for g in self.header.gpus))

    def restated(self, samples: Columns) -> Rows:
        """Return samples whose arrays have an entry a GPU; an absent key repeats the value before it."""
        count = len(samples)
        metrics: dict[str, FloatArray | None] = {}
        for name in METRICS:
            values = samples.metrics.get(name)
            if values is not None:
                self.last[name] = values[-1].copy()
            elif name in samples.metrics:
                self.last.pop(name, None)
            elif name in self.last:
                values = np.tile(self.last[name], (count, 1))
            metrics[name] = values
        self.rows += count
        return Rows(samples.wall, samples.mono, metrics, samples.zones, self._node_w(samples))

    def _node_w(self, samples: Columns) -> FloatArray | None:
        """Return the node's power at each sample: the last reading for as long as the recorder would restate it."""
        count = len(samples)
        stated = np.zeros(count, dtype=bool) if samples.has_node_w is None else samples.has_node_w
        if math.isnan(self.last_node_w) and not stated.any():
            return None
        latest = np.maximum.accumulate(np.where(stated, np.arange(count), -1))
        read = np.full(count, np.nan) if samples.node_w is None else samples.node_w
        watts = np.where(latest < 0, self.last_node_w, read[latest])
        wall, mono = (
            np.where(latest < 0, last, clock[latest])
            for last, clock in zip(self.last_node_s, (samples.wall, samples.mono), strict=True)
        )
        self.last_node_w, self.last_node_s = float(watts[-1]), (float(wall[-1]), float(mono[-1]))
        age = samples.mono - mono  # NaN where a sample has no monotonic clock
        out: FloatArray = np.where(np.where(np.isnan(age), samples.wall - wall, age) <= self._restated_s, watts, np.nan)
        return out

    @property
    def _restated_s(self) -> float:
        return max(RESTATED_S, RESTATED_INTERVALS * (self.header.interval_s or 0.0))


def grouped(found: Sequence[Recording]) -> list[list[int]]:
    """Return which recordings of a file, by their numbers, are one: those of the same host and GPUs that follow each
    other at one interval. Others have gaps of another length."""
    groups: list[list[int]] = []
    latest: dict[tuple[object, ...], list[int]] = {}
    for number, recording in enumerate(found):
        group = latest.get(recording.key)
        if group is None or found[group[-1]].header.interval_s != recording.header.interval_s:
            group = []
            groups.append(group)
        group.append(number)
        latest[recording.key] = group
    return groups


Part = Rows | EventLine | None
"""What comes next of a recording; None for its header."""


def recordings(
    file: LogFile, account: Account, unread: frozenset[str] = frozenset()
) -> Iterator[tuple[Recording, Part]]:
    """Yield what a file holds in its order; bad lines and what is odd are counted in `account`.

    Values of the metrics in `unread` may be 0 where there are any.
    Raises `EcoauditError` at the end when no line is whole, or no sample has a time in seconds.
    """
    current: Recording | None = None
    times = Times()
    for block in records(file, account, unread):
        for record in _samples_joined(block):
            if isinstance(record, Header):
                if record.schema != SCHEMA:
                    account.warn(f"the file names the schema {record.schema!r}; read as {SCHEMA}")
                current = Recording(record)
                yield current, None
            elif isinstance(record, EventLine):
                if current is not None and abs(record.t) < LATEST_S:
                    yield current, record
            elif isinstance(record, Footer):
                if record.missed and current is not None:
                    account.warn(f"the recorder missed {record.missed} ticks")
            else:
                if current is None:
                    current = _without_header(record, account)
                    yield current, None
                fitting = times.possible(_fitting(record, current, account), account)
                if fitting is not None:
                    yield current, current.restated(fitting)
    if current is None:
        raise EcoauditError(f"no header and no sample among {account.lines} lines", where=file.path)
    times.check(file)


@dataclass
class Times:
    """How many samples have a time in Unix seconds, and the first that is none."""

    found: int = 0
    first_bad: float | None = None

    def possible(self, samples: Columns | None, account: Account) -> Columns | None:
        """Return samples without those that have no time, which are bad lines; None where none is left."""
        if samples is None:
            return None
        bad = np.abs(samples.wall) >= LATEST_S
        self.found += len(samples)
        if not bad.any():
            return samples
        wrong = samples.wall[bad].tolist()
        self.found -= len(wrong)
        self.first_bad = wrong[0] if self.first_bad is None else self.first_bad
        account.records -= len(wrong)
        for t in wrong:
            account.bad(0, f"sample at t={t:.15g}", "t is no time in Unix seconds")
        return None if bad.all() else samples.chosen(np.flatnonzero(~bad))

    def check(self, file: LogFile) -> None:
        """Raise `EcoauditError` where a file has samples and none has a time."""
        if self.first_bad is not None and not self.found:
            raise EcoauditError(
                f"no sample has a time in Unix seconds; the first has t={self.first_bad:.15g}",
                where=file.path,
                fix="give t in seconds since 1970: milliseconds / 1000",
            )


def _samples_joined(block: list[Line | Columns]) -> Iterator[Header | EventLine | Footer | Columns | list[Sample]]:
    """Yield a block's records, samples that stand side by side as one list."""
    pending: list[Sample] = []
    for record in block:
        if isinstance(record, Sample):
            pending.append(record)
            continue
        if pending:
            yield pending
            pending = []
        yield record
    if pending:
        yield pending


def _without_header(samples: Columns | list[Sample], account: Account) -> Recording:
    if isinstance(samples, Columns):
        gpus = max(samples.widths(), default=0)
    else:
        gpus = next((len(v) for v in (samples[0].power_w, samples[0].energy_j, samples[0].util) if v), 0)
    account.warn("the header is missing; GPUs are known by position only")
    return Recording(Header(schema=SCHEMA, gpus=[Gpu(index=i) for i in range(gpus)]))


def _fitting(samples: Columns | list[Sample], recording: Recording, account: Account) -> Columns | None:
    """Return samples with an entry a GPU as columns; the others are bad lines. None where none is left."""
    gpus = len(recording.header.gpus)
    fitting: list[Sample] = []
    if isinstance(samples, Columns):
        if samples.widths() <= {gpus}:
            return samples
        bad = samples.wall.tolist()
    else:
        fitting = [s for s in samples if _fits(s, gpus)]
        bad = [s.t for s in samples if not _fits(s, gpus)] if len(fitting) < len(samples) else []
    account.records -= len(bad)
    for t in bad:
        account.bad(0, f"sample at t={t}", f"an array that has not {gpus} entries, one a GPU")
    return _as_columns(fitting, recording) if fitting else None


def _fits(sample: Sample, gpus: int) -> bool:
    return math.isfinite(sample.t) and all(
        not isinstance(value, list) or len(value) == gpus
        for value in (sample.power_w, sample.power_instant_w, sample.energy_j, sample.util)
    )


def _as_columns(samples: list[Sample], recording: Recording) -> Columns:
    """Return decoded samples as columns, absent keys filled from before."""
    gpus = len(recording.header.gpus)
    metrics: dict[str, FloatArray | None] = {}
    for name in METRICS:
        rows = [getattr(s, name) for s in samples]
        last: Any = recording.last.get(name)
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


def _read(values: list[Any]) -> FloatArray:
    """Return decoded numbers, None as NaN; so are numbers too large for a float, which no device reads."""
    array = np.array(values, dtype=np.float64)
    array[np.isinf(array)] = np.nan
    return array


def warn_of_no_gpu(recording: Recording, account: Account) -> None:
    """Warn of a recording without GPUs, with the reason that its header states."""
    if recording.header.reason and not recording.header.gpus:
        account.warn(f"no GPU was recorded: {recording.header.reason}")


def power_field(sources: list[str]) -> Literal["average", "instant", "unspecified"]:
    """Return which of NVML's power fields a recorder read."""
    if "nvml.power.average" in sources:
        return "average"
    return "instant" if "nvml.power.instant" in sources else "unspecified"


def moved(event: EventLine, to_s: float) -> Event:
    """Return an event at the time `to_s`."""
    attributes = {k: v if isinstance(v, str | int | float) else str(v) for k, v in event.attributes.items()}
    if event.tokens is not None:
        attributes["tokens"] = event.tokens
    return Event(to_s, event.name, event.value, attributes)


def boards(header: Header) -> tuple[GpuInfo, ...]:
    """Return the GPUs as the header describes them."""
    return tuple(GpuInfo(g.index, g.uuid, g.name, g.power_limit_w, g.memory_mib, g.mig, g.share) for g in header.gpus)
