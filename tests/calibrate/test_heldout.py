"""The held-out test: what a fit may see, and what the bundled runs show (goals as promised, reached or not)."""

import math
from collections.abc import Callable

import pytest

from ecoaudit.calibrate import scoreboard
from ecoaudit.calibrate.fits import Group, at_ac, groups
from ecoaudit.calibrate.heldout import (
    SPLITS,
    Evaluation,
    coverage_percent,
    evaluate,
    median_half_width,
    scale_class,
    training_groups,
)
from ecoaudit.calibrate.lines import SHIPPED
from ecoaudit.calibrate.tables import bundled_runs


@pytest.fixture(scope="module")
def data() -> list[Group]:
    return at_ac(groups(bundled_runs()))


@pytest.fixture(scope="module")
def found(data: list[Group]) -> Evaluation:
    return evaluate(data)


def test_a_fit_sees_nothing_of_the_held_out_side(data: list[Group]) -> None:
    for target in data:
        assert all(g.workload != target.workload for g in training_groups(data, target, "workload", True))
        assert all(
            scale_class(g.nodes) != scale_class(target.nodes) for g in training_groups(data, target, "scale", True)
        )
        assert all(g.operator != target.operator for g in training_groups(data, target, "operator", True))


@pytest.mark.parametrize("split", SPLITS)
def test_p_static_not_known_means_nothing_of_the_system_is_used(data: list[Group], split: str) -> None:
    for target in data:
        seen = training_groups(data, target, split, False)  # type: ignore[arg-type]
        assert all((g.operator, g.system) != (target.operator, target.system) for g in seen)


def test_the_held_out_tables(found: Evaluation, golden: Callable[[str, str], None]) -> None:
    golden("heldout.md", scoreboard.table_text(found) + "\n")


def test_the_default_wins_leave_one_operator_out(found: Evaluation) -> None:
    assert found.winner(static_known=True) == SHIPPED
    assert found.winner(static_known=False) == SHIPPED


def test_the_default_beats_the_hard_rival_by_its_errors_over_scale(found: Evaluation) -> None:
    own = found.score(SHIPPED, "operator", static_known=False)
    rival = found.score("k x N TDP", "operator", static_known=False)
    assert own is not None
    assert rival is not None
    assert own.all < 0.7 * rival.all
    assert rival.saturated < own.saturated, "on saturated nodes the rival is better, and the report says so"


def test_goals_with_one_operator_left_out(found: Evaluation) -> None:
    known = found.score(SHIPPED, "operator", static_known=True)
    unknown = found.score(SHIPPED, "operator", static_known=False)
    assert known is not None
    assert unknown is not None
    assert known.saturated <= 5
    assert known.several <= 10
    assert unknown.all <= 15


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("static_known", [True, False])
def test_intervals_cover_without_having_seen_the_group(found: Evaluation, split: str, static_known: bool) -> None:
    outcomes = found.of(SHIPPED, split, static_known)  # type: ignore[arg-type]
    assert len(outcomes) == 17
    assert coverage_percent(outcomes) >= 85
    assert median_half_width([o for o in outcomes if not o.saturated]) <= 25


def test_errors_are_averaged_over_groups_not_runs(found: Evaluation) -> None:
    outcomes = found.of("TDP x count (L1)", "operator", True)
    mean = sum(abs(100 * (o.group.rated_w / o.group.mean_node_w - 1)) for o in outcomes) / len(outcomes)
    score = found.score("TDP x count (L1)", "operator", True)
    assert score is not None
    assert score.all == pytest.approx(mean)


def test_one_system_alone_has_no_partner_and_says_so(data: list[Group]) -> None:
    alone = [g for g in data if g.operator == "Dell"]
    found = evaluate(alone)
    assert found.outcomes == ()
    assert len(found.untested) == 2 * len(SPLITS)
    assert found.winner(static_known=False) is None
    text = scoreboard.table_text(found)
    assert text.count("no partner") == 2 * len(SPLITS)
    assert "nan" not in text


def test_one_operator_with_several_workloads_is_tested_where_it_can_be(data: list[Group]) -> None:
    found = evaluate([g for g in data if g.operator == "Lenovo"])
    assert found.score(SHIPPED, "workload", static_known=True) is not None
    assert found.score(SHIPPED, "workload", static_known=False) is None
    assert found.score(SHIPPED, "operator", static_known=True) is None
    assert not math.isnan(median_half_width(found.of(SHIPPED, "workload", True)))
