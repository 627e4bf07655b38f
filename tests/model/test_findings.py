"""Findings are computed from the run; what the logs do not show is not found."""

import numpy as np
import pytest

from ecoaudit.model.audit import Audit, Finding
from model.runs import audit, constant, telemetry, training

T = np.arange(0.0, 3601.0)


def found(result: Audit) -> dict[str, Finding]:
    return {finding.id: finding for finding in result.findings}


def idle(*spans: tuple[float, float]):  # type: ignore[no-untyped-def]
    """Return a signal of 600 W that rests at 70 W in the given spans."""
    return lambda t: np.where(np.any([(t >= a) & (t < b) for a, b in spans], axis=0), 70.0, 600.0)


def test_a_clean_run_has_no_findings() -> None:
    assert audit(telemetry=[telemetry([constant(650.0)] * 8, T)]).findings == []


def test_telemetry_free_audits_make_nothing_up() -> None:
    assert audit().findings == []


def test_a_checkpoint_at_the_end_is_not_idle() -> None:
    events = [(0.0, "train"), (3400.0, "checkpoint"), (3500.0, "idle")]
    log = telemetry([idle((3400.0, 3601.0))] * 8, T, events=events)
    finding = found(audit(telemetry=[log]))["idle-ends"]
    assert "100 s at the end" in finding.evidence


def test_idle_ends_cost_what_the_node_drew_then() -> None:
    finding = found(audit(telemetry=[telemetry([idle((0.0, 360.0), (3500.0, 3601.0))] * 8, T)]))["idle-ends"]
    assert finding.saving_kwh and finding.saving_usd and finding.saving_kgco2e
    expected = 1.2 * (1.9 + 1.12 * 8 * 0.07) * 460 / 3600
    assert finding.saving_kwh.value == pytest.approx(expected, rel=0.03)
    assert finding.saving_usd.value == pytest.approx(2.5 * 8 * 460 / 3600, rel=0.01)
    assert finding.saving_kgco2e.value == pytest.approx(0.4 * finding.saving_kwh.value)
    assert "360 s at the start" in finding.evidence


def test_stalls_without_phases_are_seen_in_the_power() -> None:
    finding = found(audit(telemetry=[telemetry([idle((1000.0, 1200.0))] * 8, T)]))["stalls"]
    assert "1 stretch, 200 s" in finding.evidence
    assert finding.severity == "info"
    hung = audit(telemetry=[telemetry([idle((1000.0, 1200.0))] * 8, T, events=[(0.0, "train")])])
    assert "1 stretch, 200 s" in found(hung)["stalls"].evidence


def test_evaluation_and_checkpoints_are_priced_by_their_phases() -> None:
    events = [(0.0, "train"), (1000.0, "eval"), (1500.0, "train"), (2000.0, "checkpoint"), (2300.0, "train")]
    findings = found(audit(telemetry=[telemetry([constant(600.0)] * 8, T, events=events)]))
    power_kw = 1.2 * (1.9 + 1.12 * 4.8)
    evaluation, checkpoints = findings["evaluation"].saving_kwh, findings["checkpoints"].saving_kwh
    assert evaluation and evaluation.value == pytest.approx(0.5 * power_kw * 500 / 3600)
    assert checkpoints and checkpoints.value == pytest.approx(0.8 * power_kw * 300 / 3600)
    assert findings["evaluation"].severity == "warning"


def test_rework_is_the_share_of_steps_computed_twice() -> None:
    run = training(0.0, 3600.0, step_count=90, rework_steps=10)
    finding = found(audit(telemetry=[telemetry([constant(600.0)] * 8, T)], training=[run]))["rework"]
    assert finding.saving_kwh
    assert finding.saving_kwh.value == pytest.approx(0.1 * 1.2 * (1.9 + 1.12 * 4.8))


def test_short_dips_inside_training_are_found_beyond_explained_phases() -> None:
    dips = [(float(s), float(s) + 6.0) for s in range(100, 3500, 30)]
    finding = found(audit(telemetry=[telemetry([idle(*dips)] * 8, T)]))["power-dips"]
    assert "570 s (15.8 % of training)" in finding.evidence  # 114 dips of five whole seconds
    assert finding.saving_kwh
    assert finding.saving_kwh.value == pytest.approx(1.2 * (1.9 + 1.12 * 8 * 0.07) * 570 / 3600, rel=0.02)
    eval_only = [(0.0, "train"), (1000.0, "eval"), (1300.0, "train")]
    quiet = audit(telemetry=[telemetry([idle((1000.0, 1300.0))] * 8, T, events=eval_only)])
    assert "power-dips" not in found(quiet)


def test_one_weak_board_is_named() -> None:
    signals = [constant(600.0)] * 7 + [constant(450.0)]
    finding = found(audit(telemetry=[telemetry(signals, T)]))["imbalance"]
    assert "GPU 7: 450 W" in finding.evidence
    assert finding.saving_kwh is None


def test_of_two_unequal_boards_neither_is_called_the_odd_one() -> None:
    finding = found(audit(telemetry=[telemetry([constant(600.0), constant(400.0)], T)]))["imbalance"]
    assert finding.evidence == "in training node 0 GPU 0 drew 600 W and node 0 GPU 1 drew 400 W on average"


def test_a_board_that_nobody_used_costs_its_energy_and_its_price() -> None:
    signals = [constant(600.0)] * 7 + [constant(70.0)]
    findings = found(audit(telemetry=[telemetry(signals, T)]))
    assert "imbalance" not in findings
    unused = findings["unused-gpus"]
    assert "GPU 7" in unused.evidence
    assert unused.saving_kwh and unused.saving_kwh.value == pytest.approx(1.2 * 1.12 * 0.07, rel=1e-3)
    assert unused.saving_usd and unused.saving_usd.value == pytest.approx(2.5)


def test_low_power_against_the_limit_is_told_without_inventing_a_saving() -> None:
    finding = found(audit(telemetry=[telemetry([constant(300.0)] * 8, T)]))["low-load"]
    assert "43 %" in finding.evidence and finding.saving_kwh is None


def test_the_reference_says_what_the_same_flops_would_have_taken() -> None:
    run = training(0.0, 3600.0, tokens=2e8, params=7e9, precision="fp8")
    finding = found(audit(telemetry=[telemetry([constant(600.0)] * 8, T)], training=[run]))["reference-efficiency"]
    flops = 2e8 * 6 * 7e9
    inside = 1.9 + 1.12 * 4.8
    would = flops * 1.166e-12 / 3.6e6
    assert finding.saving_kwh and finding.saving_kwh.value == pytest.approx(1.2 * (inside - would), rel=1e-3)
    assert f"{would:.3g} kWh" in finding.evidence
    assert finding.severity == "info"
    other = training(0.0, 3600.0, tokens=2e8, params=7e9, precision="bf16")
    shown = found(audit(telemetry=[telemetry([constant(600.0)] * 8, T)], training=[other]))["reference-efficiency"]
    assert shown.saving_kwh is None and "no saving is claimed" in shown.evidence


def test_findings_are_sorted_by_what_they_save() -> None:
    events = [(0.0, "idle"), (300.0, "train"), (1000.0, "eval"), (2500.0, "train")]
    result = audit(telemetry=[telemetry([idle((0.0, 300.0))] * 8, T, events=events)])
    savings = [f.saving_kwh.value for f in result.findings if f.saving_kwh]
    assert savings == sorted(savings, reverse=True) and len(savings) >= 2
