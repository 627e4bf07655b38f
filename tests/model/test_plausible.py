"""One glitch must not decide a total: samples that no board can have drawn are missing, counted and told."""

import numpy as np
import pytest

from model.runs import audit, constant, telemetry

SECONDS = np.arange(0.0, 601.0)


def glitch(watts: float):  # type: ignore[no-untyped-def]
    """Return 300 W with one sample of `watts` after 50 s."""
    return lambda t: np.where(t == 50.0, watts, 300.0)


@pytest.mark.parametrize("watts", [1e9, 2000.0, -5.0, np.inf])
@pytest.mark.parametrize(("gpu", "limit_w"), [("NVIDIA A100-SXM4-80GB", None), ("NVIDIA A100-SXM4-80GB", 400.0)])
def test_one_impossible_sample_leaves_the_energy_as_it_is(watts: float, gpu: str, limit_w: float | None) -> None:
    found = audit(telemetry=[telemetry([glitch(watts)], SECONDS, gpu=gpu, limit_w=limit_w)])
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(300.0 * 600 / 3.6e6)
    assert any("1 of 601 power samples are impossible" in text for text in found.quality.warnings)


def test_an_unknown_board_has_an_absolute_bound() -> None:
    unknown = {"gpu": "ACME Foo 9000", "limit_w": None}
    high = audit(telemetry=[telemetry([constant(3000.0)], SECONDS, **unknown)])  # type: ignore[arg-type]
    assert high.energy.levels.L2 and high.energy.levels.L2.gpu
    assert high.energy.levels.L2.gpu.value == pytest.approx(3000.0 * 600 / 3.6e6)
    none = audit(telemetry=[telemetry([constant(5e5)], SECONDS, **unknown)])  # type: ignore[arg-type]
    assert none.energy.levels.L2 is None


@pytest.mark.parametrize("watts", [-500.0, 5e5])
def test_boards_without_one_possible_sample_have_no_energy_and_the_reason_is_told(watts: float) -> None:
    found = audit(telemetry=[telemetry([constant(watts)] * 2, SECONDS)])
    assert found.energy.levels.L2 is None
    assert "energy.levels.L2" in found.quality.unknown
    assert any("1202 of 1202 power samples are impossible" in text for text in found.quality.warnings)


def test_a_short_excursion_above_the_limit_is_believed() -> None:
    found = audit(telemetry=[telemetry([lambda t: np.where(t == 50.0, 900.0, 600.0)], SECONDS)])
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx((600.0 * 600 + 300.0) / 3.6e6)


def test_one_reading_has_no_duration_and_that_is_the_reason() -> None:
    found = audit(telemetry=[telemetry([constant(300.0)], np.array([0.0]), gpu=None, limit_w=None)])
    assert found.energy.headline is None
    for key in ("energy.levels.L2", "energy.headline", "carbon.operational", "carbon.total"):
        assert "single power reading has no duration" in found.quality.unknown[key]
    assert "single power reading" in found.quality.warnings[0]


def test_the_warning_that_makes_the_headline_a_lower_bound_is_the_first() -> None:
    log = telemetry([glitch(1e9)] * 2, SECONDS)
    warnings = audit(telemetry=[log]).quality.warnings
    assert warnings[0].startswith("L3 is not known")
    assert "impossible" in warnings[1]
