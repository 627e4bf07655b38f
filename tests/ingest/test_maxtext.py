"""MaxText of all years: fields that come and go, a program that runs ahead of its devices, the configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]


def test_the_configuration_gives_model_batch_and_kernels(run_of: Read) -> None:
    log = run_of("maxtext/config.log")
    assert (log.layers, log.hidden_size, log.sequence_length, log.global_batch_size) == (80, 8192, 2048, 64)
    assert (log.precision, log.attention, log.world_size) == ("bf16", "cudnn_flash_te", 8)


def test_steps_without_weights_count_the_batch_and_profiled_steps_count(run_of: Read) -> None:
    log = run_of("maxtext/config.log")
    assert log.steps is not None and log.steps.step.tolist() == [0, 1, 2, 3]
    assert (log.tokens, log.samples, log.quality.bad_lines) == (4 * 64 * 2048, 256, 0)


def test_rates_are_means_over_time_because_a_dispatched_step_takes_no_time(run_of: Read) -> None:
    assert run_of("maxtext/config.log").tflops_per_gpu == pytest.approx((240000 * 0.002 + 240.24 * 1.998) / 2.0)


@pytest.mark.parametrize(
    "line",
    [
        "completed step: 7, seconds: 8.693, TFLOP/s: 1.731, loss: 9.206",
        "completed step: 7, seconds: 3.033, TFLOP/s/device: 340.650, loss: 1.989",
        "[Rampup Batch Size Phase], completed step: 7, seconds: 1.2, total_weights: 1024, loss: 9.2, lm_loss: 9.2",
    ],
)
def test_lines_of_all_years_are_steps(run_of: Read, tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.log"
    path.write_text(line + "\n")
    log = run_of(str(path))
    assert (log.quality.records, log.quality.bad_lines, log.last_step) == (1, 0, 7)


def test_a_collectors_stamps_are_the_clock(run_of: Read, fixtures: Path, tmp_path: Path) -> None:
    lines = (fixtures / "maxtext/run.log").read_text().splitlines()
    path = tmp_path / "a.log"
    path.write_text("\n".join(f"2025-03-21T12:00:{i:02d}.5000001Z {line}" for i, line in enumerate(lines)))
    log = run_of(str(path))
    assert log.clock == "utc" and log.steps is not None
    assert (log.steps.time_s - log.steps.time_s[0]).tolist() == [0.0, 1.0, 2.0, 3.0]
