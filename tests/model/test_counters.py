"""An energy counter is believed where a board can have drawn what it says, and where it moves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.ingest.records import FloatArray, Telemetry
from ecoaudit.model.audit import Audit
from model.runs import Signal, audit, constant, telemetry

WATTS = 500.0
TIMES = np.arange(0.0, 1001.0)
TRUE_KWH = 2 * WATTS * 1000.0 / 3.6e6


def counting(t: FloatArray) -> FloatArray:
    return 1e6 + WATTS * t


def node(*counters: Signal, limit_w: float | None = 700.0, gpu: str | None = "NVIDIA H100 80GB HBM3") -> Telemetry:
    """Return a node of two boards at 500 W; those without a counter of their own have a true one."""
    both = [*counters, counting][:2]
    return telemetry([constant(WATTS)] * 2, TIMES, counters=both, limit_w=limit_w, gpu=gpu)


def l2(found: Audit) -> tuple[float, str, float]:
    """Return energy in kWh, basis and relative width."""
    level = found.energy.levels.L2
    assert level is not None and level.gpu is not None and level.gpu.low is not None and level.gpu.high is not None
    return level.gpu.value, str(level.gpu.basis), (level.gpu.high - level.gpu.low) / level.gpu.value


def said(found: Audit, *texts: str) -> bool:
    return any(all(text in warning for text in texts) for warning in found.quality.warnings)


def jumping(t: FloatArray) -> FloatArray:
    return counting(t) + np.where(t > 300.5, 1e7, 0.0)


@pytest.mark.parametrize(
    ("limit_w", "gpu"), [(700.0, "NVIDIA H100 80GB HBM3"), (None, "NVIDIA H100 80GB HBM3"), (None, "Some GPU")]
)
def test_a_step_that_no_board_can_draw_is_replaced_by_power(limit_w: float | None, gpu: str) -> None:
    found = audit(telemetry=[node(jumping, limit_w=limit_w, gpu=gpu)])
    assert l2(found)[:2] == (pytest.approx(TRUE_KWH), "measured")
    assert said(found, "1 step of the energy counter of node 0 GPU 0 is more than the board can draw")


def test_a_counter_of_an_exporter_may_move_every_thirty_seconds() -> None:
    stale = telemetry(
        [constant(690.0)],
        np.arange(0.0, 1201.0, 15.0),
        counters=[lambda t: 690.0 * (t // 30.0) * 30.0],
        limit_w=None,
        log_format="prometheus",
    )
    found = audit(telemetry=[stale])
    assert l2(found)[0] == pytest.approx(690.0 * 1200 / 3.6e6)
    assert not said(found, "energy counter")


def test_a_counter_in_millijoules_is_not_used() -> None:
    found = audit(telemetry=[node(lambda t: 1000.0 * counting(t), lambda t: 1000.0 * counting(t))])
    assert l2(found)[:2] == (pytest.approx(TRUE_KWH), "measured")
    assert said(found, "node 0 GPU 0 and 1 more rises faster than any board draws: another unit than joules")


@pytest.mark.parametrize(
    "frozen",
    [
        [constant(0.0)],
        [constant(1e6), constant(1e6)],
        [lambda t: 1e6 + WATTS * np.minimum(t, 400.0)],
        [lambda t: counting(t) / 1000.0],
    ],
)
def test_power_decides_where_a_counter_stands_still_or_counts_in_kilojoules(frozen: Sequence[Signal]) -> None:
    found = audit(telemetry=[node(*frozen)])
    kwh, basis, width = l2(found)
    assert kwh == pytest.approx(TRUE_KWH, rel=0.03) and basis == "measured" and width < 0.15
    assert said(found, "the energy counter of node 0 GPU 0", "power is integrated there instead")


def test_a_gap_is_not_bridged_by_a_counter_that_stands_still() -> None:
    whole = node(constant(1e6), constant(1e6))
    keep = (TIMES < 400) | (TIMES > 440)
    assert whole.energy_j is not None
    holed = replace(whole, time_s=whole.time_s[keep], power_w=whole.power_w[keep], energy_j=whole.energy_j[keep])
    found = audit(telemetry=[holed])
    assert l2(found)[0] == pytest.approx(TRUE_KWH)
    assert [gap.filled_by for gap in found.quality.gaps] == ["mean power"]


def test_a_counter_that_contradicts_power_is_no_measurement() -> None:
    found = audit(telemetry=[node(lambda t: 0.8 * counting(t), lambda t: 0.8 * counting(t))])
    kwh, basis, _ = l2(found)
    level = found.energy.levels.L2
    assert (kwh, basis) == (pytest.approx(0.8 * TRUE_KWH), "modelled")
    assert level is not None and level.gpu is not None and level.gpu.high is not None
    assert level.gpu.high >= TRUE_KWH
    assert said(found, "differ by more than 10 %", "no longer called measured")


@pytest.mark.parametrize("limit_w", [-5.0, 0.0, 7e5])
def test_a_limit_that_can_be_none_is_left_out(limit_w: float) -> None:
    found = audit(telemetry=[node(limit_w=limit_w)])
    l1 = found.energy.levels.L1
    assert l1 is not None and l1.gpu is not None and l1.gpu.value == pytest.approx(2 * 700.0 * 1000 / 3.6e6)
    assert l2(found)[0] == pytest.approx(TRUE_KWH)
    assert said(found, f"a power limit of {limit_w:g} W is none")
