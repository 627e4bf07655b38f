"""Telemetry files brought together by node and device, reduced over given segments and integrated."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice

import numpy as np

from ecoaudit.ingest.records import Event, FloatArray, GpuInfo, Telemetry
from ecoaudit.model.accumulate import Accumulator
from ecoaudit.model.integrate import DeviceEnergy, integrate, unread
from ecoaudit.model.intervals import BoolArray
from ecoaudit.model.notes import Notes
from ecoaudit.model.profile import Profile, profile_of
from ecoaudit.model.reduce import Partial, merge, sampling

CEILING = 1.5
"""A board cannot draw more than this times its enforced limit for as long as a sample: such a counter step is false."""
COMPARE_WARN_PERCENT = 3.0
BLOCK = 2048
"""Samples reduced at once: eight boards' readings of that many fit the processor's second-level cache."""


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
    """One node: its GPUs' energy and, where recorded, the energy of its RAPL zones in J by segment."""

    stream: Stream
    gpus: tuple[GpuReading, ...]
    rapl_j: dict[str, FloatArray]


def streams(telemetry: Sequence[Telemetry], notes: Notes) -> tuple[Stream, ...]:
    """Group files by node, sort them by time and drop what two files of one node both hold.

    Files without a host name belong to the node whose boards' UUIDs they share; without UUIDs they are one node if they
    hold the same GPUs at different times, else several.
    """
    groups: dict[tuple[str, int], list[Telemetry]] = {}
    anonymous = 0
    hosts = {uuid: f.host for f in telemetry if f.host is not None for uuid in _uuids(f)}
    for file in sorted((f for f in telemetry if f.time_s.size), key=lambda f: float(f.time_s[0])):
        named = next((hosts[uuid] for uuid in _uuids(file) if uuid in hosts), None)
        if file.host is None and named is not None:
            groups.setdefault((named, 0), []).append(file)
            continue
        if file.host is not None:
            groups.setdefault((file.host, 0), []).append(file)
            continue
        for key, files in groups.items():
            after = _ids(files[-1]) == _ids(file) and float(files[-1].time_s[-1]) <= float(file.time_s[0])
            if key[0] == "" and (after or _uuids(files[-1]) & _uuids(file)):
                files.append(file)
                break
        else:
            anonymous += 1
            groups["", anonymous] = [file]
    if anonymous > 1:
        notes.warn(f"{anonymous} telemetry files without a host name are counted as {anonymous} nodes")
    found = []
    for number, ((host, _), files) in enumerate(groups.items()):
        label = f"node {number}"
        found.append(Stream(label, host or None, _without_overlap(files, label, notes)))
    return tuple(found)


def _uuids(file: Telemetry) -> set[str]:
    return {gpu.uuid for gpu in file.gpus if gpu.uuid}


def _ids(file: Telemetry) -> tuple[object, ...]:
    return tuple(gpu.uuid or gpu.index for gpu in file.gpus)


def _without_overlap(files: Sequence[Telemetry], label: str, notes: Notes) -> tuple[Telemetry, ...]:
    """Cut from each file what earlier files of the node already hold for the same GPUs."""
    kept: list[Telemetry] = []
    for file in files:
        rest = file
        ends = [float(k.time_s[-1]) for k in kept if set(_ids(k)) & set(_ids(file))]
        if ends and float(file.time_s[0]) < max(ends):
            later = file.time_s > max(ends)
            share = 1.0 - float(later.mean())
            notes.warn(
                f"{label}: two telemetry files overlap in time; {share:.0%} of one is left out, not counted twice"
            )
            if not later.any():
                continue
            rest = _rows(file, later)
        kept.append(rest)
    return tuple(kept)


