"""The same figure over the last runs of the base branch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecoaudit.model.audit import Audit
from ecoaudit.quantity import Boundary, Quantity
from ecoaudit.report import words


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run of a trend; `value` is None where that run does not carry the figure."""

    commit: str | None
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """The same figure over earlier runs, the oldest first, and this run last."""

    label: str
    unit: str
    boundary: str
    points: tuple[TrendPoint, ...]


def trend(audit: Audit, history: Sequence[Audit]) -> Trend | None:
    """Return the trend of the figure that says most of the workload; None without earlier runs that carry it.

    A run counts only where its figure has the same boundary as this run's: others are not the same quantity.
    """
    choices: tuple[tuple[str, Callable[[Audit], tuple[Quantity | None, Boundary | None]]], ...] = (
        ("Energy per token", lambda a: (a.efficiency.j_per_token, a.efficiency.boundary)),
        ("Energy per sample", lambda a: (a.efficiency.j_per_sample, a.efficiency.boundary)),
        (
            "Energy",
            lambda a: (a.energy.headline.value, a.energy.headline.boundary) if a.energy.headline else (None, None),
        ),
    )
    for label, get in choices:
        here, boundary = get(audit)
        if here is None:
            continue
        points = []
        for run in (*history, audit):
            quantity, where = get(run)
            same = quantity if where == boundary else None
            points.append(
                TrendPoint(
                    run.run.commit,
                    same.value if same else None,
                    same.low if same else None,
                    same.high if same else None,
                )
            )
        if sum(p.value is not None for p in points) > 1:
            return Trend(label, here.unit, words.BOUNDARY_NAMES[boundary] if boundary else "none", tuple(points))
    return None
