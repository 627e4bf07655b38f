"""DeepSpeed of all years: the old timer, batches that only a rate tells, checkpoints."""

from collections.abc import Callable
from pathlib import Path

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]
Spans = Callable[[TrainingLog], list[tuple[str, str, float]]]


def test_the_old_timer_counts_steps_behind_the_epoch(run_of: Read, spans: Spans) -> None:
    log = run_of("deepspeed/old.log")
    assert log.steps is not None and log.steps.step.tolist() == [10, 20, 30, 40]
    assert (log.samples, log.precision) == (40 * 64, "fp16")
    assert spans(log) == [("checkpoint", "10:00:21", 3.0)]


def test_micro_steps_are_not_taken_for_steps_of_the_batch(run_of: Read, fixtures: Path, tmp_path: Path) -> None:
    text = (fixtures / "deepspeed/old.log").read_text()
    path = tmp_path / "a.log"
    path.write_text(text.replace("gradient_accumulation_steps .. 1", "gradient_accumulation_steps .. 4"))
    log = run_of(str(path))
    assert log.samples == 10 * 64
    assert any("micro-steps" in w for w in log.quality.warnings)


def test_the_pipelines_rate_and_time_tell_the_batch(run_of: Read) -> None:
    log = run_of("deepspeed/pipeline.log")
    assert (log.global_batch_size, log.samples) == (1024, 3072)  # 6.805 samples/s x 150.471 s


def test_a_rate_that_leaves_several_batches_open_tells_none(run_of: Read, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("steps: 1 loss: 9.0 iter time (s): 900.471 samples/sec: 6.805\n")
    assert run_of(str(path)).global_batch_size is None


def test_a_checkpoint_ends_with_its_slowest_rank(run_of: Read, fixtures: Path, tmp_path: Path, spans: Spans) -> None:
    def line(clock: str, text: str) -> str:
        return f"[2023-08-15 07:22:{clock}] [INFO] [torch_checkpoint_engine.py:33:commit] [Torch] Checkpoint {text}\n"

    path = tmp_path / "a.log"
    begun, ready = "global_step30 is about to be saved!", "global_step30 is ready now!"
    saved = line("31,767", begun) + line("31,774", ready) + line("37,720", ready)
    path.write_text((fixtures / "deepspeed/timer.log").read_text() + saved)
    assert spans(run_of(str(path))) == [("checkpoint", "07:22:31", 5.953)]
