"""Energy of one device against truth that is known exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.accumulate import reduce_samples
from ecoaudit.model.integrate import DeviceEnergy, integrate
from ecoaudit.model.intervals import split, trapezoid_j


def energy(
    times: FloatArray,
    power: FloatArray | None,
    counter: FloatArray | None = None,
    edges: FloatArray | None = None,
    ceiling_w: float | None = None,
) -> DeviceEnergy:
    cuts = np.array([times[0], times[-1]]) if edges is None else edges
    focus = float(cuts[0]), float(cuts[-1])
    part = reduce_samples(times, power, counter, None, cuts, focus, ceiling_w)
    assert part is not None
    return integrate(part, cuts, focus, ceiling_w)


def test_a_ramp_is_exact() -> None:
    t = np.arange(0.0, 101.0)
    assert energy(t, 100.0 + 5.0 * t).read_j.sum() == pytest.approx(100 * 100 + 2.5 * 100**2, rel=1e-12)


def test_a_sinusoid_converges_to_its_integral() -> None:
    t = np.arange(0.0, 600.01, 0.1)
    found = energy(t, 500.0 + 100.0 * np.sin(2 * np.pi * t / 60.0)).read_j.sum()
    assert found == pytest.approx(500.0 * 600.0, rel=1e-9)


def test_a_step_is_off_by_at_most_half_an_interval() -> None:
    t = np.arange(0.0, 101.0)
    found = energy(t, np.where(t < 50.0, 100.0, 700.0)).read_j.sum()
    assert found == pytest.approx(100 * 50 + 700 * 50, abs=0.5 * 600)


def test_edges_split_exactly_inside_an_interval() -> None:
    t = np.arange(0.0, 101.0)
    edges = np.array([0.0, 33.3, 33.4, 77.77, 100.0])
    found = energy(t, 100.0 + 5.0 * t, edges=edges).read_j
    exact = 100.0 * np.diff(edges) + 2.5 * np.diff(edges**2)
    assert found == pytest.approx(exact, rel=1e-9)


def test_the_counter_decides_where_there_is_one() -> None:
    t = np.arange(0.0, 101.0)
    read = energy(t, np.full_like(t, 400.0), 1e6 + 500.0 * t)
    assert read.read_j.sum() == pytest.approx(500.0 * 100)
    assert read.compared_percent == pytest.approx(-20.0)
    assert read.counter_share == pytest.approx(1.0)


def test_missed_ticks_lose_nothing_with_a_counter() -> None:
    t = np.delete(np.arange(0.0, 1001.0), [*range(100, 102), *range(500, 590)])
    truth = np.cumsum(np.full(1001, 650.0))
    read = energy(t, np.full_like(t, 650.0), truth[t.astype(int)])
    assert read.read_j.sum() == pytest.approx(650.0 * 1000, rel=1e-12)
    assert [(g.end_s - g.start_s, g.filled_by) for g in read.gaps] == [(91.0, "counter")]
    assert read.filled_s.sum() == 0


def test_a_gap_without_a_counter_is_handed_on_to_be_filled() -> None:
    t = np.delete(np.arange(0.0, 1001.0), range(500, 590))
    read = energy(t, np.full_like(t, 650.0))
    assert read.filled_s.sum() == pytest.approx(91.0)
    assert read.read_s.sum() == pytest.approx(909.0)
    assert read.mean_power_w() == pytest.approx(650.0)


def test_three_median_intervals_are_not_yet_a_gap() -> None:
    t = np.delete(np.arange(0.0, 1001.0), [500, 501])
    assert energy(t, np.full_like(t, 650.0)).gaps == ()
    assert len(energy(np.delete(t, 500), np.full(998, 650.0)).gaps) == 1


def test_a_counter_reset_is_bridged_by_power() -> None:
    t = np.arange(0.0, 201.0)
    counter = 5e6 + 600.0 * t
    counter[120:] = 600.0 * (t[120:] - 120.0)  # the driver was reloaded
    read = energy(t, np.full_like(t, 600.0), counter)
    assert read.read_j.sum() == pytest.approx(600.0 * 200, rel=1e-12)
    assert read.resets == 1


def test_a_glitch_backwards_and_up_again_counts_once() -> None:
    t = np.arange(0.0, 201.0)
    counter = 5e6 + 600.0 * t
    counter[120] -= 5000.0
    read = energy(t, np.full_like(t, 600.0), counter)
    assert read.read_j.sum() == pytest.approx(600.0 * 200, rel=1e-12)


@pytest.mark.parametrize("seconds", [50, 1000])
def test_a_counter_that_jumps_beyond_what_a_board_can_draw_is_not_believed(seconds: int) -> None:
    t = np.arange(0.0, seconds + 1.0)
    counter = 600.0 * t
    counter[30:] += 1e9
    read = energy(t, np.full_like(t, 600.0), counter, ceiling_w=1050.0)
    assert read.read_j.sum() == pytest.approx(600.0 * seconds)


def test_a_reset_without_power_is_a_gap_not_a_negative_energy() -> None:
    t = np.arange(0.0, 201.0)
    counter = 5e6 + 600.0 * t
    counter[120:] = 600.0 * (t[120:] - 120.0)
    read = energy(t, None, counter)
    assert read.read_j.sum() == pytest.approx(600.0 * 198)
    assert read.filled_s.sum() == pytest.approx(2.0)


def test_unsupported_readings_are_no_zeros() -> None:
    t = np.arange(0.0, 101.0)
    power = np.full_like(t, 300.0)
    power[40:42] = np.nan
    assert energy(t, power).read_j.sum() == pytest.approx(300.0 * 100)


def test_a_late_start_within_a_tick_is_held_and_a_longer_one_is_a_gap() -> None:
    t = np.arange(1.0, 101.0)
    soon = energy(t, np.full_like(t, 300.0), edges=np.array([0.0, 100.0]))
    assert soon.read_j.sum() == pytest.approx(300.0 * 100)
    late = energy(t, np.full_like(t, 300.0), edges=np.array([-50.0, 100.0]))
    assert late.filled_s.sum() == pytest.approx(51.0)


def test_repeated_stamps_add_nothing() -> None:
    t = np.repeat(np.arange(0.0, 101.0), 2)
    assert energy(t, np.full_like(t, 300.0)).read_j.sum() == pytest.approx(300.0 * 100)


@st.composite
def traces(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    count = draw(st.integers(5, 150))
    steps = draw(st.lists(st.floats(0.05, 8.0), min_size=count, max_size=count))
    power = draw(st.lists(st.floats(0.0, 1000.0), min_size=count + 1, max_size=count + 1))
    return np.concatenate(([0.0], np.cumsum(steps))), np.array(power)


@settings(max_examples=60, deadline=None)
@given(traces(), st.lists(st.floats(0.0, 1.0), max_size=6), st.floats(0.1, 10.0))
def test_parts_add_up_scale_and_are_never_negative(
    trace: tuple[FloatArray, FloatArray], cuts: list[float], scale: float
) -> None:
    t, p = trace
    edges = np.unique(np.concatenate(([0.0, t[-1]], np.array(cuts) * t[-1])))
    whole, parts = energy(t, p), energy(t, p, edges=edges)
    assert parts.read_j.sum() == pytest.approx(whole.read_j.sum(), rel=1e-9, abs=1e-6)
    assert (parts.read_j >= -1e-6).all()
    assert (parts.read_s.sum() + parts.filled_s.sum()) == pytest.approx(float(t[-1]), rel=1e-9)
    scaled = energy(t, scale * p)
    assert scaled.read_j.sum() == pytest.approx(scale * whole.read_j.sum(), rel=1e-9, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(traces(), st.floats(0.0, 500.0))
def test_more_power_is_more_energy(trace: tuple[FloatArray, FloatArray], more: float) -> None:
    t, p = trace
    assert energy(t, p + more).read_j.sum() >= energy(t, p).read_j.sum() - 1e-6


@settings(max_examples=60, deadline=None)
@given(traces(), st.lists(st.floats(-0.2, 1.2), min_size=2, max_size=8, unique=True))
def test_splitting_agrees_with_a_fine_sum(trace: tuple[FloatArray, FloatArray], cuts: list[float]) -> None:
    t, p = trace
    edges = np.sort(np.array(cuts)) * t[-1]
    found = split(edges, t[:-1], t[1:], trapezoid_j(t[:-1], t[1:], p[:-1], p[1:]), p[:-1], p[1:])
    for low, high, part in zip(edges, edges[1:], found, strict=False):
        inside = np.unique(np.concatenate(([low, high], t[(t > low) & (t < high)])).clip(t[0], t[-1]))
        values = np.interp(inside, t, p)
        assert part == pytest.approx(
            float(trapezoid_j(inside[:-1], inside[1:], values[:-1], values[1:]).sum()), abs=1e-6
        )
