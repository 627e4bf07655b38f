"""L1, L2 and L3 of known runs, their boundaries, and what is null and why."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.model.calibration import CalibratedLine
from ecoaudit.model.levels import joint_basis
from ecoaudit.quantity import Basis, Boundary
from model.runs import H100, audit, constant, described, meter, mlperf_result, site, telemetry

KWH = 3.6e6
HOUR = np.arange(0.0, 3601.0)
NODE = telemetry([constant(600.0)] * 8, HOUR)


def line(**changes: object) -> CalibratedLine:
    fields: dict[str, object] = {
        "tool": "ecoaudit calibrate",
        "id": "rack-7",
        "gpu": H100,
        "gpus_per_node": 8,
        "power_field": "average",
        "host_w": 1700.0,
        "alpha": 1.08,
        "covariance": ((400.0, -0.1), (-0.1, 1e-4)),
        "residual_w": 40.0,
        "held_out_error": 0.02,
        "gpu_power_range_w": (560.0, 5600.0),
        "samples": 7200,
        "duration_s": 7200.0,
        "source": "PDU of rack 7",
    }
    return CalibratedLine(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_three_levels_of_a_node_of_eight() -> None:
    levels = audit(telemetry=[NODE]).energy.levels
    assert levels.L1 and levels.L1.gpu and levels.L2 and levels.L2.gpu and levels.L3 and levels.L3.node
    assert levels.L1.gpu.value == pytest.approx(8 * 0.7)
    assert levels.L2.gpu.value == pytest.approx(8 * 0.6)
    assert levels.L3.node.value == pytest.approx(1.9 + 1.12 * 8 * 0.6)
    assert levels.L3.facility and levels.L3.facility.value == pytest.approx(1.2 * (1.9 + 1.12 * 8 * 0.6))


def test_pue_never_multiplies_board_energy() -> None:
    levels = audit(telemetry=[NODE]).energy.levels
    for level in (levels.L1, levels.L2):
        assert level and level.node is None and level.facility is None


def test_gpu_power_is_never_added_to_static_power() -> None:
    """A node whose boards rest draws host + alpha x resident, which is P_static: not P_static + resident."""
    resting = audit(telemetry=[telemetry([constant(115.0)] * 8, HOUR)]).energy.levels.L3
    assert resting and resting.node and resting.node.value == pytest.approx(1.9 + 1.12 * 8 * 0.115)


@pytest.mark.parametrize(("cooling", "alpha"), [("immersion", 1.06), ("liquid", 1.10), ("air", 1.15)])
def test_the_slope_follows_the_cooling(cooling: str, alpha: float) -> None:
    found = audit(telemetry=[NODE], cooling=cooling)
    assert found.calibration and found.calibration.alpha and found.calibration.alpha.value == alpha
    assert found.calibration.alpha.basis is Basis.ASSUMED


def test_every_interval_contains_its_value_and_l3_is_wider_than_l2() -> None:
    levels = audit(telemetry=[NODE]).energy.levels
    assert levels.L2 and levels.L2.gpu and levels.L3 and levels.L3.node
    spread = [(q.high - q.low) / q.value for q in (levels.L2.gpu, levels.L3.node)]
    assert 0.09 < spread[0] < 0.12
    assert spread[0] < spread[1] < 0.35


def test_ampere_boards_may_read_low() -> None:
    log = telemetry([constant(300.0)] * 8, HOUR, gpu="NVIDIA A100-SXM4-80GB", limit_w=400.0)
    found = audit(telemetry=[log]).energy.levels.L2
    assert found and found.gpu
    assert found.gpu.high - found.gpu.value > 1.5 * (found.gpu.value - found.gpu.low)


def test_a_users_own_line_goes_first_and_holds_the_boards_gain() -> None:
    found = audit(telemetry=[NODE], calibration=line())
    l3 = found.energy.levels.L3
    assert l3 and l3.node and l3.node.value == pytest.approx(1.7 + 1.08 * 4.8)
    assert l3.node.basis is Basis.CALIBRATED
    assert 0.10 < (l3.node.high - l3.node.low) / l3.node.value < 0.15
    assert not any("sensors" in driver.name for driver in found.energy.drivers)


def test_a_users_own_line_is_no_better_than_the_meter_it_was_fitted_on() -> None:
    """Errors of the fit near 0, from a meter that reads 3 % high: the truth is inside, as with that meter itself."""
    exact_fit = line(covariance=((0.0, 0.0), (0.0, 0.0)), held_out_error=0.0)
    found = audit(telemetry=[NODE], calibration=exact_fit)
    l3, used = found.energy.levels.L3, found.calibration
    assert l3 and l3.node and used and used.alpha and used.host_w
    assert l3.node.low < l3.node.value / 1.03 < l3.node.value
    for figure in (l3.node, used.alpha, used.host_w):
        assert figure.low == pytest.approx(0.95 * figure.value, rel=1e-3)
        assert figure.high == pytest.approx(1.05 * figure.value, rel=1e-3)
    assert "node meter accuracy" in [driver.name for driver in found.energy.drivers]


def test_a_line_used_outside_what_it_saw_says_so() -> None:
    inside = audit(telemetry=[NODE], calibration=line())
    outside = audit(telemetry=[NODE], calibration=line(gpu_power_range_w=(560.0, 4000.0)))
    assert not any("extrapolated" in text for text in inside.quality.warnings)
    assert any("extrapolated" in text for text in outside.quality.warnings)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gpu": "NVIDIA B200"}, "fitted on NVIDIA B200"),
        ({"gpus_per_node": 4}, "a node of 4 GPUs"),
        ({"power_field": "instant"}, "instant power field"),
    ],
)
def test_a_line_is_never_used_with_another_node_or_field(changes: dict[str, object], reason: str) -> None:
    found = audit(telemetry=[NODE], calibration=line(**changes))
    assert found.calibration and found.calibration.id != "rack-7"
    assert any(reason in text for text in found.quality.warnings)


def test_a_stated_host_replaces_the_priors() -> None:
    found = audit(telemetry=[NODE], host_power_w=1500.0, cooling="air")
    l3 = found.energy.levels.L3
    assert l3 and l3.node and l3.node.value == pytest.approx(1.5 + 1.15 * 4.8)


def test_a_node_smaller_than_its_telemetry_is_not_taken_and_said_so() -> None:
    found = audit(telemetry=[NODE], node_gpu_count=4)
    assert (found.hardware.nodes, found.hardware.gpu_count) == (1, 8)
    assert any("a node of 4 GPUs is given, the telemetry holds 8" in text for text in found.quality.warnings)
    assert not any("is given" in text for text in audit(telemetry=[NODE], node_gpu_count=8).quality.warnings)


def test_a_shared_node_counts_its_share_of_the_host() -> None:
    half = telemetry([constant(600.0)] * 4, HOUR, node_gpu_count=8)
    l3 = audit(telemetry=[half]).energy.levels.L3
    assert l3 and l3.node and l3.node.value == pytest.approx(1.9 / 2 + 1.12 * 4 * 0.6)


def test_eight_boards_of_an_unmetered_kind_get_the_default_with_a_wide_interval() -> None:
    log = telemetry([constant(300.0)] * 8, HOUR, gpu="NVIDIA A100-SXM4-80GB", limit_w=400.0)
    found = audit(telemetry=[log])
    l3 = found.energy.levels.L3
    assert l3 and l3.node and l3.node.value == pytest.approx(1.8 + 1.12 * 2.4)
    assert l3.node.high - l3.node.low > 0.25 * l3.node.value
    assert found.calibration and "none was metered" in found.calibration.source


def test_four_boards_in_a_box_are_not_taken_for_a_baseboard_of_eight() -> None:
    log = telemetry([constant(300.0)] * 4, HOUR, gpu="NVIDIA A100-SXM4-80GB", limit_w=400.0)
    found = audit(telemetry=[log])
    assert found.energy.levels.L3 is None
    assert any(text.startswith("L3 is not known") for text in found.quality.warnings)


def test_a_workstation_has_no_node_figure_and_is_told_what_would_give_one() -> None:
    log = telemetry([constant(300.0)], HOUR, gpu="NVIDIA GeForce RTX 4090", limit_w=450.0)
    found = audit(telemetry=[log])
    assert found.energy.levels.L3 is None
    reason = found.quality.unknown["energy.levels.L3"]
    assert "--host-power-w" in reason and "RAPL" in reason and "calibrate" in reason
    headline = found.energy.headline
    assert headline and (headline.level, headline.boundary) == ("L2", Boundary.GPU)
    assert headline.label == "GPU boards only, lower bound"


def test_a_workstation_with_a_stated_host_is_built_up() -> None:
    log = telemetry([constant(300.0)], HOUR, gpu="NVIDIA GeForce RTX 4090", limit_w=450.0)
    l3 = audit(telemetry=[log], host_power_w=120.0).energy.levels.L3
    assert l3 and l3.node and l3.node.value == pytest.approx(0.12 + 0.3 / 0.93)


def test_rapl_builds_up_a_node_and_psys_is_not_added_twice() -> None:
    log = telemetry(
        [constant(300.0)],
        HOUR,
        gpu="NVIDIA GeForce RTX 4090",
        limit_w=450.0,
        rapl={
            "package-0": lambda t: 80.0 * t,
            "dram-0": lambda t: 10.0 * t,
            "core-0": lambda t: 60.0 * t,
            "psys": lambda t: 500.0 * t,
        },
    )
    l3 = audit(telemetry=[log]).energy.levels.L3
    assert l3 and l3.node and l3.node.value == pytest.approx((0.3 + 0.08 + 0.01 + 0.08) / 0.93)


def test_without_power_the_node_follows_relative_throughput() -> None:
    run = mlperf_result(1688.0, samples=1688.0 * 7158.8 / 3933.4)  # the metered node's own rate: u = 1
    found = audit(training=[run], systems=[described(name="SMC-H100", cooling="immersion")], meters=[])
    assert found.calibration and found.calibration.u and found.calibration.driver == "utilisation"
    assert found.calibration.u.value == pytest.approx(1.0, rel=1e-3)
    l3 = found.energy.levels.L3
    assert l3 and l3.node
    assert l3.node.value * KWH / 1688.0 == pytest.approx(7158.8, rel=0.05)
    assert found.energy.levels.L2 is None and "energy.levels.L2" in found.quality.unknown


@pytest.mark.parametrize(("nodes", "u"), [(1, (0.75, 0.9, 1.0)), (4, (0.5, 0.75, 1.0))])
def test_unknown_utilisation_is_assumed_wide_and_said(nodes: int, u: tuple[float, float, float]) -> None:
    found = audit(training=[mlperf_result(1000.0, benchmark="gnn")], systems=[described(nodes=nodes)])
    assert found.calibration and found.calibration.u
    got = found.calibration.u
    assert (got.low, got.value, got.high) == pytest.approx(u, rel=0.01)
    assert got.basis is Basis.ASSUMED
    assert any("utilisation is assumed" in text for text in found.quality.warnings)


def test_mixed_and_unknown_boards_do_not_stop_the_audit() -> None:
    log = telemetry([constant(200.0)] * 2, HOUR, gpu="Brand New GPU 9000", limit_w=None)
    found = audit(telemetry=[log])
    assert found.energy.levels.L2 and found.energy.levels.L1 is None
    assert "energy.levels.L1" in found.quality.unknown
    assert found.carbon.embodied is None


def test_a_gap_without_a_counter_above_five_percent_is_no_longer_measured() -> None:
    t = np.delete(HOUR, range(1000, 1300))
    found = audit(telemetry=[telemetry([constant(600.0)] * 8, t)])
    l2 = found.energy.levels.L2
    assert l2 and l2.gpu and l2.gpu.basis is Basis.MODELLED
    assert l2.gpu.value == pytest.approx(4.8)
    assert l2.gpu.low < 4.8 * 0.94 and l2.gpu.high > 4.8 * 1.045
    assert found.quality.gap_count == 1 and found.quality.gaps[0].filled_by == "mean power"
    assert found.energy.measured is None or found.energy.measured.gpu is None


def test_a_node_that_misses_part_of_the_window_counts_as_a_gap() -> None:
    late = telemetry([constant(600.0)] * 8, np.arange(900.0, 3601.0), host="n02")
    found = audit(telemetry=[NODE, late])
    assert found.hardware.nodes == 2 and found.hardware.gpu_count == 16
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(9.6)
    assert found.quality.coverage == pytest.approx(1 - 0.125, abs=1e-3)


def test_two_files_of_the_same_boards_are_not_counted_twice() -> None:
    found = audit(telemetry=[NODE, NODE])
    assert found.hardware.gpu_count == 8
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(4.8)
    assert any("overlap" in text for text in found.quality.warnings)


def test_the_counter_and_power_are_compared() -> None:
    log = telemetry([constant(600.0)], HOUR, counters=[lambda t: 650.0 * t])
    found = audit(telemetry=[log])
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(0.65)
    assert any("energy counter and integrated power differ" in text for text in found.quality.warnings)


def test_the_headlines_drivers_are_named_and_sum_to_one() -> None:
    drivers = audit(telemetry=[NODE]).energy.drivers
    assert sum(driver.share for driver in drivers) == pytest.approx(1.0)
    names = {driver.name for driver in drivers}
    assert {"PUE", "GPU power sensors", "host power", "α (supply and fan losses)"} <= names
    assert not any("first" in name or "second" in name for name in names)
    assert all(driver.source for driver in drivers)


ALL = list(Basis)


@pytest.mark.parametrize("first", ALL)
@pytest.mark.parametrize("second", ALL)
def test_the_basis_of_two_figures_together(first: Basis, second: Basis) -> None:
    """The weakest of the two; an assumption beside anything else makes a model, never a measurement."""
    joint = joint_basis(first, second)
    assert joint is joint_basis(second, first)
    if first is second:
        assert joint is first
    elif Basis.ASSUMED in {first, second}:
        assert joint is Basis.MODELLED
    else:
        assert joint is max(first, second, key=[Basis.MEASURED, Basis.CALIBRATED, Basis.MODELLED].index)


@pytest.mark.parametrize("scope", ["site", "provider", "survey", "user"])
@pytest.mark.parametrize("published", ALL)
def test_no_facility_figure_is_called_measured(scope: str, published: Basis) -> None:
    """However its publisher found a PUE, nobody metered the building during this run."""
    place = site()
    place = replace(place, pue=replace(place.pue, scope=scope, basis=published))
    found = audit(telemetry=[NODE], meters=[meter(constant(7000.0), HOUR)], place=place).energy
    assert found.measured and found.measured.node and found.measured.facility and found.headline and found.pue
    assert found.measured.node.basis is Basis.MEASURED
    assert found.measured.facility.basis is Basis.MODELLED
    assert (found.headline.level, found.headline.value.basis) == ("measured", Basis.MODELLED)
    assert found.pue.basis is Basis.ASSUMED


def test_a_guessed_pue_is_a_warning_only_where_it_is_used() -> None:
    place = replace(site(), pue_warning="PUE of an unknown place is assumed")
    node = audit(telemetry=[NODE], place=place)
    assert place.pue_warning in node.quality.warnings
    assert any(entry.what == "PUE" for entry in node.provenance)
    board = telemetry([constant(300.0)], HOUR, gpu="NVIDIA GeForce RTX 4090", limit_w=450.0)
    alone = audit(telemetry=[board], place=place)
    assert alone.energy.headline and alone.energy.headline.boundary is Boundary.GPU
    assert not any("PUE" in text for text in alone.quality.warnings)
    assert not any(entry.what == "PUE" for entry in alone.provenance)


def test_meters_and_telemetry_of_one_run_share_its_window() -> None:
    wall = meter(constant(7000.0), np.arange(-100.0, 3701.0))
    found = audit(telemetry=[NODE], meters=[wall])
    assert found.energy.measured and found.energy.measured.node
    assert found.energy.measured.node.value == pytest.approx(7.0)
    assert found.run.duration_s == pytest.approx(3600.0)


def test_a_node_meter_below_its_own_boards_is_a_check_not_the_headline() -> None:
    seconds = np.arange(0.0, 601.0)
    boards = telemetry([constant(500.0)] * 2, seconds)
    found = audit(telemetry=[boards], meters=[meter(constant(200.0), seconds)])
    assert found.energy.headline is not None and found.energy.headline.level == "L2"
    assert found.energy.headline.value.value == pytest.approx(2 * 500.0 * 600 / 3.6e6)
    assert found.energy.measured is not None and found.energy.measured.facility is None
    assert found.energy.measured.node is not None
    assert found.energy.measured.node.value == pytest.approx(200.0 * 600 / 3.6e6)
    assert any("reads less than the GPU boards" in text for text in found.quality.warnings)
    assert found.quality.fit_for_calibration is False
    sound = audit(telemetry=[boards], meters=[meter(constant(1100.0), seconds)])
    assert sound.energy.headline is not None and sound.energy.headline.level == "measured"
    assert sound.quality.fit_for_calibration is True
