"""Head against base: the workload's part, the grid's part, and the noise between."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits import l2_audit, l3_audit
from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.judge.compare import Comparison, compare
from ecoaudit.judge.verdict import Baseline, Delta, Outcome
from ecoaudit.model.audit import LevelEnergy, Levels
from ecoaudit.quantity import Basis, Quantity


def shown(comparison: Comparison, metric: str) -> Delta | None:
    return next((d for d in comparison.deltas if d.metric == metric and d.part == "workload"), None)


def test_a_pull_request_is_not_blamed_for_the_weather() -> None:
    """Same energy on a grid twice as dirty: carbon doubles, the workload did not change."""
    head, base = l3_audit(intensity=800.0), l3_audit(intensity=400.0)
    verdict = judge(head, [Budget(metric="carbon_kg", max_increase_percent=5)], base=base)
    assert verdict.outcome == Outcome.PASS
    by_part = {d.part: d for d in verdict.deltas if d.metric in {"carbon_kg", "intensity"}}
    assert by_part["total"].percent == pytest.approx(100.0)
    assert by_part["grid"].percent == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("kwh", "intensity", "parts"),
    [
        (
            10.0,
            800.0,
            "+100.0 %, +4 kg CO₂e = energy +0.0 % (+0 kg CO₂e, inside the noise) + grid intensity +100.0 % "
            "(+4 kg CO₂e)",
        ),
        (10.2, 400.0, "no detectable change (+2.0 %, noise ±5.0 %); grid intensity unchanged"),
        (10.0 - 1e-9, 400.0, "no detectable change (+0.0 %, noise ±5.0 %); grid intensity unchanged"),
        (12.0, 400.0, "+20.0 % (noise ±5.0 %); grid intensity unchanged"),
        (
            12.0,
            200.0,
            "-40.0 %, -1.6 kg CO₂e = energy +20.0 % (+0.571 kg CO₂e) + grid intensity -50.0 % (-2.17 kg CO₂e)",
        ),
    ],
)
def test_a_change_of_carbon_is_told_by_its_factors(kwh: float, intensity: float, parts: str) -> None:
    """The total is workload times grid; that the runs did other work is no reason to name where they did the same."""
    head = l3_audit(facility_kwh=kwh, intensity=intensity)
    deltas = compare(head, l3_audit(facility_kwh=10.0, intensity=400.0)).deltas
    [total] = [d for d in deltas if d.metric == "carbon_kg"]
    assert total.text.endswith(parts)
    assert "different work" not in total.text


def test_a_regression_beyond_the_noise_fails() -> None:
    head, base = l3_audit(j_per_token=0.12), l3_audit(j_per_token=0.1)
    verdict = judge(head, [Budget(metric="workload", max_increase_percent=10)], base=base)
    assert verdict.outcome == Outcome.FAIL
    assert "+20.0 %" in verdict.headline


def test_a_change_inside_the_noise_is_no_detectable_change() -> None:
    head, base = l3_audit(j_per_token=0.103), l3_audit(j_per_token=0.1)
    delta = shown(compare(head, base), "j_per_token")
    assert delta is not None
    assert delta.detectable is False
    assert "no detectable change" in delta.text


def test_a_limit_tighter_than_the_noise_cannot_be_decided() -> None:
    head, base = l3_audit(j_per_token=0.103), l3_audit(j_per_token=0.1)
    verdict = judge(head, [Budget(metric="workload", max_increase_percent=2)], base=base)
    assert verdict.outcome == Outcome.INCONCLUSIVE


def test_five_base_runs_replace_the_default_band() -> None:
    quiet = [l3_audit(j_per_token=0.1 + 0.0001 * i) for i in range(5)]
    head = l3_audit(j_per_token=0.103)
    delta = shown(compare(head, quiet[0], quiet[1:]), "j_per_token")
    assert delta is not None
    assert delta.band_percent is not None
    assert delta.band_percent < 1.0
    assert delta.detectable is True


def test_energy_per_run_has_no_band_when_the_work_differs() -> None:
    head, base = l3_audit(facility_kwh=9.0, tokens=1.2e8, j_per_token=None), l3_audit(j_per_token=None)
    delta = shown(compare(head, base), "energy_kwh")
    assert delta is not None
    assert delta.band_percent is None
    assert delta.detectable is None


@pytest.mark.parametrize(("kwh", "outcome"), [(10.0, Outcome.INCONCLUSIVE), (12.0, Outcome.FAIL)])
def test_different_work_fails_only_beyond_what_runs_to_a_target_spread(kwh: float, outcome: Outcome) -> None:
    head, base = l3_audit(facility_kwh=kwh, tokens=1.2e8), l3_audit(facility_kwh=8.0)
    assert judge(head, [Budget(metric="energy_kwh", max_increase_percent=5)], base=base).outcome == outcome


def test_other_hardware_is_not_compared_but_absolute_budgets_are_judged() -> None:
    head, base = l3_audit(gpu="NVIDIA B200"), l3_audit()
    budgets = [Budget(metric="energy_kwh", max=7.0), Budget(metric="workload", max_increase_percent=5)]
    verdict = judge(head, budgets, base=base)
    assert not verdict.deltas
    assert "other hardware" in verdict.not_comparable[0]
    assert [c.outcome for c in verdict.checks] == [Outcome.FAIL, Outcome.INCONCLUSIVE]


def test_other_projects_are_not_compared() -> None:
    assert compare(l3_audit(project="a"), l3_audit(project="b")).not_comparable


def test_levels_that_differ_are_compared_at_the_common_one() -> None:
    """The base carries L3, the head only boards: both have L2, so energy is compared there."""
    comparison = compare(l2_audit(gpu_kwh=5.72), l3_audit(facility_kwh=8.0))
    delta, per_token = shown(comparison, "energy_kwh"), shown(comparison, "j_per_token")
    assert delta is not None
    assert (delta.level, delta.percent) == ("L2", pytest.approx(10.0))
    assert per_token is not None
    assert (per_token.level, per_token.base) == ("L2", pytest.approx(0.1 / 0.9 * 0.65))
    assert "compared at the GPU boards, L2: the highest that both runs carry" in comparison.notes
    assert "carbon is compared at the GPU boards, L2: the two totals have different boundaries" in comparison.notes


def test_energy_per_token_of_an_audit_without_training_levels_is_not_compared_elsewhere() -> None:
    """An audit of an older version: its boards' energy in the training window is not known."""
    base = l3_audit()
    old = msgspec.structs.replace(base, energy=msgspec.structs.replace(base.energy, training_levels=None))
    comparison = compare(l2_audit(), old)
    assert shown(comparison, "j_per_token") is None
    assert any(
        "not compared: found at the nodes (AC), L3 in the base, found at the GPU boards, L2 here" in note
        for note in comparison.notes
    )


