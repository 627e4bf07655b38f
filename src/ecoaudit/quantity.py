"""The quantity: a value that says how sure it is, in which unit, on what basis and from where."""

import enum
import math

import msgspec


class Basis(enum.StrEnum):
    """How a figure came about, from the best to the weakest."""

    MEASURED = "measured"
    CALIBRATED = "calibrated"
    MODELLED = "modelled"
    ASSUMED = "assumed"


class Boundary(enum.StrEnum):
    """What an energy figure includes: GPU boards, nodes at the wall (AC), or the facility ((node + network) x PUE)."""

    GPU = "gpu"
    NODE = "node"
    FACILITY = "facility"


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 90 % interval `[low, high]`, unit, basis and source.

    Raises `ValueError` when a number is not finite or the interval does not contain the value: an unknown figure is
    `None` in the place of a `Quantity`, never a quantity of 0 or NaN.
    """

    value: float
    low: float
    high: float
    unit: str
    basis: Basis
    source: str

    def __post_init__(self) -> None:
        if not all(math.isfinite(x) for x in (self.value, self.low, self.high)):
            raise ValueError(f"a quantity must be finite, got {self.value} [{self.low}, {self.high}] {self.unit}")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] does not contain {self.value} {self.unit}")

    @classmethod
    def exact(cls, value: float, unit: str, basis: Basis, source: str) -> "Quantity":
        """Return a quantity whose interval has no width (a count, a given price, a clock reading)."""
        return cls(value=value, low=value, high=value, unit=unit, basis=basis, source=source)


def percent(share: float, places: int = 0, *, signed: bool = False) -> str:
    """Return a share in percent as messages write it: `3.8 %`."""
    return f"{100 * share:{'+' if signed else ''}.{places}f} %"
