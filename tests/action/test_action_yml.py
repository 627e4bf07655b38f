"""action.yml, docs/action.md, README.md and the code name the same inputs, defaults and outputs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecoaudit.publish.inputs import INPUTS, OUTPUTS

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `([a-z-]+)` \| (.+?) \|(?: (.+?) \|)?$", re.MULTILINE)


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


DOCUMENTS = [("docs/action.md", "##"), ("README.md", "###")]


def table(document: str, level: str, heading: str) -> list[tuple[str, ...]]:
    text = (ROOT / document).read_text(encoding="utf-8")
    part = text.split(f"\n{level} {heading}\n", 1)[1].split("\n##", 1)[0]
    return [tuple(cell for cell in row if cell) for row in ROW.findall(part)]


def test_action_yml_declares_the_inputs_of_the_code(action: dict[str, Any]) -> None:
    declared = [(name, about["default"], about["description"]) for name, about in action["inputs"].items()]
    assert declared == [(i.name, i.default, i.description) for i in INPUTS]


def test_action_yml_declares_the_outputs_of_the_code(action: dict[str, Any]) -> None:
    assert [(n, about["description"]) for n, about in action["outputs"].items()] == [
        (o.name, o.description) for o in OUTPUTS
    ]


@pytest.mark.parametrize(("document", "level"), DOCUMENTS)
def test_the_documents_list_the_same_inputs(document: str, level: str) -> None:
    shown = [(i.name, f"`{i.default}`" if i.default else "–", i.description) for i in INPUTS]
    assert table(document, level, "Inputs") == shown


@pytest.mark.parametrize(("document", "level"), DOCUMENTS)
def test_the_documents_list_the_same_outputs(document: str, level: str) -> None:
    assert table(document, level, "Outputs") == [(o.name, o.description) for o in OUTPUTS]


def test_the_action_is_presentable(action: dict[str, Any]) -> None:
    assert action["runs"]["using"] == "docker"
    assert set(action["branding"]) == {"icon", "color"}
    assert len(action["description"]) <= 125, "GitHub's marketplace cuts longer ones"
    assert not any(about.get("required") for about in action["inputs"].values())
