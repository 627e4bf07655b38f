"""L1 and L2: the energy of the GPU boards, by their limit and by what they read of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.hardware import UNNAMED, System
from ecoaudit.model.inputs import Tables
from ecoaudit.model.intervals import Segments
from ecoaudit.model.nodes import GpuReading
from ecoaudit.model.notes import Notes
from ecoaudit.model.partition import most
from ecoaudit.model.reduce import POWER_BIN_W
from ecoaudit.model.uncertainty import Z90, Uncertain, exact, factor, relative, total
from ecoaudit.quantity import Basis, percent
from ecoaudit.reference.types import Gpu

MOSTLY_FILLED = 0.05
"""Above this share of GPU-time filled without a counter the energy is modelled, not measured."""
DISPUTED = 0.10
"""Counter and power that differ by more than this over `DISPUTED_SAMPLES` or more contradict each other: either may be
right, and the energy is modelled. Fewer samples of a changing power may miss that much."""
DISPUTED_SAMPLES = 100
SPARE_GAIN = 0.02
"""Independent part of a board's sensor error, 90 % (Yang et al., arXiv 2312.02741: sd 1.2 % between boards)."""
LAG_S = {"counter": 0.1, "instant": 0.1, "average": 1.0, "unspecified": 1.0}
"""How far a reading may lie behind the board: counter and instant power update every 0.1 s, averaged power is the mean
of the last second (NVML documentation; Yang et al.)."""
BELOW_LIMIT = 0.35
ABOVE_LIMIT = 1.02
"""Mean board power over a training run against its limit, 90 %: judgement from published runs (0.4 to 0.95)."""


def gain(gpu: Gpu | None, name: str) -> Uncertain:
    """Return true over read power, common to all boards of a model.

    Ampere and Ada boards read 5.4 % low on average in the metering of Yang et al. (arXiv 2312.02741, SC24), single
    cards up to 7 %; the prior is -3 to +8 %. Others were not metered there, or both ways: -5 to +5 %.
    """
    low, high = (-0.03, 0.08) if gpu and gpu.architecture in {"Ampere", "Ada", "Ada Lovelace"} else (-0.05, 0.05)
    return factor(f"board gain of {name}", 1.0, 1.0 + low, 1.0 + high, at_least=0.0)


@dataclass(frozen=True, slots=True)
class ModelEnergy:
    """Energy read and filled (J by segment) of all boards of one model, and the range the filling may have.

    `seconds` are the segments' lengths; `lag_s` and `noise` (relative, 90 %, for one second) are the sampling's.
    `disputed` is what the energy could be, as factors, if power is right where the counter contradicts it.
    """

    name: str
    gpu: Gpu | None
    read_j: FloatArray
    filled_j: FloatArray
    spare_gain: float
    fill_low: float
    fill_high: float
    seconds: FloatArray
    lag_s: float
    noise: float
    disputed: tuple[float, float] = (1.0, 1.0)

    def joules(self, segments: Segments, *, with_gain: bool) -> Uncertain:
        """Return the energy of the chosen segments; without gain it is what the boards would read."""
        energy = exact(float(self.read_j[segments].sum())) * self._sampling(float(self.seconds[segments].sum()))
        if self.disputed != (1.0, 1.0):
            energy = energy * factor(f"counter against power of {self.name}", 1.0, *self.disputed, at_least=0.0)
        filled = float(self.filled_j[segments].sum())
        if filled > 0:
            energy = energy + filled * factor(
                f"telemetry gaps of {self.name}", 1.0, self.fill_low, self.fill_high, at_least=0.0
            )
        if with_gain:
            spare = factor(
                f"board-to-board gain of {self.name}", 1.0, 1.0 - self.spare_gain, 1.0 + self.spare_gain, at_least=0.0
            )
            energy = energy * gain(self.gpu, self.name) * spare
        return energy

    def _sampling(self, seconds: float) -> Uncertain:
        """Return what reading a signal now and then may miss of its energy over `seconds`.

        Its two ends are known to a lag of the field, and a mean of readings to their spread over the root of their
        number (`noise` is that for one second); a counter has no such noise.
        """
        if seconds <= 0:
            return exact(1.0)
        return relative(f"sampling of {self.name}", min(1.0, self.lag_s / seconds + self.noise / seconds**0.5))


