"""Judging, pure: the difference to a baseline, the noise band, budgets, and the verdict."""

from collections.abc import Sequence
from typing import Literal

from ecoaudit.config import Budget
from ecoaudit.judge.budgets import check_absolute, check_relative
from ecoaudit.judge.compare import compare
from ecoaudit.judge.verdict import Baseline, BudgetCheck, Outcome, Verdict
from ecoaudit.model.audit import Audit

__all__ = ["judge"]

_NO_BASE = "No baseline was found"
_SEVERITY = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.FAIL]


def judge(
    head: Audit,
    budgets: Sequence[Budget] = (),
    *,
    base: Audit | None = None,
    baseline: Baseline | None = None,
    history: Sequence[Audit] = (),
    on_missing_baseline: Literal["pass", "warn", "fail"] = "pass",
) -> Verdict:
    """Return the verdict on `head`: every budget's outcome, the difference to `base`, and the worst of them.

    `baseline` says where `base` comes from. Relative budgets without a base follow `on_missing_baseline`.
    """
    comparison = compare(head, base, history) if base is not None else None
    checks = [check_absolute(head, b) for b in budgets if b.max is not None]
    relative = [b for b in budgets if b.max_increase_percent is not None]
    notes = list(comparison.notes) if comparison else []
    outcomes: list[Outcome] = []
    if comparison is None:
        if relative or on_missing_baseline != "pass":
            outcomes.append(Outcome(on_missing_baseline))
            count = f"{len(relative)} relative budget{'s are' if len(relative) != 1 else ' is'}"
            notes.append(f"no baseline was found: {count} not judged (on_missing_baseline: {on_missing_baseline})")
    else:
        checks += [check_relative(comparison, b) for b in relative]
    outcomes += [check.outcome for check in checks]
    outcome = max(outcomes, key=_SEVERITY.index, default=Outcome.PASS)
    return Verdict(
        outcome=outcome,
        headline=_headline(outcome, checks, bool(budgets)),
        checks=checks,
        deltas=list(comparison.deltas) if comparison else [],
        baseline=baseline if comparison else None,
        not_comparable=list(comparison.not_comparable) if comparison else [],
        notes=notes,
    )


def _headline(outcome: Outcome, checks: Sequence[BudgetCheck], has_budgets: bool) -> str:
    if not has_budgets:
        return "No budget is set" if outcome == Outcome.PASS else _NO_BASE
    decisive = [check.message for check in checks if check.outcome == outcome]
    match outcome:
        case Outcome.PASS:
            which = {1: "the budget", 2: "both budgets"}.get(len(checks), f"all {len(checks)} budgets")
            return f"Within {which}" if checks else _NO_BASE
        case Outcome.INCONCLUSIVE:
            return f"Cannot be decided: {decisive[0]}"
        case Outcome.WARN | Outcome.FAIL:
            return f"Over budget: {decisive[0]}" if decisive else _NO_BASE
