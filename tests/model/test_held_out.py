"""L3 without GPU power on every published metered group, with nothing of its operator in the line."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ecoaudit import reference
from ecoaudit.model.hardware import Boards, System
from ecoaudit.model.notes import Notes
from ecoaudit.model.utilisation import by_utilisation, choose_line, reference_node, utilisation
from ecoaudit.reference.types import MeasuredPair
from model.runs import mlperf_result

DURATION_S = 1000.0


@dataclass(frozen=True)
class Outcome:
    error: float
    covered: bool
    half_width: float


def system_of(pair: MeasuredPair) -> System:
    gpu = reference.load().gpu(pair.gpu)
    count = pair.nodes * pair.gpus_per_node
    return System(
        boards=(Boards(gpu.name, gpu, count, None),),
        nodes=pair.nodes,
        gpu_count=count,
        gpus_per_node=pair.gpus_per_node,
        run_gpus_per_node=float(pair.gpus_per_node),
        cooling=pair.cooling,
        name=pair.system,
        operator=pair.operator,
        source="test",
        hosts=(),
    )


def predict(pair: MeasuredPair) -> Outcome:
    """Predict the group's mean node power from its throughput, by a line that has not seen its operator."""
    tables = reference.load()
    samples = pair.nodes * DURATION_S * pair.mean_node_w / pair.j_per_sample if pair.j_per_sample else None
    run = mlperf_result(DURATION_S, benchmark=pair.workload, samples=samples)
    theirs = tuple({p.system for p in tables.measured_pairs() if p.operator == pair.operator})
    grounded = by_utilisation(system_of(pair), run, DURATION_S, np.array([DURATION_S]), tables, Notes(), without=theirs)
    assert grounded is not None and not set(theirs) & set(grounded.fitted_on)
    node = grounded.joules(np.array([True])) / (pair.nodes * DURATION_S)
    low, high = node.interval()
    return Outcome(
        node.value / pair.mean_node_w - 1.0, low <= pair.mean_node_w <= high, (high - low) / 2.0 / node.value
    )


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str, int], tuple[MeasuredPair, Outcome]]:
    return {(p.system, p.workload, p.nodes): (p, predict(p)) for p in reference.load().measured_pairs()}


def test_intervals_cover_groups_that_the_line_has_not_seen(
    outcomes: dict[tuple[str, str, int], tuple[MeasuredPair, Outcome]],
) -> None:
    assert len(outcomes) >= 17
    missed = [key for key, (_, outcome) in outcomes.items() if not outcome.covered]
    assert len(missed) <= 0.15 * len(outcomes), missed


def test_they_are_no_wider_than_that_needs(
    outcomes: dict[tuple[str, str, int], tuple[MeasuredPair, Outcome]],
) -> None:
    one = [outcome.half_width for pair, outcome in outcomes.values() if pair.nodes == 1]
    several = [outcome.half_width for pair, outcome in outcomes.values() if pair.nodes > 1]
    assert np.median(one) <= 0.15
    assert np.median(several) <= 0.25


def test_the_error_without_anything_of_the_system_stays_within_fifteen_percent(
    outcomes: dict[tuple[str, str, int], tuple[MeasuredPair, Outcome]],
) -> None:
    errors = [abs(outcome.error) for _, outcome in outcomes.values()]
    assert np.mean(errors) <= 0.15
    assert np.mean(errors) > 0.005  # a line that had seen these groups would be this good


def test_a_system_that_was_metered_takes_its_own_line_and_others_the_pooled_one() -> None:
    tables = reference.load()
    pair = next(p for p in tables.measured_pairs() if p.operator == "Dell")
    own = choose_line(tables.utilisation_lines(), system_of(pair), tables)
    pooled = choose_line(tables.utilisation_lines(), system_of(pair), tables, without=(pair.system,))
    assert own is not None and own.fitted_on == (pair.system,)
    assert pooled is not None and pooled.pooled and pair.system not in pooled.fitted_on
    assert pooled.cooling == pair.cooling


@pytest.mark.parametrize("pair", reference.load().measured_pairs(), ids=lambda p: f"{p.system}-{p.workload}-{p.nodes}")
def test_u_of_a_metered_group_is_the_u_that_its_line_was_fitted_with(pair: MeasuredPair) -> None:
    """A coefficient is never used with another u."""
    if pair.u is None or pair.j_per_sample is None:
        pytest.skip("the group's throughput is not known")
    samples = pair.nodes * DURATION_S * pair.mean_node_w / pair.j_per_sample
    run = mlperf_result(DURATION_S, benchmark=pair.workload, samples=samples)
    pairs = reference.load().measured_pairs()
    u, known = utilisation(system_of(pair), run, DURATION_S, pairs, Notes())
    assert known
    # Means over the group's runs of a ratio and of its two parts differ a little.
    assert u.value == pytest.approx(pair.u, rel=0.02)


def test_an_unmetered_system_is_compared_with_the_latest_software() -> None:
    pairs = reference.load().measured_pairs()
    pair = next(p for p in pairs if p.operator == "Dell")
    other = replace(system_of(pair), name="another maker's node", operator="another")
    run = mlperf_result(DURATION_S, benchmark=pair.workload, samples=1.0)
    found = reference_node(other, run, pairs)
    assert found is not None
    same = [p for p in pairs if (p.gpu, p.workload) == (pair.gpu, pair.workload)]
    assert found.saturated_samples_per_s == max(p.saturated_samples_per_s or 0.0 for p in same)
