"""OLMo and OLMo-core: evaluation, checkpoints, compilation, and steps without metrics."""

from collections.abc import Callable
from pathlib import Path

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]
Spans = Callable[[TrainingLog], list[tuple[str, str, float]]]


def test_olmo_evaluates_from_its_announcement_to_its_metrics(run_of: Read, spans: Spans) -> None:
    log = run_of("olmo/phases.log")
    assert spans(log) == [("checkpoint", "09:47:20", 15.0), ("eval", "09:47:36", 8.0)]
    assert log.steps is not None and log.steps.loss.tolist() == [11.25, 10.73, 10.2]


def test_olmos_configuration_gives_model_and_batch(run_of: Read) -> None:
    log = run_of("olmo/phases.log")
    assert (log.params, log.layers, log.hidden_size) == (1176764416, 16, 2048)
    assert (log.precision, log.attention, log.sequence_length) == ("bf16", "flash", 2048)
    assert (log.global_batch_size, log.samples, log.tokens) == (2048, 3 * 2048, 3 * 2048 * 2048)


def test_the_number_of_devices_leaves_phases_out_of_the_time(run_of: Read) -> None:
    assert run_of("olmo/phases.log").world_size == 8
    assert run_of("olmo/core_phases.log").world_size == 8


def test_olmo_core_evaluates_saves_and_compiles(run_of: Read, spans: Spans) -> None:
    log = run_of("olmo/core_phases.log")
    assert spans(log) == [("compile", "12:00:10", 40.0), ("checkpoint", "12:01:20", 10.0), ("eval", "12:01:31", 5.5)]


def test_a_checkpoint_in_the_background_is_no_phase(run_of: Read) -> None:
    log = run_of("olmo/core_phases.log")
    assert log.steps is not None and log.phases[-1].end_s < log.steps.time_s[-1]


def test_a_step_between_two_records_of_metrics_is_a_step(run_of: Read) -> None:
    log = run_of("olmo/core_phases.log")
    assert log.steps is not None and log.steps.step.tolist() == [1, 2, 3, 4]
    assert (log.quality.bad_lines, log.tokens) == (0, 16777216)


def test_the_lines_of_ranks_without_metrics_are_copies(run_of: Read, fixtures: Path, tmp_path: Path) -> None:
    text = (fixtures / "olmo/phases.log").read_text()
    for step, clock in ((1, "10"), (2, "20")):
        mine = f"[2024-04-17 09:47:{clock}] INFO     [olmo.train:816, rank=0] [step={step}/739328,epoch=0]\n"
        others = "".join(mine.replace("rank=0", f"rank={rank}") for rank in (1, 2))
        assert mine in text
        text = text.replace(mine, others + mine)
    path = tmp_path / "a.log"
    path.write_text(text)
    log = run_of(str(path))
    assert (log.quality.records, log.tokens, log.quality.bad_lines) == (3, 12582912, 0)