@dataclass(frozen=True, slots=True)
class BoardEnergy:
    """L2: energy of all boards as telemetry tells it."""

    models: tuple[ModelEnergy, ...]
    filled_share: float
    coverage: float
    source: str
    disputed_share: float = 0.0
    most: float = 1.0
    """How many times the energy could be if every divided board drew for the job alone (`partition.most`)."""

    @property
    def basis(self) -> Basis:
        read = self.filled_share <= MOSTLY_FILLED and self.disputed_share <= MOSTLY_FILLED and self.most == 1.0
        return Basis.MEASURED if read else Basis.MODELLED

    @property
    def why_modelled(self) -> str:
        """Return why the energy is not called measured, where it is not."""
        if self.most != 1.0:
            return "the job had part of divided GPUs, whose power is the whole board's"
        if self.filled_share > MOSTLY_FILLED:
            return f"{percent(self.filled_share)} of GPU-time has neither counter nor power and is filled"
        return f"counter and power of {percent(self.disputed_share)} of the boards contradict each other"

    def joules(self, segments: Segments, *, with_gain: bool = True) -> Uncertain:
        """Return the energy of the chosen segments in J."""
        energy = total(m.joules(segments, with_gain=with_gain) for m in self.models)
        return energy if self.most == 1.0 else energy * factor("share of divided GPUs", 1.0, 1.0, self.most)

    @property
    def by_segment_j(self) -> FloatArray:
        """Central energy by segment in J, shape (segments,)."""
        whole: FloatArray = np.sum([m.read_j + m.filled_j for m in self.models], axis=0)
        return whole


def board_energy(
    readings: Sequence[GpuReading], seconds: FloatArray, tables: Tables, power_field: str, notes: Notes
) -> BoardEnergy | None:
    """Return L2 over the segments of the readings; gaps without a counter get the mean power of the board's own run.

    A board without any reading gets the mean of the others. None where no board was read for any length of time.
    """
    powers = filling_w(readings)
    if powers is None:
        return None
    names = sorted({r.info.name or UNNAMED for r in readings})
    models = []
    for name in names:
        group = [(r, p) for r, p in zip(readings, powers, strict=True) if (r.info.name or UNNAMED) == name]
        gpu = tables.find_gpu(name)
        filled = [p * r.energy.filled_s for r, p in group]
        totals = np.array(
            [float(r.energy.read_j.sum()) + float(f.sum()) for (r, _), f in zip(group, filled, strict=True)]
        )
        low, high = _fill_range(group, gpu, filled)
        models.append(
            ModelEnergy(
                name=gpu.name if gpu else name,
                gpu=gpu,
                read_j=np.sum([r.energy.read_j for r, _ in group], axis=0),
                filled_j=np.sum(filled, axis=0),
                spare_gain=SPARE_GAIN * float(np.sqrt((totals**2).sum()) / totals.sum()) if totals.sum() else 0.0,
                fill_low=low,
                fill_high=high,
                seconds=seconds,
                lag_s=LAG_S["counter" if all(r.energy.counter_share > 0.5 for r, _ in group) else power_field],
                noise=max(_noise(r) for r, _ in group),
                disputed=_disputed(group),
            )
        )
    time = sum(float(r.energy.read_s.sum() + r.energy.filled_s.sum()) for r in readings)
    filled_share = sum(float(r.energy.filled_s.sum()) for r in readings) / time
    bridged = sum(g.end_s - g.start_s for r in readings for g in r.energy.gaps if g.filled_by == "counter")
    if filled_share > 0:
        share = f"{percent(filled_share, 1)}" if filled_share >= 0.0005 else "less than 0.1 %"
        text = f"{share} of GPU-time has neither counter nor power and is filled with the mean power (modelled)"
        notes.warn(text + ("; the energy is no longer called measured" if filled_share > MOSTLY_FILLED else ""))
    counters = sum(r.energy.counter_share > 0.5 for r in readings)
    how = {0: f"trapezoid of NVML power ({power_field})", len(readings): "NVML energy counter"}.get(
        counters, f"NVML energy counter on {counters} of {len(readings)} GPUs, trapezoid of power ({power_field}) else"
    )
    part = most(readings)
    how += ", times the job's share of divided GPUs" if part > 1.0 else ""
    missed = sum(float(r.energy.read_s.sum()) * r.energy.missed_share for r in readings)
    disputed = sum(float(r.energy.read_s.sum()) for r in readings if _ratio(r) != 1.0) / time
    if disputed > MOSTLY_FILLED:
        notes.warn(
            f"counter and power of {percent(disputed)} of the boards differ by more than {percent(DISPUTED)}: the "
            "energy is no longer called measured, and its interval holds both",
            grave=True,
        )
    coverage = 1.0 - filled_share - (bridged + missed) / time
    return BoardEnergy(tuple(models), filled_share, coverage, how, disputed, part)


