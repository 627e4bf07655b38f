"""One mechanism for every interval: named factors drawn once, carried through the arithmetic as aligned draws.

A factor is a quantity we do not know well (the gain of a GPU model's power sensor, a PUE, a grid intensity). Its name
alone fixes its `DRAWS` quasi-random scores, so the same factor used twice in a run, or in two runs, is the same draw
everywhere: what is common cancels in a difference and adds up in a sum, with nothing to keep track of. Scores are a
Latin hypercube (stratified in each factor, randomly paired between factors; McKay, Beckman and Conover 1979), so the
quantiles of a single factor are exact to 1/DRAWS and results do not change from run to run.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.quantity import Basis, Quantity

DRAWS = 4096
LOW_QUANTILE, HIGH_QUANTILE = 0.05, 0.95
Z90 = NormalDist().inv_cdf(HIGH_QUANTILE)
"""Standard normal deviate of a 90 % interval's end, 1.645."""


@lru_cache(maxsize=1)
def _strata() -> FloatArray:
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / DRAWS) for i in range(DRAWS)])


@lru_cache(maxsize=4096)
def scores(name: str) -> FloatArray:
    """Return the standard normal scores, shape (DRAWS,), that belong to the factor `name`."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    # RandomState's stream is frozen, Generator's is not: an audit must give the same digits with any NumPy.
    drawn = _strata()[np.random.RandomState(seed).permutation(DRAWS)]
    drawn.flags.writeable = False
    return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Uncertain:
    """A central value with draws of what it may be, shape (DRAWS,), and the names of the factors it depends on."""

    value: float
    draws: FloatArray
    factors: frozenset[str] = frozenset()

    def interval(self) -> tuple[float, float]:
        """Return the 5-95 % interval of the draws, widened where needed so that it contains the value."""
        if not self.factors:
            return self.value, self.value
        low, high = np.quantile(self.draws, (LOW_QUANTILE, HIGH_QUANTILE))
        return min(float(low), self.value), max(float(high), self.value)

    def quantity(self, unit: str, basis: Basis, source: str) -> Quantity:
        """Return the value with its 90 % interval as a `Quantity`."""
        low, high = self.interval()
        return Quantity(value=self.value, low=low, high=high, unit=unit, basis=basis, source=source)

    def __add__(self, other: "Uncertain | float") -> "Uncertain":
        other = as_uncertain(other)
        return Uncertain(self.value + other.value, self.draws + other.draws, self.factors | other.factors)

    def __sub__(self, other: "Uncertain | float") -> "Uncertain":
        other = as_uncertain(other)
        return Uncertain(self.value - other.value, self.draws - other.draws, self.factors | other.factors)

    def __mul__(self, other: "Uncertain | float") -> "Uncertain":
        other = as_uncertain(other)
        return Uncertain(self.value * other.value, self.draws * other.draws, self.factors | other.factors)

    def __truediv__(self, other: "Uncertain | float") -> "Uncertain":
        other = as_uncertain(other)
        return Uncertain(self.value / other.value, self.draws / other.draws, self.factors | other.factors)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: float) -> "Uncertain":
        return as_uncertain(other) - self

    def __rtruediv__(self, other: float) -> "Uncertain":
        return as_uncertain(other) / self


def exact(value: float) -> Uncertain:
    """Return a value known without doubt."""
    return Uncertain(value, np.full(DRAWS, value))


def as_uncertain(value: Uncertain | float) -> Uncertain:
    """Return `value` itself, or a plain number as an `Uncertain` without width."""
    return value if isinstance(value, Uncertain) else exact(value)


def total(terms: Iterable[Uncertain]) -> Uncertain:
    """Return the sum of the terms, 0 without any."""
    result = exact(0.0)
    for term in terms:
        result = result + term
    return result


def factor(
    name: str,
    value: float,
    low: float,
    high: float,
    *,
    at_least: float = -np.inf,
    at_most: float = np.inf,
) -> Uncertain:
    """Return a factor with median `value` and 5-95 % interval `[low, high]`.

    The distribution is normal on either side of the median with its own width (quantile-matched), cut to
    `[at_least, at_most]`, the physical limits. Raises `ValueError` when the interval does not contain the value.
    """
    return _shaped(scores(name), frozenset((name,)), value, low, high, at_least, at_most)


def relative(name: str, half_width: float) -> Uncertain:
    """Return a factor around 1 with the 90 % interval `1 -+ half_width` that never falls below 0."""
    return factor(name, 1.0, 1.0 - half_width, 1.0 + half_width, at_least=0.0)


def correlated_pair(
    name: str,
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    correlation: float,
    *,
    first_at_least: float = 0.0,
    second_at_least: float = 0.0,
) -> tuple[Uncertain, Uncertain]:
    """Return two factors, each `(value, low, high)`, joined by a Gaussian copula with the given correlation."""
    if not -1.0 <= correlation <= 1.0:
        raise ValueError(f"a correlation lies between -1 and 1, got {correlation}")
    first_name, second_name = f"{name}: first", f"{name}: second"
    shared = scores(first_name)
    mixed = correlation * shared + np.sqrt(1.0 - correlation**2) * scores(second_name)
    names = frozenset((first_name, second_name))
    return (
        _shaped(shared, frozenset((first_name,)), *first, first_at_least, np.inf),
        _shaped(mixed, names, *second, second_at_least, np.inf),
    )


def _shaped(
    z: FloatArray,
    names: frozenset[str],
    value: float,
    low: float,
    high: float,
    at_least: float,
    at_most: float,
) -> Uncertain:
    if not low <= value <= high:
        raise ValueError(f"the interval [{low}, {high}] does not contain {value}")
    width = np.where(z < 0, value - low, high - value)
    draws = np.clip(value + width * z / Z90, at_least, at_most)
    return Uncertain(value, draws, names)


def shares(result: Uncertain, groups: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """Return each group's share (0-1, largest first) of the spread of `result`; `groups` maps a label to factor names.

    The share is the part of the draws' variance that a linear regression on the group's scores explains (the squared
    multiple correlation), scaled so that the listed groups sum to 1. Factors are independent, so this is the
    first-order sensitivity index of a nearly linear model; what the groups do not explain is shared out in proportion.
    """
    centred = result.draws - result.draws.mean()
    variance = float(centred @ centred)
    explained: dict[str, float] = {}
    for label, names in groups.items():
        present = [scores(name) for name in names if name in result.factors]
        if not present or variance == 0.0:
            continue
        design = np.stack(present, axis=1)
        fit, *_ = np.linalg.lstsq(design, centred, rcond=None)
        explained[label] = explained.get(label, 0.0) + float(((design @ fit) ** 2).sum()) / variance
    whole = sum(explained.values())
    ordered = sorted(explained.items(), key=lambda item: -item[1])
    return {label: part / whole for label, part in ordered} if whole > 0 else {}
