"""Budgets: what passes, what fails, and what cannot be decided."""

import pytest

from audits import l2_audit, l3_audit
from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.judge.verdict import Outcome
from ecoaudit.quantity import Boundary


def test_a_run_without_budgets_passes_and_says_so() -> None:
    verdict = judge(l3_audit())
    assert verdict.outcome == Outcome.PASS
    assert verdict.headline == "No budget is set"


@pytest.mark.parametrize(
    ("metric", "limit", "outcome"),
    [
        ("carbon_kg", 3.3, Outcome.PASS),
        ("carbon_kg", 3.1, Outcome.FAIL),
        ("energy_kwh", 8.1, Outcome.PASS),
        ("energy_kwh", 7.9, Outcome.FAIL),
        ("cost_usd", 24.5, Outcome.PASS),
        ("cost_usd", 23.5, Outcome.FAIL),
        ("j_per_token", 0.11, Outcome.PASS),
        ("j_per_token", 0.09, Outcome.FAIL),
        ("mean_power_w", 8100, Outcome.PASS),
        ("mean_power_w", 7900, Outcome.FAIL),
    ],
)
def test_the_point_value_decides(metric: str, limit: float, outcome: Outcome) -> None:
    """8 kWh at the facility in an hour, 400 g/kWh, 8 GPU-hours at $3."""
    verdict = judge(l3_audit(facility_kwh=8.0, intensity=400.0), [Budget(metric=metric, max=limit)])  # type: ignore[arg-type]
    assert verdict.outcome == outcome
    assert verdict.checks[0].outcome == outcome


def test_a_limit_inside_the_interval_is_said() -> None:
    near = judge(l3_audit(facility_kwh=8.0), [Budget(metric="energy_kwh", max=8.1)]).checks[0]
    far = judge(l3_audit(facility_kwh=8.0), [Budget(metric="energy_kwh", max=80.0)]).checks[0]
    assert "inside the 90 % interval 7.2 to 8.8" in near.message
    assert "interval" not in far.message


@pytest.mark.parametrize(
    ("decide_on", "limit", "outcome"),
    [("low", 7.5, Outcome.PASS), ("low", 7.1, Outcome.FAIL), ("high", 8.5, Outcome.FAIL), ("high", 8.9, Outcome.PASS)],
)
def test_a_budget_may_decide_on_an_end_of_the_interval(decide_on: str, limit: float, outcome: Outcome) -> None:
    budget = Budget(metric="energy_kwh", max=limit, decide_on=decide_on)  # type: ignore[arg-type]
    assert judge(l3_audit(facility_kwh=8.0), [budget]).outcome == outcome


def test_gpu_boards_over_the_budget_fail_it() -> None:
    assert judge(l2_audit(gpu_kwh=4.0), [Budget(metric="energy_kwh", max=3.9)]).outcome == Outcome.FAIL


def test_gpu_boards_under_the_budget_prove_nothing() -> None:
    verdict = judge(l2_audit(gpu_kwh=4.0), [Budget(metric="energy_kwh", max=4.1)])
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "lower bound" in verdict.checks[0].message


def test_gpu_boards_satisfy_a_budget_for_gpu_boards() -> None:
    budget = Budget(metric="energy_kwh", max=4.1, boundary=Boundary.GPU)
    assert judge(l2_audit(gpu_kwh=4.0), [budget]).outcome == Outcome.PASS


def test_an_unknown_figure_is_inconclusive_never_a_pass() -> None:
    verdict = judge(l3_audit(j_per_token=None), [Budget(metric="j_per_token", max=1.0)])
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "not known" in verdict.checks[0].message


def test_the_worst_budget_is_the_verdict() -> None:
    budgets = [
        Budget(metric="energy_kwh", max=100.0),
        Budget(metric="carbon_kg", max=0.1, level="warn"),
        Budget(metric="cost_usd", max=0.1),
    ]
    verdict = judge(l3_audit(), budgets)
    assert [c.outcome for c in verdict.checks] == [Outcome.PASS, Outcome.WARN, Outcome.FAIL]
    assert verdict.outcome == Outcome.FAIL
    assert "cost" in verdict.headline


def test_a_budget_at_node_boundary_uses_the_node_figure() -> None:
    budget = Budget(metric="energy_kwh", max=7.3, boundary=Boundary.NODE)
    check = judge(l3_audit(facility_kwh=8.0), [budget]).checks[0]
    assert (check.actual, check.boundary, check.outcome) == (pytest.approx(7.2), Boundary.NODE, Outcome.PASS)


@pytest.mark.parametrize("policy", ["pass", "warn", "fail"])
def test_a_missing_baseline_follows_its_policy(policy: str) -> None:
    budget = Budget(metric="workload", max_increase_percent=5)
    verdict = judge(l3_audit(), [budget], on_missing_baseline=policy)  # type: ignore[arg-type]
    assert verdict.outcome == Outcome(policy)
    assert "no baseline" in " ".join(verdict.notes)
