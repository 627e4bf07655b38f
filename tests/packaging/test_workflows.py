"""The workflows of this repository and those that the documents offer use the action as action.yml declares it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .building import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
OURS = re.compile(r"\./|ecocompute/audit@.+")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
FENCED = re.compile(r"^( *)```ya?ml\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def steps(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping under `node` that uses an action or a workflow."""
    if isinstance(node, dict):
        if isinstance(node.get("uses"), str):
            yield node
        for value in node.values():
            yield from steps(value)
    elif isinstance(node, list):
        for value in node:
            yield from steps(value)


def examples(path: Path) -> list[str]:
    """Return the YAML of a workflow file, or of every fenced block of a document that uses our action."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yml":
        return [text]
    blocks = ["\n".join(line.removeprefix(m[1]) for line in m[2].splitlines()) for m in FENCED.finditer(text)]
    return [block for block in blocks if "uses: ecocompute/audit" in block]


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("path", [*WORKFLOWS, *DOCUMENTS], ids=lambda path: path.name)
def test_our_action_gets_inputs_and_gives_outputs_that_it_has(path: Path, action: dict[str, Any]) -> None:
    for text in examples(path):
        ours = [step for step in steps(yaml.safe_load(text)) if OURS.fullmatch(step["uses"])]
        for step in ours:
            unknown = set(step.get("with", {})) - set(action["inputs"])
            assert not unknown, f"{path.name}: action.yml has no input {sorted(unknown)}"
            if "id" in step:
                asked = set(re.findall(rf"steps\.{re.escape(step['id'])}\.outputs\.([\w-]+)", text))
                assert asked <= set(action["outputs"]), f"{path.name}: action.yml lacks an output of {sorted(asked)}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_of_others_is_pinned_to_a_commit_with_its_version_beside_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for step in steps(yaml.safe_load(text)):
        if step["uses"].startswith("./"):
            continue
        assert PINNED.fullmatch(step["uses"]), f"{step['uses']} is not pinned to a commit"
        assert re.search(rf"{re.escape(step['uses'])} # v\d", text), f"{step['uses']} does not say its version"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_permission_but_those_a_job_names(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert "permissions" in job, f"{path.name}: {name} names no permissions"
        assert "timeout-minutes" in job or "uses" in job, f"{path.name}: {name} may run for six hours"


def test_the_workflows_run_the_sample_that_is_in_the_repository() -> None:
    paths = [line for path in WORKFLOWS for line in re.findall(r"fixtures/\S+", path.read_text(encoding="utf-8"))]
    assert paths
    for name in paths:
        assert (ROOT / name).is_file()
