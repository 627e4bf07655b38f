"""A job on slices of a divided GPU: its part is an estimate between its share of the slices and the whole board."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.ingest.records import Telemetry
from ecoaudit.model.audit import Audit
from model.runs import H100, audit, constant, telemetry

TIMES = np.arange(0.0, 3601.0)
PART = 3 / 7


def board(share: float | None, *, mig: bool = True, watts: float = 700.0) -> Telemetry:
    whole = telemetry([constant(watts)], TIMES, node_gpu_count=8)
    return replace(whole, gpus=tuple(replace(gpu, mig=mig, share=share) for gpu in whole.gpus))


def audited(share: float | None) -> Audit:
    return audit(telemetry=[board(share)])


def test_the_share_of_the_slices_is_the_figure_and_the_whole_board_its_upper_end() -> None:
    whole, part = audited(1.0).energy.levels.L2, audited(PART).energy.levels.L2
    assert whole and whole.gpu and part and part.gpu
    assert whole.gpu.basis == "measured" and part.gpu.basis == "modelled"
    assert part.gpu.value == pytest.approx(whole.gpu.value * PART)
    assert part.gpu.low == pytest.approx(whole.gpu.low * PART, rel=0.02)
    assert part.gpu.high == pytest.approx(whole.gpu.value, rel=0.05)
    assert "share of divided GPUs" in part.gpu.source


def test_limit_host_hours_and_making_are_shared_alike() -> None:
    whole, part = audited(1.0), audited(PART)
    for figures in (
        (whole.energy.levels.L1.gpu, part.energy.levels.L1.gpu),  # type: ignore[union-attr]
        (whole.energy.levels.L3.node, part.energy.levels.L3.node),  # type: ignore[union-attr]
        (whole.cost.gpu_hours, part.cost.gpu_hours),
        (whole.cost.total, part.cost.total),
        (whole.carbon.embodied, part.carbon.embodied),
    ):
        one, other = figures
        assert one is not None and other is not None
        assert other.value == pytest.approx(one.value * PART, rel=1e-6)


def test_it_is_said_and_drawn_as_such() -> None:
    found = audited(PART)
    assert any("share of the compute slices" in text for text in found.quality.warnings)
    assert [(g.model, g.count, g.share) for g in found.hardware.gpus] == [(H100, 1, pytest.approx(PART))]
    assert found.timeline[5].gpu_w == pytest.approx(700 * PART, abs=0.1)
    assert any(driver.name == "share of divided GPUs (MIG)" for driver in found.energy.drivers)


def test_a_divided_board_of_unknown_share_counts_as_a_whole_and_is_warned_of() -> None:
    found = audited(None)
    assert found.energy.levels.L2 == audited(1.0).energy.levels.L2
    assert any("its power is the whole board's" in text for text in found.quality.warnings)


def test_whole_boards_beside_it_are_not_shared() -> None:
    beside = telemetry([constant(700.0)], TIMES, host="n2", node_gpu_count=8)
    both = [board(PART), replace(beside, gpus=tuple(replace(gpu, mig=False, share=1.0) for gpu in beside.gpus))]
    found = audit(telemetry=both).energy.levels.L2
    assert found and found.gpu
    assert found.gpu.value == pytest.approx(0.7 * (1 + PART))
    assert found.gpu.high == pytest.approx(1.4, rel=0.06)
