"""When the GPUs worked: the edges of their power, and how well a run of a given length fits into a recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.intervals import split, trapezoid_j
from ecoaudit.model.nodes import Stream

CONTRAST = 1.5
"""Working boards draw at least this many times what waiting ones do; with less, power has no edges."""
GAP_FACTOR = 3.0
"""Between samples further apart than this times the median, an edge lies at the sample, not between the two."""
MOST_STRETCHES = 100
MOSTLY = 0.5
AROUND_S = 300.0
"""Evaluations and checkpoints are shorter than this: work that goes on within it belongs to the same run."""


SAME_ENERGY = 0.05
"""Two stretches whose energies differ by less cannot be told apart by energy."""
PLACES, MOST_PLACES = 512, 65_536
"""Places at which a stretch is tried, at least and at most."""


def places(whole_s: float, length_s: float) -> int:
    """Return at how many places a stretch is tried within a longer time, mostly a quarter of itself apart."""
    return int(min(MOST_PLACES, max(PLACES, 4.0 * whole_s / length_s)))


@dataclass(frozen=True)
class LoadCurve:
    """Mean power of one node's boards in W at times that never decrease, shape (n,) both."""

    time_s: FloatArray
    power_w: FloatArray

    @cached_property
    def interval_s(self) -> float:
        """Median time between two samples, in s."""
        steps = np.diff(self.time_s)
        steps = steps[steps > 0]
        return float(np.median(steps)) if steps.size else 0.0

    @cached_property
    def edges(self) -> tuple[FloatArray, FloatArray]:
        """Where the boards began and ceased to work, shape (stretches,) both; empty where power never changes much.

        Halfway between the least power and that of working boards (90th percentile) lies the border. Of very many
        stretches those nearest to each other become one.
        """
        low = float(self.power_w.min(initial=np.inf))
        working = self.power_w[self.power_w > CONTRAST * low]
        if not working.size:
            return np.empty(0), np.empty(0)
        border = 0.5 * (low + float(np.quantile(working, 0.9)))
        works = np.concatenate(([False], self.power_w > border, [False]))
        change = np.flatnonzero(np.diff(works.astype(np.int8)))
        starts = np.array([self._crossing(int(i), border, rising=True) for i in change[::2]])
        ends = np.array([self._crossing(int(i), border, rising=False) for i in change[1::2]])
        if starts.size > MOST_STRETCHES:
            apart = np.sort(np.argsort(starts[1:] - ends[:-1])[-(MOST_STRETCHES - 1) :])
            starts, ends = np.append(starts[:1], starts[1:][apart]), np.append(ends[:-1][apart], ends[-1:])
        return starts, ends

    def _crossing(self, i: int, border_w: float, *, rising: bool) -> float:
        """Return when power crossed the border between samples i - 1 and i."""
        if i in {0, self.time_s.size}:
            return float(self.time_s[min(i, self.time_s.size - 1)])
        t0, t1 = float(self.time_s[i - 1]), float(self.time_s[i])
        if t1 - t0 > GAP_FACTOR * self.interval_s:
            return t1 if rising else t0
        p0, p1 = float(self.power_w[i - 1]), float(self.power_w[i])
        return t0 + (t1 - t0) * (border_w - p0) / (p1 - p0)

    def energies(self, starts: FloatArray, duration_s: float) -> FloatArray:
        """Return the energy in J of the stretches of `duration_s` that begin at `starts`, shape (starts,)."""
        if self.time_s.size < 2:
            return np.zeros(starts.shape)
        edges = np.unique(np.concatenate((starts, starts + duration_s)))
        t0, t1, p0, p1 = self.time_s[:-1], self.time_s[1:], self.power_w[:-1], self.power_w[1:]
        before = np.concatenate(([0.0], np.cumsum(split(edges, t0, t1, trapezoid_j(t0, t1, p0, p1), p0, p1))))
        energy: FloatArray = (
            before[np.searchsorted(edges, starts + duration_s)] - before[np.searchsorted(edges, starts)]
        )
        return energy

    def working_s(self, start_s: float, end_s: float) -> float:
        """Return for how long of the time between two moments the boards worked, in s."""
        starts, ends = self.edges
        return float(np.maximum(0.0, np.minimum(ends, end_s) - np.maximum(starts, start_s)).sum())

    def between_edges(self, duration_s: float, within_s: float) -> list[tuple[float, float]]:
        """Return the stretches (start, end) from a rising to a falling edge that last `duration_s`, give or take.

        Boards mostly work inside a stretch and wait around it: one that ends where they only paused is none.
        """
        starts, ends = self.edges
        length = ends[np.newaxis, :] - starts[:, np.newaxis]
        first, last = np.nonzero((np.abs(length - duration_s) <= within_s) & (length > 0))
        return [
            (start, end)
            for start, end in zip(starts[first].tolist(), ends[last].tolist(), strict=True)
            if self.working_s(start, end) >= MOSTLY * (end - start)
            and self.working_s(start - AROUND_S, start) + self.working_s(end, end + AROUND_S) <= 2.0 * self.interval_s
        ]


def load_curve(found: Sequence[Stream]) -> LoadCurve:
    """Return the load of the node that was recorded longest."""
    return _curve(max(found, key=lambda s: s.end_s - s.start_s))


def boards_kwh(found: Sequence[Stream], start_s: float, end_s: float) -> float:
    """Return about what all nodes' boards took from one time to another in kWh: enough to say what is left out."""
    at = np.array([start_s])
    joules = [len(s.files[0].gpus) * float(_curve(s).energies(at, end_s - start_s)[0]) for s in found]
    return sum(joules) / 3.6e6


def _curve(stream: Stream) -> LoadCurve:
    """Return the load in those of the node's files that hold the same GPUs as the first."""
    gpus = stream.files[0].gpus
    profiles = [p for file, p in zip(stream.files, stream.profiles, strict=True) if file.gpus == gpus]
    time, power = np.concatenate([p.time_s for p in profiles]), np.concatenate([p.power_w for p in profiles])
    read = power > 0
    return LoadCurve(time[read], power[read])
