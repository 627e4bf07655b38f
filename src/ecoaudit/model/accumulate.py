"""Devices that share their sample times, reduced together and block by block: a log need not be in memory for it.

Every operation is one of NumPy over all devices and the samples of a block, which should fit the processor's cache.
"""

import numpy as np

from ecoaudit.ingest.records import FloatArray, IntArray
from ecoaudit.model.intervals import BoolArray
from ecoaudit.model.reduce import (
    LATE_S,
    POWER_BIN_W,
    POWER_BINS,
    E,
    P,
    Partial,
    T,
    U,
    histogram,
    most_counted_j,
    sampling,
)

_Devices = slice | list[int]
_ENERGY, _BY_POWER, _COVERED, _UTIL, _UTIL_COVERED = range(5)


class Accumulator:
    """Sums of `devices` devices over the segments between `edges`, shape (segments + 1,), as blocks are added.

    `focus` is the window of the power histogram. Intervals longer than `open_above_s` stay open (`reduce.open_above`);
    where a counter rose beyond `ceiling_w`, shape (devices,), power takes its place; see `reduce.most_counted_j`.
    """

    def __init__(
        self,
        devices: int,
        edges: FloatArray,
        focus: tuple[float, float],
        open_above_s: float,
        ceiling_w: FloatArray | None = None,
        late_s: float = LATE_S,
    ) -> None:
        self._edges, self._focus, self._open_above_s = edges, focus, open_above_s
        self._ceiling_w = np.full(devices, np.inf) if ceiling_w is None else ceiling_w
        self._late_s = late_s
        self._false_steps = np.zeros(devices, dtype=np.int64)
        self._samples = np.zeros(devices, dtype=np.int64)
        self._first, self._last = np.full((2, devices, 4), np.nan)
        # The first interval stays open: the one before it, of another file, may be that of a counter that stepped back.
        self._back = np.ones(devices, dtype=bool)
        self._sums = np.zeros((5, devices, edges.size - 1))
        self._counter_s, self._compared_counter_j, self._compared_power_j = np.zeros((3, devices))
        self._power_seconds = np.zeros((devices, POWER_BINS))
        self._power_min_w, self._power_max_w = np.full(devices, np.inf), np.full(devices, -np.inf)
        self._rows: list[list[FloatArray]] = [[] for _ in range(devices)]
        self._steps: list[list[tuple[FloatArray, IntArray]]] = [[] for _ in range(devices)]

    def add(self, data: FloatArray) -> None:
        """Add samples that follow those before.

        `data`, shape (4, devices, 1 + n), holds times (the same for all devices, never decreasing), power (W), energy
        counter (J) and utilisation (%), NaN where not read; a sample without power and counter is none. What stands
        before the samples is overwritten.
        """
        devices, samples = data.shape[1], data.shape[2] - 1
        if not devices or not samples:
            return
        usable = np.isfinite(data[P, :, 1:])
        if not usable.all():
            usable |= np.isfinite(data[E, :, 1:])
        last = self._last[:, T]
        if usable.all() and (bool((last == last[0]).all()) or bool(np.isnan(last).all())):
            self._add(slice(0, devices), data)
            return
        for device in np.flatnonzero(usable.any(axis=1)).tolist():
            here = np.flatnonzero(usable[device]) + 1
            self._add(slice(device, device + 1), data[:, device : device + 1, np.concatenate(([0], here))])

    def _add(self, of: slice, data: FloatArray) -> None:
        """Add samples of neighbours in number that were all read at the same times."""
        before = self._last[of].copy()
        self._samples[of] += data.shape[2] - 1
        self._last[of] = data[:, :, -1].T
        self._power_min_w[of] = np.fmin(self._power_min_w[of], np.fmin.reduce(data[P, :, 1:], axis=1))
        self._power_max_w[of] = np.fmax(self._power_max_w[of], np.fmax.reduce(data[P, :, 1:], axis=1))
        if np.isnan(before[0, T]):
            self._first[of] = data[:, :, 1].T
            data = data[:, :, 1:]
        else:
            data[:, :, 0] = before.T
        if data.shape[2] > 1:
            self._add_intervals(of, data)

    def _add_intervals(self, of: slice, data: FloatArray) -> None:
        times = data[T, 0]
        dt = np.diff(times)
        steps = histogram(dt)
        for each in self._steps[of]:
            each.append(steps)
        counter, mean_w = np.diff(data[E], axis=1), data[P, :, :-1] + data[P, :, 1:]
        mean_w *= 0.5
        counted, powered = np.isfinite(counter), np.isfinite(mean_w)
        back = counter < 0
        false = counter > most_counted_j(self._ceiling_w[of, np.newaxis], self._late_s, dt)
        is_open = back | (dt > self._open_above_s)
        if false.any():
            is_open |= false & ~powered
        if not (counted.all() or powered.all()):
            is_open |= ~(counted | powered)
        is_open[:, 1:] |= back[:, :-1]
        is_open[:, 0] |= self._back[of]
        self._back[of] = back[:, -1]
        if is_open.any():
            for device in np.flatnonzero(is_open.any(axis=1)).tolist():
                here = np.flatnonzero(is_open[device])
                ends = data[:, device, :]
                self._rows[of.start + device].append(np.stack([ends[:, here].T, ends[:, here + 1].T], axis=1))
            seconds = np.where(is_open, 0.0, dt)
            counted &= ~is_open
            powered &= ~is_open
            false &= ~is_open
        else:
            seconds = dt[np.newaxis]  # the same for all devices
        if false.any():
            counted &= ~false
            self._false_steps[of] += false.sum(axis=1)
        if not powered.all():
            mean_w = np.where(powered, mean_w, 0.0)
        trapezoid = mean_w * dt
        joules = np.where(counted, counter, trapezoid)
        along = powered & ~counted
        pieces = _Pieces(self._edges, times)
        energy_j = pieces.of(joules, data[P] if along.any() else None, along)
        self._sums[_ENERGY, of, pieces.segments] += energy_j
        if counted.any() and powered.any():
            energy_j = pieces.of(trapezoid if powered.all() else np.where(powered, trapezoid, joules), data[P], powered)
        self._sums[_BY_POWER, of, pieces.segments] += energy_j
        self._sums[_COVERED, of, pieces.segments] += pieces.of(seconds)
        self._counter_s[of] += counted @ dt
        both = counted if powered.all() or bool((counted <= powered).all()) else counted & powered
        self._compared_counter_j[of] += np.where(both, counter, 0.0).sum(axis=1)
        self._compared_power_j[of] += np.where(both, trapezoid, 0.0).sum(axis=1)
        self._add_load(of, data, seconds, pieces)
        self._add_histogram(of, times, mean_w, powered)

    def _add_load(self, of: slice, data: FloatArray, seconds: FloatArray, pieces: "_Pieces") -> None:
        double = data[U, :, :-1] + data[U, :, 1:]
        used = np.isfinite(double)
        if not used.any():
            return
        if used.all():
            times_s = seconds
        else:
            double, times_s = np.where(used, double, 0.0), np.where(used, seconds, 0.0)
        double *= 0.5
        self._sums[_UTIL, of, pieces.segments] += pieces.of(double * times_s)
        self._sums[_UTIL_COVERED, of, pieces.segments] += pieces.of(times_s)

    def _add_histogram(self, of: slice, times: FloatArray, mean_w: FloatArray, powered: BoolArray) -> None:
        inside = (times[:-1] >= self._focus[0]) & (times[1:] <= self._focus[1])
        if not inside.any() or not powered.any():
            return
        weights = np.where(powered, np.where(inside, np.diff(times), 0.0), 0.0)
        bins = np.clip(mean_w / POWER_BIN_W, 0, POWER_BINS - 1).astype(np.int64)
        bins += POWER_BINS * np.arange(mean_w.shape[0])[:, np.newaxis]
        found = np.bincount(bins.ravel(), weights.ravel(), POWER_BINS * mean_w.shape[0])
        self._power_seconds[of] += found.reshape(-1, POWER_BINS)

    def partials(self) -> list[Partial | None]:
        """Return what was reduced so far, one a device; None for a device without any reading."""
        return [self._partial(device) if count else None for device, count in enumerate(self._samples.tolist())]

    def _partial(self, device: int) -> Partial:
        values, counts = (np.concatenate([steps[i] for steps in self._steps[device]] or [np.empty(0)]) for i in (0, 1))
        step_s, where = np.unique(values, return_inverse=True)
        return Partial(
            samples=int(self._samples[device]),
            first=self._first[device],
            last=self._last[device],
            energy_j=self._sums[_ENERGY, device],
            covered_s=self._sums[_COVERED, device],
            util_percent_s=self._sums[_UTIL, device],
            util_covered_s=self._sums[_UTIL_COVERED, device],
            counter_s=float(self._counter_s[device]),
            rows=np.concatenate([np.empty((0, 2, 4)), *self._rows[device]]),
            step_s=step_s,
            step_count=np.bincount(where, counts, step_s.size).astype(np.int64),
            open_above_s=self._open_above_s,
            compared_counter_j=float(self._compared_counter_j[device]),
            compared_power_j=float(self._compared_power_j[device]),
            power_seconds=self._power_seconds[device],
            power_min_w=float(self._power_min_w[device]),
            power_max_w=float(self._power_max_w[device]),
            by_power_j=self._sums[_BY_POWER, device],
            false_steps=int(self._false_steps[device]),
        )


