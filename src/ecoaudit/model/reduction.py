"""A telemetry file reduced over given segments: small, picklable, and it merges. The unit of work for large logs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ecoaudit.ingest.records import FloatArray, GpuInfo, Telemetry
from ecoaudit.model.accumulate import Accumulator
from ecoaudit.model.intervals import BoolArray
from ecoaudit.model.meter_sums import MeterSums, add_meter, reduce_meter
from ecoaudit.model.places import board_key
from ecoaudit.model.reduce import E, P, Partial, T, U, ceiling_of, late_s, merge, open_above, sampling

BLOCK = 2048
"""Samples reduced at once: eight boards' readings of that many fit the processor's second-level cache."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """Power samples that were taken as missing because no board can have drawn them, beside all that were possible."""

    dropped: int = 0
    possible: int = 0
    farthest_w: float = 0.0

    def __add__(self, other: "Impossible") -> "Impossible":
        farthest = max(self.farthest_w, other.farthest_w, key=abs)
        return Impossible(self.dropped + other.dropped, self.possible + other.possible, farthest)


@dataclass(frozen=True, slots=True)
class FileSums:
    """One telemetry file reduced: its GPUs by identity, its RAPL zones, and the node's own meter."""

    gpus: dict[object, tuple[GpuInfo, Partial | None]]
    zones: dict[str, Partial | None]
    meter: MeterSums | None = None
    impossible: Impossible = field(default_factory=Impossible)


Reducer = Callable[[Sequence[Telemetry], FloatArray, tuple[float, float]], Iterable[FileSums]]
"""Reduces files over the segments between edges, in their order. Files too large for memory are heads (`records.Head`),
which the reducer reads again."""


def reduce_in_memory(files: Sequence[Telemetry], edges: FloatArray, focus: tuple[float, float]) -> Iterable[FileSums]:
    """Reduce files that are in memory, one after the other."""
    return (reduce_file(file, edges, focus) for file in files)


def reduce_file(file: Telemetry, edges: FloatArray, focus: tuple[float, float]) -> FileSums:
    """Reduce a file that is in memory over the segments between `edges`; `focus` is the power histogram's window."""
    reduction = Reduction(file, edges, focus, sampling(file.time_s))
    for start in range(0, file.time_s.size, BLOCK):
        here = slice(start, start + BLOCK)
        reduction.add(
            file.time_s[here],
            file.power_w[here],
            None if file.energy_j is None else file.energy_j[here],
            None if file.util_percent is None else file.util_percent[here],
            {zone: counter[here] for zone, counter in file.host_energy_j.items()},
        )
    return reduction.sums()


def reduce_blocks(
    file: Telemetry, blocks: Iterable[Telemetry], edges: FloatArray, focus: tuple[float, float]
) -> FileSums:
    """Reduce the file of a head, given as blocks of its samples in the order of time; they are sifted on the way."""
    if file.head is None:
        raise ValueError("telemetry that is in memory has no head")
    sieve = file.head.sieve
    reduction = Reduction(file, edges, focus, open_above(file.head.step_s, file.head.samples))
    impossible = Impossible()
    meter: MeterSums | None = None
    for block in blocks:
        kept = block.time_s > sieve.after_s
        if not kept.any():
            continue
        here = slice(None) if kept.all() else np.flatnonzero(kept)
        time_s = block.time_s[here]
        power_w, found = possible_power(block.power_w[here], sieve.most_w)
        impossible += found
        reduction.add(
            time_s,
            power_w,
            None if block.energy_j is None else block.energy_j[here],
            None if block.util_percent is None else block.util_percent[here],
            {zone: counter[here] for zone, counter in block.host_energy_j.items()},
        )
        if block.node_power_w is not None:
            meter = add_meter(meter, reduce_meter(time_s, block.node_power_w[here], edges, sieve), edges, sieve)
    sums = reduction.sums()
    return FileSums(sums.gpus, sums.zones, meter, impossible)


