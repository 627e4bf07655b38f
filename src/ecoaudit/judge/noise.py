"""How large a difference must be before it means anything.

All bands are relative, at 90 %, on the ratio head/base. They cover what differs between two runs of the same work on
the same hardware; factors common to both (PUE, alpha, grid factor, gain of the same board model) cancel and are not in.
"""

import math
from collections.abc import Sequence

DEFAULT_BAND_PERCENT = 5.0
"""Band for energy per unit of work with few base runs.

In the ten-run MLPerf Training power submissions energy per sample repeats within 3 % (coefficient of variation up to
2.8 % over a workload's runs), so a difference of two runs stays within about 5 % nine times in ten.
"""

SAME_WORK_PERCENT = 1.0
"""Steps or tokens closer than this count as equal work."""

RUN_TO_TARGET_SPREAD_PERCENT = 28.0
"""Largest coefficient of variation of energy per run among MLPerf workloads that stop at a quality target."""

MIN_HISTORY = 5
"""Base runs needed before their own spread replaces the default band."""

# Upper 5 % points of Student's t for 4 to 30 degrees of freedom (two-sided 90 %), from the standard table.
_T95 = {
    4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833, 10: 1.812, 12: 1.782, 15: 1.753, 20: 1.725, 30: 1.697,
}  # fmt: skip


def student_t95(degrees_of_freedom: int) -> float:
    """Return the upper 5 % point of Student's t, rounded up to the next tabulated row; needs at least 4 degrees."""
    if degrees_of_freedom < min(_T95):
        raise ValueError(f"a spread needs at least {min(_T95)} degrees of freedom, got {degrees_of_freedom}")
    row = max((df for df in _T95 if df <= degrees_of_freedom), default=min(_T95))
    return _T95[row] if degrees_of_freedom <= max(_T95) else _T95[max(_T95)]


def history_band_percent(values: Sequence[float]) -> float | None:
    """Return the 90 % band, in percent, for one new run against the centre of `values`; None with too few of them.

    The prediction interval of a further observation from a normal sample, `t * s * sqrt(1 + 1/n)` (Hahn and Meeker,
    Statistical Intervals, ch. 4), on logarithms because noise is multiplicative. Values beyond three scaled median
    absolute deviations are pulled in to that distance first: one broken run must not widen the band for months.
    """
    usable = [v for v in values if v > 0 and math.isfinite(v)]
    if len(usable) < MIN_HISTORY:
        return None
    logs = [math.log(v) for v in usable]
    centre = median(logs)
    mad = 1.4826 * median([abs(x - centre) for x in logs])
    if mad > 0:
        logs = [min(max(x, centre - 3 * mad), centre + 3 * mad) for x in logs]
    n = len(logs)
    mean = sum(logs) / n
    variance = sum((x - mean) ** 2 for x in logs) / (n - 1)
    spread = student_t95(n - 1) * math.sqrt(variance * (1 + 1 / n))
    return 100.0 * math.expm1(spread)


def median(values: Sequence[float]) -> float:
    """Return the middle value (the mean of the two middle ones for an even count)."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