def _rows(file: Telemetry, keep: BoolArray) -> Telemetry:
    def cut(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[keep]

    return replace(
        file,
        time_s=file.time_s[keep],
        power_w=file.power_w[keep],
        energy_j=cut(file.energy_j),
        util_percent=cut(file.util_percent),
        host_energy_j={zone: values[keep] for zone, values in file.host_energy_j.items()},
        node_power_w=cut(file.node_power_w),
    )


def read_nodes(
    found: Sequence[Stream], edges: FloatArray, focus: tuple[float, float], reducer: "Reducer", notes: Notes
) -> tuple[NodeReading, ...]:
    """Integrate every GPU and RAPL zone of every node over the segments between `edges` (shape (segments + 1,))."""
    sums = iter(reducer([file for stream in found for file in stream.files], edges, focus))
    return tuple(
        _read_node(number, stream, reduce(merge_files, islice(sums, len(stream.files))), edges, focus, notes)
        for number, stream in enumerate(found)
    )


@dataclass(frozen=True, slots=True)
class FileSums:
    """One telemetry file reduced: its GPUs by identity and its RAPL zones. Small, picklable, and it merges."""

    gpus: dict[object, tuple[GpuInfo, Partial | None]]
    zones: dict[str, Partial | None]


def reduce_file(file: Telemetry, edges: FloatArray, focus: tuple[float, float]) -> FileSums:
    """Reduce a file over the segments between `edges`; the unit of work for logs that do not fit in memory."""
    open_above_s = sampling(file.time_s)
    gpus = Accumulator(len(file.gpus), edges, focus, open_above_s)
    host = Accumulator(len(file.host_energy_j), edges, focus, open_above_s)
    counters = np.stack(list(file.host_energy_j.values())) if file.host_energy_j else None
    for start in range(0, file.time_s.size, BLOCK):
        here = slice(start, start + BLOCK)
        gpus.add(
            file.time_s[here],
            file.power_w[here].T,
            None if file.energy_j is None else file.energy_j[here].T,
            None if file.util_percent is None else file.util_percent[here].T,
        )
        if counters is not None:
            host.add(file.time_s[here], None, counters[:, here], None)
    names = [info.uuid or (info.index if info.index is not None else i) for i, info in enumerate(file.gpus)]
    return FileSums(
        dict(zip(names, zip(file.gpus, gpus.partials(), strict=True), strict=True)),
        dict(zip(file.host_energy_j, host.partials(), strict=True)),
    )


def merge_files(a: FileSums, b: FileSums) -> FileSums:
    """Join two files of one node, `a` before `b`."""
    gpus, zones = dict(a.gpus), dict(a.zones)
    for key, (info, part) in b.gpus.items():
        gpus[key] = (info, _joined(gpus[key][1] if key in gpus else None, part))
    for zone, part in b.zones.items():
        zones[zone] = _joined(zones.get(zone), part)
    return FileSums(gpus, zones)


Reducer = Callable[[Sequence[Telemetry], FloatArray, tuple[float, float]], Iterable[FileSums]]
"""Reduces files over the segments between edges, in their order. For logs too large for memory the files may be heads
(first and last sample, events, quality) and the reducer reads each again, from the head's first time on."""


def reduce_in_memory(files: Sequence[Telemetry], edges: FloatArray, focus: tuple[float, float]) -> Iterable[FileSums]:
    """Reduce files that are in memory, one after the other."""
    return (reduce_file(file, edges, focus) for file in files)


def _read_node(
    number: int, stream: Stream, sums: FileSums, edges: FloatArray, focus: tuple[float, float], notes: Notes
) -> NodeReading:
    readings = []
    for name, (info, partial) in sums.gpus.items():
        if partial is None:
            number_or_name = info.index if info.index is not None else name
            notes.warn(f"{stream.label}: GPU {number_or_name} has no power and no energy reading")
            readings.append(GpuReading(number, info, unread(edges)))
            continue
        ceiling = CEILING * info.power_limit_w if info.power_limit_w else None
        readings.append(GpuReading(number, info, integrate(partial, edges, focus, ceiling)))
    rapl = {}
    for zone, partial in sums.zones.items():
        if partial is not None:
            energy = integrate(partial, edges, focus)
            mean = energy.mean_power_w() or 0.0
            rapl[zone] = energy.read_j + mean * energy.filled_s
    return NodeReading(stream, tuple(readings), rapl)


def _joined(a: Partial | None, b: Partial | None) -> Partial | None:
    if a is None or b is None:
        return b if a is None else a
    return merge(a, b)


def check_counters(readings: Sequence[GpuReading], notes: Notes) -> None:
    """Warn where the energy counter and the integral of power disagree by more than `COMPARE_WARN_PERCENT`."""
    off = [r for r in readings if abs(r.energy.compared_percent or 0.0) > COMPARE_WARN_PERCENT]
    if off:
        worst = max(off, key=lambda r: abs(r.energy.compared_percent or 0.0))
        notes.warn(
            f"energy counter and integrated power differ by more than {COMPARE_WARN_PERCENT:g} % on {len(off)} of "
            f"{len(readings)} GPUs (largest {worst.energy.compared_percent:+.1f} %, node {worst.node} GPU "
            f"{worst.info.index}); the counter is used"
        )
