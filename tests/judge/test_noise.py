"""The noise band covers what it claims."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoaudit.judge import noise


def test_fewer_than_five_runs_give_no_band_of_their_own() -> None:
    assert noise.run_band_percent([1.0, 1.1, 0.9, 1.0]) is None


def test_the_band_covers_nine_in_ten_new_runs() -> None:
    """Runs with 2 % log-normal noise: a band from eight of them holds the next run about 90 % of the time."""
    rng = random.Random(7)
    inside, trials = 0, 2000
    for _ in range(trials):
        runs = [math.exp(rng.gauss(0.0, 0.02)) for _ in range(9)]
        band = noise.run_band_percent(runs[:8])
        assert band is not None
        centre = math.exp(sum(math.log(r) for r in runs[:8]) / 8)
        inside += abs(math.log(runs[8] / centre)) <= math.log1p(band / 100)
    assert 0.87 <= inside / trials <= 0.93


@pytest.mark.parametrize("count", [5, 10, 20])
def test_one_in_ten_identical_runs_is_called_changed(count: int) -> None:
    """A comparison is over one base run, which has noise of its own: the band of a difference, not of a run."""
    rng = random.Random(count)
    called, trials = 0, 4000
    for _ in range(trials):
        runs = [math.exp(rng.gauss(0.0, 0.02)) for _ in range(count + 1)]
        band = noise.difference_band_percent(runs[:count])
        assert band is not None
        called += abs(runs[count] / runs[0] - 1) * 100 > band
    assert 0.08 <= called / trials <= 0.12


def test_a_difference_of_two_runs_is_noisier_than_a_run_beside_the_centre() -> None:
    runs = [math.exp(0.02 * x) for x in (-1.2, -0.4, 0.1, 0.5, 1.0)]
    one, two = noise.run_band_percent(runs), noise.difference_band_percent(runs)
    assert one is not None
    assert two is not None
    assert math.asinh(two / 100) / math.asinh(one / 100) == pytest.approx(math.sqrt(2 / 1.2))


def test_one_broken_run_does_not_open_the_band() -> None:
    steady = [1.0, 1.01, 0.99, 1.005, 0.995, 1.002]
    clean, broken = noise.run_band_percent(steady), noise.run_band_percent([*steady, 9.0])
    assert clean is not None
    assert broken is not None
    assert broken < 2.5 * clean


@given(st.lists(st.floats(0.5, 2.0), min_size=5, max_size=30), st.floats(1e-3, 1e3))
def test_the_band_does_not_depend_on_the_unit(values: list[float], factor: float) -> None:
    one, other = noise.run_band_percent(values), noise.run_band_percent([v * factor for v in values])
    assert one is not None
    assert other == pytest.approx(one, rel=1e-6, abs=1e-9)


def test_student_quantiles_never_flatter() -> None:
    assert noise.student_t95(4) == 2.132
    assert noise.student_t95(20) == 1.725
    assert noise.student_t95(30) == 1.697
    assert noise.student_t95(500) == 1.697
    with pytest.raises(ValueError, match="degrees of freedom"):
        noise.student_t95(3)
