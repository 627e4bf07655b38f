"""Recordings far apart are several runs, never one with a hole that is billed; nodes that start late are one run."""

import numpy as np
import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import StepSeries, TrainingLog
from model.runs import START, audit, constant, described, telemetry, training

TEN_MINUTES = np.arange(0.0, 601.0)
HOUR = 3600.0


@pytest.mark.parametrize("hosts", [("n01", "n02"), ("n01", "n01")])
def test_two_recordings_a_month_apart_are_refused_with_their_times(hosts: tuple[str, str]) -> None:
    logs = [
        telemetry([constant(500.0)], TEN_MINUTES + shift, host=host, path=f"{shift:.0f}.jsonl")
        for host, shift in zip(hosts, (0.0, 30 * 24 * HOUR), strict=True)
    ]
    with pytest.raises(EcoauditError) as error:
        audit(telemetry=logs)
    line = error.value.line()
    assert line.startswith("0.jsonl") and "audit them apart" in line
    assert "2025-11-24T16:10:00.000Z" in line and "2025-12-24T16:00:00.000Z" in line


def test_recordings_in_local_time_and_in_utc_are_asked_for_their_zone() -> None:
    logs = [
        telemetry([constant(500.0)], TEN_MINUTES, host="n1"),
        telemetry([constant(500.0)], TEN_MINUTES + 5 * HOUR, host="n2", clock="naive", log_format="nvidia_smi_csv"),
    ]
    with pytest.raises(EcoauditError) as error:
        audit(telemetry=logs)
    assert error.value.line().endswith("give --timezone")


def test_a_log_appended_to_on_two_days_is_refused() -> None:
    both = np.concatenate((TEN_MINUTES, TEN_MINUTES + 24 * HOUR))
    with pytest.raises(EcoauditError, match="several runs"):
        audit(telemetry=[telemetry([constant(300.0)], both, host=None, log_format="nvidia_smi_csv")])


def test_nodes_that_recorded_one_after_the_other_are_refused() -> None:
    ten_hours = np.arange(0.0, 10 * HOUR + 1, 60.0)
    logs = [telemetry([constant(500.0)], ten_hours + i * 11 * HOUR, host=f"n{i}") for i in range(2)]
    with pytest.raises(EcoauditError, match="several runs"):
        audit(telemetry=logs)


def test_nodes_that_start_late_are_one_run() -> None:
    whole, late = np.arange(0.0, 10 * HOUR + 1, 60.0), np.arange(9 * HOUR, 10 * HOUR + 1, 60.0)
    logs = [telemetry([constant(500.0)], whole if i == 0 else late, host=f"n{i}") for i in range(4)]
    found = audit(telemetry=logs)
    assert found.hardware.nodes == 4
    assert found.windows.job is not None and found.windows.job.duration_s == pytest.approx(10 * HOUR)


def test_a_restart_after_a_short_pause_is_one_run() -> None:
    logs = [telemetry([constant(500.0)], TEN_MINUTES + shift, path=f"{shift}") for shift in (0.0, 3000.0)]
    found = audit(telemetry=logs)
    assert found.windows.job is not None and found.windows.job.duration_s == pytest.approx(3600.0)


def test_a_log_with_a_sample_every_two_hours_is_one_run() -> None:
    found = audit(telemetry=[telemetry([constant(500.0)], np.arange(0.0, 48 * HOUR + 1, 2 * HOUR))])
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(500.0 * 48 / 1000)


def test_steps_of_two_days_without_a_recording_are_refused_and_a_pause_is_not() -> None:
    def log(hole_s: float) -> TrainingLog:
        times = START + np.concatenate((np.arange(0.0, 600.0, 10.0), np.arange(600.0, 1200.0, 10.0) + hole_s))
        lines, unknown = np.arange(1, times.size + 1), np.full(times.size, np.nan)
        steps = StepSeries(lines, times, unknown, unknown, unknown, unknown)
        return training(0.0, 1200.0 + hole_s, steps=steps, world_size=8)

    with pytest.raises(EcoauditError, match="the steps are of several runs: one ends at 2025-11-24T16:09:50"):
        audit(training=[log(24 * HOUR)], systems=[described()])
    assert audit(training=[log(1800.0)], systems=[described()]).windows.job is not None
