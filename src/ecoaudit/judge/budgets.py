"""Budgets held against a run."""

from ecoaudit.config import Budget
from ecoaudit.judge import noise, words
from ecoaudit.judge.compare import Comparison
from ecoaudit.judge.figures import LABELS, PLACES, UNITS, Figure, figure
from ecoaudit.judge.verdict import BudgetCheck, Outcome
from ecoaudit.model.audit import Audit
from ecoaudit.quantity import Boundary

_AT_EQUAL = {"carbon_kg": "carbon at equal grid intensity", "cost_usd": "cost at equal price"}


def check_absolute(audit: Audit, budget: Budget) -> BudgetCheck:
    """Hold the run's figure at the budget's boundary against `budget.max`.

    The point value decides unless the budget says low or high. A figure at a boundary inside the one asked for is a
    lower bound: over the limit it fails, under it nothing is proved.
    """
    if budget.max is None:
        raise ValueError("not an absolute budget")
    limit, unit, label = budget.max, UNITS[budget.metric], LABELS[budget.metric]
    found = figure(audit, budget.metric, budget.boundary)
    if found is None:
        return _check(budget, limit, unit, Outcome.INCONCLUSIVE, _why_unknown(audit, budget), None)
    quantity = found.quantity
    decisive = {"point": quantity.value, "low": quantity.low, "high": quantity.high}[budget.decide_on]
    exceeded = decisive > limit
    level = Outcome(budget.level)
    partial = found.boundary is not None and found.boundary != budget.boundary
    if exceeded:
        outcome, relation = level, "over"
    elif partial:
        outcome, relation = Outcome.INCONCLUSIVE, "not over"
    else:
        outcome, relation = Outcome.PASS, "within"
    said = unit.replace("kgCO2e", "kg CO₂e")
    place = f" {PLACES[found.boundary]}" if found.boundary is not None else ""
    message = f"{label} {quantity.value:.4g} {said}{place} is {relation} the budget of {limit:.4g} {said}"
    if budget.decide_on != "point":
        message += f" (decided on the {budget.decide_on} end, {decisive:.4g} {said})"
    if partial:
        message += f"; not known {PLACES[budget.boundary]}, of which this is a lower bound"
    elif quantity.low <= limit <= quantity.high and quantity.low < quantity.high:
        message += f"; the limit lies inside the 90 % interval {quantity.low:.4g} to {quantity.high:.4g}"
    return _check(budget, limit, unit, outcome, message, found)


def _why_unknown(audit: Audit, budget: Budget) -> str:
    label = LABELS[budget.metric]
    wider = next(
        (f for b in Boundary if (f := figure(audit, budget.metric, b)) is not None and f.boundary is not None), None
    )
    if wider is None or wider.boundary is None:
        return f"{label} is not known for this run"
    return f"{label} is not known {PLACES[budget.boundary]} for this run, only {PLACES[wider.boundary]}"


def check_relative(comparison: Comparison, budget: Budget) -> BudgetCheck:
    """Hold the workload's change, at the budget's boundary or inside it, against `budget.max_increase_percent`.

    With `decide_on` low or high the end of the noise band around the change decides, else the change itself, which
    proves nothing inside the band.
    """
    if budget.max_increase_percent is None:
        raise ValueError("not a relative budget")
    limit = budget.max_increase_percent
    found = comparison.workload(budget.metric, budget.boundary)
    delta, reasons = found.delta, "; ".join(found.reasons)
    label = _AT_EQUAL.get(budget.metric, LABELS[delta.metric if delta else budget.metric])
    if delta is None or delta.percent is None:
        why = reasons or "the base is zero"
        return _check(budget, limit, "%", Outcome.INCONCLUSIVE, f"{label} is not compared ({why})", None)
    place = f", compared {words.place(delta.level, delta.boundary)}" if delta.level and delta.boundary else ""
    because = f"; {reasons}" if reasons else ""
    outcome, why = _judge_increase(delta.percent, delta.band_percent, budget)
    message = f"{label} {words.signed(delta.percent)} against the base{place}, limit +{limit:g} %{why}{because}"
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


def _judge_increase(percent: float, band_percent: float | None, budget: Budget) -> tuple[Outcome, str]:
    limit, level = budget.max_increase_percent or 0.0, Outcome(budget.level)
    if band_percent is None:
        return _judge_other_work(percent, budget)
    if budget.decide_on != "point":
        decisive = percent - band_percent if budget.decide_on == "low" else percent + band_percent
        said = f" (decided on the {budget.decide_on} end of the noise, {words.signed(decisive)})"
        return (level if decisive > limit else Outcome.PASS), said
    if percent <= limit:
        return Outcome.PASS, ""
    if abs(percent) <= band_percent:
        return Outcome.INCONCLUSIVE, f"; inside the noise of ±{band_percent:.1f} %, no detectable change"
    return level, ""


def _judge_other_work(percent: float, budget: Budget) -> tuple[Outcome, str]:
    """Judge a change without a band: only what exceeds the spread of runs to a target is surely the pull request's.

    Under the limit a change passes, unless the high end of a band that nobody knows is to decide.
    """
    limit, spread = budget.max_increase_percent or 0.0, noise.RUN_TO_TARGET_SPREAD_PERCENT
    least = percent - spread > limit if budget.decide_on == "low" else percent > max(limit, spread)
    if least:
        return Outcome(budget.level), ""
    if percent <= limit and budget.decide_on != "high":
        return Outcome.PASS, ""
    why = "; the runs did different work (or it is not logged), so a change of this size proves nothing"
    return Outcome.INCONCLUSIVE, why


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
