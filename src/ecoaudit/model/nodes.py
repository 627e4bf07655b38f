"""Telemetry files brought together by node and device, reduced over given segments and integrated."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import islice

import numpy as np

from ecoaudit.ingest.records import Event, FloatArray, GpuInfo, Telemetry
from ecoaudit.model.identity import board_ids, nodes_of
from ecoaudit.model.integrate import DeviceEnergy, integrate, unread
from ecoaudit.model.meter_sums import MeterSums, add_meter, reduce_meter, sifted
from ecoaudit.model.notes import Notes
from ecoaudit.model.profile import Profile, profile_of
from ecoaudit.model.recorders import counted_once, only
from ecoaudit.model.reduce import CEILING, ceiling_of, late_s
from ecoaudit.model.reduction import FileSums, Impossible, Reducer, merge_files
from ecoaudit.quantity import percent

COMPARE_WARN_PERCENT = 3.0
MOSTLY_FALSE = 0.5
"""A counter of whose steps more than this share cannot be is no counter of joules."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The telemetry files of one node in the order of time; those of the same GPUs do not overlap.

    `label` names the node in messages.
    """

    label: str
    host: str | None
    files: tuple[Telemetry, ...]

    @property
    def start_s(self) -> float:
        return min(float(file.time_s[0]) for file in self.files)

    @property
    def end_s(self) -> float:
        return max(float(file.time_s[-1]) for file in self.files)

    @property
    def node_gpu_count(self) -> int | None:
        """Number of GPUs in the node, this run's or not, as the recorder saw it."""
        return max((f.node_gpu_count for f in self.files if f.node_gpu_count), default=None)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The boards' mean power over time, one for each file."""
        return tuple(profile_of(file) for file in self.files)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(event for file in self.files for event in file.events)


@dataclass(frozen=True, slots=True, eq=False)
class GpuReading:
    """One GPU of the run with its energy by segment."""

    node: int
    info: GpuInfo
    energy: DeviceEnergy


@dataclass(frozen=True, slots=True)
class NodeReading:
    """One node: its GPUs' energy and, where recorded, the energy of its RAPL zones in J by segment.

    Where files are not in memory, `meter` is what the node's own meter read, with the sieve of the stream's heads, and
    `impossible` what no board can have drawn.
    """

    stream: Stream
    gpus: tuple[GpuReading, ...]
    rapl_j: dict[str, FloatArray]
    meter: MeterSums | None = None
    impossible: Impossible = field(default_factory=Impossible)


def streams(telemetry: Sequence[Telemetry], notes: Notes, nodes: int | None = None) -> tuple[Stream, ...]:
    """Group files by node (`identity.nodes_of`), sort them by time and drop what two files of one node both hold.

    `nodes` is how many the user says there were.
    """
    found = []
    for number, files in enumerate(nodes_of(counted_once(telemetry, nodes, notes), notes)):
        label = f"node {number}"
        host = next((file.host for file in files if file.host is not None), None)
        found.append(Stream(label, host, _without_overlap(files, label, notes)))
    return tuple(found)


def _without_overlap(files: Sequence[Telemetry], label: str, notes: Notes) -> tuple[Telemetry, ...]:
    """Cut from each file what earlier files of the node already hold for the same GPUs."""
    kept: list[Telemetry] = []
    known_until: dict[object, float] = {}
    for file in files:
        rest = file
        boards = board_ids(file)
        start, end = float(file.time_s[0]), float(file.time_s[-1])
        until = max((known_until[board] for board in boards if board in known_until), default=start)
        if start < until:
            share = min(1.0, (until - start) / (end - start)) if end > start else 1.0
            notes.warn(
                f"{label}: two telemetry files overlap in time; {percent(share)} of one is left out, not counted twice"
            )
            if end <= until:
                continue
            rest = _after(file, until)
        known_until.update(dict.fromkeys(boards, end))
        kept.append(rest)
    return tuple(kept)


def _after(file: Telemetry, time_s: float) -> Telemetry:
    """Return what a file holds after a time before its end; a head leaves it to who reads the file again."""
    if file.head is not None:
        sieve = replace(file.head.sieve, after_s=time_s)
        return replace(file, time_s=np.maximum(file.time_s, time_s), head=replace(file.head, sieve=sieve))
    return only(file, file.time_s > time_s)


