"""A node's energy over the run's window: ends, gaps, drop-outs, repeated stamps and local clocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.calibrate import window


def _log(seconds: int, power: float = 1000.0, start: float = 0.0, step: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    time = np.arange(start, start + seconds + step, step, dtype=np.float64)
    return time, np.full_like(time, power)


def test_constant_power_is_power_times_duration_whatever_the_padding() -> None:
    time, power = _log(300, start=-100.0)
    power[(time < 0) | (time > 100)] = 100.0
    assert window.integrate(time, power, 0.0, 100.0).energy_j == pytest.approx(1000.0 * 100.0)


def test_ends_are_interpolated_and_held_where_the_log_does_not_reach() -> None:
    assert window.integrate(np.array([0.0, 10.0]), np.array([0.0, 100.0]), 4.0, 6.0).energy_j == pytest.approx(100.0)
    assert window.integrate(np.array([2.0, 8.0]), np.array([50.0, 50.0]), 0.0, 10.0).energy_j == pytest.approx(500.0)


def test_gaps_are_bridged_linearly_and_counted() -> None:
    time, power = _log(100)
    keep = (time < 40) | (time > 60)
    found = window.integrate(time[keep], power[keep], 0.0, 100.0)
    assert found.energy_j == pytest.approx(100_000.0)
    assert found.gap_s == pytest.approx(22.0)
    assert found.max_gap_s == pytest.approx(22.0)


def test_drop_outs_are_counted_negative_readings_included() -> None:
    time, power = _log(100)
    power[30:40] = -40.0
    power[60] = 51.0
    assert window.integrate(time, power, 0.0, 100.0).dropout_s == pytest.approx(11.0 + 2.0)


def test_repeated_stamps_add_nothing() -> None:
    time, power = _log(100)
    found = window.integrate(np.repeat(time, 2), np.repeat(power, 2), 0.0, 100.0)
    assert found.energy_j == pytest.approx(100_000.0)
    assert found.repeated_stamps == 99


@pytest.mark.parametrize("hours", [-5.0, 5.5, 2.0])
def test_a_log_in_local_time_is_moved_by_half_hours(hours: float) -> None:
    start = 1_700_000_000.0
    time, power = _log(120, start=start - 10 + 3600 * hours)
    found = window.integrate(time, power, start, start + 100)
    assert found.clock_offset_s == -3600 * hours
    assert found.energy_j == pytest.approx(100_000.0)


def test_stalls_show_the_resident_power() -> None:
    power = np.concatenate([np.full(500, 7000.0), np.full(40, 2600.0), np.full(5, -50.0)])
    level, count = window.stalled_w(power)
    assert level == pytest.approx(2600.0)
    assert count == 40
    assert np.isnan(window.stalled_w(np.full(500, 7000.0))[0])


def test_nothing_to_integrate_is_an_error() -> None:
    with pytest.raises(ValueError, match="no reading"):
        window.integrate(np.array([]), np.array([]), 0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(1.0, 1e4), min_size=3, max_size=60),
    st.floats(0.1, 5.0),
    st.floats(0.1, 0.9),
)
def test_energy_scales_and_adds_up_over_parts(values: list[float], factor: float, cut: float) -> None:
    power = np.array(values)
    time = np.arange(power.size, dtype=np.float64)
    end = float(time[-1])
    whole = window.integrate(time, power, 0.0, end).energy_j
    parts = (
        window.integrate(time, power, 0.0, cut * end).energy_j + window.integrate(time, power, cut * end, end).energy_j
    )
    assert parts == pytest.approx(whole, rel=1e-9)
    assert window.integrate(time, factor * power, 0.0, end).energy_j == pytest.approx(factor * whole, rel=1e-9)
    assert power.min() * end * (1 - 1e-9) <= whole <= power.max() * end * (1 + 1e-9)
