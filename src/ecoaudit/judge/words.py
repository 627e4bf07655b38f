"""How differences are worded: where they were taken, and whether they mean anything."""

from ecoaudit.judge.figures import PLACES
from ecoaudit.quantity import Boundary

_LEVELS = {"measured": "metered", "L3": "L3", "L2": "L2", "L1": "TDP figure"}


def place(level: str, boundary: Boundary) -> str:
    """Return where energy was found: `at the nodes (AC), metered`."""
    return f"{PLACES[boundary]}, {_LEVELS[level]}"


def signed(percent: float) -> str:
    """Return a change in percent with its sign; one that rounds to nothing has no minus."""
    return f"{0.0 if abs(percent) < 0.05 else percent:+.1f} %"


def change(what: str, percent: float | None, band_percent: float | None) -> str:
    """Return a change of `what` in words: with its noise band, or that none is claimed."""
    if percent is None:
        return f"{what}: the base is zero"
    if band_percent is None:
        return (
            f"{what}: {signed(percent)} (no noise band is claimed: the runs did different work, or how much is not "
            "logged)"
        )
    if abs(percent) <= band_percent:
        return f"{what}: no detectable change ({signed(percent)}, noise ±{band_percent:.1f} %)"
    return f"{what}: {signed(percent)} (noise ±{band_percent:.1f} %)"
