"""Which commit, which pull request, which base: decided from the event alone, for every shape that events have."""

from collections.abc import Callable
from typing import Any

import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.publish.activity import BaseSearch, FindPull, OnPull, decide
from ecoaudit.publish.event import NO_COMMIT, Context
from github_fake import sha

from .conftest import BASE, HEAD, MERGE, pull_payload

ContextOf = Callable[..., Context]
REPOSITORY = {"repository": {"full_name": "octo/train", "default_branch": "main"}}


def workflow_run(**changes: Any) -> dict[str, Any]:
    run = {
        "id": 900,
        "name": "train",
        "event": "pull_request",
        "head_sha": sha(HEAD),
        "head_branch": "topic",
        "head_repository": {"full_name": "stranger/train"},
        "conclusion": "success",
        "run_number": 12,
        "run_attempt": 2,
        "pull_requests": [],
    }
    return {"action": "completed", "workflow_run": {**run, **changes}, **REPOSITORY}


def test_a_pull_request_is_reported_on_its_head_not_on_the_merge_commit(context_of: ContextOf) -> None:
    activity = decide(context_of("pull_request", pull_payload(), GITHUB_REF="refs/pull/7/merge"))
    assert activity.check_sha == sha(HEAD) != sha(MERGE)
    assert activity.comment == OnPull(7)
    assert activity.base == BaseSearch(sha(BASE), "main", merge_base=True)
    assert activity.trusted
    assert not activity.fork


def test_a_deleted_fork_is_still_a_fork(context_of: ContextOf) -> None:
    activity = decide(context_of("pull_request", pull_payload(fork=None)))
    assert activity.fork
    assert activity.comment == OnPull(7)


def test_a_fork_is_known_by_its_repository(context_of: ContextOf) -> None:
    assert decide(context_of("pull_request", pull_payload(fork="stranger/train"))).fork


def test_pull_request_target_is_never_trusted(context_of: ContextOf) -> None:
    activity = decide(context_of("pull_request_target", pull_payload()))
    assert not activity.trusted
    assert activity.check_sha == sha(HEAD)


def test_a_push_is_not_its_own_baseline(context_of: ContextOf) -> None:
    payload = {"after": sha(3), "before": sha(2), "deleted": False, **REPOSITORY}
    activity = decide(context_of("push", payload, GITHUB_SHA=sha(3)))
    assert activity.check_sha == sha(3)
    assert activity.comment is None
    assert activity.base == BaseSearch(sha(3), "main", include_start=False)


def test_a_new_branch_has_no_commit_before(context_of: ContextOf) -> None:
    payload = {"after": sha(3), "before": NO_COMMIT, "deleted": False, **REPOSITORY}
    assert decide(context_of("push", payload, GITHUB_SHA=sha(3))).check_sha == sha(3)


def test_a_deleted_branch_has_nothing_to_check(context_of: ContextOf) -> None:
    payload = {"after": NO_COMMIT, "before": sha(2), "deleted": True, **REPOSITORY}
    activity = decide(context_of("push", payload))
    assert activity.check_sha is None
    assert activity.comment is None
    assert "deleted" in activity.notes[0]


def test_a_pushed_tag_is_checked_on_its_commit_not_on_the_tag_object(context_of: ContextOf) -> None:
    payload = {"after": sha(77), "before": NO_COMMIT, "deleted": False, **REPOSITORY}
    activity = decide(context_of("push", payload, GITHUB_REF="refs/tags/v1", GITHUB_SHA=sha(3)))
    assert activity.check_sha == sha(3)
    assert activity.base.branch == "main"


def test_workflow_run_of_a_fork_looks_for_its_pull_request_by_branch(context_of: ContextOf) -> None:
    """docs #22501, nx.js PR409: `pull_requests` is empty for forks, and no number from the artifact is believed."""
    activity = decide(context_of("workflow_run", workflow_run(), GITHUB_SHA=sha(3)))
    assert activity.comment == FindPull("stranger", "topic")
    assert activity.check_sha == sha(HEAD)
    assert activity.artifact_run == 900
    assert activity.fork
    assert not activity.trusted
    assert (activity.run_number, activity.run_attempt) == (12, 2)


def test_workflow_run_of_a_push_has_no_pull_request(context_of: ContextOf) -> None:
    payload = workflow_run(event="push", head_branch="main", head_repository={"full_name": "octo/train"})
    activity = decide(context_of("workflow_run", payload))
    assert activity.comment is None
    assert activity.trusted
    assert activity.base == BaseSearch(sha(HEAD), "main", include_start=False)


def test_workflow_run_of_a_deleted_fork_is_checked_without_a_comment(context_of: ContextOf) -> None:
    activity = decide(context_of("workflow_run", workflow_run(head_repository=None)))
    assert activity.comment is None
    assert activity.check_sha == sha(HEAD)
    assert "gone" in activity.notes[0]


def test_a_merge_group_is_checked_against_its_base_without_a_comment(context_of: ContextOf) -> None:
    group = {"head_sha": sha(8), "base_sha": sha(3), "base_ref": "refs/heads/main", "head_ref": "gh-readonly-queue/x"}
    activity = decide(context_of("merge_group", {"action": "checks_requested", "merge_group": group, **REPOSITORY}))
    assert activity.check_sha == sha(8)
    assert activity.comment is None
    assert activity.base == BaseSearch(sha(3), "main")


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch", "repository_dispatch"])
def test_an_event_without_a_subject_is_compared_with_earlier_runs_of_its_branch(
    context_of: ContextOf, event: str
) -> None:
    """github-action-benchmark #269: a schedule says nothing of a commit; GITHUB_SHA does."""
    activity = decide(context_of(event, {"schedule": "0 3 * * *"}, GITHUB_SHA=sha(3)))
    assert activity.check_sha == sha(3)
    assert activity.base == BaseSearch(sha(3), "main", include_start=True)


def test_an_unknown_event_writes_the_summary_only(context_of: ContextOf) -> None:
    activity = decide(context_of("issue_comment", {}))
    assert activity.check_sha is None
    assert activity.comment is None
    assert activity.notes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"GITHUB_REPOSITORY": "octo/../evil"}, "GITHUB_REPOSITORY"),
        ({"GITHUB_REPOSITORY": "octo"}, "GITHUB_REPOSITORY"),
        ({"GITHUB_SHA": "HEAD"}, "commit id"),
        ({"GITHUB_RUN_NUMBER": "many"}, "GITHUB_RUN_NUMBER"),
        ({"GITHUB_EVENT_PATH": "/nowhere/event.json"}, "event file"),
        ({"GITHUB_EVENT_NAME": ""}, "GITHUB_EVENT_NAME is not set"),
    ],
)
def test_a_malformed_environment_is_one_clear_line(context_of: ContextOf, changes: dict[str, str], words: str) -> None:
    with pytest.raises(EcoauditError, match=words):
        context_of("pull_request", pull_payload(), **changes)


def test_an_event_of_another_shape_names_the_key(context_of: ContextOf) -> None:
    with pytest.raises(EcoauditError, match="pull_request"):
        context_of("pull_request", {"action": "opened"})
