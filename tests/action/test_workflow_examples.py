"""The workflows that the document offers are valid, keep to least privilege and use what action.yml declares."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecoaudit.publish.inputs import INPUTS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / "docs" / "workflows").glob("*.yml"))
SITUATIONS = {
    "pull-request",
    "fork-audit",
    "fork-publish",
    "push-main",
    "charts",
    "nightly",
    "merge-queue",
    "self-hosted-gpu",
    "uploaded-logs",
    "monorepo",
    "ghes",
    "without-docker",
}


def tool(name: str) -> str:
    """Return the path of a linter, from the environment that runs the tests or from PATH."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed, and CI must have it")
        pytest.skip(f"{name} is not installed")
    return found


def load(path: Path) -> dict[Any, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def our_steps(workflow: dict[Any, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    jobs = workflow["jobs"].values()
    return [(job, s) for job in jobs for s in job["steps"] if s.get("uses", "").startswith("ecocompute/audit@")]


def test_every_situation_has_its_workflow_and_the_document_links_to_it() -> None:
    assert {path.stem for path in WORKFLOWS} == SITUATIONS
    text = (ROOT / "docs" / "action.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(workflows/([a-z-]+)\.yml\)", text)) == SITUATIONS


def test_they_fit_githubs_schema() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    command = [tool("zizmor"), "--offline", "--no-progress", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_inputs_exist_and_permissions_suffice(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    names = {i.name for i in INPUTS}
    for job, step in our_steps(workflow):
        given = step["with"]
        assert set(given) <= names
        rights = job["permissions"]
        assert rights["contents"] == ("write" if given.get("charts-branch") else "read")
        assert rights["checks"] == ("read" if given.get("check") == "off" else "write")
        assert rights["actions"] == "read"
        on = workflow[True]  # YAML 1.1 reads `on` as a truth value
        comments = {"pull_request", "workflow_run"} & set(on) and given.get("comment") != "off"
        assert (rights.get("pull-requests") == "write") == bool(comments)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_token_is_left_on_the_disk(path: Path) -> None:
    """pydata-sphinx-theme PR2226: the data branch needed `persist-credentials`; ours is written through the API."""
    steps = [step for job in load(path)["jobs"].values() for step in job.get("steps", ())]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_that_can_write_for_a_fork_checks_nothing_out(path: Path) -> None:
    workflow = load(path)
    if "workflow_run" not in workflow[True]:
        return
    for job in workflow["jobs"].values():
        assert [s.get("uses", "").split("@")[0] for s in job["steps"]] == ["ecocompute/audit"]


def test_the_second_half_for_forks_waits_for_the_first() -> None:
    first, second = load(ROOT / "docs/workflows/fork-audit.yml"), load(ROOT / "docs/workflows/fork-publish.yml")
    assert second[True]["workflow_run"]["workflows"] == [first["name"]]
    [upload] = [s for s in first["jobs"]["audit"]["steps"] if "upload-artifact" in s.get("uses", "")]
    [(_, publish)] = our_steps(second)
    assert upload["with"]["name"] == publish["with"]["artifact-name"]
