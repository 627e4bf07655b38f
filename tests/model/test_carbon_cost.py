"""Carbon, location- and market-based, embodied, SCI; and the bill."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.model.inputs import IntensitySeries
from ecoaudit.reference.types import Citation, Region
from model.runs import START, audit, constant, site, telemetry, training

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
    found = audit(telemetry=[NODE], place=replace(site(), region=region)).carbon
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


def test_a_series_that_does_not_cover_the_run_falls_back_with_a_warning() -> None:
    series = IntensitySeries(
        START + np.array([0.0, 1800.0]), np.array([100.0, 500.0]), START + 3000.0, "direct", "ZZ", Citation("series")
    )
    found = audit(telemetry=[NODE], place=site(series=series))
    assert found.carbon.intensity and found.carbon.intensity.value == 400.0
    assert any("does not cover" in text for text in found.quality.warnings)


def test_the_bill_is_gpu_hours_times_price() -> None:
    cost = audit(telemetry=[NODE]).cost
    assert cost.gpu_hours and cost.gpu_hours.value == pytest.approx(8.0)
    assert cost.total and cost.total.value == pytest.approx(20.0)
    assert (cost.total.low, cost.total.high) == pytest.approx((18.0, 22.0), rel=1e-3)


def test_without_a_price_the_bill_is_unknown() -> None:
    found = audit(telemetry=[NODE], place=site(usd=None))
    assert found.cost.total is None and "cost.total" in found.quality.unknown
