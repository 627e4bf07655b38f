"""Like for like: what differs in the method is never taken for a change of the workload."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits import l3_audit, quantity
from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.judge.carbon import shares_kg
from ecoaudit.judge.compare import compare
from ecoaudit.judge.verdict import Delta, Outcome
from ecoaudit.model.audit import Audit, Headline, LevelEnergy, Levels, MeasuredEnergy
from ecoaudit.quantity import Boundary, Quantity


def energy(head: Audit, base: Audit) -> Delta:
    return next(d for d in compare(head, base).deltas if d.metric == "energy_kwh" and d.part == "workload")


def metered(node_kwh: float, *, meter: str = "1 × ipmi at the node, AC, trapezoid", **changes: Any) -> Audit:
    """An audit with a complete node meter beside its L3."""
    audit = l3_audit(**changes)
    node = msgspec.structs.replace(quantity(node_kwh, "kWh"), source=meter)
    facility = quantity(node_kwh / 0.9, "kWh")
    headline = Headline(level="measured", boundary=Boundary.FACILITY, value=facility, label="measured at the nodes")
    measured = MeasuredEnergy(node=node, facility=facility)
    return with_energy(audit, headline=headline, measured=measured)


def with_energy(audit: Audit, **changes: Any) -> Audit:
    return msgspec.structs.replace(audit, energy=msgspec.structs.replace(audit.energy, **changes))


def sourced(figure: Quantity | None, source: str) -> Quantity:
    assert figure is not None
    return msgspec.structs.replace(figure, source=source)


def test_the_same_method_is_compared_at_the_headline() -> None:
    delta = energy(l3_audit(pue=1.2, cooling="air", host_w=1900.0), l3_audit(pue=1.2, cooling="air", host_w=1900.0))
    assert (delta.level, delta.boundary, delta.percent) == ("L3", Boundary.FACILITY, 0.0)


def test_another_pue_is_no_change_of_the_workload() -> None:
    """The same run, audited with PUE 1.15 and 1.56: the nodes took the same, and a budget of 5 % holds."""
    base = l3_audit(pue=1.15, facility_kwh=8.0)
    node = l3_audit(facility_kwh=8.0)
    facility = quantity(8.0 / 1.15 * 1.56, "kWh")
    headline = Headline(level="L3", boundary=Boundary.FACILITY, value=facility, label="grounded")
    levels = node.energy.levels
    assert levels.L3 is not None
    raised = msgspec.structs.replace(levels, L3=msgspec.structs.replace(levels.L3, facility=facility))
    head = with_energy(l3_audit(pue=1.56, facility_kwh=8.0), levels=raised, headline=headline)
    budgets = [Budget(metric=m, max_increase_percent=5) for m in ("energy_kwh", "carbon_kg", "workload")]  # type: ignore[arg-type]
    verdict = judge(head, budgets, base=base)
    assert [check.outcome for check in verdict.checks] == [Outcome.PASS] * 3
    assert verdict.checks[0].message.endswith(
        "+0.0 % against the base, compared at the nodes (AC), L3, limit +5 %; PUE differs (1.15 in the base, 1.56 here)"
    )
    assert "PUE differs (1.15 in the base, 1.56 here): compared at the nodes (AC), L3" in verdict.notes
    carbon = {d.part: d for d in verdict.deltas if d.part in {"total", "method", "grid"}}
    assert carbon["total"].percent == pytest.approx((1.56 / 1.15 - 1) * 100)
    assert carbon["method"].percent == pytest.approx((1.56 / 1.15 - 1) * 100)
    assert "energy +0.0 % (+0 kg CO₂e, inside the noise) + method +35.7 %" in carbon["total"].text


def test_one_pue_of_two_sources_is_not_held_equal() -> None:
    base = with_energy(l3_audit(), pue=sourced(quantity(1.2, "1"), "site A, 2025"))
    head = with_energy(l3_audit(), pue=sourced(quantity(1.2, "1"), "site B, 2025"))
    comparison = compare(head, base)
    assert energy(head, base).boundary == Boundary.NODE
    assert any("PUE has two sources (site A, 2025 in the base, site B, 2025 here)" in note for note in comparison.notes)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"cooling": "immersion"}, {"cooling": "air"}, "cooling differs (immersion in the base, air here)"),
        (
            {"host_w": 1900.0},
            {"host_w": 2600.0},
            "node line differs (1,900 W + 1.1 × GPU power in the base, 2,600 W + 1.1 × GPU power here)",
        ),
        ({"nodes": 1}, {"nodes": 2}, "number of GPUs a node differs (8 in the base, 4 here)"),
    ],
)
def test_other_nodes_are_compared_at_the_gpu_boards(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    base, head = l3_audit(facility_kwh=8.0, **old), l3_audit(facility_kwh=8.0, **new)
    delta = energy(head, base)
    assert (delta.level, delta.boundary) == ("L2", Boundary.GPU)
    assert f"{words}: compared at the GPU boards, L2" in compare(head, base).notes
    assert f"; {words}" in judge(head, [Budget(metric="workload", max_increase_percent=5)], base=base).checks[0].message


def test_energy_per_token_follows_to_the_boards() -> None:
    """The node line differs, so the training window's board energy over the tokens is compared."""
    base, head = l3_audit(host_w=1900.0, j_per_token=0.1), l3_audit(host_w=2600.0, j_per_token=0.12)
    delta = next(d for d in compare(head, base).deltas if d.metric == "j_per_token")
    assert (delta.level, delta.boundary, delta.percent) == ("L2", Boundary.GPU, pytest.approx(20.0))


