"""nanotron since 2025: a batch in tokens, the configuration, and a checkpoint that tells only its begin."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]
Spans = Callable[[TrainingLog], list[tuple[str, str, float]]]


def test_a_checkpoint_lasts_until_the_next_iteration_begins(run_of: Read, spans: Spans) -> None:
    assert spans(run_of("nanotron/tokens.log")) == [("checkpoint", "08:00:30", 15.0)]  # the last one has no end


def test_the_batch_of_an_iteration_line_is_not_taken_for_samples(run_of: Read) -> None:
    log = run_of("nanotron/tokens.log")
    assert (log.global_batch_size, log.samples, log.tokens) == (512, 2048, 4 * 512 * 2048)


def test_without_the_start_line_tokens_are_the_printed_ones(run_of: Read, fixtures: Path, tmp_path: Path) -> None:
    lines = (fixtures / "nanotron/tokens.log").read_text().splitlines()
    path = tmp_path / "a.log"
    path.write_text("\n".join(line for line in lines if "grad_accum" not in line))
    log = run_of(str(path))
    assert (log.tokens, log.global_batch_size) == (pytest.approx(4.19e6), None)
    assert any("three digits" in w for w in log.quality.warnings)


def test_the_configuration_gives_devices_model_and_kernels(run_of: Read) -> None:
    log = run_of("nanotron/tokens.log")
    assert (log.world_size, log.layers, log.hidden_size) == (8, 24, 2048)
    assert (log.precision, log.attention, log.params) == ("bf16", "flash_attention_2", 1.71e9)
