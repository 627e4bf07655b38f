"""RAPL counters: energy that starts again at 0 when its register is full."""

import numpy as np

from ecoaudit.ingest.records import FloatArray

# Ranges of energy_uj on Intel package and DRAM domains (max_energy_range_uj), for files that do not state theirs.
_RAPL_RANGES_J = (65532.610987, 262143.328850, 1048575.0)


def unwrap(counter_j: FloatArray, range_j: float | None) -> FloatArray:
    """Return a RAPL counter without its wraps; shape (n,), NaN stays NaN.

    A step down adds the counter's range: as stated, else the smallest usual range above the highest reading.
    """
    known = np.flatnonzero(~np.isnan(counter_j))
    if len(known) < 2:
        return counter_j
    values = counter_j[known]
    size = range_j or next((r for r in _RAPL_RANGES_J if r >= values.max()), float(values.max()))
    wraps = np.concatenate(([0.0], np.cumsum(np.diff(values) < 0)))
    out = counter_j.copy()
    out[known] = values + wraps * size
    return out
