"""Energy by stretches of steps: they tile the training window, and restarts are told apart."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoaudit.ingest.records import StepSeries, TrainingLog
from ecoaudit.model.span import Span
from ecoaudit.model.steps import MOST, step_spans
from model.runs import START, audit, constant, telemetry, training

NAN = float("nan")


def series(step: Any, time_s: Any = NAN, duration_s: Any = NAN, tokens: Any = NAN) -> StepSeries:
    """Return a log's lines; a single number stands for all of them."""
    number = np.array(step, dtype=np.int64)

    def column(values: Any) -> Any:
        return np.broadcast_to(np.array(values, dtype=np.float64), number.shape).copy()

    return StepSeries(number, column(time_s), column(duration_s), column(tokens), column(NAN), column(NAN))


def test_the_energy_of_a_token_is_told_as_it_changes() -> None:
    """The second half draws half as much: so does each of its tokens."""
    times = np.arange(0.0, 1001.0)
    log = telemetry([lambda t: np.where(t < 500.0, 600.0, 300.0)], times)
    lines = np.arange(10, 1001, 10)
    steps = series(lines, START + lines.astype(float), tokens=lines * 1e3)
    found = audit(telemetry=[log], training=[training(0.0, 1000.0, steps=steps, tokens=1e6)])
    parts = found.energy.steps
    assert 2 <= len(parts) <= MOST
    per_token = [p.j_per_token.value for p in parts if p.j_per_token]
    assert per_token[0] == pytest.approx(0.6, rel=1e-3) and per_token[-1] == pytest.approx(0.3, rel=1e-3)
    assert sum(p.tokens or 0.0 for p in parts) == pytest.approx(1e6)
    assert found.energy.training
    assert sum(p.energy.value for p in parts) == pytest.approx(found.energy.training.value.value)


def test_durations_serve_where_a_log_has_no_clock() -> None:
    times = np.arange(0.0, 1001.0)
    log = telemetry([lambda t: np.where((t >= 200.0) & (t <= 800.0), 600.0, 70.0)], times)
    steps = series(np.arange(1, 61), duration_s=10.0, tokens=np.arange(1, 61) * 1e4)
    run = training(None, None, steps=steps, runtime_s=600.0, tokens=6e5)
    parts = audit(telemetry=[log], training=[run]).energy.steps
    assert parts[0].t_s == pytest.approx(200.0, abs=2.0)
    assert sum(p.duration_s for p in parts) == pytest.approx(600.0)
    assert all(p.j_per_token and p.j_per_token.value == pytest.approx(0.6, rel=0.02) for p in parts)


def test_repeated_steps_are_told_as_rework_without_tokens() -> None:
    lines = [10, 20, 30, 40, 30, 40, 50, 60]
    clock = START + np.array([100.0, 200.0, 300.0, 400.0, 600.0, 700.0, 800.0, 900.0])
    steps = series(lines, clock, tokens=np.array(lines) * 1e3)
    run = training(0.0, 900.0, steps=steps, tokens=6e4, rework_steps=20)
    found = audit(telemetry=[telemetry([constant(600.0)], np.arange(0.0, 1001.0))], training=[run])
    again = [p for p in found.energy.steps if p.rework]
    assert [(p.first_step, p.last_step) for p in again] == [(21, 30), (31, 40)]
    assert all(p.tokens is None and p.j_per_token is None for p in again)
    assert sum(p.tokens or 0.0 for p in found.energy.steps) == pytest.approx(6e4)
    assert sum(p.energy.value for p in again) == pytest.approx(600.0 * 300 / 3.6e6)


def test_the_steps_of_a_second_attempt_follow_those_of_the_first() -> None:
    def attempt(start: float, lines: list[int]) -> TrainingLog:
        clock = START + start + 10.0 * np.arange(1, len(lines) + 1)
        steps = series(lines, clock, tokens=np.array(lines) * 1e3)
        known = {"first_step": lines[0], "last_step": lines[-1], "step_count": 10 * len(lines)}
        return training(start, start + 10.0 * len(lines), steps=steps, tokens=1e4 * len(lines), **known)

    runs = [attempt(0.0, [10, 20, 30, 40]), attempt(500.0, [40, 50, 60])]
    found = audit(telemetry=[telemetry([constant(600.0)], np.arange(0.0, 601.0))], training=runs)
    assert {p.first_step for p in found.energy.steps if p.rework} == {31}
    assert (found.training.steps, found.training.rework_steps, found.training.tokens) == (60, 10, pytest.approx(6e4))
    assert found.energy.steps[0].t_s == 0.0 and found.energy.steps[-1].last_step == 60


def test_a_log_that_cannot_place_its_steps_gives_none() -> None:
    window = Span(START, START + 1000.0, "test")
    lines = np.arange(1, 101)
    assert step_spans(training(0.0, 1000.0, steps=series(lines)), window) == ()
    assert step_spans(training(0.0, 1000.0, steps=series(lines, duration_s=3.0)), window) == ()
    assert step_spans(training(0.0, 1000.0, steps=series([7], START + 7.0)), window) == ()


@given(
    steps=st.lists(st.integers(0, 500), min_size=2, max_size=200),
    gaps=st.lists(st.floats(0.0, 20.0), min_size=200, max_size=200),
)
def test_stretches_tile_the_window_in_order(steps: list[int], gaps: list[float]) -> None:
    times = START + np.cumsum(gaps[: len(steps)])
    window = Span(START, float(times[-1]) + 1e-3, "test")
    spans = step_spans(training(0.0, 1.0, steps=series(steps, times, tokens=np.array(steps) * 10.0)), window)
    for a, b in pairwise(spans):
        assert a.end_s == pytest.approx(b.start_s, abs=1e-6)
    for span in spans:
        assert span.end_s > span.start_s and (span.tokens is None or span.tokens > 0)
        assert not (span.rework and span.tokens)


def test_idle_time_around_the_run_is_told_apart_from_it() -> None:
    log = telemetry([lambda t: np.where((t >= 300.0) & (t <= 800.0), 600.0, 70.0)] * 8, np.arange(0.0, 1001.0))
    found = audit(telemetry=[log], training=[training(300.0, 800.0)])
    seconds = {p.name: p.duration_s for p in found.energy.phases}
    assert seconds == pytest.approx({"train": 500.0, "before training": 300.0, "after training": 200.0})
    assert found.energy.headline
    assert sum(p.energy.value for p in found.energy.phases) == pytest.approx(found.energy.headline.value.value)
