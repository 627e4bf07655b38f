"""The comment on the server: found on any page, one per pull request, ours alone, whoever else writes meanwhile."""

import dataclasses

import pytest

from ecoaudit.publish import comment, upsert
from ecoaudit.publish.api import Api
from ecoaudit.publish.effects import PullQuery, UpsertComment
from ecoaudit.publish.failure import ApiFailure, Kind
from github_fake import DEFAULT_TOKEN, Actor, FakeGitHub, sha

from .conftest import HEAD, connect
from .test_comment import section

STRANGER = Actor("mallory", 666, None)
PULL = PullQuery(7, None, None, sha(HEAD))


def effect(project: str = "a", **changes: object) -> UpsertComment:
    mode = changes.pop("mode", "update")
    assert mode in {"update", "new"}
    return UpsertComment(pull=PULL, mode=mode, section=section(project, **changes))  # type: ignore[arg-type]


def writes(fake: FakeGitHub) -> list[str]:
    return [r.split()[0] for r in fake.state.requests if not r.startswith("GET") and "graphql" not in r]


def test_the_comment_is_created_once_and_then_updated(fake: FakeGitHub, api: Api) -> None:
    first = upsert.upsert(effect(texts=("first",)), api)
    second = upsert.upsert(effect(run=42, texts=("second",)), api)
    assert first.url == second.url
    [only] = fake.state.comments
    assert "second" in only.body
    assert "first" not in only.body
    assert writes(fake) == ["POST", "PATCH"]


def test_an_identical_body_is_not_written(fake: FakeGitHub, api: Api) -> None:
    upsert.upsert(effect(), api)
    upsert.upsert(effect(), api)
    assert writes(fake) == ["POST"]
    assert fake.state.comments[0].edits == 0


def test_the_comment_is_found_past_the_first_page(fake: FakeGitHub, api: Api) -> None:
    """litecov #36, EnricoMi #463: a new comment on each push, because only the first thirty were searched."""
    upsert.upsert(effect(), api)
    ours = fake.state.comments.pop()
    for number in range(250):
        fake.state.add_comment(7, f"comment {number}", STRANGER)
    ours.id = fake.state.next_id()
    fake.state.comments.append(ours)
    upsert.upsert(effect(run=42, texts=("later",)), api)
    assert "later" in ours.body
    assert len(fake.state.comments) == 251


def test_a_stranger_who_copies_our_comment_is_not_taken_for_us(fake: FakeGitHub, api: Api) -> None:
    forged = fake.state.add_comment(7, comment.render_once(section()).replace(" once", ""), STRANGER)
    before = forged.body
    upsert.upsert(effect(), api)
    assert forged.body == before
    assert [c.author.login for c in fake.state.comments] == ["mallory", "github-actions[bot]"]
    assert "GET /user" not in fake.state.requests


def test_an_app_with_a_token_of_its_own_finds_its_comment(fake: FakeGitHub) -> None:
    """CML #1105: updates only worked with one kind of token; GET /user is forbidden to installation tokens."""
    fake.state.actors["ghs_app"] = Actor("auditor[bot]", 77, "auditor")
    own = connect(fake, token="ghs_app")
    upsert.upsert(effect(), own)
    upsert.upsert(effect(run=42, texts=("later",)), own)
    own.close()
    [only] = fake.state.comments
    assert only.author.login == "auditor[bot]"
    assert "later" in only.body


def test_where_nobody_says_who_we_are_our_own_new_comment_tells(fake: FakeGitHub) -> None:
    app = Actor("auditor[bot]", 77, "auditor")
    fake.state.actors["ghs_app"] = app
    own = connect(fake, token="ghs_app")
    upsert.upsert(effect(), own)
    [first] = fake.state.comments
    again = connect(fake, token="ghs_app")
    fake.fail("POST /graphql", status=404, message="Not Found", times=99)
    upsert.upsert(effect(run=42, texts=("later",)), again)
    own.close()
    again.close()
    assert fake.state.comments == [first]
    assert "later" in first.body


def test_duplicates_of_our_own_collapse_into_the_oldest(fake: FakeGitHub, api: Api) -> None:
    """t3code PR5350: two runs at once left two comments for good."""
    upsert.upsert(effect("a", texts=("of a",)), api)
    [first] = fake.state.comments
    fake.state.add_comment(7, comment.render(comment.join([], section("b", texts=("of b",)), sha(HEAD))))  # type: ignore[arg-type]
    upsert.upsert(effect("a", run=42, texts=("of a again",)), api)
    assert fake.state.comments == [first]
    assert "of a again" in first.body
    assert "of b" in first.body


