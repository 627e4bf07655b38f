"""The pooled law: it finds what data were made with, never sees the held-out meter, knows what it does not know."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.calibrate import pooled
from ecoaudit.calibrate.fits import Group, StaticPower, at_ac, groups
from ecoaudit.calibrate.tables import bundled_runs


@pytest.fixture(scope="module")
def real() -> list[Group]:
    return at_ac(groups(bundled_runs()))


def made(
    like: Group, *, delta: float = 0.8, gamma: float = 0.7, static_share: float = 0.45, count: int = 60
) -> list[Group]:
    """Return groups of many systems that follow the law exactly, half of them on several nodes."""
    rng = np.random.default_rng(1)
    found = []
    for i in range(count):
        u = 1.0 if i % 2 else float(rng.uniform(0.4, 0.95))
        static = static_share * like.rated_w
        found.append(
            replace(
                like,
                operator=f"operator {i}",
                workload=f"workload {i % 7}",
                nodes=1 if i % 2 else 8,
                cooling="liquid",
                u=u,
                static=StaticPower(static, 1.0, 1),
                mean_node_w=static + delta * like.rated_w * u**gamma,
            )
        )
    return found


@pytest.mark.parametrize("gamma", [0.6, 0.75, 0.9])
def test_it_finds_the_law_that_the_data_follow(real: list[Group], gamma: float) -> None:
    data = made(real[0], gamma=gamma)
    known = pooled.fit(data, static_known=True)
    assert known is not None
    assert known.level == pytest.approx(0.8, abs=0.01)
    assert known.gamma == pytest.approx(gamma, abs=0.05)
    unknown = pooled.fit(data, static_known=False)
    assert unknown is not None
    assert unknown.level == pytest.approx(0.8 + 0.45, abs=0.02)
    assert unknown.phi == pytest.approx(0.45 / 1.25, abs=0.01)
    assert unknown.gamma == pytest.approx(gamma, abs=0.07)


@pytest.mark.parametrize("static_known", [True, False])
def test_the_targets_own_meter_is_never_looked_at(real: list[Group], static_known: bool) -> None:
    training, target = [g for g in real if g.operator != "Dell"], next(g for g in real if g.operator == "Dell")
    before = pooled.predict(training, target, static_known=static_known)
    after = pooled.predict(training, replace(target, mean_node_w=123_456.0, run_sd_w=9.0), static_known=static_known)
    assert before == after


def test_groups_of_the_same_system_pull_and_narrow(real: list[Group]) -> None:
    target = next(g for g in real if g.operator == "Lenovo" and g.workload == "bert")
    others = [g for g in real if g.operator != "Lenovo"]
    same = [g for g in real if g is not target]
    stranger = pooled.predict(others, target, static_known=False)
    relative = pooled.predict(same, target, static_known=False)
    assert stranger is not None
    assert relative is not None
    assert abs(relative.power_w - target.mean_node_w) < abs(stranger.power_w - target.mean_node_w)
    assert relative.relative_sd < stranger.relative_sd


def test_power_grows_with_throughput_and_never_is_below_p_static(real: list[Group]) -> None:
    target = replace(real[0], operator="new", nodes=8)
    for static_known in (True, False):
        powers = []
        for u in (0.05, 0.2, 0.5, 0.8, 1.0):
            predicted = pooled.predict(real, replace(target, u=u), static_known=static_known)
            assert predicted is not None
            powers.append(predicted.power_w)
        assert powers == sorted(powers)
        assert powers[0] > 0
        if static_known:
            assert target.static is not None
            assert powers[0] > target.static.value_w


def test_without_the_inputs_there_is_no_prediction(real: list[Group]) -> None:
    assert pooled.predict(real, replace(real[0], u=None), static_known=False) is None
    assert pooled.predict(real, replace(real[0], static=None), static_known=True) is None
    assert pooled.predict([], real[0], static_known=False) is None
    assert pooled.fit([], static_known=False) is None


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 5.0), st.booleans())
def test_watts_have_no_scale_of_their_own(factor: float, static_known: bool) -> None:
    data = at_ac(groups(bundled_runs()))

    def scaled(group: Group) -> Group:
        static = group.static
        assert static is not None
        return replace(
            group,
            gpu_tdp_w=factor * group.gpu_tdp_w,
            mean_node_w=factor * group.mean_node_w,
            static=StaticPower(factor * static.value_w, factor * static.se_w, static.groups),
        )

    target, training = data[0], data[5:]
    plain = pooled.predict(training, target, static_known=static_known)
    bigger = pooled.predict([scaled(g) for g in training], scaled(target), static_known=static_known)
    assert plain is not None
    assert bigger is not None
    assert bigger.power_w == pytest.approx(factor * plain.power_w, rel=1e-6)
    assert bigger.relative_sd == pytest.approx(plain.relative_sd, rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(17)))
def test_the_order_of_groups_does_not_matter(order: list[int]) -> None:
    data = at_ac(groups(bundled_runs()))
    plain, shuffled = pooled.fit(data, static_known=False), pooled.fit([data[i] for i in order], static_known=False)
    assert plain is not None
    assert shuffled is not None
    assert shuffled.level == pytest.approx(plain.level, rel=1e-9)
    assert shuffled.gamma == pytest.approx(plain.gamma, rel=1e-9)
