"""A fake of GitHub, a connection to it that never sleeps, and events as a runner would describe them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecoaudit.publish.api import Api
from ecoaudit.publish.event import Context, read_context
from ecoaudit.publish.retry import Patience, Retrier
from github_fake import DEFAULT_TOKEN, FakeGitHub, State, sha

BASE, HEAD, MERGE = 3, 11, 99
"""Commits: main is 1-2-3, the pull request's branch leaves it at 2 and is 10-11, 99 is GitHub's merge commit."""


def new_state() -> State:
    """Return a repository with a main line and an open pull request 7."""
    state = State()
    state.add_line(1, 2, BASE, branch="main")
    state.add_line(10, HEAD, after=2, branch="topic")
    state.add_pull(7, head=HEAD, base=BASE)
    return state


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    """A running fake; the test fails if a request or an answer does not fit GitHub's description."""
    with FakeGitHub(new_state()) as running:
        yield running
    assert running.state.violations == []


@pytest.fixture
def slept() -> list[float]:
    """The waits that the connection was asked to make; none of them happens."""
    return []


@pytest.fixture
def api(fake: FakeGitHub, slept: list[float]) -> Iterator[Api]:
    """A connection with the job's default token."""
    made = connect(fake, slept)
    yield made
    made.close()


def connect(fake: FakeGitHub, slept: list[float] | None = None, *, token: str = DEFAULT_TOKEN, **options: Any) -> Api:
    """Return a connection to the fake that notes its waits instead of making them."""
    waits = [] if slept is None else slept
    retrier = Retrier(Patience(), sleep=waits.append, clock=lambda: 1_800_000_000.0, jitter=lambda: 0.0)
    options = {"timeout_s": 5, "seconds_between_writes": None, **options}
    return Api(fake.url, fake.state.full_name, token, retrier=retrier, **options)


def event_files(folder: Path, name: str, payload: dict[str, Any], **variables: str) -> dict[str, str]:
    """Write the event file and return the variables that a runner sets for event `name`."""
    path = folder / "event.json"
    path.write_text(json.dumps(payload), encoding="utf-8")
    return {
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_REPOSITORY": "octo/train",
        "GITHUB_SHA": sha(MERGE),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_RUN_ID": "5001",
        "GITHUB_RUN_NUMBER": "41",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_WORKFLOW": "train",
        "GITHUB_JOB": "audit",
        "GITHUB_SERVER_URL": "https://github.com",
        **variables,
    }


def pull_payload(*, head: int = HEAD, base: int = BASE, fork: str | None = "octo/train") -> dict[str, Any]:
    """Return the part of a pull_request event that GitHub always sends; `fork` None is a deleted fork."""
    repo = {"full_name": fork} if fork else None
    return {
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": {"ref": "topic", "sha": sha(head), "repo": repo, "label": "octo:topic"},
            "base": {"ref": "main", "sha": sha(base), "repo": {"full_name": "octo/train"}},
        },
        "repository": {"full_name": "octo/train", "default_branch": "main"},
    }


@pytest.fixture
def context_of(tmp_path: Path) -> Callable[..., Context]:
    """Return a function that reads the context of an event."""

    def read(name: str, payload: dict[str, Any], **variables: str) -> Context:
        return read_context(event_files(tmp_path, name, payload, **variables))

    return read
