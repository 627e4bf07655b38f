"""`ecoaudit publish`: the same effects from a shell, or printed; and the fake as a program of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audits import l3_audit
from ecoaudit.errors import EcoauditError
from ecoaudit.model.audit_json import encode
from ecoaudit.publish.cli import publish
from github_fake import DEFAULT_TOKEN, FakeGitHub

from .conftest import event_files, pull_payload


@pytest.fixture
def report(tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "audit.json").write_bytes(encode(l3_audit()))
    return folder


def invoke(folder: Path, *options: str, environ: dict[str, str] | None = None) -> Result:
    cleared = {name: None for name in os.environ if name.startswith("GITHUB_")}
    return CliRunner().invoke(
        publish, [str(folder), *options], env={**cleared, **(environ or {})}, standalone_mode=False
    )


def test_a_dry_run_prints_the_effects_and_asks_nobody(report: Path, tmp_path: Path) -> None:
    environ = event_files(tmp_path, "pull_request", pull_payload())
    result = invoke(report, "--dry-run", environ=environ)
    assert result.exception is None
    effects = json.loads(result.output)
    assert [e["effect"] for e in effects if e["effect"] != "announce"] == ["check", "comment", "summary", "outputs"]
    check = effects[1] if effects[0]["effect"] == "announce" else effects[0]
    assert check["conclusion"] == "success"
    assert check["name"] == "ecoaudit / demo"


def test_a_dry_run_outside_of_github_shows_what_needs_no_event(report: Path) -> None:
    result = invoke(report, "--dry-run")
    assert result.exception is None
    assert {e["effect"] for e in json.loads(result.output)} == {"announce", "summary", "outputs"}


def test_it_publishes_what_the_action_would(fake: FakeGitHub, report: Path, tmp_path: Path) -> None:
    config = tmp_path / "ecoaudit.yml"
    config.write_text("budgets:\n  - {metric: energy_kwh, max: 1}\n")
    environ = event_files(tmp_path, "pull_request", pull_payload(), GITHUB_API_URL=fake.url, GITHUB_TOKEN=DEFAULT_TOKEN)
    result = invoke(report, "--config", str(config), "--check", "on", environ=environ)
    assert result.return_value == 1, result.output
    assert [c.data["conclusion"] for c in fake.state.checks] == ["failure"]
    assert len(fake.state.comments) == 1


def test_an_address_that_would_show_the_token_is_refused(report: Path, tmp_path: Path) -> None:
    environ = event_files(
        tmp_path, "pull_request", pull_payload(), GITHUB_API_URL="http://ghes.example", GITHUB_TOKEN="secret"
    )
    result = invoke(report, environ=environ)
    assert isinstance(result.exception, EcoauditError)
    assert "https" in result.exception.line()
    assert "secret" not in result.exception.line()


@pytest.mark.parametrize("options", [(), ("--config", "missing.yml", "--dry-run")])
def test_what_is_missing_is_named(tmp_path: Path, report: Path, options: tuple[str, ...]) -> None:
    result = invoke(report if options else tmp_path, *options)
    assert isinstance(result.exception, EcoauditError)


def test_the_fake_runs_as_a_program_and_writes_its_state(tmp_path: Path) -> None:
    setup = {
        "lines": [{"commits": [1, 2, 3], "branch": "main"}, {"commits": [11], "after": 2, "branch": "topic"}],
        "pulls": [{"number": 7, "head": 11, "base": 3}],
        "token": "job-token",
    }
    (tmp_path / "setup.json").write_text(json.dumps(setup))
    port, state = tmp_path / "port", tmp_path / "state.json"
    command = [sys.executable, "-m", "github_fake", "--port-file", str(port), "--state-file", str(state)]
    command += ["--setup", str(tmp_path / "setup.json"), "--seconds", "20"]
    running = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1])
    try:
        deadline = time.monotonic() + 15
        while not port.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        from ecoaudit.publish.api import Api

        api = Api(port.read_text(), "octo/train", "job-token", seconds_between_writes=None)
        api.create_comment(7, "hello", lambda: None)
        api.close()
    finally:
        running.terminate()
        running.wait(10)
    left = json.loads(state.read_text())
    assert [c["body"] for c in left["comments"]] == ["hello"]
    assert left["violations"] == []
