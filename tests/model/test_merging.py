"""A log reduced file by file is the log reduced whole, wherever it is cut."""

from dataclasses import fields
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model.accumulate import reduce_samples
from ecoaudit.model.integrate import DeviceEnergy, integrate
from ecoaudit.model.reduce import Partial, merge

EDGES = np.array([0.0, 100.5, 333.0, 700.0, 999.0])
FOCUS = (50.0, 900.0)


def day() -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return a trace with jitter, missed ticks, a long gap, a reset, a glitch, missing power and repeated stamps."""
    rng = np.random.default_rng(1)
    t = np.arange(0.0, 1000.0) + rng.uniform(-0.002, 0.002, 1000)
    t[0], t[400] = 0.0, t[399]
    power = 500.0 + 100.0 * np.sin(t / 20.0) + rng.normal(0, 5, t.size)
    counter = 7e6 + np.concatenate(([0.0], np.cumsum(np.diff(t) * power[1:])))
    counter[620:] -= counter[620]
    counter[810] -= 9000.0
    power[210:213] = np.nan
    counter[205:216] = np.nan
    keep = np.delete(np.arange(1000), [*range(300, 340), 500, 501])
    util = rng.uniform(50, 100, 1000)
    util[700] = np.nan
    return t[keep], power[keep], counter[keep], util[keep]


def parts(cuts: list[int], with_counter: bool) -> list[Partial]:
    t, p, e, u = day()
    marks = sorted({0, *cuts, t.size})
    found = [
        reduce_samples(t[a:b], p[a:b], e[a:b] if with_counter else None, u[a:b], EDGES, FOCUS)
        for a, b in pairwise(marks)
    ]
    return [part for part in found if part is not None]


def same(a: DeviceEnergy, b: DeviceEnergy) -> None:
    for field in fields(DeviceEnergy):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if field.name == "gaps":
            assert [(g.start_s, g.end_s, g.filled_by) for g in x] == [(g.start_s, g.end_s, g.filled_by) for g in y]
        elif x is None or field.name in {"samples", "expected_samples", "resets"}:
            assert x == y, field.name
        else:
            assert x == pytest.approx(y, rel=1e-9, abs=1e-6, nan_ok=True), field.name


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 957), max_size=6), st.booleans())
def test_files_may_be_cut_anywhere(cuts: list[int], with_counter: bool) -> None:
    whole = parts([], with_counter)[0]
    pieces = reduce(merge, parts(cuts, with_counter))
    same(integrate(pieces, EDGES, FOCUS), integrate(whole, EDGES, FOCUS))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.integers(401, 957))
def test_merging_is_associative(first: int, second: int) -> None:
    a, b, c = parts([first, second], with_counter=True)
    same(integrate(merge(merge(a, b), c), EDGES, FOCUS), integrate(merge(a, merge(b, c)), EDGES, FOCUS))


def test_one_sample_a_file_is_enough() -> None:
    t, _, _, _ = day()
    pieces = reduce(merge, parts(list(range(1, t.size)), with_counter=True))
    same(integrate(pieces, EDGES, FOCUS), integrate(parts([], with_counter=True)[0], EDGES, FOCUS))


def test_files_out_of_order_are_refused() -> None:
    a, b = parts([500], with_counter=True)
    with pytest.raises(ValueError, match="order of time"):
        merge(b, a)


def test_a_device_without_readings_reduces_to_nothing() -> None:
    t = np.arange(5.0)
    assert reduce_samples(t, np.full(5, np.nan), None, None, EDGES, FOCUS) is None
