"""The page's arithmetic is the Python engine's: values, intervals, drivers, notes and sources, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calculator.vectors import answered
from ecoaudit.estimate.paper import as_paper
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.reference import load

pytestmark = pytest.mark.browser
VECTORS = 300
RELATIVE = 1e-9
TABLES = load()


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Return the places where two JSON values differ: numbers beyond `RELATIVE`, everything else at all."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = ours.keys() | theirs.keys()
        return [d for key in sorted(keys) for d in differences(ours.get(key), theirs.get(key), f"{where}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [d for i, (one, two) in pairs for d in differences(one, two, f"{where}[{i}]")]
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        scale = max(abs(ours), abs(theirs))
        return (
            [] if abs(ours - theirs) <= RELATIVE * scale else [f"{where}: {ours!r} in Python, {theirs!r} in the page"]
        )
    return [] if ours == theirs else [f"{where}: {ours!r} in Python, {theirs!r} in the page"]


Pair = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def answers(browser: Any, built: Path) -> list[Pair]:
    """Request, Python's estimate and the page's estimate, for every vector."""
    ours = answered(TABLES, VECTORS)
    tab = browser.new_page()
    tab.goto((built / "index.html").as_uri())
    theirs = tab.evaluate("asked => asked.map((one) => ecoaudit.estimate(one))", [asked for asked, _ in ours])
    tab.close()
    return [(asked, msgspec.to_builtins(one), page) for (asked, one), page in zip(ours, theirs, strict=True)]


def figures(value: Any) -> Any:
    """Return a JSON value with its texts blanked: numbers, nulls and structure remain."""
    if isinstance(value, dict):
        return {key: figures(part) for key, part in value.items()}
    if isinstance(value, list):
        return [figures(part) for part in value]
    return "" if isinstance(value, str) else value


def test_every_figure_of_every_vector_agrees(answers: list[Pair]) -> None:
    for request, ours, page in answers:
        for part in ("mfu", "hfu", "goodput", "gpu_hours", "wall_hours", "energy", "carbon", "cost", "hardware"):
            assert differences(figures(ours[part]), figures(page[part])) == [], (part, request)
        assert differences(figures(ours["training"]), figures(page["training"])) == [], request
        assert differences(figures(ours["drivers"]), figures(page["drivers"])) == [], request


def test_every_word_of_every_vector_agrees(answers: list[Pair]) -> None:
    for request, ours, page in answers:
        assert differences(ours, page) == [], request


def test_a_difference_is_seen() -> None:
    assert differences({"a": [1.0]}, {"a": [1.0 + 2e-9]})
    assert differences({"a": 1.0}, {"a": None})
    assert differences({"a": "x"}, {"a": "y"})
    assert not differences({"a": 1.0}, {"a": 1.0 + 1e-10, "b": None})


def test_table_1_agrees(open_page: Callable[..., Any]) -> None:
    ours = msgspec.to_builtins(as_paper(TABLES))
    ours["ours"]["request"]["gpu"] = TABLES.gpu("H100 SXM").name
    assert differences(ours, open_page().evaluate("ecoaudit.asPaper()")) == []


def test_the_vectors_reach_every_branch(answers: list[Pair]) -> None:
    asked = [request for request, _, _ in answers]
    found = [ours for _, ours, _ in answers]
    keys = {key for one in asked for key in one}
    assert keys == set(EstimateRequest.__dataclass_fields__)
    for key, value in [("method", "lora"), ("method", "qlora"), ("precision", "fp8"), ("recompute", "full")]:
        assert any(one[key] == value for one in asked)
    assert {one["energy"]["headline"] for one in found} == {"gpu", "facility"}
    assert {one["carbon"]["total"] is None for one in found} == {True, False}
    assert {one["cost"]["total"] is None for one in found} == {True, False}
    assert {one["carbon"]["embodied"] is None for one in found} == {True, False}
    assert any(one["training"]["params"] > one["training"]["active_params"] * 1.5 for one in found)
