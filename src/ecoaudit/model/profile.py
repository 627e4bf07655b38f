"""How hard a node's boards work over time: where load begins and ends. Too coarse to give energy."""

from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray, Telemetry


@dataclass(frozen=True, slots=True)
class Profile:
    """Mean power of the boards of one file in W (0 where none was read); times never decrease, shape (n,) both."""

    time_s: FloatArray
    power_w: FloatArray


def profile_of(file: Telemetry) -> Profile:
    """Return the mean over the boards that were read at each sample, of a head that around some of them."""
    if file.head is not None:
        return Profile(file.head.profile_s, file.head.profile_w)
    read = np.isfinite(file.power_w)
    mean: FloatArray = np.where(read, file.power_w, 0.0).sum(axis=1) / np.maximum(read.sum(axis=1), 1)
    return Profile(file.time_s, mean)
