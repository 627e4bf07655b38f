"""What must hold for the audit of any run."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.model.audit import Audit
from ecoaudit.model.audit_json import decode, encode, json_schema
from ecoaudit.quantity import Quantity
from ecoaudit.reference.types import Citation, IntensitySeries
from model.runs import START, audit, constant, described, mlperf_result, site, telemetry, training

T = np.arange(0.0, 301.0)
FEW = settings(max_examples=15, deadline=None)
watts = st.floats(50.0, 700.0)


def quantities(part: Any) -> Iterator[Quantity]:
    """Yield every quantity in an audit."""
    if isinstance(part, Quantity):
        yield part
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            yield from quantities(getattr(part, name))
    elif isinstance(part, list):
        for item in part:
            yield from quantities(item)


def run(power: float, **changes: Any) -> Audit:
    phases = [(0.0, "train"), (100.0, "eval"), (150.0, "train"), (290.0, "checkpoint")]
    log = telemetry([lambda t: power * (1.0 + 0.2 * np.sin(t / 9.0))] * 8, T, events=phases)
    return audit(telemetry=[log], training=[training(0.0, 300.0, tokens=1e6, params=7e9)], **changes)


@FEW
@given(watts, st.floats(1.0, 2.0), st.floats(5.0, 900.0))
def test_intervals_hold_their_values_and_nothing_is_negative(power: float, pue: float, grams: float) -> None:
    found = run(power, place=site(g_per_kwh=grams, pue=(pue, max(1.0, 0.95 * pue), 1.1 * pue)))
    for quantity in quantities(found):
        assert 0.0 <= quantity.low <= quantity.value <= quantity.high
        assert quantity.source


@FEW
@given(watts, st.floats(1.01, 1.5))
def test_more_power_is_more_of_everything(power: float, more: float) -> None:
    low, high = run(power), run(power * more)
    assert high.energy.levels.L2 and low.energy.levels.L2 and high.energy.levels.L2.gpu and low.energy.levels.L2.gpu
    assert high.energy.levels.L2.gpu.value == pytest.approx(more * low.energy.levels.L2.gpu.value)
    pairs = [
        (low.energy.headline and low.energy.headline.value, high.energy.headline and high.energy.headline.value),
        (low.carbon.total, high.carbon.total),
        (low.efficiency.j_per_token, high.efficiency.j_per_token),
    ]
    for a, b in pairs:
        assert a and b and b.value > a.value


@FEW
@given(st.floats(1.0, 1.8), st.floats(1.01, 1.5))
def test_facility_and_carbon_scale_with_pue_and_grid(pue: float, factor: float) -> None:
    base = run(500.0, place=site(pue=(pue, pue, pue)))
    hot = run(500.0, place=site(pue=(pue * factor,) * 3))
    dirty = run(500.0, place=site(pue=(pue, pue, pue), g_per_kwh=400.0 * factor))
    assert base.energy.headline and hot.energy.headline and base.carbon.operational and dirty.carbon.operational
    assert hot.energy.headline.value.value == pytest.approx(factor * base.energy.headline.value.value)
    assert dirty.carbon.operational.value == pytest.approx(factor * base.carbon.operational.value)


@FEW
@given(watts)
def test_parts_make_the_whole(power: float) -> None:
    found = run(power)
    assert found.energy.headline and found.carbon.total and found.carbon.operational and found.carbon.embodied
    assert sum(p.energy.value for p in found.energy.phases) == pytest.approx(found.energy.headline.value.value)
    assert found.carbon.total.value == pytest.approx(found.carbon.operational.value + found.carbon.embodied.value)
    assert sum(d.share for d in found.energy.drivers) == pytest.approx(1.0)


@FEW
@given(st.floats(0.0, 20.0), st.floats(1.0, 3.0))
def test_the_bill_scales_with_the_price_and_never_with_the_power(usd: float, factor: float) -> None:
    low, high = run(300.0, place=site(usd=usd)), run(600.0, place=site(usd=usd * factor))
    assert low.cost.total and high.cost.total and low.cost.gpu_hours
    assert low.cost.total.value == pytest.approx(usd * low.cost.gpu_hours.value)
    assert high.cost.total.value == pytest.approx(factor * low.cost.total.value)
    for cost in (low.cost.total, high.cost.total):
        assert 0.0 <= cost.low <= cost.value <= cost.high


@FEW
@given(watts, st.integers(1, 5))
def test_a_longer_run_takes_its_share_more_of_everything(power: float, times: int) -> None:
    long = np.arange(0.0, 300.0 * times + 1.0)
    one, several = (audit(telemetry=[telemetry([constant(power)] * 8, t)]) for t in (T, long))
    for a, b in (
        (one.energy.headline and one.energy.headline.value, several.energy.headline and several.energy.headline.value),
        (one.carbon.operational, several.carbon.operational),
        (one.carbon.embodied, several.carbon.embodied),
        (one.cost.total, several.cost.total),
    ):
        assert a and b and b.value == pytest.approx(times * a.value)


@FEW
@given(st.floats(0.0, 20_000.0), st.floats(1.0, 1.8))
def test_the_network_enters_only_at_the_facility(network_w: float, pue: float) -> None:
    place = site(pue=(pue, pue, pue))
    without, with_it = run(500.0, place=place), run(500.0, place=place, network_power_w=network_w)
    a, b = without.energy.levels.L3, with_it.energy.levels.L3
    assert a and b and a.node and b.node and a.facility and b.facility
    assert b.node == a.node
    added = pue * network_w * 300.0 / 3.6e6
    assert b.facility.value == pytest.approx(a.facility.value + added)


@FEW
@given(st.lists(st.floats(0.0, 1200.0), min_size=5, max_size=5), st.floats(0.1, 3.0))
def test_carbon_by_a_series_lies_between_its_ends_and_scales_with_it(grams: list[float], factor: float) -> None:
    def place(by: float) -> Any:
        times = START + 60.0 * np.arange(5)
        values = by * np.array(grams)
        return site(series=IntensitySeries(times, values, times[-1] + 60.0, "direct", "ZZ", Citation("series")))

    one, scaled = run(500.0, place=place(1.0)), run(500.0, place=place(factor))
    assert one.energy.headline and one.carbon.operational and scaled.carbon.operational
    kwh = one.energy.headline.value.value
    kg = one.carbon.operational.value
    assert min(grams) * kwh / 1000 - 1e-9 <= kg <= max(grams) * kwh / 1000 + 1e-9
    assert scaled.carbon.operational.value == pytest.approx(factor * kg)
    assert 0.0 <= one.carbon.operational.low <= kg <= one.carbon.operational.high


@FEW
@given(st.integers(1, 64), st.floats(0.2, 1.2), st.floats(0.01, 0.2))
def test_more_throughput_is_more_energy_where_only_throughput_is_known(nodes: int, u: float, more: float) -> None:
    def energy(rate: float) -> Quantity:
        samples = rate * 1.7876 * nodes * 300.0
        found = audit(training=[mlperf_result(300.0, samples=samples)], systems=[described(nodes)])
        assert found.energy.levels.L3 and found.energy.levels.L3.node
        return found.energy.levels.L3.node

    slow, fast = energy(u * 0.75), energy((u + more) * 0.75)
    assert 0.0 < slow.low <= slow.value <= slow.high
    assert slow.value <= fast.value


@FEW
@given(st.integers(1, 4))
def test_nodes_add_up(nodes: int) -> None:
    logs = [telemetry([constant(500.0)] * 8, T, host=f"n{i}") for i in range(nodes)]
    one, several = audit(telemetry=logs[:1]), audit(telemetry=logs)
    assert one.energy.headline and several.energy.headline
    assert several.energy.headline.value.value == pytest.approx(nodes * one.energy.headline.value.value)
    assert several.hardware.gpu_count == 8 * nodes


def test_a_run_cut_into_files_is_the_same_run() -> None:
    whole = telemetry([lambda t: 400.0 + t] * 8, T)
    pieces = [
        telemetry([lambda t: 400.0 + t] * 8, T[a:b], path=f"{a}.jsonl") for a, b in ((0, 100), (100, 101), (101, 301))
    ]
    a, b = audit(telemetry=[whole]), audit(telemetry=pieces)
    assert a.energy.levels.L2 and b.energy.levels.L2 and a.energy.levels.L2.gpu and b.energy.levels.L2.gpu
    assert b.energy.levels.L2.gpu.value == pytest.approx(a.energy.levels.L2.gpu.value, rel=1e-12)
    assert b.quality.gap_count == 0 and b.hardware.nodes == 1


def test_a_recorder_for_each_board_is_one_node() -> None:
    logs = [telemetry([constant(500.0)], T[i:], first_gpu=i, node_gpu_count=8) for i in range(8)]
    found = audit(telemetry=logs)
    assert (found.hardware.nodes, found.hardware.gpu_count) == (1, 8)
    assert found.run.duration_s == pytest.approx(300.0)
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(8 * 500.0 * 300.0 / 3.6e6)


def test_an_audit_survives_its_json_form_and_fits_its_schema() -> None:
    found = run(500.0)
    data = encode(found)
    assert decode(data) == found
    jsonschema.validate(msgspec.json.decode(data), json_schema())
