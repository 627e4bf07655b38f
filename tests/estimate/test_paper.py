"""EcoCompute's Table 1 to the digit, and what its constants imply."""

import pytest

from ecoaudit.estimate.paper import as_paper, paper_lines
from ecoaudit.reference import load

FOUND = as_paper(load())


def test_the_table_to_the_digit() -> None:
    assert f"{FOUND.cost_usd:,.0f}" == "82,533"
    assert f"{FOUND.carbon_kg:.2f}" == "330.13"
    assert f"{FOUND.gpu_hours:,.1f}" == "23,580.9"


def test_what_it_implies() -> None:
    assert [f"{implied.mfu:.1%}" for implied in FOUND.implied] == ["100.0%", "96.3%", "103.9%"]


def test_the_reachable_range() -> None:
    ranges = [(round(one.low_gpu_hours / 1e3), round(one.high_gpu_hours / 1e3)) for one in FOUND.reachable]
    assert ranges == [(47, 67), (45, 65)]


def test_our_range_stands_beside_it() -> None:
    assert FOUND.ours.gpu_hours.low > FOUND.gpu_hours * 2
    text = "\n".join(paper_lines(FOUND))
    for printed in (
        "$82,533",
        "330.13 kg CO₂e",
        "23,580.9",
        "100.0%",
        "96.3%",
        "47 to 67 thousand",
        "45 to 65 thousand",
    ):
        assert printed in text


def test_the_constants_are_the_tables_own() -> None:
    assert pytest.approx(12 * 7e9 * 2e12 / (1979e12 * 3600)) == FOUND.gpu_hours
