"""A job on part of a divided GPU (MIG): what of the board's energy is its own.

Power and energy are read of the whole board only. The instances' compute slices are all of one size, a seventh of the
board or a quarter (NVIDIA Multi-Instance GPU User Guide), so the job's share of the slices is its share of the board
where every slice is equally busy. It is an estimate: where the other instances idle the job may draw up to the whole.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ecoaudit.ingest.records import FloatArray, GpuInfo
from ecoaudit.model.nodes import GpuReading


def share_of(info: GpuInfo) -> float:
    """Return the job's share of a board: 1 for a whole one, and where the log does not tell it."""
    return info.share if info.share is not None and 0 < info.share < 1 else 1.0


def own_part(reading: GpuReading) -> GpuReading:
    """Return the reading of a board with the job's share of its energy, power and limit."""
    share, energy = share_of(reading.info), reading.energy
    if share == 1.0:
        return reading
    limit = reading.info.power_limit_w
    return replace(
        reading,
        info=replace(reading.info, power_limit_w=limit * share if limit is not None else None),
        energy=replace(
            energy,
            read_j=energy.read_j * share,
            gaps=tuple(
                replace(gap, energy_j=gap.energy_j * share if gap.energy_j is not None else None) for gap in energy.gaps
            ),
            power_seconds=_narrowed(energy.power_seconds, share),
            power_min_w=energy.power_min_w * share,
            power_max_w=energy.power_max_w * share,
        ),
    )


def most(readings: Sequence[GpuReading]) -> float:
    """Return how many times their part the readings would be if every divided board had drawn for the job alone."""
    own = sum(float(r.energy.read_j.sum()) for r in readings)
    whole = sum(float(r.energy.read_j.sum()) / share_of(r.info) for r in readings)
    return whole / own if own > 0 else 1.0


def _narrowed(power_seconds: FloatArray, share: float) -> FloatArray:
    """Return a histogram of power with each of its bins moved to where `share` of its power lies."""
    moved = np.zeros_like(power_seconds)
    np.add.at(moved, ((np.arange(power_seconds.size) + 0.5) * share).astype(np.int64), power_seconds)
    return moved
