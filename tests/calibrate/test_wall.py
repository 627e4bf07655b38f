"""A user's own node: the line is found through clock offsets, noise and bends, or refused with a reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrate.metered_node import Node
from ecoaudit.calibrate.align import align, paired
from ecoaudit.calibrate.wall import Recording, fit_wall
from ecoaudit.errors import EcoauditError


@pytest.mark.parametrize("behind_s", [0.0, 37.3, -12.0, 18_000.0])
@pytest.mark.parametrize("step_s", [1.0, 10.0])
def test_the_clock_offset_is_found(behind_s: float, step_s: float) -> None:
    r = Node(meter_behind_s=behind_s, meter_step_s=step_s).recording()
    found = align(r.gpu_t, r.gpu_w, r.meter_t, r.meter_w)
    assert found.offset_s == pytest.approx(behind_s, abs=1.5)
    assert found.correlation > 0.99


def test_a_meter_that_reads_at_an_instant_is_told_from_one_that_averages() -> None:
    for averaging in (True, False):
        r = Node(averaging=averaging, noise_w=5.0).recording()
        assert align(r.gpu_t, r.gpu_w, r.meter_t, r.meter_w).averaging == averaging


@pytest.mark.parametrize(
    "node",
    [
        Node(),
        Node(host_w=600.0, alpha=1.25),
        Node(noise_w=120.0),
        Node(meter_behind_s=-7.4, meter_step_s=2.0),
        Node(averaging=False),
        Node(seed=3, seconds=900),
    ],
)
def test_host_and_alpha_are_found_within_their_errors(node: Node) -> None:
    fit = fit_wall([node.recording()])
    assert abs(fit.alpha - node.alpha) < max(4 * fit.covariance[1][1] ** 0.5, 0.01)
    assert abs(fit.host_w - node.host_w) < max(4 * fit.covariance[0][0] ** 0.5, 25.0)
    assert fit.covariance[0][1] < 0, "more slope leaves less intercept"
    assert fit.held_out_error < 0.03
    assert fit.warnings == ()


def test_standard_errors_are_honest() -> None:
    """Over many noisy nodes the 90 % interval of alpha holds the truth about nine times in ten."""
    nodes = [Node(seed=s, noise_w=80.0, seconds=1200) for s in range(30)]
    fits = [fit_wall([n.recording()]) for n in nodes]
    inside = [abs(f.alpha - n.alpha) <= 1.645 * f.covariance[1][1] ** 0.5 for f, n in zip(fits, nodes, strict=True)]
    assert np.mean(inside) >= 0.75


def test_supplies_that_bend_show_in_curvature_and_held_out_error() -> None:
    straight, bent = fit_wall([Node().recording()]), fit_wall([Node(bend=0.4).recording()])
    assert abs(straight.curvature_percent) < 0.5
    assert bent.curvature_percent > 2.0
    assert bent.held_out_error > straight.held_out_error
    assert any("bends from the line" in text for text in bent.warnings)


def test_several_runs_are_left_out_one_at_a_time() -> None:
    runs = [Node(seed=s, start_s=1.75e9 + 1e4 * s, seconds=600).recording() for s in range(4)]
    fit = fit_wall(runs)
    assert fit.runs == 4
    assert fit.alpha == pytest.approx(1.10, abs=0.02)
    assert fit.held_out_error < 0.03


def test_a_run_of_constant_load_takes_the_clock_of_the_others() -> None:
    moving = Node(meter_behind_s=30.0).recording()
    still = Node(meter_behind_s=30.0, constant=True, start_s=1.76e9, seed=5).recording()
    fit = fit_wall([moving, Recording(still.gpu_t, np.full_like(still.gpu_w, 3200.0), still.meter_t, still.meter_w)])
    assert [round(a.offset_s) for a in fit.alignments] == [30, 30]
    assert fit.alpha == pytest.approx(1.10, abs=0.02)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (Node(constant=True), "do not move together|host power and alpha cannot be told apart"),
        (Node(seconds=60), "120 s are needed|20 are needed"),
        (Node(seconds=150, meter_step_s=10.0), "readings, 20 are needed"),
        (Node(periodic_s=120.0, meter_behind_s=47.0), "ambiguous"),
    ],
)
def test_data_that_cannot_tell_are_refused_with_the_reason(node: Node, reason: str) -> None:
    with pytest.raises(EcoauditError, match=reason):
        fit_wall([node.recording()])


def test_the_meter_of_another_node_is_refused() -> None:
    ours, theirs = Node(seed=1).recording(), Node(seed=2).recording()
    with pytest.raises(EcoauditError, match="do not move together"):
        fit_wall([Recording(ours.gpu_t, ours.gpu_w, theirs.meter_t, theirs.meter_w)])


def test_a_periodic_load_with_clocks_that_agree_is_taken_with_a_warning() -> None:
    fit = fit_wall([Node(periodic_s=120.0).recording()])
    assert fit.alpha == pytest.approx(1.10, abs=0.02)
    assert any("repeats itself" in text for text in fit.warnings)


def test_alpha_below_one_and_negative_host_warn() -> None:
    fit = fit_wall([Node(alpha=0.8, host_w=-300.0).recording()])
    assert any("alpha 0.8" in text for text in fit.warnings)
    assert any("negative" in text for text in fit.warnings)


def test_a_gain_error_common_to_all_readings_widens_both_parameters() -> None:
    recording = Node().recording()
    plain, gained = fit_wall([recording]), fit_wall([recording], meter_gain_se=0.02)
    assert gained.alpha == plain.alpha
    assert gained.covariance[1][1] == pytest.approx(plain.covariance[1][1] + (0.02 * plain.alpha) ** 2)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.5, 3.0), st.floats(-500.0, 500.0))
def test_the_line_follows_the_meter(gain: float, shift: float) -> None:
    """Meter readings times a gain plus a shift give alpha times the gain, host times the gain plus the shift."""
    r = Node(seed=7, seconds=900).recording()
    x, y = paired(r.gpu_t, r.gpu_w, r.meter_t, r.meter_w, averaging=True)
    slope, level = np.polyfit(x, y, 1)
    moved = np.polyfit(*paired(r.gpu_t, r.gpu_w, r.meter_t, gain * r.meter_w + shift, averaging=True), 1)
    assert moved == pytest.approx([gain * slope, gain * level + shift], rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 20.0))
def test_means_over_readings_keep_the_energy(step: float) -> None:
    r = Node(seconds=600).recording()
    stamps = np.arange(r.gpu_t[0], r.gpu_t[-1], step)
    mean, _ = paired(r.gpu_t, r.gpu_w, stamps, np.ones_like(stamps), averaging=True)
    inside = r.gpu_t <= stamps[-1]
    t, w = np.append(r.gpu_t[inside], stamps[-1]), np.append(r.gpu_w[inside], np.interp(stamps[-1], r.gpu_t, r.gpu_w))
    assert float(np.sum(mean) * step) == pytest.approx(float(np.trapezoid(w, t)), rel=1e-6)
