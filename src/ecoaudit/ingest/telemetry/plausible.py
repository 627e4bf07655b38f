"""Power readings that no board can have drawn are no readings: they become missing, and the log says how many."""

import numpy as np

from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FloatArray

MOST_W = 1e6
"""Far beyond any board or package (the largest are rated below 3 kW): a reading above it is a fault of the log."""


class PowerFaults:
    """Counts, over blocks of a log, what is wrong with its power readings."""

    def __init__(self) -> None:
        self.readings = self.missing = self.negative = self.beyond = 0

    def cleaned(self, power_w: FloatArray) -> FloatArray:
        """Return power readings of boards with impossible ones as NaN; any shape, W.

        A board cannot draw less than 0 W, nor infinitely much; drivers report such values when a query fails. Meters
        of nodes are not judged here: they read as logged.
        """
        if power_w.size and power_w.min() >= 0.0 and power_w.max() <= MOST_W:
            return power_w
        negative, beyond = np.less(power_w, 0.0), np.greater(power_w, MOST_W)
        self.negative += int(negative.sum())
        self.beyond += int(beyond.sum())
        impossible = negative | beyond
        return np.where(impossible, np.nan, power_w) if impossible.any() else power_w

    def look_for_holes(self, power_w: FloatArray, energy_j: FloatArray | None) -> None:
        """Count cleaned readings that are missing where no energy counter of the same shape stands in for them."""
        missing = np.isnan(power_w)
        if energy_j is not None and missing.any():
            missing &= np.isnan(energy_j)
        self.readings += power_w.size
        self.missing += int(missing.sum())

    def look_at_nothing(self, readings: int, energy_j: FloatArray | None) -> None:
        """Count a block of so many readings without power, its energy counters of as many."""
        self.readings += readings
        self.missing += readings if energy_j is None else int(np.isnan(energy_j).sum())

    def add(self, other: "PowerFaults") -> None:
        """Add what was counted elsewhere."""
        self.readings += other.readings
        self.missing += other.missing
        self.negative += other.negative
        self.beyond += other.beyond

    def warn(self, account: Account) -> None:
        """Warn of everything that was counted; a log without any power is no log with holes."""
        if self.negative:
            account.warn(f"{self.negative} power readings below 0 W are treated as missing")
        if self.beyond:
            account.warn(f"{self.beyond} power readings above {MOST_W / 1e6:g} MW are treated as missing")
        if 0 < self.missing < self.readings:
            account.warn(f"{self.missing} of {self.readings} power readings are missing")


def board_power(power_w: FloatArray, account: Account) -> FloatArray:
    """Return power readings of boards, W, with impossible ones as NaN and counted in the warnings of `account`."""
    faults = PowerFaults()
    cleaned = faults.cleaned(power_w)
    faults.warn(account)
    return cleaned


def warn_of_holes(power_w: FloatArray, account: Account, energy_j: FloatArray | None = None) -> None:
    """Warn of readings that the log leaves out (`[Unknown Error]`, null) where no energy counter stands in for them.

    `energy_j` has the shape of `power_w`.
    """
    faults = PowerFaults()
    faults.look_for_holes(power_w, energy_j)
    faults.warn(account)
