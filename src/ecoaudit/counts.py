"""How often each value came, over blocks of a log: its median, without the log in memory."""

from collections.abc import Iterable

import numpy as np

from ecoaudit.ingest.records import FloatArray


class Counts:
    """Values with few digits and how often each came."""

    def __init__(self) -> None:
        self._counts: dict[float, int] = {}

    def add(self, values: FloatArray) -> None:
        """Count values, shape (n,), none of them NaN."""
        for value, count in zip(*(a.tolist() for a in np.unique(values, return_counts=True)), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count

    def table(self) -> FloatArray:
        """Return values, ascending, beside their counts, shape (k, 2)."""
        return np.array(sorted(self._counts.items()), dtype=np.float64).reshape(-1, 2)

    def median(self) -> float | None:
        """Return the median of all values, None without any."""
        return median(self.table())


def merged(tables: Iterable[FloatArray]) -> FloatArray:
    """Return tables of values and counts as one."""
    rows = np.concatenate([np.empty((0, 2)), *tables])
    values, where = np.unique(rows[:, 0], return_inverse=True)
    return np.stack([values, np.bincount(where, rows[:, 1], values.size)], axis=1)


def median(table: FloatArray) -> float | None:
    """Return the median of values that stand beside their counts, shape (k, 2), ascending; None without any."""
    if not table.size:
        return None
    upto = np.cumsum(table[:, 1])
    half = 0.5 * upto[-1]
    low, high = np.searchsorted(upto, half, "left"), np.searchsorted(upto, half, "right")
    return float(0.5 * (table[low, 0] + table[high, 0]))