def test_identical_runs_are_called_changed_one_time_in_ten() -> None:
    """Through the whole comparison: this run over the newest of eight base runs, all of one process."""
    rng = random.Random(11)
    called, trials = 0, 600
    for _ in range(trials):
        *base, head = (l3_audit(j_per_token=0.1 * math.exp(rng.gauss(0, 0.02))) for _ in range(9))
        delta = shown(compare(head, base[-1], base[:-1]), "j_per_token")
        assert delta is not None
        called += delta.detectable is True
    assert 0.06 <= called / trials <= 0.14


def test_lifecycle_and_direct_intensity_are_never_compared() -> None:
    comparison = compare(l3_audit(intensity_basis="direct"), l3_audit())
    assert not [d for d in comparison.deltas if d.metric in {"carbon_kg", "intensity"}]
    assert any("two different quantities" in note for note in comparison.notes)


def test_the_verdict_carries_its_baseline() -> None:
    baseline = Baseline(source="check run", commit="abc", distance=2)
    assert judge(l3_audit(), base=l3_audit(), baseline=baseline).baseline == baseline
    assert judge(l3_audit(), baseline=baseline).baseline is None


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_swapping_head_and_base_inverts_the_ratio(new: float, old: float) -> None:
    there = shown(compare(l3_audit(j_per_token=new), l3_audit(j_per_token=old)), "j_per_token")
    back = shown(compare(l3_audit(j_per_token=old), l3_audit(j_per_token=new)), "j_per_token")
    assert there is not None
    assert back is not None
    assert there.percent is not None
    assert back.percent is not None
    assert (1 + there.percent / 100) * (1 + back.percent / 100) == pytest.approx(1.0)


def test_an_audit_against_itself_never_changes() -> None:
    audit = l3_audit()
    verdict = judge(audit, [Budget(metric="workload", max_increase_percent=0)], base=audit)
    assert verdict.outcome == Outcome.PASS
    assert all(d.percent == 0 for d in verdict.deltas)
    assert msgspec.json.decode(msgspec.json.encode(verdict))["outcome"] == "pass"


@pytest.mark.parametrize("kwh", [0.0, 1e300])
def test_impossible_figures_are_not_compared(kwh: float) -> None:
    """A base of nothing or of more than the world uses gives no percentage, only its reason."""
    comparison = compare(l3_audit(), l3_audit(facility_kwh=kwh))
    assert not comparison.deltas
    assert "no possible figure of the base run" in comparison.not_comparable[0]


@pytest.mark.parametrize("kwh", [0.0, -1.0, 1e300])
@pytest.mark.parametrize("boundary", ["gpu", "node", "facility"])
def test_no_level_of_a_damaged_base_is_divided_by(boundary: str, kwh: float) -> None:
    """A digest may be written by others: every figure in it is looked at, not only the headline."""
    base = l2_audit()
    damaged = LevelEnergy(**{boundary: Quantity.exact(kwh, "kWh", Basis.MODELLED, "")})
    base = msgspec.structs.replace(
        base, energy=msgspec.structs.replace(base.energy, levels=Levels(L2=base.energy.levels.L2, L3=damaged))
    )
    assert "energy (L3) is no possible figure of the base run" in compare(l3_audit(), base).not_comparable[0]
