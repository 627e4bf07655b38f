"""The same figure over the last runs of the base branch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.model.audit import Audit
from ecoaudit.quantity import Boundary, Quantity
from ecoaudit.report import words

_METRICS = ("j_per_token", "j_per_sample", "energy_kwh")


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run of a trend; `value` is None where that run does not carry the figure."""

    commit: str | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """One metric over earlier runs, the oldest first, and this run last."""

    metric: str
    label: str
    unit: str
    points: tuple[TrendPoint, ...]


def earlier_runs(history: Sequence[Audit], base: Audit | None) -> tuple[Audit, ...]:
    """Return the runs before this one, the oldest first: `history`, and `base` after it unless it ends in `base`."""
    if base is None or (history and history[-1] == base):
        return tuple(history)
    return (*history, base)


def trend(audit: Audit, history: Sequence[Audit]) -> Trend | None:
    """Return the trend of the figure that says most of the workload; None without earlier runs that carry it.

    A run counts only where its figure has the same boundary as this run's: others are not the same quantity.
    """
    for metric in _METRICS:
        here, boundary = _figure(audit, metric)
        if here is None:
            continue
        points = []
        for run in (*history, audit):
            quantity, where = _figure(run, metric)
            value = quantity.value if quantity is not None and where == boundary else None
            points.append(TrendPoint(run.run.commit, value))
        if sum(point.value is not None for point in points) > 1:
            return Trend(metric, words.metric_name(metric), here.unit, tuple(points))
    return None


def _figure(audit: Audit, metric: str) -> tuple[Quantity | None, Boundary | None]:
    match metric:
        case "j_per_token":
            return audit.efficiency.j_per_token, audit.efficiency.boundary
        case "j_per_sample":
            return audit.efficiency.j_per_sample, audit.efficiency.boundary
        case _:
            headline = audit.energy.headline
            return (headline.value, headline.boundary) if headline else (None, None)
