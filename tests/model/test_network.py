"""Switches: their own term, measured or stated, added only at the facility."""

import numpy as np
import pytest

from ecoaudit.model.network import network
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Basis
from model.runs import START, audit, constant, described, meter, mlperf_result

KWH = 3.6e6
RUN = np.array([START, START + 300.0])


def test_a_stated_switch_is_its_constant_times_the_window_and_assumed() -> None:
    log = meter(constant(16100.0), np.array([0.0]), "sw_0", kind="network", stated=True)
    found = network([log], None, RUN, Notes())
    assert found is not None
    assert found.energy_j.value == pytest.approx(16100.0 * 300)
    assert found.basis is Basis.ASSUMED
    low, high = found.energy_j.interval()
    assert low < 16100.0 * 300 < high


@pytest.mark.parametrize("hours", [-5.0, 5.5, 9.0])
def test_a_clock_off_by_whole_half_hours_is_moved_onto_the_run(hours: float) -> None:
    t = np.arange(-20.0, 321.0) + hours * 3600.0 + 1.0  # the Dell logs are 18,001 s off
    log = meter(lambda x: 700.0 + 0.1 * (x - hours * 3600.0), t, "sw_0", kind="network")
    found = network([log], None, RUN, notes := Notes())
    assert found is not None
    assert found.energy_j.value == pytest.approx(700.0 * 300 + 0.05 * 300**2, rel=1e-3)
    assert any("moved onto it" in text for text in notes.warnings)


def test_a_clock_that_fits_nowhere_leaves_the_mean_of_its_own_log() -> None:
    t = np.arange(0.0, 341.0) + 777.0
    found = network([meter(constant(691.0), t, "sw_0", kind="network")], None, RUN, notes := Notes())
    assert found is not None
    assert found.energy_j.value == pytest.approx(691.0 * 300)
    assert found.basis is Basis.ASSUMED
    assert any("mean of its own log" in text for text in notes.warnings)


def test_a_long_log_at_another_place_is_ambiguous_and_not_moved() -> None:
    t = np.arange(0.0, 4 * 3600.0, 10.0) + 6 * 3600.0
    found = network([meter(lambda x: x, t, "sw_0", kind="network")], None, RUN, notes := Notes())
    assert found is not None
    assert any("mean of its own log" in text for text in notes.warnings)


def test_the_users_word_goes_before_the_logs() -> None:
    log = meter(constant(16100.0), np.array([0.0]), "sw_0", kind="network", stated=True)
    found = network([log], 500.0, RUN, Notes())
    assert found is not None and found.energy_j.value == pytest.approx(500.0 * 300)


def test_the_network_enters_only_at_the_facility() -> None:
    nodes = [meter(constant(7000.0), np.arange(0.0, 301.0), f"node_{i}") for i in range(2)]
    run = mlperf_result(300.0, samples=100.0)
    alone = audit(meters=nodes, training=[run], systems=[described(nodes=2)])
    switch = meter(constant(1000.0), np.arange(0.0, 301.0), "sw_0", kind="network")
    with_switch = audit(meters=[*nodes, switch], training=[run], systems=[described(nodes=2)])
    assert alone.energy.measured and with_switch.energy.measured
    assert alone.energy.measured.node == with_switch.energy.measured.node
    assert alone.energy.headline and with_switch.energy.headline
    more = with_switch.energy.headline.value.value - alone.energy.headline.value.value
    assert more == pytest.approx(1.2 * 1000.0 * 300 / KWH)
    assert any("network energy is not included" in text for text in alone.quality.warnings)
    assert alone.energy.measured.network is None


def test_a_switch_of_another_run_is_left_out_with_the_node_meters() -> None:
    later = np.arange(0.0, 341.0) + 777.0 * 3600
    others = [meter(constant(7000.0), later), meter(constant(691.0), later, "sw_0", kind="network")]
    found = audit(meters=others, training=[mlperf_result(300.0, samples=100.0)], systems=[described(nodes=2)])
    assert found.energy.measured is None
    assert any(text.startswith("sw_0") and "is left out" in text for text in found.quality.warnings)
    assert any("network energy is not included" in text for text in found.quality.warnings)
