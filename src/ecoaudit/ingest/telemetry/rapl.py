"""RAPL counters: energy that starts again at 0 when its register is full."""

import math

import numpy as np

from ecoaudit.ingest.records import FloatArray

# Ranges of energy_uj on Intel package and DRAM domains (max_energy_range_uj), for files that do not state theirs.
_RAPL_RANGES_J = (65532.610987, 262143.328850, 1048575.0)


def usual_range(highest_j: float) -> float:
    """Return the smallest usual range that holds a counter's highest reading."""
    return next((r for r in _RAPL_RANGES_J if r >= highest_j), highest_j)


class Unwrapped:
    """A RAPL counter without its wraps, from readings that come block by block.

    A step down adds the counter's range; over a restart of the recorder only a rise is counted.
    """

    def __init__(self) -> None:
        self._raw = self._joined = math.nan
        self._shift = self._wraps = 0.0
        self._restarted = True

    def restart(self) -> None:
        """Say that a new recording begins."""
        self._restarted = True

    def add(self, counter_j: FloatArray, range_j: float) -> FloatArray:
        """Return the readings that come next, shape (n,), unwrapped; NaN stays NaN."""
        known = np.flatnonzero(~np.isnan(counter_j))
        if not known.size:
            return counter_j
        values = counter_j[known]
        if self._restarted:
            first = float(values[0])
            if not math.isnan(self._raw):
                self._shift = self._joined + max(first - self._raw, 0.0) - first
            self._raw, self._wraps, self._restarted = first, 0.0, False
        wraps = self._wraps + np.cumsum(np.diff(values, prepend=self._raw) < 0)
        out = counter_j.copy()
        out[known] = values + wraps * range_j + self._shift
        self._raw, self._joined, self._wraps = float(values[-1]), float(out[known[-1]]), float(wraps[-1])
        return out
