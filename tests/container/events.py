"""Event files in the shape that GitHub sends, for a repository whose main line is 1-2-3 with a branch 10-11 from 2."""

from dataclasses import dataclass, field
from typing import Any

from github_fake import State, sha

REPOSITORY = "octo/train"
FORK = "stranger/train"
FIRST, FORKED_AT, BASE, HEAD, MERGE = 1, 2, 3, 11, 99
"""Commits by number; 99 is the commit that GitHub or its merge queue makes of a pull request."""

_REPOSITORY = {"full_name": REPOSITORY, "default_branch": "main"}


@dataclass(frozen=True, slots=True)
class Event:
    """A runner's view of an event: `variables` are the ones that differ from event to event."""

    name: str
    payload: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, api_url: str, *, run: int = 41, attempt: int = 1) -> dict[str, str]:
        """Return the variables that the runner sets for run number `run` of the workflow."""
        return {
            "GITHUB_API_URL": api_url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": str(5000 + run),
            "GITHUB_RUN_NUMBER": str(run),
            "GITHUB_RUN_ATTEMPT": str(attempt),
            "GITHUB_WORKFLOW": "train",
            "GITHUB_JOB": "audit",
            "GITHUB_ACTOR": "octocat",
            **self.variables,
        }


def repository() -> State:
    """Return the repository with pull request 7 open, from a branch of its own."""
    state = State(full_name=REPOSITORY)
    state.add_line(FIRST, FORKED_AT, BASE, branch="main")
    state.add_line(10, HEAD, after=FORKED_AT, branch="topic")
    state.add_line(MERGE, after=BASE)
    state.add_pull(7, head=HEAD, base=BASE)
    return state


def pull_request(fork: str | None = REPOSITORY) -> Event:
    """Return the update of pull request 7; `fork` is where its branch lives, None when that repository is gone."""
    pull = {
        "number": 7,
        "head": {"ref": "topic", "sha": sha(HEAD), "repo": {"full_name": fork} if fork else None},
        "base": {"ref": "main", "sha": sha(BASE), "repo": _REPOSITORY},
    }
    payload = {"action": "synchronize", "number": 7, "pull_request": pull, "repository": _REPOSITORY}
    return Event("pull_request", payload, {"GITHUB_SHA": sha(MERGE), "GITHUB_REF": "refs/pull/7/merge"})


def push(after: int, before: int) -> Event:
    """Return a push to main."""
    payload = {
        "ref": "refs/heads/main",
        "before": sha(before),
        "after": sha(after),
        "deleted": False,
        "forced": False,
        "repository": _REPOSITORY,
    }
    return Event("push", payload, {"GITHUB_SHA": sha(after), "GITHUB_REF": "refs/heads/main"})


def merge_group() -> Event:
    """Return a merge queue's request to check the branch on top of main."""
    ref = f"refs/heads/gh-readonly-queue/main/pr-7-{sha(BASE)}"
    group = {"head_sha": sha(MERGE), "head_ref": ref, "base_sha": sha(BASE), "base_ref": "refs/heads/main"}
    payload = {"action": "checks_requested", "merge_group": group, "repository": _REPOSITORY}
    return Event("merge_group", payload, {"GITHUB_SHA": sha(MERGE), "GITHUB_REF": ref})


def workflow_run(run: int) -> Event:
    """Return the end of a fork's pull-request run; as for forks in truth, `pull_requests` is empty."""
    ended = {
        "id": 5000 + run,
        "name": "train",
        "event": "pull_request",
        "status": "completed",
        "conclusion": "success",
        "head_sha": sha(HEAD),
        "head_branch": "topic",
        "head_repository": {"full_name": FORK},
        "run_number": run,
        "run_attempt": 1,
        "pull_requests": [],
    }
    payload = {"action": "completed", "workflow_run": ended, "repository": _REPOSITORY}
    return Event("workflow_run", payload, {"GITHUB_SHA": sha(BASE), "GITHUB_REF": "refs/heads/main"})


def on_main(name: str) -> Event:
    """Return a schedule or workflow_dispatch: its payload says next to nothing, GITHUB_SHA is the tip of main."""
    return Event(name, {"repository": _REPOSITORY}, {"GITHUB_SHA": sha(BASE), "GITHUB_REF": "refs/heads/main"})
