"""A job on a runner: a workspace with the sample run's logs, a fake of GitHub, and the action as its step."""

import io
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audits import l3_audit
from ecoaudit.action import main
from ecoaudit.model.audit import Audit
from ecoaudit.model.audit_json import encode
from ecoaudit.publish.api import Api
from ecoaudit.publish.retry import Retrier
from ecoaudit.report import charts
from github_fake import DEFAULT_TOKEN, Artifact, FakeGitHub, State, sha, zipped

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "fixtures" / "sample_logs" / "synthetic-8xh100"
BASE, HEAD, MERGE = 3, 11, 99
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Result:
    code: int
    log: str
    summary: str
    outputs: dict[str, str]


@dataclass
class Job:
    """Runs the action; `run_id` grows as GitHub's does."""

    folder: Path
    fake: FakeGitHub
    now: datetime = NOW
    run_id: int = 5000
    slept: list[float] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def run(self, event: str, payload: dict[str, Any], *, token: str = DEFAULT_TOKEN, **more: Any) -> Result:
        """Run the action on an event. `with_` are its inputs, other keywords variables of the runner."""
        inputs: Mapping[str, str] = more.pop("with_", {})
        self.run_id += 1
        files = {n: self.folder / f"{n}-{self.run_id}" for n in ("event", "summary", "outputs")}
        files["event"].write_text(json.dumps(payload), encoding="utf-8")
        files["summary"].touch()
        files["outputs"].touch()
        environ = {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(files["event"]),
            "GITHUB_REPOSITORY": "octo/train",
            "GITHUB_SHA": sha(MERGE),
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_RUN_ID": str(self.run_id),
            "GITHUB_RUN_NUMBER": str(self.run_id - 4990),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKFLOW": "train",
            "GITHUB_JOB": "audit",
            "GITHUB_API_URL": self.fake.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(files["summary"]),
            "GITHUB_OUTPUT": str(files["outputs"]),
            "INPUT_GITHUB-TOKEN": token,
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            **more,
        }
        stream = io.StringIO()
        code = main(environ, stream=stream, connect=self._connect, now=lambda: self.now)
        return Result(code, stream.getvalue(), files["summary"].read_text(), _outputs(files["outputs"].read_text()))

    def _connect(self, url: str, repository: str, token: str) -> Api:
        retrier = Retrier(sleep=self.slept.append)
        return Api(url, repository, token, retrier=retrier, timeout_s=5, seconds_between_writes=None)

    def put_audit(self, audit: Audit, name: str = "audit.json") -> str:
        """Put an audit into the workspace; return its path as an input names it."""
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(audit))
        return name

    def upload(self, *audits: Audit, run: int, branch: str, commit: int, fork: bool = False) -> None:
        """Leave an artifact with audits, as an earlier run's upload step does."""
        files = {f"{number}/audit.json": encode(audit) for number, audit in enumerate(audits)}
        state = self.fake.state
        state.artifacts.append(
            Artifact(state.next_id(), "ecoaudit", run, branch, sha(commit), zipped(files), fork=fork)
        )
        state.conclusions.setdefault(run, "success")


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """A job of the repository octo/train: main is 1-2-3, pull request 7 is 2-10-11."""
    state = State()
    state.add_line(1, 2, BASE, branch="main")
    state.add_line(10, HEAD, after=2, branch="topic")
    state.add_pull(7, head=HEAD, base=BASE)
    (tmp_path / "workspace").mkdir()
    with FakeGitHub(state) as fake:
        yield Job(tmp_path, fake)
    assert state.violations == []


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take a second a run; where they are not what is tested, there are none."""
    monkeypatch.setattr(charts, "draw", lambda *_, **__: {})


@pytest.fixture
def quick_job(job: Job, no_pictures: None) -> Job:
    """The same with a finished audit in `run.json`."""
    job.put_audit(l3_audit(), "run.json")
    return job


@pytest.fixture
def sample_job(job: Job) -> Job:
    """The same with the logs of the bundled sample run in `logs/`."""
    shutil.copytree(SAMPLE, job.workspace / "logs")
    return job


def pull_event(*, head: int = HEAD, fork: str = "octo/train") -> dict[str, Any]:
    return {
        "action": "synchronize",
        "pull_request": {
            "number": 7,
            "head": {"ref": "topic", "sha": sha(head), "repo": {"full_name": fork}},
            "base": {"ref": "main", "sha": sha(BASE), "repo": {"full_name": "octo/train"}},
        },
        "repository": {"full_name": "octo/train", "default_branch": "main"},
    }


def push_event(commit: int) -> dict[str, Any]:
    return {
        "after": sha(commit),
        "before": sha(commit - 1),
        "deleted": False,
        "repository": {"full_name": "octo/train", "default_branch": "main"},
    }


def workflow_run_event(**changes: Any) -> dict[str, Any]:
    run = {
        "id": 900,
        "name": "train",
        "event": "pull_request",
        "head_sha": sha(HEAD),
        "head_branch": "topic",
        "head_repository": {"full_name": "stranger/train"},
        "conclusion": "success",
        "run_number": 12,
        "run_attempt": 1,
        "pull_requests": [],
    }
    repository = {"full_name": "octo/train", "default_branch": "main"}
    return {"action": "completed", "workflow_run": {**run, **changes}, "repository": repository}


def _outputs(text: str) -> dict[str, str]:
    values = {}
    lines = text.split("\n")
    while lines and lines[0]:
        name, word = lines.pop(0).split("<<")
        end = lines.index(word)
        values[name] = "\n".join(lines[:end])
        del lines[: end + 1]
    return values
