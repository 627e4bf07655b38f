"""Steps, tokens and incidents that a recording carries itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ecoaudit.ingest.records import Event, StepSeries, Telemetry, TrainingLog
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


def logged(marks: Sequence[tuple[float, int, float | None]], late_s: float, **known: Any) -> TrainingLog:
    """Return the training log of the marked steps, its clock `late_s` behind, each line a little late."""
    step = np.array([n for _, n, _ in marks])
    times = START + np.array([t for t, _, _ in marks]) - late_s + 0.2 * (step % 3)
    unknown = np.full(step.size, np.nan)
    rows = StepSeries(step, times, unknown, unknown, unknown, unknown)
    begin = marks[0][0] - 10.0 - late_s
    return training(begin, marks[-1][0] - late_s, steps=rows, step_count=len(marks), tokens=6e4, **known)


MARKS = [(100.0 + 10.0 * i, i, None) for i in range(1, 61)]


@pytest.mark.parametrize("hours", [5.5, -9.0, 1.0])
def test_markers_tell_the_zone_of_a_local_log_where_power_tells_nothing(hours: float) -> None:
    found = audit(telemetry=[recording(MARKS)], training=[logged(MARKS, 3600.0 * hours, clock="naive")])
    assert found.windows.clock_offset_s == 3600.0 * hours
    assert found.windows.training and found.windows.training.duration_s == pytest.approx(600.0, abs=1.0)
    assert found.efficiency.j_per_token
    assert any("by the step markers in it" in text for text in found.quality.warnings)


def test_markers_tell_how_far_a_clock_is_off() -> None:
    found = audit(telemetry=[recording(MARKS)], training=[logged(MARKS, 90.0)])
    assert found.windows.clock_offset_s == pytest.approx(90.0, abs=0.5)


def test_clocks_that_agree_with_the_markers_are_not_moved_whatever_power_says() -> None:
    """Without the markers the log would be moved to where the GPUs worked for as long, five minutes later."""
    power = np.tile(np.where((T > 400.0) & (T <= 1000.0), 600.0, 70.0)[:, None], (1, 8))
    marked = replace(recording(MARKS), power_w=power)
    found = audit(telemetry=[marked], training=[logged(MARKS, 0.5)])
    assert found.windows.clock_offset_s == 0.0
    without = audit(telemetry=[replace(marked, events=())], training=[logged(MARKS, 0.5)])
    assert without.windows.clock_offset_s == pytest.approx(300.0, abs=2.0)


def test_markers_of_other_work_move_no_log() -> None:
    """The same step numbers at another pace, or of another day, are not the log's steps."""
    slower = [(100.0 + 15.0 * i, i, None) for i in range(1, 41)]
    for log in (logged(slower, 5 * 3600.0, clock="naive"), logged(MARKS, 86_400.0)):
        found = audit(telemetry=[recording(MARKS)], training=[log])
        assert not any("markers" in text for text in found.quality.warnings)


def test_what_went_wrong_while_recording_is_told() -> None:
    found = audit(telemetry=[recording([], Event(START + 5.0, "gpu_lost", 3), Event(START + 9.0, "gpu_lost", 4))])
    assert any("GPU stopped answering" in text and "2 times" in text for text in found.quality.warnings)
