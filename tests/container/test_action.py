"""The built image, started as GitHub's runner starts it, against a stateful fake of GitHub's API, event by event."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from github_fake import DEFAULT_TOKEN, Artifact, FakeGitHub, sha, zipped

from . import events
from .events import BASE, FORK, FORKED_AT, HEAD, MERGE, Event
from .runner import RUNNER_UID, Answer, Job

pytestmark = pytest.mark.container

LOGS = {"telemetry": "logs/telemetry.jsonl.gz", "logs": "logs/megatron.log", "region": "aws:eu-north-1"}
WITHIN = {**LOGS, "carbon-budget-kg": "100"}
OVER = {**LOGS, "carbon-budget-kg": "0.001"}

Step = Callable[..., Answer]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """The fake; no request may break GitHub's description, and no credential may reach the artifacts' storage."""
    with FakeGitHub(events.repository()) as running:
        yield running
        assert running.state.violations == []


@pytest.fixture
def step(job: Job, github: FakeGitHub) -> Step:
    """Return a function that runs the action as a step for an event; the token never shows in what it prints."""

    def run(event: Event, inputs: Mapping[str, str], *, run: int = 41, **options: list[str]) -> Answer:
        answer = job.run_action(
            {"github-token": DEFAULT_TOKEN, **inputs},
            event_name=event.name,
            event=event.payload,
            environment=event.environment(github.url, run=run),
            **options,
        )
        assert "Traceback" not in answer.text
        assert DEFAULT_TOKEN not in "\n".join(
            line for line in answer.text.splitlines() if not line.startswith("::add-mask::")
        )
        return answer

    return run


def deny(github: FakeGitHub, *scopes: str) -> None:
    """Take permissions from the job's token, as for a pull request from a fork."""
    bot = github.state.actors[DEFAULT_TOKEN]
    github.state.actors[DEFAULT_TOKEN] = replace(bot, denied=frozenset(scopes))


def checks(github: FakeGitHub) -> list[tuple[str, str | None]]:
    """Return commit and conclusion of every check run, oldest first."""
    return [(check.head_sha, check.data.get("conclusion")) for check in github.state.checks]


def test_a_pull_request_within_its_budget_then_over_it(step: Step, job: Job, github: FakeGitHub) -> None:
    within = step(events.pull_request(), WITHIN)
    assert within.exit_code == 0, within.text
    (comment,) = github.state.comments
    assert comment.issue == 7
    assert "Pass" in comment.body
    assert checks(github) == [(sha(HEAD), "success")]
    assert within.outputs["verdict"] == "pass"
    assert float(within.outputs["carbon-kg"]) > 0
    assert within.outputs["comment-url"].endswith(f"#issuecomment-{comment.id}")
    assert "Pass" in within.summary
    for name in ("audit-json", "report-md", "report-html"):
        assert not within.outputs[name].startswith("/")
        assert (job.workspace / within.outputs[name]).stat().st_size > 0

    over = step(events.pull_request(), OVER, run=42)
    assert over.exit_code == 1, over.text
    (again,) = github.state.comments
    assert (again.id, again.edits) == (comment.id, 1)
    assert "Fail" in again.body
    assert checks(github) == [(sha(HEAD), "success"), (sha(HEAD), "failure")]
    assert over.outputs["verdict"] == "fail"
    assert over.outputs["carbon-kg"] == within.outputs["carbon-kg"]


def test_an_older_run_that_ends_late_does_not_overwrite_a_newer_one(step: Step, github: FakeGitHub) -> None:
    step(events.pull_request(), OVER, run=42)
    before = github.state.comments[0].body
    late = step(events.pull_request(), WITHIN, run=41)
    assert late.exit_code == 0
    assert [comment.body for comment in github.state.comments] == [before]