def read_nodes(
    found: Sequence[Stream], edges: FloatArray, focus: tuple[float, float], reducer: Reducer, notes: Notes
) -> tuple[NodeReading, ...]:
    """Integrate every GPU and RAPL zone of every node over the segments between `edges` (shape (segments + 1,))."""
    found = [replace(stream, files=sifted(stream.files)) for stream in found]
    sums = iter(reducer([file for stream in found for file in stream.files], edges, focus))
    return tuple(
        _read_node(number, stream, list(islice(sums, len(stream.files))), edges, focus, notes)
        for number, stream in enumerate(found)
    )


def _read_node(
    number: int, stream: Stream, files: list[FileSums], edges: FloatArray, focus: tuple[float, float], notes: Notes
) -> NodeReading:
    sums = reduce(merge_files, files)
    readings = []
    late = max(late_s(file.source.format) for file in stream.files)
    for name, (info, partial) in sums.gpus.items():
        if partial is None:
            number_or_name = info.index if info.index is not None else name
            notes.warn(f"{stream.label}: GPU {number_or_name} has no power and no energy reading")
            readings.append(GpuReading(number, info, unread(edges)))
            continue
        readings.append(GpuReading(number, info, integrate(partial, edges, focus, ceiling_of(info), late)))
    rapl = {}
    for zone, partial in sums.zones.items():
        if partial is not None:
            energy = integrate(partial, edges, focus)
            mean = energy.mean_power_w() or 0.0
            rapl[zone] = energy.read_j + mean * energy.filled_s
    return NodeReading(stream, tuple(readings), rapl, _own_meter(stream, files, edges), sums.impossible)


def _own_meter(stream: Stream, files: Sequence[FileSums], edges: FloatArray) -> MeterSums | None:
    """Return what a node's own meter read where not all of its files are in memory."""
    sieve = next((file.head.sieve for file in stream.files if file.head is not None), None)
    if sieve is None:
        return None
    whole: MeterSums | None = None
    for file, sums in zip(stream.files, files, strict=True):
        part = sums.meter
        if file.head is None and file.node_power_w is not None:
            part = reduce_meter(file.time_s, file.node_power_w, edges, sieve)
        whole = add_meter(whole, part, edges, sieve)
    return whole


def check_counters(readings: Sequence[GpuReading], notes: Notes) -> None:
    """Warn where the energy counter is not believed, and where it and the integral of power disagree.

    That is by more than `COMPARE_WARN_PERCENT`.
    """
    other = [r for r in readings if r.energy.false_steps > MOSTLY_FALSE * r.energy.samples]
    if other:
        notes.warn(
            f"the energy counter of {_named(other)} rises faster than any board draws: another unit than joules, or "
            "damaged; power is integrated instead",
            grave=True,
        )
    jumped = [r for r in readings if r.energy.false_steps and r not in other]
    if jumped:
        count = sum(r.energy.false_steps for r in jumped)
        notes.warn(
            f"{count} step{'s' * (count > 1)} of the energy counter of {_named(jumped)} {'are' if count > 1 else 'is'} "
            f"more than the board can draw (above {CEILING:g} × its limit); power takes their place",
            grave=True,
        )
    frozen = [r for r in readings if r.energy.frozen_s > 0]
    if frozen:
        longest_s = max(r.energy.frozen_s for r in frozen)
        notes.warn(
            f"the energy counter of {_named(frozen)} stands still, or says less than half of what power says, for "
            f"{'up to ' if len(frozen) > 1 else ''}{longest_s:,.0f} s; power is integrated there instead",
            grave=True,
        )
    off = [r for r in readings if abs(r.energy.compared_percent or 0.0) > COMPARE_WARN_PERCENT]
    if off:
        worst = max(off, key=lambda r: abs(r.energy.compared_percent or 0.0))
        notes.warn(
            f"energy counter and integrated power differ by more than {COMPARE_WARN_PERCENT:g} % on {len(off)} of "
            f"{len(readings)} GPUs (largest {worst.energy.compared_percent:+.1f} %, node {worst.node} GPU "
            f"{worst.info.index}); the counter is used"
        )


def _named(readings: Sequence[GpuReading]) -> str:
    first = f"node {readings[0].node} GPU {readings[0].info.index}"
    return first if len(readings) == 1 else f"{first} and {len(readings) - 1} more"