def test_two_jobs_that_create_at_the_same_time_end_with_one_comment(fake: FakeGitHub, api: Api) -> None:
    other = connect(fake)
    raced = []

    def race(what: str) -> None:
        if what.startswith("POST") and not raced:
            raced.append(what)
            upsert.upsert(effect("b", texts=("of b",)), other)

    fake.before = race
    upsert.upsert(effect("a", texts=("of a",)), api)
    other.close()
    [only] = fake.state.comments
    assert [p.meta.project for p in comment.parse(only.body)] == ["a", "b"]


def test_a_section_that_another_job_overwrote_is_written_again(fake: FakeGitHub, api: Api) -> None:
    upsert.upsert(effect("a"), api)
    stale = fake.state.comments[0].body
    overwritten = []

    def race(what: str) -> None:
        if what.startswith("GET") and "comments" in what and "PATCH" in writes(fake) and not overwritten:
            overwritten.append(what)
            fake.state.comments[0].body = stale

    fake.before = race
    upsert.upsert(effect("b"), api)
    assert [p.meta.project for p in comment.parse(fake.state.comments[0].body)] == ["a", "b"]


def test_a_late_run_of_an_old_commit_leaves_the_comment_alone(fake: FakeGitHub, api: Api) -> None:
    upsert.upsert(effect(run=41, texts=("current",)), api)
    late = upsert.upsert(effect(run=40, head=sha(10), texts=("late",)), api)
    assert "current" in fake.state.comments[0].body
    assert "older" in late.reason
    assert not late.conflict


def test_the_section_links_to_the_check_run(fake: FakeGitHub, api: Api) -> None:
    """EnricoMi #12: GitHub shows a check under a workflow of its choice, so the comment says where it is."""
    upsert.upsert(effect(), api, check_url="https://github.com/octo/train/runs/5")
    assert "(https://github.com/octo/train/runs/5)" in fake.state.comments[0].body


def test_mode_new_writes_a_comment_a_run_and_leaves_the_others(fake: FakeGitHub, api: Api) -> None:
    upsert.upsert(effect(), api)
    upsert.upsert(effect(mode="new"), api)
    upsert.upsert(effect(mode="new", run=42), api)
    upsert.upsert(effect(run=42, texts=("later",)), api)
    assert len(fake.state.comments) == 3
    assert [comment.is_ours(c.body) for c in fake.state.comments] == [True, False, False]


def test_a_run_of_a_fork_comments_only_where_head_and_branch_agree(fake: FakeGitHub, api: Api) -> None:
    """webpack PR21530, agentready PR253: neither the event nor the commit names the pull request of a fork."""
    fake.state.add_pull(8, head=HEAD, base=3, branch="patch", fork="stranger/train")
    query = PullQuery(None, "stranger", "patch", sha(HEAD))
    found = upsert.upsert(UpsertComment(pull=query, mode="update", section=section()), api)
    assert "/pull/8#" in found.url
    moved = dataclasses.replace(fake.state.pulls[8], head_sha=sha(10))
    fake.state.pulls[8] = moved
    missed = upsert.upsert(UpsertComment(pull=query, mode="update", section=section(run=42)), api)
    assert missed.url == ""
    assert "stranger:patch" in missed.reason


def test_a_lost_answer_does_not_write_twice(fake: FakeGitHub, api: Api) -> None:
    fake.fail("POST .*/comments", cut=True, after=True)
    upsert.upsert(effect(), api)
    assert len(fake.state.comments) == 1
    assert writes(fake) == ["POST"]


def test_a_lost_request_is_written_after_looking(fake: FakeGitHub, api: Api, slept: list[float]) -> None:
    fake.fail("POST .*/comments", status=502)
    upsert.upsert(effect(), api)
    assert len(fake.state.comments) == 1
    assert slept == [1.0]


def test_a_missing_permission_is_a_failure_of_its_kind(fake: FakeGitHub, api: Api) -> None:
    fake.state.actors[DEFAULT_TOKEN] = Actor(
        "github-actions[bot]", 41898282, "github-actions", frozenset({"issues:write"})
    )
    with pytest.raises(ApiFailure) as caught:
        upsert.upsert(effect(), api)
    assert caught.value.kind == Kind.DENIED
    assert fake.state.comments == []