class _Pieces:
    """The segments that consecutive intervals between `times`, shape (n + 1,), meet, and where edges cut these."""

    def __init__(self, edges: FloatArray, times: FloatArray) -> None:
        low, high = int(np.searchsorted(edges, times[0], "right")), int(np.searchsorted(edges, times[-1], "left"))
        inner = edges[low:high]
        self._at = np.searchsorted(times, inner, side="right") - 1
        self._span = times[self._at + 1] - times[self._at]
        self._offset = inner - times[self._at]
        self._share = np.divide(self._offset, self._span, out=np.ones_like(inner), where=self._span > 0)
        # What lies before the first edge or behind the last belongs to no segment.
        self._cut = slice(1 if low == 0 else 0, None if high < edges.size else -1)
        self.segments = slice(max(low - 1, 0), min(high, edges.size - 1))

    def of(self, amount: FloatArray, line: FloatArray | None = None, along: BoolArray | None = None) -> FloatArray:
        """Return how much of the intervals' `amount`, shape (devices, n), lies in each of the segments.

        See `intervals.split`; `along` marks intervals inside which the amount follows the `line` through the samples.
        """
        if not self._at.size:
            whole: FloatArray = amount.sum(axis=1, keepdims=True)
            return whole[:, self._cut]
        at = self._at
        part = amount[:, at] * self._share
        if line is not None and along is not None:
            start, end = line[:, at], line[:, at + 1]
            linear = along[:, at] & (self._span > 0)
            slope = np.divide(end - start, self._span, out=np.zeros_like(part), where=linear)
            part = np.where(linear, start * self._offset + 0.5 * slope * self._offset**2, part)
        # Whole intervals between the cut ones; where two edges cut the same one, there are none.
        sums = np.add.reduceat(amount, np.concatenate(([0], at)), axis=1)
        sums[:, :-1] *= np.diff(at, prepend=0) > 0
        found: FloatArray = sums + np.diff(part, axis=1, prepend=0.0, append=0.0)
        return found[:, self._cut]


def reduce_samples(
    time_s: FloatArray,
    power_w: FloatArray | None,
    energy_j: FloatArray | None,
    util_percent: FloatArray | None,
    edges: FloatArray,
    focus: tuple[float, float],
    ceiling_w: float | None = None,
) -> Partial | None:
    """Reduce one device's samples, shape (n,) each, with NaN for what was not read; None if nothing was.

    `time_s` never decreases; `edges` are sorted, shape (segments + 1,); `focus` is the window of the power histogram.
    A counter step that means more than `ceiling_w` is not believed.
    """
    one = Accumulator(1, edges, focus, sampling(time_s), None if ceiling_w is None else np.array([ceiling_w]))
    data = np.full((4, 1, 1 + time_s.size), np.nan)
    data[T, 0, 1:] = time_s
    for kind, values in ((P, power_w), (E, energy_j), (U, util_percent)):
        if values is not None:
            data[kind, 0, 1:] = values
    one.add(data)
    return one.partials()[0]
