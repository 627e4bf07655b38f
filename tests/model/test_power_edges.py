"""Clocks brought together by the edges of power: a move is made only where both edges tell the same one."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.ingest.records import Source
from ecoaudit.model.audit import Audit
from ecoaudit.model.placing import told
from model.runs import START, Signal, audit, constant, telemetry, training

BUSY_W, IDLE_W = 600.0, 70.0
TOKENS = 6e6
HOUR = 3600.0


def busy(*spans: tuple[float, float]) -> Signal:
    """Return a signal of 600 W inside the spans and 70 W outside, with the ripple of real steps."""

    def signal(t):  # type: ignore[no-untyped-def]
        on = np.zeros(t.shape, dtype=bool)
        for start, end in spans:
            on |= (t >= start) & (t <= end)
        return np.where(on, BUSY_W + 40.0 * np.sin(1.7 * t), IDLE_W)

    return signal


def offset(found: Audit) -> float | None:
    return found.windows.clock_offset_s


def energy_per_token(found: Audit) -> float:
    assert found.efficiency.j_per_token is not None
    return found.efficiency.j_per_token.value


def warned(found: Audit, text: str) -> bool:
    return any(text in warning for warning in found.quality.warnings)


@pytest.mark.parametrize("step_s", [1.0, 5.0, 15.0])
@pytest.mark.parametrize("skew_s", [-240.0, 97.0, 600.0])
def test_a_clock_that_is_wrong_is_moved_by_what_both_edges_tell(skew_s: float, step_s: float) -> None:
    times = np.arange(0.0, 3601.0, step_s)
    log = telemetry([busy((900.0, 2700.0))], times, log_format="dcgm")
    found = audit(telemetry=[log], training=[training(900.0 - skew_s, 2700.0 - skew_s, tokens=TOKENS)])
    assert offset(found) == pytest.approx(skew_s, abs=step_s)
    assert energy_per_token(found) == pytest.approx(BUSY_W * 1800.0 / TOKENS, rel=0.01)
    assert warned(found, f"is moved by {told(skew_s)[:2]}")


def test_clocks_that_agree_are_left_alone() -> None:
    """Two seconds are what logging and a meter's mean take, not a skew."""
    log = telemetry([busy((300.0, 2100.0))], np.arange(0.0, 2401.0))
    found = audit(telemetry=[log], training=[training(302.0, 2102.0, tokens=TOKENS)])
    assert offset(found) == 0.0
    assert not warned(found, "clock")


def test_work_before_or_after_the_steps_is_no_skew() -> None:
    """Compiling before the first step, saving after the last: the edges disagree, the log's times hold."""
    log = telemetry([busy((100.0, 2100.0))], np.arange(0.0, 2401.0))
    found = audit(telemetry=[log], training=[training(300.0, 2000.0, tokens=TOKENS)])
    assert offset(found) == 0.0
    assert found.windows.training and found.windows.training.duration_s == pytest.approx(1700.0)


def test_pauses_inside_the_run_do_not_hide_its_edges() -> None:
    spans = [(300.0 + 500.0 * i, 760.0 + 500.0 * i) for i in range(4)]
    log = telemetry([busy(*spans)], np.arange(0.0, 3001.0))
    found = audit(telemetry=[log], training=[training(300.0 - 120.0, 2260.0 - 120.0, tokens=TOKENS)])
    assert offset(found) == pytest.approx(120.0, abs=1.0)


def test_two_runs_of_that_length_are_ambiguous_and_nothing_is_moved() -> None:
    log = telemetry([busy((300.0, 800.0), (1400.0, 1900.0))], np.arange(0.0, 2401.0))
    found = audit(telemetry=[log], training=[training(850.0, 1350.0, tokens=TOKENS)])
    assert offset(found) == 0.0
    assert warned(found, "which is not known")


@pytest.mark.parametrize("zone_h", [-8.0, 5.5])
@pytest.mark.parametrize("skew_s", [0.0, 17.0])
def test_the_edges_tell_which_of_many_zones_a_local_clock_is_in(zone_h: float, skew_s: float) -> None:
    """A day of telemetry: nearly every zone fits by time alone."""
    start, end = 10.2 * HOUR, 12.0 * HOUR
    log = telemetry([busy((start, end))], np.arange(0.0, 24 * HOUR, 5.0))
    move = zone_h * HOUR + skew_s
    found = audit(telemetry=[log], training=[training(start - move, end - move, clock="naive", tokens=TOKENS)])
    assert offset(found) == pytest.approx(move, abs=3.0 if skew_s else 0.0)
    assert energy_per_token(found) == pytest.approx(BUSY_W * (end - start) / TOKENS, rel=0.01)
    assert warned(found, told(zone_h * HOUR))


