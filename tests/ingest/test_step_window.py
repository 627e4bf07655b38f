"""The training window begins where the first logged steps began: their tokens count, so their energy must too."""

from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import StepSeries, TrainingLog
from ecoaudit.ingest.training.steps import training_window

MEGATRON = (
    " [2026-02-06 20:{:02d}:{:02d}.000000] iteration {:8d}/    1000 | consumed samples: {:12d} |"
    " elapsed time per iteration (ms): 2000.0 | lm loss: 2.0E+00 |\n"
)
OLMO = (
    "[2026-02-06 20:{:02d}:{:02d}] INFO     [olmo.train:816, rank=0] [step={}/1000]\n"
    "    train/CrossEntropyLoss=2.00\n    throughput/total_tokens={:,}\n"
)


def read(path: Path, line: str, first: int) -> TrainingLog:
    """Return a log whose lines come every 20 s and stand for ten steps each."""
    path.write_text("".join(line.format(10 + i // 3, 20 * (i % 3), first + 10 * i, first + 10 * i) for i in range(6)))
    (log,) = ingest.read([str(path)], timezone="UTC").training
    return log


@pytest.mark.parametrize("line", [MEGATRON, OLMO], ids=["with durations", "with stamps only"])
@pytest.mark.parametrize("first", [10, 510])
def test_the_first_line_stands_for_all_its_steps(tmp_path: Path, first: int, line: str) -> None:
    """60 steps of 2 s: of a fresh run, and of one that resumed at step 500."""
    log = read(tmp_path / "train.log", line, first)
    assert log.train_start_s is not None and log.train_end_s is not None
    assert log.train_end_s - log.train_start_s == pytest.approx(120.0)
    assert (log.samples or log.tokens) == pytest.approx(60.0)


def test_a_log_with_the_newest_steps_first_is_read_from_its_end(tmp_path: Path) -> None:
    log = read(tmp_path / "train.log", MEGATRON, 10)
    lines = (tmp_path / "train.log").read_text().splitlines(keepends=True)
    (tmp_path / "newest.log").write_text("".join(reversed(lines)))
    (turned,) = ingest.read([str(tmp_path / "newest.log")], timezone="UTC").training
    assert (turned.first_step, turned.last_step, turned.rework_steps) == (10, 60, 0)
    assert (turned.train_start_s, turned.train_end_s) == (log.train_start_s, log.train_end_s)
    assert any("newest steps stand first" in text for text in turned.quality.warnings)


def test_training_does_not_begin_before_its_log() -> None:
    """A first interval that took longer than the others (compiling) is not stretched beyond the log's first line."""
    series = StepSeries(np.array([10, 20, 30]), np.array([50.0, 70.0, 90.0]), *(np.full(3, np.nan) for _ in range(4)))
    assert training_window(series, 10, None)["train_start_s"] == pytest.approx(30.0)
    assert training_window(series, 10, 42.0)["train_start_s"] == pytest.approx(42.0)