def test_a_pull_request_is_compared_with_the_base_branchs_own_run(step: Step, github: FakeGitHub) -> None:
    base = step(events.push(FORKED_AT, events.FIRST), WITHIN, run=40)
    assert base.exit_code == 0, base.text
    assert checks(github) == [(sha(FORKED_AT), "success")]
    assert github.state.comments == []

    head = step(events.pull_request(), {**WITHIN, "max-increase-percent": "5"})
    assert head.exit_code == 0, head.text
    assert float(head.outputs["carbon-delta-percent"]) == pytest.approx(0, abs=1e-6)
    assert sha(FORKED_AT)[:7] in github.state.comments[0].body


def test_a_fork_is_judged_without_a_right_then_published_by_the_trusted_run(
    step: Step, job: Job, github: FakeGitHub
) -> None:
    github.state.pulls[7].head_repository = FORK
    deny(github, "issues:write", "checks:write")
    untrusted = step(events.pull_request(FORK), OVER)
    assert untrusted.exit_code == 1, "the verdict holds without permissions"
    assert github.state.comments == []
    assert github.state.checks == []
    assert "Fail" in untrusted.summary
    assert "::warning" in untrusted.text
    assert "Pull requests from forks" in untrusted.text, "the warning names the way out"

    deny(github)
    audit = (job.workspace / untrusted.outputs["audit-json"]).read_bytes()
    uploaded = zipped({"audit.json": audit})
    github.state.artifacts.append(Artifact(1, "ecoaudit", 5041, "topic", sha(HEAD), uploaded, fork=True))
    trusted = step(events.workflow_run(run=41), {"carbon-budget-kg": "100"}, run=12)
    assert trusted.exit_code == 0, trusted.text
    assert [comment.issue for comment in github.state.comments] == [7]
    assert checks(github) == [(sha(HEAD), "success")], "judged again, by the base branch's budget"


@pytest.mark.parametrize(
    ("event", "commit"),
    [
        (events.push(BASE, FORKED_AT), BASE),
        (events.merge_group(), MERGE),
        (events.on_main("schedule"), BASE),
        (events.on_main("workflow_dispatch"), BASE),
    ],
    ids=lambda value: value.name if isinstance(value, Event) else "on",
)
def test_an_event_without_a_pull_request_gets_a_check_and_no_comment(
    step: Step, github: FakeGitHub, event: Event, commit: int
) -> None:
    answer = step(event, WITHIN)
    assert answer.exit_code == 0, answer.text
    assert checks(github) == [(sha(commit), "success")]
    assert github.state.comments == []
    assert "Pass" in answer.summary


def test_bad_input_fails_the_check_in_one_line(step: Step, job: Job, github: FakeGitHub) -> None:
    (job.workspace / "logs" / "notes.txt").write_text("Dear diary,\nno log today.\n", encoding="utf-8")
    answer = step(events.pull_request(), {**WITHIN, "telemetry": "logs/notes.txt", "logs": ""})
    assert answer.exit_code == 2, answer.text
    assert checks(github) == [(sha(HEAD), "failure")]
    assert "notes.txt" in answer.summary
    assert len([line for line in answer.text.splitlines() if line.startswith("::error")]) == 1


def test_without_a_network_the_verdict_and_the_report_stand(step: Step, job: Job) -> None:
    offline = step(
        events.pull_request(),
        {**OVER, "comment": "off", "check": "off", "github-token": ""},
        options=["--network", "none"],
    )
    assert offline.exit_code == 1, offline.text
    assert "Fail" in offline.summary
    assert (job.workspace / offline.outputs["report-html"]).stat().st_size > 0


def test_files_belong_to_the_workspaces_owner(step: Step, job: Job) -> None:
    before = set(job.workspace.rglob("*"))
    answer = step(events.pull_request(), WITHIN)
    written = set(job.workspace.rglob("*")) - before
    assert job.workspace / answer.outputs["report-html"] in written
    assert {path.relative_to(job.workspace).parts[0] for path in written} == {"ecoaudit-report"}
    if os.geteuid() == 0:
        assert {path.stat().st_uid for path in written} == {RUNNER_UID}
