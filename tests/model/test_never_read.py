"""A GPU that its log never read: its gap, its line in the chart and its part of L2 agree, and none of them is 0."""

import numpy as np
import pytest

from ecoaudit.ingest.records import FloatArray
from model.runs import audit, constant, telemetry

TIMES = np.arange(0.0, 3601.0)


def nothing(t: FloatArray) -> FloatArray:
    return np.full_like(t, np.nan)


def test_the_gap_of_a_board_that_was_never_read_holds_what_l2_fills_it_with() -> None:
    found = audit(telemetry=[telemetry([constant(400.0), constant(600.0), nothing], TIMES)])
    [gap] = found.quality.gaps
    assert gap.filled_by == "mean power" and gap.duration_s == 3600.0
    assert gap.energy is not None and gap.energy.value == pytest.approx(0.5)
    assert (gap.energy.basis, gap.energy.source) == ("modelled", "mean power of the boards that were read")
    l2 = found.energy.levels.L2
    assert l2 is not None and l2.gpu is not None and l2.gpu.value == pytest.approx(1.5)


def test_the_chart_does_not_draw_it_at_zero() -> None:
    found = audit(telemetry=[telemetry([constant(400.0), constant(600.0), nothing], TIMES)])
    point = found.timeline[len(found.timeline) // 2]
    assert (point.gpu_w, point.gpu_min_w, point.gpu_max_w) == pytest.approx((1500.0, 400.0, 600.0))


def test_where_no_board_was_read_the_gaps_energy_is_not_known() -> None:
    found = audit(telemetry=[telemetry([nothing, nothing], TIMES)])
    assert found.quality.gaps and all(gap.energy is None for gap in found.quality.gaps)
    assert all(point.gpu_w is None for point in found.timeline)


def test_the_gap_of_a_board_that_was_read_is_filled_with_its_own_power() -> None:
    def paused(t: FloatArray) -> FloatArray:
        return np.where((t > 1000) & (t < 1600), np.nan, 300.0)

    found = audit(telemetry=[telemetry([paused, constant(700.0)], TIMES)])
    [gap] = found.quality.gaps
    assert gap.energy is not None and gap.energy.value == pytest.approx(300.0 * 600 / 3.6e6)
    assert gap.energy.source == "mean power of the board's own run"
