"""The page's arithmetic is the Python engine's: values, intervals, drivers, notes and sources, in a real browser."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from calculator.vectors import requests
from ecoaudit.estimate.engine import estimate
from ecoaudit.estimate.paper import as_paper
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.reference import load

pytestmark = pytest.mark.browser
VECTORS = 400
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


def test_every_figure_of_every_vector_agrees(open_page: Callable[..., Any]) -> None:
    asked = requests(TABLES, VECTORS)
    theirs = open_page().evaluate("asked => asked.map((one) => ecoaudit.estimate(one))", asked)
    for request, page in zip(asked, theirs, strict=True):
        ours = msgspec.to_builtins(estimate(EstimateRequest(**request), TABLES))
        assert differences(ours, page) == [], request


def test_table_1_agrees(open_page: Callable[..., Any]) -> None:
    ours = msgspec.to_builtins(as_paper(TABLES))
    ours["ours"]["request"]["gpu"] = TABLES.gpu("H100 SXM").name
    assert differences(ours, open_page().evaluate("ecoaudit.asPaper()")) == []


def test_the_vectors_reach_every_branch() -> None:
    asked = requests(TABLES, VECTORS)
    keys = {key for one in asked for key in one}
    assert keys == set(EstimateRequest.__dataclass_fields__)
    for key, value in [("method", "lora"), ("method", "qlora"), ("precision", "fp8"), ("recompute", "full")]:
        assert any(one[key] == value for one in asked)
    found = [estimate(EstimateRequest(**one), TABLES) for one in asked]
    assert {one.energy.headline for one in found} == {"gpu", "facility"}
    assert {one.carbon.total is None for one in found} == {True, False}
    assert {one.cost.total is None for one in found} == {True, False}
    assert {one.carbon.embodied is None for one in found} == {True, False}
    assert any(one.training.params > one.training.active_params * 1.5 for one in found)