def possible_power(power_w: FloatArray, most_w: FloatArray | None) -> tuple[FloatArray, Impossible]:
    """Return power with samples below 0 W or above each board's `most_w`, shape (gpus,), as NaN, and how many."""
    impossible: BoolArray = power_w < 0
    if most_w is not None:
        impossible |= power_w > most_w
    if not impossible.any():
        return power_w, Impossible(0, int(np.isfinite(power_w).sum()))
    found = power_w[impossible]
    possible: FloatArray = np.where(impossible, np.nan, power_w)
    farthest = float(found[np.argmax(np.abs(found))])
    return possible, Impossible(int(impossible.sum()), int(np.isfinite(possible).sum()), farthest)


_Block = tuple[FloatArray, FloatArray, FloatArray | None, FloatArray | None, dict[str, FloatArray]]


class Reduction:
    """A file being reduced, block by block."""

    def __init__(self, file: Telemetry, edges: FloatArray, focus: tuple[float, float], open_above_s: float) -> None:
        zones = tuple(file.host_energy_j) if file.head is None else file.head.zones
        self._infos, self._zones = file.gpus, zones
        ceiling_w = np.array([ceiling_of(gpu) for gpu in file.gpus])
        late = late_s(file.source.format)
        self._gpus = Accumulator(len(file.gpus), edges, focus, open_above_s, ceiling_w, late)
        self._host = Accumulator(len(zones), edges, focus, open_above_s)
        self._waiting: list[_Block] = []
        self._count = 0

    def add(
        self,
        time_s: FloatArray,
        power_w: FloatArray,
        energy_j: FloatArray | None,
        util_percent: FloatArray | None,
        host_energy_j: dict[str, FloatArray],
    ) -> None:
        """Add samples that follow those before; shapes are those of `records.Telemetry`.

        They are reduced when there are enough: few at a time cost as much as many.
        """
        self._waiting.append((time_s, power_w, energy_j, util_percent, host_energy_j))
        self._count += time_s.size
        if self._count >= BLOCK:
            self._reduce()

    def _reduce(self) -> None:
        gpus = np.empty((4, len(self._infos), 1 + self._count))
        host = np.full((4, len(self._zones), 1 + self._count), np.nan)
        start = 1
        for time_s, power_w, energy_j, util_percent, host_energy_j in self._waiting:
            here = slice(start, start + time_s.size)
            gpus[T, :, here] = host[T, :, here] = time_s
            for kind, values in ((P, power_w), (E, energy_j), (U, util_percent)):
                gpus[kind, :, here] = np.nan if values is None else values.T
            for row, zone in enumerate(self._zones):
                host[E, row, here] = host_energy_j[zone]
            start += time_s.size
        self._waiting, self._count = [], 0
        self._gpus.add(gpus)
        self._host.add(host)

    def sums(self) -> FileSums:
        """Return what was reduced."""
        self._reduce()
        names = [board_key(info, column) for column, info in enumerate(self._infos)]
        parts = zip(self._infos, self._gpus.partials(), strict=True)
        return FileSums(
            dict(zip(names, parts, strict=True)), dict(zip(self._zones, self._host.partials(), strict=True))
        )


def merge_files(a: FileSums, b: FileSums) -> FileSums:
    """Join two files of one node, `a` before `b`; their meters are joined apart, with the sieve of the node."""
    gpus, zones = dict(a.gpus), dict(a.zones)
    for key, (info, part) in b.gpus.items():
        before, earlier = gpus.get(key, (info, None))
        gpus[key] = (info, _joined(earlier, part, same=before.uuid == info.uuid))
    for zone, part in b.zones.items():
        zones[zone] = _joined(zones.get(zone), part)
    return FileSums(gpus, zones, None, a.impossible + b.impossible)


def _joined(a: Partial | None, b: Partial | None, *, same: bool = True) -> Partial | None:
    if a is None or b is None:
        return b if a is None else a
    return merge(a, b, same=same)
