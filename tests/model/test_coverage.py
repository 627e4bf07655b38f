"""The 90 % interval holds the truth nine times out of ten when the truth is drawn from what the model believes."""

from collections.abc import Callable

import numpy as np
import pytest

from ecoaudit.model.network import network
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Quantity
from model.runs import START, audit, described, meter, mlperf_result, site, telemetry

RUNS = 120
Z90 = 1.645
T = np.arange(0.0, 121.0)
HOURS = 120.0 / 3600.0


def two_sided(rng: np.random.Generator, value: float, low: float, high: float, z: float | None = None) -> float:
    """Draw from a normal whose halves reach `low` and `high` at 5 and 95 %; independent of the code under test."""
    score = rng.standard_normal() if z is None else z
    return value + score * ((value - low) if score < 0 else (high - value)) / Z90


def covered(one: Callable[[np.random.Generator], tuple[float, Quantity]]) -> float:
    hits = []
    for seed in range(RUNS):
        truth, found = one(np.random.default_rng(seed))
        hits.append(found.low <= truth <= found.high)
    return float(np.mean(hits))


def boards(rng: np.random.Generator, watts: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Return what boards of true power `watts` read of themselves."""
    common = two_sided(rng, 1.0, 0.95, 1.05)
    own = 1.0 + rng.standard_normal(watts.size) * 0.02 / Z90
    read: np.ndarray = watts / (common * own)  # type: ignore[type-arg]
    return read


def test_boards() -> None:
    def one(rng: np.random.Generator) -> tuple[float, Quantity]:
        watts = rng.uniform(300, 700, 8)
        read = boards(rng, watts)
        found = audit(telemetry=[telemetry([lambda t, w=w: np.full_like(t, w) for w in read], T)])
        assert found.energy.levels.L2 and found.energy.levels.L2.gpu
        return float(watts.sum()) * HOURS / 1000, found.energy.levels.L2.gpu

    assert 0.84 <= covered(one) <= 0.97


def test_nodes_and_facility() -> None:
    def one(rng: np.random.Generator) -> tuple[float, Quantity]:
        watts = rng.uniform(300, 700, 8)
        read = boards(rng, watts)
        z = rng.standard_normal()
        tied = -0.7 * z + np.sqrt(1 - 0.49) * rng.standard_normal()
        alpha = max(1.0, two_sided(rng, 1.12, 1.02, 1.30, z))
        host = two_sided(rng, 1900.0, 1400.0, 2400.0, tied)
        pue = max(1.0, two_sided(rng, 1.2, 1.1, 1.3))
        found = audit(telemetry=[telemetry([lambda t, w=w: np.full_like(t, w) for w in read], T)])
        assert found.energy.headline
        return pue * (host + alpha * float(watts.sum())) * HOURS / 1000, found.energy.headline.value

    assert 0.84 <= covered(one) <= 0.97


def test_carbon_through_grid_and_pue() -> None:
    def one(rng: np.random.Generator) -> tuple[float, Quantity]:
        true_w = 7000.0 * two_sided(rng, 1.0, 0.95, 1.05)
        pue = max(1.0, two_sided(rng, 1.2, 1.1, 1.3))
        grams = two_sided(rng, 400.0, 360.0, 440.0)
        wall = meter(lambda t: np.full_like(t, 7000.0), T)
        found = audit(meters=[wall], training=[mlperf_result(120.0)], systems=[described()], place=site())
        assert found.carbon.operational
        return true_w * HOURS / 1000 * pue * grams / 1000, found.carbon.operational

    assert 0.84 <= covered(one) <= 0.97


@pytest.mark.parametrize("hole", [5, 30])
def test_gaps_in_a_meter(hole: int) -> None:
    """The truth under a gap lies anywhere between the lowest and the highest power the run showed."""

    def one(rng: np.random.Generator) -> tuple[float, Quantity]:
        power = rng.uniform(5000.0, 8000.0, T.size)
        start = int(rng.integers(10, 100 - hole))
        lost = slice(start, start + hole)
        power[lost] = rng.uniform(5000.0, 8000.0)
        true_j = float(0.5 * (power[1:] + power[:-1]).sum()) * two_sided(rng, 1.0, 0.95, 1.05)
        kept = np.delete(T, range(start, start + hole))
        wall = meter(lambda t: power[t.astype(int)], kept)
        found = audit(meters=[wall], training=[mlperf_result(120.0)], systems=[described()])
        assert found.energy.measured and found.energy.measured.node
        return true_j / 3.6e6, found.energy.measured.node

    assert covered(one) >= 0.85


def test_a_stated_switch_is_rarely_exceeded() -> None:
    def one(rng: np.random.Generator) -> tuple[float, Quantity]:
        log = meter(lambda t: np.full_like(t, 16100.0), np.array([0.0]), "sw", kind="network", stated=True)
        found = network([log], None, START + np.array([0.0, 120.0]), Notes())
        assert found is not None
        true_j = 16100.0 * 120.0 * two_sided(rng, 1.0, 0.7, 1.1)
        return true_j, found.energy_j.quantity("J", found.basis, "test")

    assert 0.84 <= covered(one) <= 0.97


def test_the_energy_of_a_filled_gap_lies_between_resident_power_and_the_limit() -> None:
    times = np.delete(np.arange(0.0, 1001.0), range(500, 620))
    log = telemetry([lambda t: np.where(t < 100, 80.0, 500.0)] * 8, times)
    found = audit(telemetry=[log])
    (gap,) = found.quality.gaps
    assert gap.energy is not None and gap.filled_by == "mean power"
    hours = 8 * 121.0 / 3.6e6
    assert gap.energy.low <= 80.0 * hours * 1.001 and gap.energy.high == pytest.approx(700.0 * hours)
    assert gap.energy.low < gap.energy.value < gap.energy.high
    assert found.energy.measured is None or found.energy.measured.gpu is None
    assert found.quality.unknown["energy.measured.gpu"] == (
        "12 % of GPU-time has neither counter nor power and is filled"
    )
