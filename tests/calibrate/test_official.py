"""The official MLPerf energy: the rule by hand on small logs, and the published joules from the bundled runs."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.calibrate import official
from ecoaudit.calibrate.fits import groups
from ecoaudit.calibrate.official import PowerLog, ScoredRun
from ecoaudit.calibrate.tables import bundled_runs

# smc.co/mlperfv40/results/llama2-70b-lora
PUBLISHED_SMC_LORA_J = {
    (1, "ac"): 12_127_904,
    (8, "ac"): 20_644_275,
    (64, "ac"): 46_574_813,
    (1, "dc"): 11_769_962,
    (8, "dc"): 20_381_549,
    (64, "dc"): 45_837_402,
}

# Kept a tenth of a second apart and below 1 kW, so that every sum is exact enough to compare.
readings = st.lists(st.tuples(st.integers(0, 100_000), st.floats(0, 1e3)), min_size=2, max_size=30)


def test_published_joules_of_one_operator_come_out_to_the_joule() -> None:
    found = {
        (group.nodes, group.boundary): round(group.official_energy_j or 0.0)
        for group in groups(bundled_runs())
        if group.operator == "Sustainable Metal Cloud" and group.workload == "llama2_70b_lora"
    }
    assert found == PUBLISHED_SMC_LORA_J


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # Hold back: 10 s x 100 W + 10 s x 300 W over a window of 20 s -> 200 W; times the run's 8 s.
        ("v4.0", 200.0 * 8.0),
        ("v4.1+", 200.0 * 8.0),
    ],
)
def test_mean_over_the_logs_own_window_times_the_runs_duration(rule: official.Rule, expected: float) -> None:
    log = PowerLog(((10_000, 100.0), (20_000, 300.0)), start_ms=0, stop_ms=20_000)
    assert official.node_energy_j(log, 8.0, rule) == pytest.approx(expected)


def test_the_rules_differ_on_readings_after_stop() -> None:
    log = PowerLog(((10_000, 100.0), (20_000, 100.0), (40_000, 500.0)), start_ms=0, stop_ms=20_000)
    assert official.node_energy_j(log, 1.0, "v4.0") == pytest.approx((100 * 20 + 500 * 20) / 40)
    assert official.node_energy_j(log, 1.0, "v4.1+") == pytest.approx(100.0)


def test_the_rules_differ_on_unsorted_readings() -> None:
    log = PowerLog(((20_000, 300.0), (10_000, 100.0)), start_ms=0, stop_ms=20_000)
    assert official.node_energy_j(log, 1.0, "v4.0") == pytest.approx((300 * 20 - 100 * 10) / 20)
    assert official.node_energy_j(log, 1.0, "v4.1+") == pytest.approx(200.0)


def test_stop_equal_to_start_is_idle_in_the_mean_then_undefined() -> None:
    log = PowerLog(((10_000, 100.0), (20_000, 300.0)), start_ms=0, stop_ms=0)
    assert official.node_energy_j(log, 1.0, "v4.0") == pytest.approx(200.0)
    assert official.node_energy_j(log, 1.0, "v4.1+") is None
    assert official.run_energy_j([log], [], 1.0, "v4.1+") is None


def test_efficiency_scales_nodes_and_switches_and_metered_switches_count_nothing() -> None:
    node = PowerLog(((10_000, 100.0),), 0, 10_000, conversion_efficiency=0.5)
    stated = PowerLog((), conversion_efficiency=0.5, stated_w=40.0)
    metered = PowerLog(((10_000, 700.0),), 0, 10_000)
    assert official.run_energy_j([node], [stated, metered], 10.0, "v4.1+") == pytest.approx(0.5 * 1000 + 0.5 * 400)


def test_olympic_mean_drops_fastest_and_slowest_and_a_failed_run_is_a_slowest() -> None:
    runs = [ScoredRun(d, e) for d, e in ((1, 10.0), (2, 20.0), (3, 30.0), (4, 40.0))]
    assert official.score_j(runs, "bert") == pytest.approx(25.0)
    assert official.score_j(runs, "bert", 1.1) == pytest.approx(27.5)
    assert official.score_j([*runs, ScoredRun(math.inf, 1.0)], "bert") == pytest.approx(30.0)
    assert official.score_j([*runs, *[ScoredRun(math.inf, 1.0)] * 2], "bert") is None
    assert official.score_j(runs[:2], "bert") is None


def test_unet3d_drops_four_at_each_end() -> None:
    runs = [ScoredRun(float(i), float(i)) for i in range(40)]
    assert official.score_j(runs, "unet3d") == pytest.approx(sum(range(4, 36)) / 32)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("v4.0", "v4.0"),
        ("training_results_v4.0", "v4.0"),
        ("v4.1", "v4.1+"),
        ("v5.1", "v4.1+"),
        ("v10.0", "v4.1+"),
        ("unknown", None),
        (None, None),
    ],
)
def test_the_round_decides_the_rule(name: str | None, rule: str | None) -> None:
    assert official.rule_of_round(name) == rule


@settings(max_examples=60, deadline=None)
@given(readings, st.floats(0.1, 10))
def test_energy_scales_with_power(log: list[tuple[int, float]], factor: float) -> None:
    stop = 100_001
    plain = official.node_energy_j(PowerLog(tuple(log), 0, stop), 100.0, "v4.1+")
    scaled = official.node_energy_j(PowerLog(tuple((t, p * factor) for t, p in log), 0, stop), 100.0, "v4.1+")
    assert plain is not None
    assert plain >= 0
    assert scaled == pytest.approx(factor * plain, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(readings, st.integers(0, 1000))
def test_the_later_rule_does_not_see_the_order_of_lines(log: list[tuple[int, float]], seed: int) -> None:
    unique = list({t: (t, p) for t, p in log}.values())
    shuffled = random.Random(seed).sample(unique, len(unique))
    energies = [official.node_energy_j(PowerLog(tuple(x), 0, 100_001), 10.0, "v4.1+") for x in (unique, shuffled)]
    assert energies[0] == pytest.approx(energies[1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e9)), min_size=3, max_size=12, unique_by=lambda r: r[0]))
def test_the_score_does_not_see_the_order_of_runs_and_lies_among_them(runs: list[tuple[float, float]]) -> None:
    scored = [ScoredRun(*run) for run in runs]
    value = official.score_j(scored, "bert")
    assert value == official.score_j(scored[::-1], "bert")
    assert value is not None
    assert min(e for _, e in runs) * (1 - 1e-12) <= value <= max(e for _, e in runs) * (1 + 1e-12)
