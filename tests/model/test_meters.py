"""Node meters: what their log says, no more; gaps reported and doubted, never filled with something else."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.ingest.records import UNSAID_SIDE, FloatArray, ReadQuality, Source
from ecoaudit.model.inputs import StatedHardware
from ecoaudit.model.meter_energy import integrate_meter
from ecoaudit.model.meters import node_meters
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Basis, Boundary
from model.runs import START, audit, constant, described, meter, mlperf_result, telemetry, training

KWH = 3.6e6
RUN = np.array([START, START + 100.0])


def test_the_window_is_cut_out_of_a_padded_log_exactly() -> None:
    t = np.arange(-50.0, 151.0, 2.0)
    log = meter(lambda x: np.where(x < 0, 2000.0, 6000.0 + 10.0 * x), t)
    edges = START + np.array([0.5, 99.5])
    assert integrate_meter(log, edges).energy_j.sum() == pytest.approx(6000 * 99 + 5 * (99.5**2 - 0.5**2), rel=1e-9)


def test_where_the_log_does_not_reach_its_last_value_is_held() -> None:
    log = meter(constant(5000.0), np.arange(2.0, 99.0))
    found = integrate_meter(log, RUN)
    assert found.energy_j.sum() == pytest.approx(5000.0 * 100)
    assert found.gap_s == 0


def test_long_intervals_are_bridged_linearly_reported_and_doubted() -> None:
    t = np.delete(np.arange(0.0, 101.0), range(40, 59))
    found = integrate_meter(meter(lambda x: np.where(x < 50, 4000.0, 6000.0), t), RUN)
    assert found.energy_j.sum() == pytest.approx(4000 * 39 + 5000 * 20 + 6000 * 41)
    assert found.gap_s == pytest.approx(20.0)
    assert (found.gap_low_j, found.gap_high_j) == pytest.approx((-20_000.0, 20_000.0))


def test_negative_readings_stay_in_the_value_and_widen_the_interval() -> None:
    log = meter(lambda x: np.where((x > 40) & (x < 45), -50.0, 6000.0), np.arange(0.0, 101.0))
    found = node_meters([log], RUN, None, notes := Notes())
    assert found is not None
    assert found.energy_j.sum() < 6000.0 * 96
    low, high = found.node_j().interval()
    assert low < found.energy_j.sum()
    assert high > 6000.0 * 99.9
    assert not found.fit_for_calibration
    assert any("drop-out" in text for text in notes.warnings)


def test_readings_of_a_few_watts_are_drop_outs_too() -> None:
    log = meter(lambda x: np.where((x > 40) & (x < 45), 30.0, 6000.0), np.arange(0.0, 101.0))
    assert integrate_meter(log, RUN).invalid_readings == 4


def test_repeated_stamps_keep_their_order() -> None:
    times = np.array([0.0, 50.0, 50.0, 100.0])
    log = meter(lambda x: np.array([1000.0, 1000.0, 3000.0, 3000.0]), times)
    assert integrate_meter(log, RUN).energy_j.sum() == pytest.approx(1000 * 50 + 3000 * 50)


def test_identical_traces_are_flagged_and_both_counted() -> None:
    t = np.arange(0.0, 101.0)
    logs = [meter(constant(6000.0), t, f"node_{i}") for i in range(2)]
    found = node_meters(logs, RUN, None, notes := Notes())
    assert found is not None
    assert found.energy_j.sum() == pytest.approx(2 * 6000.0 * 100)
    assert any("one rack channel" in text for text in notes.warnings)


def test_dc_readings_are_divided_by_the_supplies_efficiency_and_called_calibrated() -> None:
    log = meter(constant(6000.0), np.arange(0.0, 101.0), boundary="dc")
    found = node_meters([log], RUN, None, Notes())
    assert found is not None
    assert found.node_j().value == pytest.approx(6000.0 * 100 / 0.96)
    assert found.basis is Basis.CALIBRATED


def test_a_declared_conversion_efficiency_means_ac_and_is_not_applied() -> None:
    log = meter(constant(6000.0), np.arange(0.0, 101.0), boundary=None, efficiency=0.96)
    found = node_meters([log], RUN, "dc", Notes())
    assert found is not None
    assert found.boundary == "ac"
    assert found.node_j().value == pytest.approx(6000.0 * 100)


def test_ac_and_dc_logs_of_one_run_are_one_run() -> None:
    t = np.arange(0.0, 101.0)
    logs = [meter(constant(6000.0), t), meter(constant(5800.0), t, boundary="dc")]
    found = node_meters(logs, RUN, None, notes := Notes())
    assert found is not None
    assert found.node_j().value == pytest.approx(6000.0 * 100)
    assert any("both sides" in text for text in notes.warnings)


def test_a_meter_without_a_side_is_taken_for_ac_with_a_warning() -> None:
    log = meter(constant(6000.0), np.arange(0.0, 101.0), boundary=None)
    found = node_meters([log], RUN, None, notes := Notes())
    assert found is not None and found.boundary == "ac"
    assert any("--meter-boundary" in text for text in notes.warnings)
    stated = node_meters([log], RUN, "dc", Notes())
    assert stated is not None and stated.boundary == "dc"


def test_a_meter_of_another_day_is_left_out_and_one_of_another_zone_is_moved() -> None:
    other_day = meter(constant(6000.0), np.arange(90_000.0, 90_101.0))
    assert node_meters([other_day], RUN, None, notes := Notes()) is None
    assert any("does not meet the run" in text for text in notes.warnings)
    other_zone = meter(constant(6000.0), np.arange(-10.0, 111.0) + 3600.0)
    found = node_meters([other_zone], RUN, None, notes := Notes())
    assert found is not None and found.coverage == 1.0
    assert any("-1 h" in text for text in notes.warnings)


def test_a_complete_meter_is_the_headline_at_the_facility() -> None:
    t = np.arange(-10.0, 111.0)
    found = audit(
        meters=[meter(constant(7000.0), t)], training=[mlperf_result(100.0, samples=100.0)], systems=[described()]
    )
    measured, headline = found.energy.measured, found.energy.headline
    assert measured and measured.node and measured.facility and headline
    assert measured.node.value == pytest.approx(7000.0 * 100 / KWH)
    assert (headline.level, headline.boundary) == ("measured", Boundary.FACILITY)
    assert headline.value.value == pytest.approx(1.2 * 7000.0 * 100 / KWH)
    assert found.energy.residual is not None


def test_a_meter_on_half_the_nodes_is_a_check_not_the_headline() -> None:
    found = audit(
        meters=[meter(constant(7000.0), np.arange(0.0, 101.0))],
        training=[mlperf_result(100.0, samples=100.0)],
        systems=[described(nodes=2)],
    )
    assert found.energy.headline and found.energy.headline.level == "L3"
    assert found.energy.measured and found.energy.measured.facility is None
    assert any("1 of 2 nodes" in text for text in found.quality.warnings)


def test_a_wall_meter_beside_a_training_log_takes_the_logs_job() -> None:
    wall = meter(constant(7000.0), np.arange(-500.0, 1500.0))
    run = training(100.0, 900.0, job_start_s=START, job_end_s=START + 1000.0, tokens=1e6, world_size=8)
    found = audit(meters=[wall], training=[run], systems=[described()])
    assert found.run.duration_s == pytest.approx(1000.0)
    assert found.windows.training and found.windows.training.duration_s == pytest.approx(800.0)
    assert found.energy.measured and found.energy.measured.node
    assert found.energy.measured.node.value == pytest.approx(7000.0 * 1000 / KWH)


def test_the_recorders_own_node_meter_counts_and_stands_beside_l3() -> None:
    t = np.arange(0.0, 101.0)
    log = telemetry([constant(650.0)] * 8, t, node_w=constant(7600.0))
    found = audit(telemetry=[log], meter_boundary="ac")
    assert found.energy.headline and found.energy.headline.level == "measured"
    assert found.energy.residual is not None
    assert found.energy.residual.coefficient_seen == "nothing (a prior)"
    l3 = 1900.0 + 1.12 * 8 * 650.0
    assert found.energy.residual.percent == pytest.approx(100 * (l3 / 7600.0 - 1), abs=0.01)


def test_a_shared_nodes_meter_is_only_a_check() -> None:
    log = telemetry([constant(650.0)] * 4, np.arange(0.0, 101.0), node_w=constant(7600.0), node_gpu_count=8)
    found = audit(telemetry=[log], meter_boundary="ac")
    assert found.energy.headline and found.energy.headline.level == "L3"
    assert any("shared with other work" in text for text in found.quality.warnings)
    assert found.quality.fit_for_calibration is False


def test_a_side_that_the_log_contradicts_is_not_used_and_said_so() -> None:
    """Stated DC, but the log says AC itself, or by its conversion factor."""
    t = np.arange(0.0, 101.0)
    for log in (meter(constant(6000.0), t), meter(constant(6000.0), t, boundary=None, efficiency=0.96)):
        notes = Notes()
        found = node_meters([log], START + np.array([0.0, 100.0]), "dc", notes)
        assert found is not None and found.boundary == "ac"
        assert any("its log says that it reads AC; the DC given is not used" in text for text in notes.warnings)


def test_a_schedulers_energy_is_no_mlperf_meter() -> None:
    shares = [
        replace(meter(constant(1000.0), np.arange(0.0, 301.0), f"node_{i}"), source=Source("sacct.txt", "sacct"))
        for i in range(2)
    ]
    found = audit(meters=shares, training=[mlperf_result(300.0, samples=100.0)], systems=[described(nodes=2)])
    assert not any("rack channel" in text for text in found.quality.warnings)
    assert found.energy.drivers
    assert not any("MLPerf" in driver.source for driver in found.energy.drivers)
    assert any("accounting" in driver.name for driver in found.energy.drivers)


def test_the_side_of_a_meter_is_doubted_in_one_warning() -> None:
    asked = ReadQuality(warnings=(UNSAID_SIDE,))
    log = replace(meter(constant(1000.0), np.arange(0.0, 301.0), boundary=None), quality=asked)
    found = audit(meters=[log], training=[mlperf_result(300.0)], systems=[described()])
    assert len([text for text in found.quality.warnings if "AC or DC" in text]) == 1


def test_a_drop_out_of_ten_readings_is_one_gap() -> None:
    def silent(t: FloatArray) -> FloatArray:
        return np.where((t >= 30) & (t < 40), 0.0, 7600.0)

    times = np.arange(0.0, 101.0)
    log = telemetry([constant(650.0)] * 8, times, node_w=silent, node_gpu_count=8)
    (gap,) = audit(telemetry=[log]).quality.gaps
    assert (gap.where, gap.duration_s) == ("meter node 0", 11.0)
    assert gap.energy is not None and gap.energy.value == pytest.approx(7600.0 / 3.6e6)


def test_two_kinds_of_meters_of_one_node_count_once_and_check_each_other() -> None:
    """A PDU and the BMC read the same node: the meter on the wall counts."""
    t = np.arange(0.0, 101.0)
    boards = telemetry([constant(600.0)] * 8, t)
    pdu = meter(constant(6000.0), t, "pdu")
    pdu = replace(pdu, source=replace(pdu.source, format="watts_csv"))
    bmc = meter(constant(5880.0), t, "bmc")
    bmc = replace(bmc, source=replace(bmc.source, format="ipmi"))
    for recorded in ([boards], []):
        found = audit(telemetry=recorded, meters=[bmc, pdu], training=[training()])
        assert found.energy.measured.node
        assert found.energy.measured.node.value == pytest.approx(6000.0 * 100 / KWH)
        assert any("read -2.0 %" in text for text in found.quality.warnings)


def test_two_kinds_of_meters_of_two_stated_nodes_both_count() -> None:
    t = np.arange(0.0, 101.0)
    bmc = meter(constant(5880.0), t, "bmc")
    logs = [meter(constant(6000.0), t), replace(bmc, source=replace(bmc.source, format="ipmi"))]
    found = audit(meters=logs, training=[training()], hardware=StatedHardware(nodes=2))
    assert found.energy.measured.node
    assert found.energy.measured.node.value == pytest.approx(11_880.0 * 100 / KWH)
