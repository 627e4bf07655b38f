"""One mechanism for every interval: named factors, aligned draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.model.uncertainty import (
    DRAWS,
    Uncertain,
    correlated_pair,
    exact,
    factor,
    relative,
    scores,
    shares,
    total,
)
from ecoaudit.quantity import Basis

positive = st.floats(0.1, 1e6)
width = st.floats(0.001, 0.4)


def test_a_factor_has_the_interval_it_was_given() -> None:
    low, high = factor("PUE", 1.4, 1.1, 1.8).interval()
    assert low == pytest.approx(1.1, rel=1e-3)
    assert high == pytest.approx(1.8, rel=1e-3)


def test_the_same_name_is_the_same_draw_so_what_is_common_cancels() -> None:
    base = 100.0 * relative("board gain", 0.05)
    head = 90.0 * relative("board gain", 0.05)
    ratio = head / base
    assert ratio.interval() == pytest.approx((0.9, 0.9), rel=1e-12)


def test_different_names_are_independent() -> None:
    correlation = float(np.corrcoef(scores("a"), scores("b"))[0, 1])
    assert abs(correlation) < 4 / np.sqrt(DRAWS)


def test_independent_errors_add_in_squares_and_common_ones_add_up() -> None:
    apart = total([100.0 * relative(f"board {i}", 0.02) for i in range(16)])
    common = total([100.0 * relative("all boards", 0.02) for _ in range(16)])
    half = [(high - low) / 2 for low, high in (apart.interval(), common.interval())]
    assert half[0] == pytest.approx(1600 * 0.02 / 4, rel=0.05)
    assert half[1] == pytest.approx(1600 * 0.02, rel=0.01)


def test_a_pair_keeps_its_margins_and_its_correlation() -> None:
    alpha, host = correlated_pair("line", (1.12, 1.02, 1.30), (1900.0, 1400.0, 2400.0), -0.7, first_at_least=1.0)
    assert alpha.interval() == pytest.approx((1.02, 1.30), rel=0.01)
    assert host.interval() == pytest.approx((1400.0, 2400.0), rel=0.03)
    assert float(np.corrcoef(alpha.draws, host.draws)[0, 1]) == pytest.approx(-0.7, abs=0.07)
    assert alpha.draws.min() >= 1.0


def test_draws_respect_physical_limits() -> None:
    assert factor("PUE", 1.1, 1.0, 1.8, at_least=1.0).draws.min() >= 1.0


def test_a_value_without_factors_has_no_width() -> None:
    assert exact(5.0).quantity("kWh", Basis.MEASURED, "meter").low == 5.0


@pytest.mark.parametrize("interval", [(1.0, 1.1, 1.2), (1.0, 0.5, 0.9)])
def test_an_interval_must_contain_its_value(interval: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="does not contain"):
        factor("x", *interval)


def test_shares_sum_to_one_and_name_what_drives_the_width() -> None:
    energy = 100.0 * relative("gain", 0.05) * relative("PUE", 0.10) * relative("grid", 0.02)
    found = shares(energy, {"sensors": ["gain"], "site": ["PUE"], "grid": ["grid"], "absent": ["nothing"]})
    assert list(found) == ["site", "sensors", "grid"]
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["site"] == pytest.approx(100 / 129, abs=0.02)


@settings(max_examples=40, deadline=None)
@given(positive, positive, width, width)
def test_arithmetic_follows_the_central_values(a: float, b: float, wa: float, wb: float) -> None:
    x, y = a * relative("x", wa), b * relative("y", wb)
    assert (x + y).value == pytest.approx(a + b)
    assert (x - y).value == pytest.approx(a - b)
    assert (x * y).value == pytest.approx(a * b)
    assert (x / y).value == pytest.approx(a / b)
    assert (2.0 - x).value == pytest.approx(2.0 - a)
    assert (1.0 / x).value == pytest.approx(1.0 / a)


@settings(max_examples=40, deadline=None)
@given(positive, st.floats(0.0, 0.5), st.floats(0.0, 0.5), st.floats(0.01, 100.0))
def test_the_interval_contains_the_point_and_scales(value: float, below: float, above: float, scale: float) -> None:
    x: Uncertain = factor("z", value, value * (1 - below), value * (1 + above), at_least=0.0)
    low, high = x.interval()
    assert low <= value <= high
    scaled = scale * x
    assert scaled.interval() == pytest.approx((scale * low, scale * high))
