"""Budgets held against a run."""

from collections.abc import Sequence

from ecoaudit.config import Budget
from ecoaudit.judge import noise
from ecoaudit.judge.compare import delta_for
from ecoaudit.judge.figures import LABELS, UNITS, Figure, figure
from ecoaudit.judge.verdict import BudgetCheck, Delta, Outcome
from ecoaudit.model.audit import Audit
from ecoaudit.quantity import Boundary

_INTENSIVE = {"j_per_token", "j_per_sample"}


def check_absolute(audit: Audit, budget: Budget) -> BudgetCheck:
    """Hold the run's figure against `budget.max`.

    The point value decides unless the budget says low or high. A figure at a boundary inside the one asked for is a
    lower bound: over the limit it fails, under it nothing is proved.
    """
    if budget.max is None:
        raise ValueError("not an absolute budget")
    limit, unit, label = budget.max, UNITS[budget.metric], LABELS[budget.metric]
    found = figure(audit, budget.metric, budget.boundary)
    if found is None:
        return _check(budget, limit, unit, Outcome.INCONCLUSIVE, f"{label} is not known for this run", None)
    quantity = found.quantity
    decisive = {"point": quantity.value, "low": quantity.low, "high": quantity.high}[budget.decide_on]
    exceeded = decisive > limit
    level = Outcome(budget.level)
    partial = _is_partial(found, budget)
    if exceeded:
        outcome, relation = level, "over"
    elif partial:
        outcome, relation = Outcome.INCONCLUSIVE, "not over"
    else:
        outcome, relation = Outcome.PASS, "within"
    said = unit.replace("kgCO2e", "kg CO₂e")
    message = f"{label} {quantity.value:.4g} {said} is {relation} the budget of {limit:.4g} {said}"
    if budget.decide_on != "point":
        message += f" (decided on the {budget.decide_on} end, {decisive:.4g} {said})"
    if partial and found.boundary is not None:
        message += (
            f"; the figure covers only the {found.boundary.value} boundary, a lower bound of {budget.boundary.value}"
        )
    elif quantity.low <= limit <= quantity.high and quantity.low < quantity.high:
        message += f"; the limit lies inside the 90 % interval {quantity.low:.4g} to {quantity.high:.4g}"
    return _check(budget, limit, unit, outcome, message, found)


def check_relative(budget: Budget, deltas: Sequence[Delta], missing: str) -> BudgetCheck:
    """Hold the workload's change against `budget.max_increase_percent`; `missing` says why there may be no delta."""
    if budget.max_increase_percent is None:
        raise ValueError("not a relative budget")
    limit, label = budget.max_increase_percent, LABELS[budget.metric]
    delta = delta_for(deltas, budget.metric)
    if delta is None or delta.percent is None:
        return _check(budget, limit, "%", Outcome.INCONCLUSIVE, f"change of {label}: {missing}", None)
    outcome, why = _judge_increase(delta, limit, Outcome(budget.level))
    message = f"{LABELS.get(delta.metric, label)} {delta.percent:+.1f} % against the base, limit +{limit:g} %{why}"
    return BudgetCheck(
        metric=budget.metric,
        kind="relative",
        boundary=delta.boundary,
        limit=limit,
        unit="%",
        actual=delta.percent,
        low=delta.percent - delta.band_percent if delta.band_percent is not None else None,
        high=delta.percent + delta.band_percent if delta.band_percent is not None else None,
        level=budget.level,
        decide_on=budget.decide_on,
        outcome=outcome,
        message=message,
    )


def _judge_increase(delta: Delta, limit: float, level: Outcome) -> tuple[Outcome, str]:
    percent = delta.percent
    if percent is None or percent <= limit:
        return Outcome.PASS, ""
    if delta.band_percent is None:
        if percent > noise.RUN_TO_TARGET_SPREAD_PERCENT:
            return level, ""
        return (
            Outcome.INCONCLUSIVE,
            "; the runs did different work (or it is not logged), so a change of this size proves nothing",
        )
    if not delta.detectable:
        return Outcome.INCONCLUSIVE, f"; inside the noise of ±{delta.band_percent:.1f} %, no detectable change"
    return level, ""


def _is_partial(found: Figure, budget: Budget) -> bool:
    order = [Boundary.GPU, Boundary.NODE, Boundary.FACILITY]
    if found.boundary is None:
        return False
    if budget.metric in _INTENSIVE:
        # Energy per token has one boundary in an audit; it is partial only where the nodes could not be seen.
        return found.boundary == Boundary.GPU and budget.boundary != Boundary.GPU
    return order.index(found.boundary) < order.index(budget.boundary)


def _check(
    budget: Budget, limit: float, unit: str, outcome: Outcome, message: str, found: Figure | None
) -> BudgetCheck:
    quantity = found.quantity if found else None
    return BudgetCheck(
        metric=budget.metric,
        kind="absolute" if budget.max is not None else "relative",
        boundary=found.boundary if found else None,
        limit=limit,
        unit=unit,
        actual=quantity.value if quantity else None,
        low=quantity.low if quantity else None,
        high=quantity.high if quantity else None,
        level=budget.level,
        decide_on=budget.decide_on,
        outcome=outcome,
        message=message,
    )
