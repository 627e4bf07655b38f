"""Carbon, location- and market-based, embodied, SCI; and the bill."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.model.carbon import mean_over
from ecoaudit.reference.place import market_claim
from ecoaudit.reference.types import Citation, IntensitySeries, Region
from model.runs import START, audit, constant, described, site, telemetry, training

HOUR = np.arange(0.0, 3601.0)
NODE = telemetry([constant(600.0)] * 8, HOUR)
FACILITY_KWH = 1.2 * (1.9 + 1.12 * 4.8)


def test_operational_carbon_is_the_headline_times_the_grid() -> None:
    found = audit(telemetry=[NODE]).carbon
    assert found.operational and found.operational.value == pytest.approx(FACILITY_KWH * 0.4)
    assert (found.intensity_basis, found.zone) == ("lifecycle", "ZZ")


def test_the_market_figure_stands_beside_the_location_one() -> None:
    found = audit(telemetry=[NODE], place=site(market_g=50.0)).carbon
    assert found.operational and found.operational.value == pytest.approx(FACILITY_KWH * 0.4)
    assert found.market_based and found.market_based.value == pytest.approx(FACILITY_KWH * 0.05)


def test_a_providers_claim_for_its_region_is_market_based_never_the_headline() -> None:
    region = Region(
        "acme:x",
        "acme",
        "x",
        "X",
        "ZZ",
        "ZZ",
        Citation("regions"),
        0.0,
        1.0,
        "annual matching",
        Citation("acme report"),
    )
    found = audit(telemetry=[NODE], place=replace(site(), region=region, market=market_claim(region))).carbon
    assert found.market_based and found.market_based.value == 0.0
    assert "annual matching" in found.market_based.source
    assert found.operational and found.operational.value == pytest.approx(FACILITY_KWH * 0.4)


def test_without_a_grid_carbon_is_unknown_not_zero() -> None:
    found = audit(telemetry=[NODE], place=site(g_per_kwh=None))
    assert found.carbon.operational is None and found.carbon.total is None
    assert "--region" in found.quality.unknown["carbon.operational"]


def test_embodied_carbon_is_the_boards_share_of_five_years() -> None:
    found = audit(telemetry=[NODE]).carbon
    assert found.embodied and found.embodied.value == pytest.approx(164.0 * 8 / (5 * 8760), rel=1e-3)
    assert "host and network not included" in found.embodied.source
    assert found.embodied.high > 1.3 * found.embodied.value
    assert found.total and found.operational
    assert found.total.value == pytest.approx(found.operational.value + found.embodied.value)
    assert found.total_label and "embodied GPU boards" in found.total_label


def test_an_unknown_board_leaves_operational_only_and_says_so() -> None:
    log = telemetry([constant(300.0)], HOUR, gpu="NVIDIA GeForce RTX 4090", limit_w=450.0)
    found = audit(telemetry=[log]).carbon
    assert found.embodied is None and found.total_label == "operational only"
    assert found.operational and "GPU boundary" in found.operational.source


def test_sci_is_total_carbon_per_unit_of_work() -> None:
    found = audit(telemetry=[NODE], training=[training(0.0, 3600.0, tokens=2e8)]).carbon
    assert found.sci and found.total and found.sci.unit == "gCO2e/million tokens"
    assert found.sci.value == pytest.approx(found.total.value * 1000 / 200)


def test_an_hourly_series_is_weighted_by_when_energy_was_drawn() -> None:
    """Two half-hours at 100 and 500 g/kWh, with all board power in the second."""
    series = IntensitySeries(
        START + np.array([0.0, 1800.0]), np.array([100.0, 500.0]), START + 3600.0, "direct", "ZZ", Citation("series")
    )
    late = telemetry([lambda t: np.where(t > 1800.0, 600.0, 0.0)] * 8, HOUR)
    found = audit(telemetry=[late], place=site(series=series)).carbon
    boards = 1.12 * 8 * 600.0 * 1800.0
    host = 1900.0 * 1800.0
    expected = (100.0 * host + 500.0 * (host + boards)) / (2 * host + boards)
    assert found.intensity and found.intensity.value == pytest.approx(expected, rel=1e-3)
    assert found.intensity_basis == "direct"


@given(st.lists(st.floats(1.0, 900.0), min_size=2, max_size=9), st.floats(350.0, 1700.0))
@settings(max_examples=10, deadline=None)
def test_the_integral_of_intensity_and_power_is_exact(grams: list[float], step_s: float) -> None:
    """Board power rises by a straight line, so energy between two times is known in closed form."""
    ramp = telemetry([lambda t: 200.0 + t / 10.0] * 8, HOUR)
    series = hourly(grams, step_s=step_s)
    covered = min(1.0, len(grams) * step_s / 3600.0)
    found = audit(telemetry=[ramp], place=site(g_per_kwh=None, series=series)).carbon
    edges = np.minimum(np.append(series.time_s, series.end_s) - START, 3600.0)
    joules = 1900.0 * edges + 1.12 * 8 * (200.0 * edges + edges**2 / 20.0)
    if np.diff(joules).sum() < 0.95 * (1900.0 * 3600 + 1.12 * 8 * (200.0 * 3600 + 3600**2 / 20.0)):
        assert covered < 1 and found.intensity is None
        return
    expected = float((np.diff(joules) * grams).sum() / np.diff(joules).sum())
    # Unix seconds in a double are good to 2e-7 s.
    assert found.intensity and found.intensity.value == pytest.approx(expected, rel=1e-6)


def test_a_series_that_does_not_cover_the_run_falls_back_with_a_warning() -> None:
    series = IntensitySeries(
        START + np.array([0.0, 1800.0]), np.array([100.0, 500.0]), START + 3000.0, "direct", "ZZ", Citation("series")
    )
    found = audit(telemetry=[NODE], place=site(series=series))
    assert found.carbon.intensity and found.carbon.intensity.value == 400.0
    assert found.carbon.intensity_basis == "lifecycle"
    assert any("covers 83.3 %" in text and "annual average" in text for text in found.quality.warnings)


def hourly(values: list[float], *, start_s: float = 0.0, step_s: float = 600.0) -> IntensitySeries:
    times = START + start_s + step_s * np.arange(len(values))
    return IntensitySeries(times, np.array(values), times[-1] + step_s, "direct", "ZZ", Citation("series"))


@given(
    st.lists(st.floats(0.0, 900.0) | st.just(float("nan")), min_size=1, max_size=12),
    st.floats(-900.0, 900.0),
    st.integers(1, 40),
)
def test_the_mean_over_segments_is_the_integral_of_the_series(values: list[float], shift: float, segments: int) -> None:
    """Against a sum over single seconds; entries start on whole seconds here, so that it is exact."""
    series = hourly(values, start_s=round(shift))
    edges = START + np.unique(np.linspace(0.0, 3600.0, segments + 1).round())
    mean, share = mean_over(series, edges)
    seconds = START + np.arange(3600.0)
    at = np.searchsorted(series.time_s, seconds, side="right") - 1
    inside = (at >= 0) & (seconds < series.end_s)
    value = np.where(inside, series.g_per_kwh[np.maximum(at, 0)], np.nan)
    for i, (a, b) in enumerate(pairwise((edges - START).astype(int))):
        known = value[a:b][~np.isnan(value[a:b])]
        assert share[i] == pytest.approx(known.size / (b - a), abs=1e-9)
        if known.size:
            assert mean[i] == pytest.approx(known.mean(), rel=1e-9, abs=1e-9)


def test_a_small_hole_in_a_series_takes_the_mean_of_the_rest_and_says_so() -> None:
    values = [100.0, 500.0] * 18
    values[7] = float("nan")  # 100 s of 3600
    found = audit(telemetry=[NODE], place=site(series=hourly(values, step_s=100.0)))
    assert found.carbon.intensity and found.carbon.intensity.value == pytest.approx(
        (18 * 100 + 17 * 500) / 35, rel=1e-6
    )
    assert any("covers 97.2 %" in text for text in found.quality.warnings)


def test_a_series_alone_serves_without_an_annual_average() -> None:
    found = audit(telemetry=[NODE], place=site(g_per_kwh=None, series=hourly([200.0] * 6)))
    assert found.carbon.operational and found.carbon.operational.value == pytest.approx(FACILITY_KWH * 0.2)
    assert (found.carbon.zone, found.carbon.intensity_basis) == ("ZZ", "direct")


def test_energy_that_nothing_places_on_the_clock_takes_the_annual_average() -> None:
    log = training(None, None, runtime_s=3600.0)
    found = audit(training=[log], systems=[described()], place=site(series=hourly([200.0] * 6)))
    assert found.carbon.intensity and found.carbon.intensity.value == 400.0
    assert any("nothing places the energy on the clock" in text for text in found.quality.warnings)


def test_without_energy_the_reason_of_unknown_carbon_is_the_energy() -> None:
    csv_without_power = telemetry([lambda t: np.full_like(t, np.nan)] * 2, HOUR, gpu=None, limit_w=None)
    found = audit(telemetry=[csv_without_power])
    assert found.energy.headline is None and found.carbon.total is None
    for key in ("carbon.operational", "carbon.total", "energy.headline"):
        assert "no energy is known" in found.quality.unknown[key]


def test_the_bill_is_gpu_hours_times_price() -> None:
    cost = audit(telemetry=[NODE]).cost
    assert cost.gpu_hours and cost.gpu_hours.value == pytest.approx(8.0)
    assert cost.total and cost.total.value == pytest.approx(20.0)
    assert (cost.total.low, cost.total.high) == pytest.approx((18.0, 22.0), rel=1e-3)


def test_without_a_price_the_bill_is_unknown() -> None:
    found = audit(telemetry=[NODE], place=site(usd=None))
    assert found.cost.total is None and "cost.total" in found.quality.unknown