def filling_w(readings: Sequence[GpuReading]) -> list[float] | None:
    """Return the power in W that fills the gaps of each board: the mean of its own run, of a board that was never read
    that of the others; None where none was read."""
    powers = [r.energy.mean_power_w() for r in readings]
    known = [p for p in powers if p is not None]
    return [float(np.mean(known)) if p is None else p for p in powers] if known else None


def filling_range_w(reading: GpuReading, mean_w: float, gpu: Gpu | None) -> tuple[float, float]:
    """Return what the power in W that fills a board's gaps could be: resident power, and the board's limit."""
    lowest = reading.energy.power_min_w if np.isfinite(reading.energy.power_min_w) else mean_w
    resident = min(lowest, gpu.idle_w if gpu and gpu.idle_w else lowest, mean_w)
    limit = max(reading.info.power_limit_w or (gpu.tdp_w if gpu else 0.0), reading.energy.power_max_w, mean_w)
    return resident, limit


def _noise(reading: GpuReading) -> float:
    """Return the relative 90 % error of one second's mean for a board read by power alone, 0 with a counter."""
    seconds = reading.energy.power_seconds
    if reading.energy.counter_share > 0.5 or reading.energy.step_s is None or seconds.sum() <= 0:
        return 0.0
    watts = (np.arange(seconds.size) + 0.5) * POWER_BIN_W
    mean = float((watts * seconds).sum() / seconds.sum())
    spread = float(np.sqrt((seconds * (watts - mean) ** 2).sum() / seconds.sum()))
    return Z90 * spread / mean * float(np.sqrt(reading.energy.step_s))


def _ratio(reading: GpuReading) -> float:
    """Return a board's energy by power over that by its counter where the two contradict each other, else 1."""
    off = (reading.energy.compared_percent or 0.0) / 100.0
    return 1.0 + off if abs(off) > DISPUTED and reading.energy.samples >= DISPUTED_SAMPLES else 1.0


def _disputed(group: Sequence[tuple[GpuReading, float]]) -> tuple[float, float]:
    """Return what the boards' energy could be, as factors: by power where that is lower, and where it is higher."""
    energies = [float(r.energy.read_j.sum()) for r, _ in group]
    whole = sum(energies)
    if whole <= 0:
        return 1.0, 1.0
    ratios = [_ratio(r) for r, _ in group]
    low = sum(min(1.0, ratio) * joules for ratio, joules in zip(ratios, energies, strict=True)) / whole
    high = sum(max(1.0, ratio) * joules for ratio, joules in zip(ratios, energies, strict=True)) / whole
    return min(1.0, low), max(1.0, high)


def _fill_range(
    group: Sequence[tuple[GpuReading, float]], gpu: Gpu | None, filled: Sequence[FloatArray]
) -> tuple[float, float]:
    """Return what the filled energy could be, as factors: every board at resident power, or at its limit."""
    low = high = whole = 0.0
    for (reading, mean_w), energy in zip(group, filled, strict=True):
        seconds = float(reading.energy.filled_s.sum())
        resident, limit = filling_range_w(reading, mean_w, gpu)
        low, high, whole = low + resident * seconds, high + limit * seconds, whole + float(energy.sum())
    return (min(1.0, low / whole), max(1.0, high / whole)) if whole > 0 else (1.0, 1.0)


def static_energy(system: System, duration_s: float) -> Uncertain | None:
    """Return L1: every board at its limit for the whole time (J); None where a board's limit is not known.

    It is what most tools print. Its interval says what boards at that limit really draw over a run.
    """
    limits = [(b.board_limit_w, b.count) for b in system.boards]
    if not limits or any(limit is None for limit, _ in limits):
        return None
    watts = sum((limit or 0.0) * count for limit, count in limits)
    return exact(watts * duration_s) * factor("load relative to the limit", 1.0, BELOW_LIMIT, ABOVE_LIMIT, at_least=0.0)
