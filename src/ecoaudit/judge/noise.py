"""How large a difference must be before it means anything.

All bands are relative, at 90 %, on the ratio head/base. They cover what differs between two runs of the same work on
the same hardware; factors common to both (PUE, alpha, grid factor, gain of the same board model) cancel and are not in.
"""

import math
from collections.abc import Sequence

DEFAULT_BAND_PERCENT = 5.0
"""Band for energy per unit of work with few base runs.

Two runs with a coefficient of variation c differ by up to 1.645 x sqrt(2) x c nine times in ten: 5 % for c = 2.1 %. In
the ten-run MLPerf Training power submissions energy per sample repeats with c up to 2.8 %, most of them below that.
"""

SAME_WORK_PERCENT = 1.0
"""Steps or tokens closer than this count as equal work."""

RUN_TO_TARGET_SPREAD_PERCENT = 28.0
"""Largest coefficient of variation of energy per run among MLPerf workloads that stop at a quality target."""

MIN_HISTORY = 5
"""Base runs needed before their own spread replaces the default band."""

OUTLIER = 3.5
"""Scaled median absolute deviations from the centre beyond which a base run is an outlier (Iglewicz and Hoaglin)."""

# Upper 5 % points of Student's t for 4 to 30 degrees of freedom (two-sided 90 %), from the standard table.
_T95 = (
    2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740,
    1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
)  # fmt: skip
_LEAST_DF = 4


def student_t95(degrees_of_freedom: int) -> float:
    """Return the upper 5 % point of Student's t, that of 30 degrees of freedom for more; needs at least 4."""
    if degrees_of_freedom < _LEAST_DF:
        raise ValueError(f"a spread needs at least {_LEAST_DF} degrees of freedom, got {degrees_of_freedom}")
    return _T95[min(degrees_of_freedom - _LEAST_DF, len(_T95) - 1)]


def difference_band_percent(values: Sequence[float]) -> float | None:
    """Return the 90 % band, in percent, for the ratio of two single runs of the process that gave `values`.

    That is what a comparison shows: this run over one base run, which has noise of its own. `t * s * sqrt(2)`; None
    with too few values. Simulated, identical runs are called changed in 9 to 11 % for 5 to 20 values.
    """
    spread = _spread(_usable(values))
    return None if spread is None else _percent(spread * math.sqrt(2.0))


def run_band_percent(values: Sequence[float]) -> float | None:
    """Return the 90 % band, in percent, for one further run around the centre of `values`; None with too few of them.

    The prediction interval of a further observation from a normal sample, `t * s * sqrt(1 + 1/n)` (Hahn and Meeker,
    Statistical Intervals, ch. 4).
    """
    usable = _usable(values)
    spread = _spread(usable)
    return None if spread is None else _percent(spread * math.sqrt(1.0 + 1.0 / len(usable)))


def _percent(spread: float) -> float:
    """Return a spread of logarithms in percent: the mean of how far it reaches up and down, for one figure is shown."""
    return 100.0 * math.sinh(spread)


def _usable(values: Sequence[float]) -> list[float]:
    return [v for v in values if v > 0 and math.isfinite(v)]


def _spread(values: Sequence[float]) -> float | None:
    """Return t times the standard deviation of the logarithms of `values`: noise is multiplicative.

    Outliers are pulled in to the distance of `OUTLIER` first: one broken run must not widen the band for months.
    """
    if len(values) < MIN_HISTORY:
        return None
    logs = [math.log(v) for v in values]
    centre = median(logs)
    mad = 1.4826 * median([abs(x - centre) for x in logs])
    if mad > 0:
        logs = [min(max(x, centre - OUTLIER * mad), centre + OUTLIER * mad) for x in logs]
    n = len(logs)
    mean = sum(logs) / n
    return student_t95(n - 1) * math.sqrt(sum((x - mean) ** 2 for x in logs) / (n - 1))


def median(values: Sequence[float]) -> float:
    """Return the middle value (the mean of the two middle ones for an even count)."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
