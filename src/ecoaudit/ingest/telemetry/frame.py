"""From readings of single GPUs, in file order, to the (ticks, GPUs) arrays of `Telemetry`."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ecoaudit.ingest.records import FloatArray, GpuInfo

_MAX_GPUS = 64
_WITHIN_TICK_S = 0.25


@dataclass
class Readings:
    """Columns of readings, one entry a GPU and tick; `gpu` is its identity (uuid, index) or None."""

    time_s: list[float] = field(default_factory=list)
    gpu: list[Hashable] = field(default_factory=list)
    power_w: list[float] = field(default_factory=list)
    util: list[float] = field(default_factory=list)
    energy_j: list[float] = field(default_factory=list)
    info: dict[Hashable, GpuInfo] = field(default_factory=dict)

    def add(
        self,
        time_s: float,
        gpu: Hashable,
        power_w: float = float("nan"),
        util: float = float("nan"),
        energy_j: float = float("nan"),
    ) -> None:
        self.time_s.append(time_s)
        self.gpu.append(gpu)
        self.power_w.append(power_w)
        self.util.append(util)
        self.energy_j.append(energy_j)

    def without(self, gpus: frozenset[Hashable]) -> "Readings":
        """Return the readings of all other GPUs."""
        if not gpus:
            return self
        out = Readings(info=self.info)
        for row in zip(self.time_s, self.gpu, self.power_w, self.util, self.energy_j, strict=True):
            if row[1] not in gpus:
                out.add(*row)
        return out


@dataclass(frozen=True)
class Frame:
    """Arrays of shape (n,) and (n, gpus); `keys` names the columns, `None` metrics were never seen."""

    time_s: FloatArray
    keys: tuple[Hashable, ...]
    power_w: FloatArray
    util_percent: FloatArray | None
    energy_j: FloatArray | None


def frame(readings: Readings, *, same_tick_s: float | None = None) -> Frame:
    """Group readings into ticks: a new tick begins when a GPU comes again or the time moves on.

    `same_tick_s` is how far apart readings of one tick may be (None: 0.4 of the median interval of a GPU). A tick's
    time is that of its first reading. Backward time is put in order, stably.
    """
    time = np.array(readings.time_s, dtype=np.float64)
    keys = tuple(sorted(dict.fromkeys(readings.gpu), key=_key_order))
    column = {key: i for i, key in enumerate(keys)}
    index = np.array([column[g] for g in readings.gpu], dtype=np.int64)
    order = np.argsort(time, kind="stable")
    time, index = time[order], index[order]
    limit = same_tick_s if same_tick_s is not None else 0.4 * _interval(time, index)
    tick = _ticks(time, index, len(keys), limit)
    n = int(tick[-1]) + 1 if len(tick) else 0

    def spread(values: Sequence[float]) -> FloatArray:
        out = np.full((n, len(keys)), np.nan)
        out[tick, index] = np.array(values, dtype=np.float64)[order]
        return out

    starts = np.full(n, np.nan)
    starts[tick[::-1]] = time[::-1]
    util, energy = spread(readings.util), spread(readings.energy_j)
    return Frame(
        time_s=_apart(starts),
        keys=keys,
        power_w=spread(readings.power_w),
        util_percent=None if np.isnan(util).all() else util,
        energy_j=None if np.isnan(energy).all() else energy,
    )


def _apart(starts: FloatArray) -> FloatArray:
    """Return the times of ticks with those of one second spread over it: faster logs than their clock's resolution."""
    if len(starts) < 2 or not (np.diff(starts) == 0).any():
        return starts
    values, counts = np.unique(starts, return_counts=True)
    steps = np.append(np.diff(values), 1.0)
    within = np.concatenate([np.arange(n) / n for n in counts])
    spread: FloatArray = np.repeat(values, counts) + within * np.repeat(np.minimum(steps, 1.0), counts)
    return spread


def _key_order(key: Hashable) -> tuple[int, float, str]:
    return (0, float(key), "") if isinstance(key, int | float) else (1, 0.0, str(key))


def _interval(time: FloatArray, index: np.ndarray) -> float:
    """Return the median time between two readings of the same GPU."""
    steps = [np.diff(time[index == i]) for i in np.unique(index)]
    every = np.concatenate(steps) if steps else np.empty(0)
    every = every[every > 0]
    return float(np.median(every)) if len(every) else 0.0


def _ticks(time: FloatArray, index: np.ndarray, gpus: int, limit: float) -> np.ndarray:
    """Return the tick number of every reading."""
    if gpus == 1:
        return np.arange(len(time))
    out = np.empty(len(time), dtype=np.int64)
    seen: set[int] = set()
    current, start = -1, -np.inf
    for i, (t, g) in enumerate(zip(time.tolist(), index.tolist(), strict=True)):
        if g in seen or t - start > limit or current < 0:
            current, start = current + 1, t
            seen.clear()
        seen.add(g)
        out[i] = current
    return out


def gpus_a_tick(time_s: Sequence[float]) -> int:
    """Return how many GPUs take turns in a log without an index: rows of a tick lie close, ticks far apart.

    The usual number of rows of a tick, where at least 90 % of the ticks have it; 1 when there is no such pattern. Rows
    of a tick are at most 0.25 s apart, and ticks five times further: rows of a second with a hole are no ticks. Where
    rows of a tick have one time, (nearly) all ticks must have the same number: one GPU that is logged faster than its
    clock ticks drifts against the clock.
    """
    step = np.diff(np.array(time_s, dtype=np.float64))
    edge = _between_ticks(step)
    if not edge.any() or edge.all():
        return 1
    narrow, wide = float(np.median(step[~edge])), float(np.median(step[edge]))
    sizes = np.diff(np.concatenate(([-1], np.flatnonzero(edge), [len(step)])))
    gpus = int(np.median(sizes))
    whole = sizes[:-1] if len(sizes) > 2 else sizes  # the last tick may be cut
    regular = float(np.mean(whole == gpus)) >= (0.9 if narrow > 0 else 0.995)
    close = narrow <= _WITHIN_TICK_S and narrow * 5 <= wide
    return gpus if regular and close and 1 < gpus <= _MAX_GPUS else 1


def _between_ticks(step: FloatArray) -> NDArray[np.bool_]:
    """Return which steps lead from one tick to the next: those near the widest of every hundred, holes left aside."""
    if not len(step):
        return np.zeros(0, dtype=np.bool_)
    edge: NDArray[np.bool_] = step > max(float(np.percentile(step, 99)) / 3, 0.0)
    return edge


def turns(time_s: Sequence[float], gpus: int) -> list[int]:
    """Return the position of every row within its tick, for a log without an index written by `gpus` GPUs."""
    if gpus == 1:
        return [0] * len(time_s)
    out, position = [0], 0
    for edge in _between_ticks(np.diff(np.array(time_s, dtype=np.float64))).tolist():
        position = 0 if edge or position + 1 >= gpus else position + 1
        out.append(position)
    return out
