"""torchtitan of all years and flame: phases, batch and number format."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]
Spans = Callable[[TrainingLog], list[tuple[str, str, float]]]
Write = Callable[[str, str], str]


def test_validation_begins_at_its_steps_line_or_after_the_checkpoint(run_of: Read, spans: Spans) -> None:
    log = run_of("torchtitan/phases.log")
    assert spans(log)[1:] == [
        ("checkpoint", "10:01:03", 3.5),  # staging: the rest is written in the background
        ("eval", "10:01:06", 8.0),
        ("eval", "10:01:54", 5.0),
        ("checkpoint", "10:02:39", 12.0),
    ]
    assert log.phases[0].name == "compile"


def test_a_validation_line_is_no_step(run_of: Read) -> None:
    log = run_of("torchtitan/phases.log")
    assert log.steps is not None and log.steps.step.tolist() == [1, 10, 20, 30]
    assert log.quality.warnings == ()


def test_a_validation_whose_step_is_not_logged_has_no_place(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "torchtitan/phases.log").read_text().replace("validate step: 20", "validate step: 15")
    assert [p.name for p in run_of(write("a.log", text)).phases] == ["compile", "checkpoint", "eval", "checkpoint"]


def test_tokens_a_step_and_the_trainers_summary_win_over_the_configuration(run_of: Read) -> None:
    log = run_of("torchtitan/phases.log")
    assert (log.tokens, log.global_batch_size, log.sequence_length) == (30 * 262144, 32, 8192)
    assert (log.precision, log.attention) == ("bf16", "flex")  # a section named float8 switches nothing on


@pytest.mark.parametrize(
    ("line", "precision"),
    [
        ("Float8 tensorwise scaled training active", "fp8"),
        ("Converted Linear layers to MXFP8Linear", "mxfp8"),
        ("Failed to swap to Float8Linear because float8 is only supported on SM89 or later", "bf16"),
    ],
)
def test_a_narrow_format_is_what_the_converter_says(
    run_of: Read, fixtures: Path, write: Write, line: str, precision: str
) -> None:
    text = (fixtures / "torchtitan/phases.log").read_text()
    first = "[rank0]:[titan] 2026-08-19 10:00:02,000 - root - INFO - "
    assert run_of(write("a.log", text.replace(first, first + line + "\n" + first, 1))).precision == precision


def test_flame_counts_steps_of_all_and_the_old_mesh_gives_the_devices(run_of: Read) -> None:
    log = run_of("torchtitan/flame.log")
    assert (log.first_step, log.last_step, log.world_size) == (638, 640, 16)
    assert (log.sequence_length, log.global_batch_size) == (4096, 64)  # not the model's longest sequence
    assert (log.layers, log.hidden_size, log.attention) == (16, 2048, "sdpa")
