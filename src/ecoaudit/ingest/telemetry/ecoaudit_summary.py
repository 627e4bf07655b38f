"""What a recording holds as a whole, gathered block by block in memory that does not grow with it."""

import math

import numpy as np

from ecoaudit.counts import Counts
from ecoaudit.ingest.records import Event, FloatArray, Replayed
from ecoaudit.ingest.telemetry.clock import STEP_S, offsets
from ecoaudit.ingest.telemetry.ecoaudit_lines import Event as EventLine
from ecoaudit.ingest.telemetry.ecoaudit_recordings import Recording, Rows, moved
from ecoaudit.ingest.telemetry.plausible import PowerFaults
from ecoaudit.ingest.telemetry.rapl import usual_range

LONG_S = 600.0
"""Intervals between samples that are longer are listed one by one."""
MOST_POINTS = 1024
GLITCH_W = 5000.0
"""No board draws that much: such a sample is left out of the profile, beside it all others would pass for idle."""
_STEP_DIGITS = 3


class Summary:
    """One recording, as far as it was read. Times are monotonic ones; `offset_s` makes them UTC at the end."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.in_order = True
        self.samples = self.clock_steps = self.readings = 0
        self.first_s = self.last_s = self._last_offset_s = math.nan
        self.long_s: list[tuple[float, float]] = []
        self.steps, self.node_w, self.node_steps = Counts(), Counts(), Counts()
        self.found: set[str] = set()
        self.faults = {"power_w": PowerFaults(), "power_instant_w": PowerFaults()}
        self.profile: list[tuple[FloatArray, FloatArray]] = []
        self._offsets = Counts()
        self._cell, self._points = 8, 0
        self._highest_j: dict[str, float] = {}
        self._node_s = math.nan
        self._events: list[tuple[EventLine, tuple[float, float] | None]] = []
        self._near: tuple[float, float] | None = None

    def add(self, rows: Rows) -> None:
        """Take in samples; `in_order` ends where only all samples together could tell their times."""
        mono = rows.mono
        times = np.concatenate(([self.last_s], mono)) if self.samples else mono
        steps = np.diff(times)
        if not np.isfinite(mono).all() or (steps < 0).any():
            self.in_order = False
            return
        offset = offsets(rows.wall, mono)
        moves = np.diff(np.concatenate(([self._last_offset_s], offset)) if self.samples else offset)
        self.clock_steps += int((np.abs(moves) > STEP_S).sum())
        self._offsets.add(offset)
        self.steps.add(np.round(steps[steps > 0], _STEP_DIGITS))
        long = np.flatnonzero(steps > LONG_S)
        self.long_s += zip(times[long].tolist(), times[long + 1].tolist(), strict=True)
        if not self.samples:
            self.first_s = float(mono[0])
            first = (float(rows.wall[0]), float(mono[0]))
            self._events = [(event, first) for event, _ in self._events]
        self.samples += len(rows)
        self.last_s, self._last_offset_s = float(mono[-1]), float(offset[-1])
        self._near = (float(rows.wall[-1]), float(mono[-1]))
        self._add_values(rows)

    def _add_values(self, rows: Rows) -> None:
        energy = rows.metrics["energy_j"]
        read = np.zeros(len(rows), dtype=bool)
        for name, values in rows.metrics.items():
            if values is not None and (name in self.found or np.isfinite(values).any()):
                self.found.add(name)
        if energy is not None:
            read |= np.isfinite(energy).any(axis=1)
        for name, faults in self.faults.items():
            power = rows.metrics[name]
            if power is None:
                faults.look_at_nothing(len(rows) * len(self.recording.header.gpus), energy)
                continue
            power = faults.cleaned(power)
            faults.look_for_holes(power, energy)
            powered = np.isfinite(power).any(axis=1)
            if powered.any():
                self._add_profile(rows.mono, power)
            read |= powered
        self.readings += int(read.sum())
        for zone, counter in rows.zones.items():
            if np.isfinite(counter).any():
                self._highest_j[zone] = max(self._highest_j.get(zone, 0.0), float(np.nanmax(counter)))
        if rows.node_w is not None:
            self._add_node(rows.mono, rows.node_w)

    def _add_profile(self, mono: FloatArray, power_w: FloatArray) -> None:
        """Add the boards' mean power over some samples at a time, more of them the longer the recording is."""
        read = power_w < GLITCH_W
        mean = np.where(read, power_w, 0.0).sum(axis=1) / np.maximum(read.sum(axis=1), 1)
        starts = np.arange(0, mean.size, self._cell)
        sizes = np.diff(np.append(starts, mean.size))
        self.profile.append((mono[starts + sizes // 2], np.add.reduceat(mean, starts) / sizes))
        self._points += starts.size
        while self._points > MOST_POINTS:
            time_s, watts = (np.concatenate([part[i] for part in self.profile]) for i in (0, 1))
            pairs = np.arange(0, watts.size, 2)
            sizes = np.diff(np.append(pairs, watts.size))
            self.profile = [(time_s[pairs + sizes // 2], np.add.reduceat(watts, pairs) / sizes)]
            self._cell, self._points = 2 * self._cell, pairs.size

    def _add_node(self, mono: FloatArray, node_w: FloatArray) -> None:
        read = np.isfinite(node_w)
        times = mono[read]
        if times.size:
            steps = np.diff(times if math.isnan(self._node_s) else np.concatenate(([self._node_s], times)))
            self.node_w.add(node_w[read])
            self.node_steps.add(np.round(steps[steps > 0], _STEP_DIGITS))
            self._node_s = float(times[-1])

    def mark(self, event: EventLine) -> None:
        """Take in an event; it is moved with the clock of the sample before it."""
        self._events.append((event, self._near))

    @property
    def zones(self) -> set[str]:
        """The RAPL zones that have readings."""
        return set(self._highest_j)

    @property
    def offset_s(self) -> float:
        """What makes UTC of the monotonic clock."""
        return self._offsets.median() or 0.0

    def events(self) -> list[Event]:
        """Return the events at their times, UTC."""
        found = []
        for event, near in self._events:
            shift = 0.0
            if near is not None:
                time_s = near[1] + self.offset_s
                shift = time_s - near[0] if event.m is None else time_s - near[1] + event.m - event.t
            found.append(moved(event, event.t + shift))
        return found

    def replayed(self, number: int, zones: set[str], *, instant: bool) -> Replayed:
        """Return how to read the recording again, the file's `number`-th; `zones` are those of all recordings."""
        stated = self.recording.header.rapl_max_j
        ranges = {zone: stated.get(zone) or usual_range(self._highest_j.get(zone, 0.0)) for zone in sorted(zones)}
        return Replayed(number, self.offset_s, instant, ranges)