def test_switches_in_one_audit_alone_are_no_change_of_the_workload() -> None:
    base, head = l3_audit(), with_energy(l3_audit(), measured=MeasuredEnergy(network=quantity(0.4, "kWh")))
    assert energy(head, base).boundary == Boundary.NODE
    assert any(
        "network energy differs (not included in the base, test here)" in note for note in compare(head, base).notes
    )


def test_a_meter_is_never_compared_with_a_model() -> None:
    """The base is metered, the head is not: both carry L3 by one line."""
    delta = energy(l3_audit(facility_kwh=8.0), metered(9.0, facility_kwh=8.0))
    assert (delta.level, delta.boundary, delta.percent) == ("L3", Boundary.FACILITY, 0.0)


def test_two_kinds_of_meter_are_two_methods_and_more_of_one_kind_is_not() -> None:
    base = metered(7.2)
    assert energy(metered(7.2, meter="4 × ipmi at the node, AC, trapezoid"), base).level == "measured"
    delta = energy(metered(7.2, meter="1 × sacct at the node, AC, trapezoid"), base)
    assert (delta.level, delta.boundary) == ("L3", Boundary.FACILITY)


def test_a_limit_and_a_tdp_are_two_methods() -> None:
    """With no more than static figures, found in two ways, nothing is comparable, and the reason is said."""
    base = with_energy(l3_audit(), levels=Levels(L1=LevelEnergy(gpu=quantity(5.6, "kWh"))), headline=None)
    group = msgspec.structs.replace(base.hardware.gpus[0], power_limit_w=quantity(650.0, "W"))
    head = msgspec.structs.replace(base, hardware=msgspec.structs.replace(base.hardware, gpus=[group]))
    budgets = [Budget(metric="energy_kwh", max=5.0), Budget(metric="energy_kwh", max_increase_percent=5)]
    verdict = judge(head, budgets, base=base)
    assert "power of a board differs (its TDP in the base, its enforced limit here)" in verdict.not_comparable[0]
    assert [c.outcome for c in verdict.checks] == [Outcome.FAIL, Outcome.INCONCLUSIVE]
    assert not verdict.deltas


def test_base_runs_by_another_method_do_not_set_the_noise() -> None:
    """Eight runs with another host power, much steadier than this process: the default band stays."""
    history = [l3_audit(host_w=2600.0, j_per_token=0.1 + 1e-6 * i) for i in range(8)]
    head, base = l3_audit(host_w=1900.0, j_per_token=0.103), l3_audit(host_w=1900.0, j_per_token=0.1)
    delta = next(d for d in compare(head, base, history).deltas if d.metric == "j_per_token")
    assert (delta.boundary, delta.band_percent) == (Boundary.NODE, 5.0)


@given(st.floats(1e-3, 1e3), st.lists(st.floats(0.1, 10.0), min_size=2, max_size=4))
def test_the_parts_of_a_change_of_carbon_add_up(old: float, ratios: list[float]) -> None:
    new = old
    for ratio in ratios:
        new *= ratio
    assert sum(shares_kg(old, new, ratios)) == pytest.approx(new - old, rel=1e-6, abs=old * 1e-6)