def test_a_local_clock_on_a_day_of_steady_power_is_ambiguous_and_the_zones_are_named() -> None:
    log = telemetry([constant(BUSY_W)], np.arange(0.0, 24 * HOUR, 10.0))
    found = audit(telemetry=[log], training=[training(30 * HOUR, 31 * HOUR, clock="naive", tokens=TOKENS)])
    assert offset(found) is None
    assert warned(found, "give --timezone to tell which")


def test_a_log_of_another_day_is_not_forced_onto_a_run_of_the_same_length() -> None:
    log = telemetry([busy((300.0, 2100.0))], np.arange(0.0, 2401.0))
    found = audit(telemetry=[log], training=[training(300.0 + 24 * HOUR, 2100.0 + 24 * HOUR, tokens=TOKENS)])
    assert offset(found) is None
    assert warned(found, "do not meet")


def test_of_two_runs_the_one_at_whose_end_a_clockless_log_was_written_is_taken() -> None:
    log = telemetry([busy((300.0, 1300.0), (2000.0, 3000.0))], np.arange(0.0, 3601.0))
    state = training(None, None, runtime_s=1000.0, tokens=TOKENS)
    for end in (1300.0, 3000.0):
        written = replace(state, source=Source("trainer_state.json", "hf_state", modified_s=START + end + 4.0))
        found = audit(telemetry=[log], training=[written])
        assert found.windows.training and found.windows.training.source.endswith("last written")
        assert found.timeline and not warned(found, "as much elsewhere")
        assert found.energy.training is not None
    copied = replace(state, source=Source("trainer_state.json", "hf_state", modified_s=START + 9 * HOUR))
    assert warned(audit(telemetry=[log], training=[copied]), "as much elsewhere")


def test_a_log_with_neither_clock_nor_duration_is_placed_on_the_one_stretch_of_work() -> None:
    log = telemetry([busy((1200.0, 3000.0))], np.arange(0.0, 3601.0))
    found = audit(telemetry=[log], training=[training(None, None, tokens=TOKENS)])
    assert energy_per_token(found) == pytest.approx(BUSY_W * 1800.0 / TOKENS, rel=0.01)
    twice = telemetry([busy((300.0, 1300.0), (2000.0, 3000.0))], np.arange(0.0, 3601.0))
    found = audit(telemetry=[twice], training=[training(None, None, tokens=TOKENS)])
    assert found.windows.training and found.windows.training.duration_s == pytest.approx(3600.0)
    assert warned(found, "idle for 300 s at its start")


def test_compiling_at_full_power_leaves_a_doubt_about_the_place_that_is_told() -> None:
    log = telemetry([busy((600.0, 2700.0))], np.arange(0.0, 3601.0))
    found = audit(telemetry=[log], training=[training(None, None, runtime_s=1800.0, tokens=TOKENS)])
    (text,) = (t for t in found.quality.warnings if "has no clock" in t)
    assert 150 <= float(text.split("give or take ")[1].split(" s")[0]) <= 320
    tight = telemetry([busy((600.0, 2400.0))], np.arange(0.0, 3601.0))
    found = audit(telemetry=[tight], training=[training(None, None, runtime_s=1800.0, tokens=TOKENS)])
    assert not warned(found, "give or take")


def test_a_pause_at_the_end_is_not_taken_for_the_end() -> None:
    """Compiling as long as the last evaluation: the stretch up to that pause is as long as the run, by chance."""
    log = telemetry([busy((500.0, 2200.0), (2320.0, 2350.0))], np.arange(0.0, 3601.0))
    found = audit(telemetry=[log], training=[training(650.0, 2350.0, tokens=TOKENS)])
    assert offset(found) == 0.0


def test_clocks_that_disagree_without_an_answer_are_a_warning() -> None:
    """Worked 200 s longer than the log tells, and 600 s earlier: no one move is right."""
    log = telemetry([busy((500.0, 2500.0))], np.arange(0.0, 4001.0))
    found = audit(telemetry=[log], training=[training(1300.0, 3100.0, tokens=TOKENS)])
    assert offset(found) == 0.0
    assert warned(found, "one of the clocks may be wrong")


@pytest.mark.parametrize(
    ("move_s", "text"),
    [
        (18_000.0, "+5 h"),
        (-5400.0, "-1.5 h"),
        (18_017.0, "+5 h and 17 s"),
        (17_940.0, "+5 h less 60 s"),
        (-37.0, "-37 s"),
    ],
)
def test_a_move_is_told_as_people_say_it(move_s: float, text: str) -> None:
    assert told(move_s) == text
