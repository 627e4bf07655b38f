"""Budgets: what passes, what fails, and what cannot be decided."""

import msgspec
import pytest

from audits import l2_audit, l3_audit, quantity
from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.judge.verdict import Outcome
from ecoaudit.model.audit import Audit, LevelEnergy
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
        ("j_per_token", 0.112, Outcome.PASS),
        ("j_per_token", 0.110, Outcome.FAIL),
        ("mean_power_w", 8100, Outcome.PASS),
        ("mean_power_w", 7900, Outcome.FAIL),
    ],
)
def test_the_point_value_decides(metric: str, limit: float, outcome: Outcome) -> None:
    """8 kWh at the facility in an hour, 400 g/kWh, 8 GPU-hours at $3; 0.1 J/token at the nodes, 0.111 there."""
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


@pytest.mark.parametrize(
    ("metric", "boundary", "actual"),
    [
        ("energy_kwh", Boundary.GPU, 5.2),
        ("energy_kwh", Boundary.NODE, 7.2),
        ("carbon_kg", Boundary.GPU, 2.08),
        ("mean_power_w", Boundary.NODE, 7200.0),
        ("j_per_token", Boundary.FACILITY, 0.1 / 0.9),
        ("j_per_token", Boundary.NODE, 0.1),
        ("j_per_token", Boundary.GPU, 0.1 / 0.9 * 0.65),
    ],
)
def test_every_metric_is_judged_at_the_boundary_of_its_budget(metric: str, boundary: Boundary, actual: float) -> None:
    """0.1 J/token at the nodes: a budget for the facility is not held against it, nor one for the GPU boards."""
    audit = l3_audit(facility_kwh=8.0, intensity=400.0)
    for limit, outcome in ((actual * 1.01, Outcome.PASS), (actual * 0.99, Outcome.FAIL)):
        check = judge(audit, [Budget(metric=metric, max=limit, boundary=boundary)]).checks[0]  # type: ignore[arg-type]
        assert (check.actual, check.boundary, check.outcome) == (pytest.approx(actual), boundary, outcome)
        assert {"gpu": "at the GPU boards", "node": "at the nodes (AC)", "facility": "at the facility"}[
            boundary
        ] in check.message


def test_a_boundary_that_an_audit_does_not_carry_is_inconclusive_and_says_which_it_has() -> None:
    """An audit of an older version holds no training-window energy of the boards."""
    audit = l3_audit()
    old = msgspec.structs.replace(audit, energy=msgspec.structs.replace(audit.energy, training_levels=None))
    check = judge(old, [Budget(metric="j_per_token", max=1.0, boundary=Boundary.GPU)]).checks[0]
    assert check.outcome == Outcome.INCONCLUSIVE
    assert "not known at the GPU boards for this run, only at the nodes (AC)" in check.message


def test_energy_per_token_inside_its_boundary_is_a_lower_bound() -> None:
    """0.05 J/token at the boards: over a limit for the facility it fails, under it nothing is proved."""
    over, under = (judge(l2_audit(), [Budget(metric="j_per_token", max=x)]).checks[0] for x in (0.04, 0.06))
    assert (over.outcome, under.outcome) == (Outcome.FAIL, Outcome.INCONCLUSIVE)
    assert "lower bound" in under.message


def at_boards(head_kwh: float, boards: float) -> Audit:
    """An audit whose boards took `boards` kWh of the `head_kwh` at the facility."""
    audit = l3_audit(facility_kwh=head_kwh)
    levels = msgspec.structs.replace(audit.energy.levels, L2=LevelEnergy(gpu=quantity(boards, "kWh")))
    return msgspec.structs.replace(audit, energy=msgspec.structs.replace(audit.energy, levels=levels))


def test_a_relative_budget_is_judged_at_its_own_boundary() -> None:
    """The boards rose by 8 %, the facility, with its constant hosts, by 5.9 %."""
    base, head = at_boards(8.0, 5.0), at_boards(8.0 * 1.059, 5.0 * 1.08)
    budgets = [
        Budget(metric="energy_kwh", max_increase_percent=7, boundary=Boundary.GPU),
        Budget(metric="energy_kwh", max_increase_percent=7),
    ]
    checks = judge(head, budgets, base=base).checks
    assert [c.outcome for c in checks] == [Outcome.FAIL, Outcome.PASS]
    assert checks[0].boundary == Boundary.GPU
    assert "+8.0 % against the base, compared at the GPU boards, L2" in checks[0].message


@pytest.mark.parametrize(
    ("change", "limit", "decide_on", "outcome"),
    [
        (1.022, 3, "point", Outcome.PASS),
        (1.022, 3, "high", Outcome.FAIL),
        (1.022, 8, "high", Outcome.PASS),
        (1.059, 5, "point", Outcome.FAIL),
        (1.059, 5, "low", Outcome.PASS),
        (1.112, 5, "low", Outcome.FAIL),
    ],
)
def test_a_relative_budget_may_decide_on_an_end_of_the_noise(
    change: float, limit: float, decide_on: str, outcome: Outcome
) -> None:
    """The band is +-5 %: +2.2 % is at most +7.2 %, +5.9 % at least +0.9 %."""
    budget = Budget(metric="j_per_token", max_increase_percent=limit, decide_on=decide_on)  # type: ignore[arg-type]
    check = judge(l3_audit(j_per_token=0.1 * change), [budget], base=l3_audit(j_per_token=0.1)).checks[0]
    assert check.outcome == outcome
    assert ("end of the noise" in check.message) == (decide_on != "point")


@pytest.mark.parametrize(
    ("metric", "words"), [("carbon_kg", "carbon at equal grid"), ("cost_usd", "cost at equal price")]
)
def test_a_relative_budget_is_worded_by_its_metric(metric: str, words: str) -> None:
    budget = Budget(metric=metric, max_increase_percent=5)  # type: ignore[arg-type]
    assert judge(l3_audit(), [budget], base=l3_audit()).checks[0].message.startswith(words)


@pytest.mark.parametrize(
    ("kwh", "decide_on", "outcome"),
    [
        (8.2, "point", Outcome.PASS),
        (8.2, "high", Outcome.INCONCLUSIVE),
        (10.0, "low", Outcome.INCONCLUSIVE),
        (12.0, "low", Outcome.FAIL),
    ],
)
def test_an_end_of_a_band_that_nobody_knows_proves_nothing(kwh: float, decide_on: str, outcome: Outcome) -> None:
    """The runs did different work: without a band only what exceeds the spread of runs to a target is sure."""
    budget = Budget(metric="energy_kwh", max_increase_percent=5, decide_on=decide_on)  # type: ignore[arg-type]
    head, base = l3_audit(facility_kwh=kwh, tokens=1.2e8), l3_audit(facility_kwh=8.0)
    assert judge(head, [budget], base=base).outcome == outcome
