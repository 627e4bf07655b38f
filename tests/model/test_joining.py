"""Telemetry and training logs joined: cases made by hand whose joules a token are known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.audit import Audit
from model.runs import Signal, audit, constant, described, telemetry, training

BUSY_W, IDLE_W = 600.0, 70.0
TOKENS = 6e6


def busy(start: float, end: float, noise_w: float = 0.0) -> Signal:
    def signal(t: FloatArray) -> FloatArray:
        ripple = noise_w * np.sin(t * 1.7)
        return np.where((t >= start) & (t <= end), BUSY_W + ripple, IDLE_W)

    return signal


def j_per_token(found: Audit) -> float:
    assert found.efficiency.j_per_token is not None
    return found.efficiency.j_per_token.value


def clockless(runtime_s: float, **known: Any) -> Any:
    """Return what a trainer_state.json tells: the run's duration, no clock."""
    fields: dict[str, Any] = {"framework": "Hugging Face Trainer", "runtime_s": runtime_s, "tokens": TOKENS}
    return training(None, None, **{**fields, **known})


@pytest.mark.parametrize(("lead", "tail"), [(300.0, 900.0), (0.0, 1200.0), (1200.0, 0.0), (40.0, 40.0)])
@pytest.mark.parametrize("step_s", [1.0, 5.0])
def test_a_trainer_state_is_placed_on_the_power_within_one_percent(lead: float, tail: float, step_s: float) -> None:
    """Idle before and after; the truth is 2 GPUs x 600 W x 1800 s over the tokens."""
    run_s = 1800.0
    times = np.arange(0.0, lead + run_s + tail + step_s, step_s)
    log = telemetry([busy(lead, lead + run_s, 50.0)] * 2, times, log_format="nvidia_smi_csv")
    found = audit(telemetry=[log], training=[clockless(run_s)])
    assert j_per_token(found) == pytest.approx(2 * BUSY_W * run_s / TOKENS, rel=0.01)
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    whole = 2 * (BUSY_W * run_s + IDLE_W * (lead + tail)) / 3.6e6
    assert found.energy.levels.L2.gpu.value == pytest.approx(whole, rel=0.01)


def test_loading_at_half_power_before_the_steps_is_not_training() -> None:
    times = np.arange(0.0, 4001.0)

    def signal(t: FloatArray) -> FloatArray:
        return np.where(t < 600.0, IDLE_W, np.where(t < 1000.0, 250.0, np.where(t <= 3000.0, BUSY_W, IDLE_W)))

    found = audit(telemetry=[telemetry([signal], times)], training=[clockless(2000.0)])
    assert j_per_token(found) == pytest.approx(BUSY_W * 2000.0 / TOKENS, rel=0.01)


def test_a_short_run_in_a_day_of_telemetry_is_still_found() -> None:
    times = np.arange(0.0, 86_401.0, 5.0)
    log = telemetry([busy(50_003.0, 50_123.0)], times, log_format="nvidia_smi_csv")
    found = audit(telemetry=[log], training=[clockless(120.0)])
    # The edges lie between two samples of five seconds.
    assert j_per_token(found) == pytest.approx(BUSY_W * 120.0 / TOKENS, rel=0.02)


def test_two_runs_in_one_recording_are_ambiguous_and_said_so() -> None:
    times = np.arange(0.0, 6001.0)

    def signal(t: FloatArray) -> FloatArray:
        on = ((t >= 500.0) & (t <= 1500.0)) | ((t >= 3500.0) & (t <= 4500.0))
        return np.where(on, BUSY_W, IDLE_W)

    found = audit(telemetry=[telemetry([signal], times)], training=[clockless(1000.0)])
    assert any("as much elsewhere" in text for text in found.quality.warnings)


def test_a_local_clock_is_moved_onto_the_recording_and_the_offset_told() -> None:
    times = np.arange(0.0, 2401.0)
    log = telemetry([busy(300.0, 2100.0)], times)
    run = training(300.0 - 5 * 3600.0, 2100.0 - 5 * 3600.0, clock="naive", tokens=TOKENS)
    found = audit(telemetry=[log], training=[run])
    assert j_per_token(found) == pytest.approx(BUSY_W * 1800.0 / TOKENS, rel=0.01)
    assert any("+5 h" in text for text in found.quality.warnings)


def test_several_offsets_that_fit_are_a_warning_not_a_guess() -> None:
    times = np.arange(0.0, 6 * 3600.0, 10.0)
    run = training(3600.0 * 9, 3600.0 * 9 + 1800.0, clock="naive", tokens=TOKENS)
    found = audit(telemetry=[telemetry([constant(BUSY_W)], times)], training=[run])
    assert any("do not meet" in text for text in found.quality.warnings)
    assert found.windows.training is None or "telemetry" in found.windows.training.source


def test_two_nodes_add_up_and_one_node_in_two_files_does_not() -> None:
    times = np.arange(0.0, 3601.0)
    one = telemetry([constant(BUSY_W)] * 2, times, host="n01")
    two = telemetry([constant(BUSY_W)] * 2, times, host="n02", path="u.jsonl")
    copy = telemetry([constant(BUSY_W)] * 2, times, host="n01", path="copy.jsonl")
    found = audit(telemetry=[one, two, copy])
    assert found.hardware.nodes == 2
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(4 * 0.6)
    assert any("not counted twice" in text for text in found.quality.warnings)


@pytest.mark.parametrize("named_first", [True, False])
def test_boards_with_the_same_uuid_are_one_node_whoever_recorded_them(named_first: bool) -> None:
    """The recorder's file names the host, nvidia-smi's of the same node does not: the UUIDs tell."""
    times = np.arange(0.0, 3601.0)
    named = telemetry([constant(BUSY_W)] * 2, times if named_first else times + 5.0, host="n01")
    other = telemetry([constant(BUSY_W)] * 2, times + (5.0 if named_first else 0.0), host=None, path="smi.csv")
    other = replace(other, gpus=named.gpus)
    found = audit(telemetry=[named, other])
    assert found.hardware.nodes == 1
    assert found.hardware.gpu_count == 2
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(1.2, rel=0.01)


def test_consecutive_segments_of_one_node_are_one_recording() -> None:
    first = telemetry([constant(BUSY_W)], np.arange(0.0, 1801.0), host="n01")
    second = telemetry([constant(BUSY_W)], np.arange(1801.0, 3601.0), host="n01", path="t.1.jsonl")
    found = audit(telemetry=[second, first], training=[training(0.0, 3600.0, tokens=TOKENS)])
    assert (found.hardware.nodes, found.hardware.gpu_count) == (1, 1)
    assert j_per_token(found) == pytest.approx(BUSY_W * 3600.0 / TOKENS, rel=0.01)


def test_fewer_processes_than_recorded_boards_is_said() -> None:
    """Four of eight boards are another tenant's: nothing in the logs says which."""
    times = np.arange(0.0, 3601.0)
    log = telemetry([constant(BUSY_W)] * 8, times)
    found = audit(telemetry=[log], training=[training(0.0, 3600.0, world_size=4, tokens=TOKENS)], systems=[described()])
    assert any("holds 8 GPUs, the training log tells of 4" in text for text in found.quality.warnings)
    assert any("--own-gpus" in text for text in found.quality.warnings)


def test_slurms_equal_shares_are_not_taken_for_one_rack_channel() -> None:
    path = Path(__file__).parents[1] / "fixtures" / "sacct" / "parsable.txt"
    logs = ingest.read([str(path)])
    found = audit(meters=logs.meters)
    assert len(logs.meters) > 1
    assert not any("rack channel" in text for text in found.quality.warnings)
