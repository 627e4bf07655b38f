"""The same figure over the last runs of the base branch."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.judge.compare import reasons_not_comparable
from ecoaudit.judge.ground import differences
from ecoaudit.model.audit import Audit, LevelName
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
    """Return the trend of the figure that says most of the workload; None where fewer than two earlier runs carry it.

    A run counts only where it can be compared, and its figure has this run's level and boundary and was found by the
    same method: others are not the same quantity.
    """
    comparable = [not reasons_not_comparable(audit, run) for run in history]
    for metric in _METRICS:
        here, level, boundary = _figure(audit, metric)
        if here is None or level is None or boundary is None:
            continue
        points = []
        for run, counts in zip((*history, audit), (*comparable, True), strict=True):
            quantity, *where = _figure(run, metric)
            same = counts and where == [level, boundary] and not differences(audit, run, level, boundary)
            points.append(TrendPoint(run.run.commit, quantity.value if quantity is not None and same else None))
        if sum(point.value is not None for point in points) > 2:
            return Trend(metric, words.metric_name(metric), here.unit, tuple(points))
    return None


def _figure(audit: Audit, metric: str) -> tuple[Quantity | None, LevelName | None, Boundary | None]:
    headline, training, efficiency = audit.energy.headline, audit.energy.training, audit.efficiency
    level = training.level if training else None
    match metric:
        case "j_per_token":
            return efficiency.j_per_token, level, efficiency.boundary
        case "j_per_sample":
            return efficiency.j_per_sample, level, efficiency.boundary
        case _:
            return (headline.value, headline.level, headline.boundary) if headline else (None, None, None)
