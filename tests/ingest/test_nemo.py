"""NeMo's consoles and DLLogger's stream: the clock, phases, counts that are rounded."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]
Spans = Callable[[TrainingLog], list[tuple[str, str, float]]]


def test_a_checkpoint_tells_both_clocks_and_so_the_zone(fixtures: Path, spans: Spans) -> None:
    (log,) = ingest.read([str(fixtures / "nemo/clock.log")]).training
    assert spans(log) == [("checkpoint", "23:52:20", 23.107)]
    assert log.clock == "utc" and log.job_start_s is not None
    assert datetime.fromtimestamp(log.job_start_s, UTC).isoformat() == "2025-06-18T23:52:00+00:00"
    assert (log.step_count, log.samples, log.tokens) == (3, 12, 12 * 8192)


def test_a_launchers_stamps_give_steps_and_validation_a_clock(run_of: Read, spans: Spans) -> None:
    log = run_of("nemo/launcher.log")
    assert spans(log) == [("eval", "03:33:00", 5.0)]
    assert log.clock == "utc" and log.steps is not None and log.steps.time_s[1] - log.steps.time_s[0] == 9.0


def test_a_rounded_global_step_is_counted_by_the_bar(run_of: Read) -> None:
    log = run_of("nemo/nemo1_rounded.log")
    assert log.steps is not None and log.steps.step.tolist() == [1997, 1999, 2004]
    assert log.steps.samples.tolist() == [1998 * 256, 2000 * 256, 2005 * 256]  # 5.12e+5 has three digits
    assert log.steps.duration_s.tolist() == [2.0, 2.0, 2.0]  # by the bar's own clock


@pytest.mark.parametrize("bar", ["40/40 [00:31<00:00,  1.27it/s, v_num=,", "40it [00:31,  1.27it/s, v_num=1,"])
def test_bars_of_all_versions(run_of: Read, tmp_path: Path, bar: str) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"Epoch 0: : {bar} reduced_train_loss=10.90, global_step=39.00, consumed_samples=9984.0]\n")
    log = run_of(str(path))
    assert (log.quality.records, log.last_step, log.samples) == (1, 39, 9984)


def test_a_console_is_recognised_wherever_its_lines_stand(run_of: Read, fixtures: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text((fixtures / "nemo/clock.log").read_text() + "done\n" * 3)
    assert run_of(str(path)).quality.records == 3


def test_dllogger_gives_steps_their_clock_and_the_model(run_of: Read) -> None:
    log = run_of("dllogger/nemo.json")
    assert (log.clock, log.job_start_s, log.framework) == ("utc", 1727463369.75, "NVIDIA NeMo")
    assert log.steps is not None and log.steps.duration_s.tolist() == [38.5, 8.0, 8.0, 8.0]  # not the running mean
    assert (log.train_start_s, log.train_end_s) == (1727463440.25 - 38.5, 1727463464.25)
    assert (log.precision, log.attention, log.layers, log.hidden_size) == ("bf16", "flash", 32, 4096)


def test_dllogger_steps_of_an_epoch_run_on(run_of: Read) -> None:
    log = run_of("dllogger/epochs.json")
    assert log.steps is not None and log.steps.step.tolist() == [0, 10, 20, 30, 40, 50]
    assert (log.throughput_samples_per_s, log.world_size) == (2500.0, 8)


def test_dllogger_steps_that_run_on_by_themselves_stay(run_of: Read, tmp_path: Path) -> None:
    def row(t: int, epoch: int, step: int) -> str:
        told = {"timestamp": f"{1.6e9 + t}", "elapsedtime": f"{t}", "type": "LOG", "step": [epoch, step]}
        return "DLLL " + json.dumps({**told, "data": {"step_loss": 7.0}})

    path = tmp_path / "a.json"
    path.write_text("\n".join([row(1, 0, 10), row(2, 0, 20), row(3, 1, 30), row(4, 1, 40)]))
    log = run_of(str(path))
    assert log.steps is not None and log.steps.step.tolist() == [10, 20, 30, 40]
