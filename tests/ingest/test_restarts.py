"""A log of two attempts: the energy of both passes, each token once, the steps that were trained again named."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]

# The fixture, what begins the last logged step's record, and the steps of an interval.
LOGS = [
    ("megatron/stamped.log", r" \[2026-02-06 20:01:48\.000000\] iteration", 20),
    ("megatron/neox_clock.log", r"\[2022-01-18 10:00:50,100\]", 20),
    ("torchtitan/phases.log", r"\[rank0\].*step: 20  loss", 20),
    ("olmo/phases.log", r"\[2024-04-17 09:47:20\].*step=2/", 2),
    ("olmo/core_phases.log", r"2025-06-01 12:01:10", 3),
    ("nanotron/tokens.log", r".*iteration: 3 /", 2),
    ("maxtext/config.log", r"I0317 10:00:14", 2),
    ("nemo/clock.log", r"Training epoch 0, iteration 1/", 2),
    ("dllogger/nemo.json", r'.*"step": 2, "data"', 2),
    ("deepspeed/timer.log", r".*global_step=20", 20),
]


@pytest.mark.parametrize(("name", "again", "steps"), LOGS)
def test_a_second_attempt_from_a_checkpoint(
    run_of: Read, fixtures: Path, tmp_path: Path, name: str, again: str, steps: int
) -> None:
    text = (fixtures / name).read_text()
    tail = re.search(f"^{again}", text, re.MULTILINE)
    assert tail is not None
    path = tmp_path / Path(name).name
    path.write_text(text.rstrip("\n") + "\n" + text[tail.start() :])
    once, twice = run_of(name), run_of(str(path))
    assert twice.rework_steps == steps
    assert (twice.step_count, twice.tokens, twice.samples) == (once.step_count, once.tokens, once.samples)
    assert any(f"{steps} steps were trained again" in w for w in twice.quality.warnings)
    if once.runtime_s is not None and twice.runtime_s is not None:
        assert twice.runtime_s > once.runtime_s  # the time, and so the energy, of both passes
    if once.tokens:
        assert twice.rework_tokens == pytest.approx(once.tokens * steps / (once.step_count or 0), rel=0.1)
