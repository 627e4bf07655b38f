"""Steps, tokens and incidents that a recording carries itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ecoaudit.ingest.records import Event, StepSeries, Telemetry
from model.runs import START, audit, constant, telemetry, training

T = np.arange(0.0, 1001.0)


def recording(marks: Sequence[tuple[float, int, float | None]], *others: Event) -> Telemetry:
    """Return an hour's recording with step markers `(time, step, running total of tokens)`."""
    attributes: list[dict[str, Any]] = [{} if tokens is None else {"tokens": tokens} for _, _, tokens in marks]
    events = [Event(START + t, "step", n, a) for (t, n, _), a in zip(marks, attributes, strict=True)]
    return replace(telemetry([constant(600.0)] * 8, T), events=(*events, *others))


def test_step_markers_alone_give_window_steps_and_tokens() -> None:
    marks = [(100.0 + 10.0 * i, i, 1000.0 * i) for i in range(1, 61)]
    found = audit(telemetry=[recording(marks)])
    assert (found.training.steps, found.training.tokens) == (60, 60_000.0)
    assert found.windows.training and found.windows.training.duration_s == pytest.approx(600.0)
    assert found.efficiency.j_per_token
    assert found.efficiency.j_per_token.value == pytest.approx((1900 + 1.12 * 4800) * 600 / 60_000)


def test_markers_every_tenth_step_stand_for_ten() -> None:
    marks = [(100.0 + 10.0 * i, i, 1000.0 * i) for i in range(10, 61, 10)]
    found = audit(telemetry=[recording(marks)])
    assert (found.training.steps, found.training.tokens) == (60, 60_000.0)
    assert found.windows.training and found.windows.training.duration_s == pytest.approx(600.0)
    assert [p.first_step for p in found.energy.steps] == [1, 11, 21, 31, 41, 51]
    assert all(p.tokens == pytest.approx(10_000.0) for p in found.energy.steps)


def test_steps_after_a_restart_count_once_and_the_rest_is_rework() -> None:
    first = [(10.0 * i, i, 1000.0 * i) for i in range(1, 41)]
    second = [(450.0 + 10.0 * i, 30 + i, 1000.0 * i) for i in range(1, 31)]  # resumes at step 31, counts from 0 again
    found = audit(telemetry=[recording([*first, *second])])
    assert found.training.steps == 60
    assert (found.training.rework_steps, found.training.rework_tokens) == (10, pytest.approx(10_000.0))
    assert found.training.tokens == pytest.approx(60_000.0)
    assert "rework" in {finding.id for finding in found.findings}


def test_markers_place_a_log_that_has_no_clock() -> None:
    marks = [(100.0 + 10.0 * i, i, None) for i in range(1, 61)]
    found = audit(telemetry=[recording(marks)], training=[training(None, None, tokens=6e6, runtime_s=600.0)])
    assert found.windows.training and found.windows.training.duration_s == pytest.approx(600.0)
    assert found.training.tokens == 6e6
    assert not any("has no clock" in text for text in found.quality.warnings)


def test_markers_place_the_steps_of_a_log_that_has_no_clock() -> None:
    """Such a log need not know of rework either: one that is written anew with each checkpoint has none."""
    first = [(10.0 * i, i, 1000.0 * i) for i in range(1, 41)]
    second = [(450.0 + 10.0 * i, 30 + i, 1000.0 * i) for i in range(1, 31)]
    unknown = np.full(6, np.nan)
    loss = np.full(6, 2.5)
    rows = StepSeries(np.arange(10, 61, 10), unknown, unknown, unknown, unknown, loss)
    log = training(None, None, steps=rows, step_count=60, tokens=6e4, rework_steps=0)
    found = audit(telemetry=[recording([*first, *second])], training=[log])
    assert (found.training.steps, found.training.rework_steps) == (60, 10)
    assert found.training.rework_tokens == pytest.approx(10_000.0)
    assert found.energy.steps[-1].last_step == 60
    assert sum(part.duration_s for part in found.energy.steps) == pytest.approx(750.0)


def test_what_went_wrong_while_recording_is_told() -> None:
    found = audit(telemetry=[recording([], Event(START + 5.0, "gpu_lost", 3), Event(START + 9.0, "gpu_lost", 4))])
    assert any("GPU stopped answering" in text and "2 times" in text for text in found.quality.warnings)
