"""Power readings that no board can have drawn are no readings: they become missing, and the log says how many."""

import numpy as np

from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FloatArray

MOST_W = 1e6
"""Far beyond any board or package (the largest are rated below 3 kW): a reading above it is a fault of the log."""
USUAL_W = 3e3
"""No board draws more for long: such readings are most likely of another unit."""


def board_power(power_w: FloatArray, account: Account) -> FloatArray:
    """Return power readings of boards with impossible ones as NaN; any shape, W.

    A board cannot draw less than 0 W, nor infinitely much; drivers report such values when a query fails. They are
    counted in the warnings of `account`. Meters of nodes are not judged here: they read as logged.
    """
    if power_w.size and power_w.min() >= 0.0 and power_w.max() <= USUAL_W:
        return power_w
    negative = np.less(power_w, 0.0)
    beyond = np.greater(power_w, MOST_W)
    if negative.any():
        account.warn(f"{int(negative.sum())} power readings below 0 W are treated as missing")
    if beyond.any():
        account.warn(f"{int(beyond.sum())} power readings above {MOST_W / 1e6:g} MW are treated as missing")
    impossible = negative | beyond
    if impossible.any():
        power_w = np.where(impossible, np.nan, power_w)
    known = power_w[~np.isnan(power_w)]
    if known.size and float(np.median(known)) > USUAL_W:
        account.warn(f"no board draws {float(np.median(known)):,.0f} W: are the readings in milliwatts?")
    return power_w


def warn_of_holes(power_w: FloatArray, account: Account, energy_j: FloatArray | None = None) -> None:
    """Warn of readings that the log leaves out (`[Unknown Error]`, null) where no energy counter stands in for them.

    `energy_j` has the shape of `power_w`. A log without any power is no log with holes.
    """
    missing = np.isnan(power_w)
    if energy_j is not None and missing.any():
        missing &= np.isnan(energy_j)
    if missing.any() and not missing.all():
        account.warn(f"{int(missing.sum())} of {power_w.size} power readings are missing")
