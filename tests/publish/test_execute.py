"""What reaches GitHub and the runner, and what is said and done when GitHub refuses."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from audits import l3_audit
from ecoaudit.judge import judge
from ecoaudit.judge.verdict import Outcome
from ecoaudit.publish import plan, workflow_commands
from ecoaudit.publish.activity import decide
from ecoaudit.publish.api import Api
from ecoaudit.publish.effects import Annotation, Announce, CreateCheck, Effect, WriteSummary
from ecoaudit.publish.event import Context
from ecoaudit.publish.execute import Done, Runner, execute
from ecoaudit.report import markdown
from github_fake import DEFAULT_TOKEN, Actor, FakeGitHub, sha

from .conftest import HEAD, pull_payload

ContextOf = Callable[..., Context]
AUDIT = l3_audit()
VERDICT = judge(AUDIT)


def check(annotations: int = 0, name: str = "ecoaudit") -> CreateCheck:
    return CreateCheck(
        name=name,
        head_sha=sha(HEAD),
        conclusion="success",
        title="Within the budget",
        summary="summary",
        text="text",
        external_id="ecoaudit:1:1:job:f",
        details_url="https://github.com/octo/train/actions/runs/1",
        annotations=tuple(
            Annotation(path="f.yml", start_line=n + 1, end_line=n + 1, level="warning", title="t", message=f"m{n}")
            for n in range(annotations)
        ),
    )


def planned(context: Context, policy: plan.Policy | None = None) -> list[Effect]:
    return plan.plan(
        context,
        decide(context),
        AUDIT,
        VERDICT,
        render=lambda size: markdown.render(AUDIT, VERDICT, max_bytes=size),
        policy=policy or plan.Policy(),
        digest="digest",
        outputs=plan.known_outputs(AUDIT, VERDICT),
    )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(io.StringIO(), tmp_path / "summary.md", tmp_path / "outputs")


def log(runner: Runner) -> str:
    assert isinstance(runner.stream, io.StringIO)
    return runner.stream.getvalue()


def run(effects: list[Effect], api: Api | None, runner: Runner, *, fork: bool = False) -> Done:
    return execute(effects, api, runner, fork=fork)


def test_a_pull_request_gets_a_check_a_comment_a_summary_and_outputs(
    fake: FakeGitHub, api: Api, runner: Runner, context_of: ContextOf
) -> None:
    done = run(planned(context_of("pull_request", pull_payload())), api, runner)
    assert done.problems == []
    [made] = fake.state.checks
    assert (made.name, made.head_sha, made.data["conclusion"]) == ("ecoaudit / demo", sha(HEAD), "success")
    assert made.data["output"]["text"] == "digest"
    [comment] = fake.state.comments
    assert done.check_url in comment.body
    outputs = (runner.outputs or Path()).read_text()
    assert f"\n{done.comment_url}\n" in outputs
    assert "verdict<<" in outputs
    assert "CO₂e" in (runner.summary or Path()).read_text()


def test_each_execution_creates_its_own_check(
    fake: FakeGitHub, api: Api, runner: Runner, context_of: ContextOf
) -> None:
    """bencher #536: a check of an earlier execution is never touched; the newest of a name counts."""
    for number in ("41", "42"):
        run(planned(context_of("pull_request", pull_payload(), GITHUB_RUN_ID=number)), api, runner)
    assert [c.patches for c in fake.state.checks] == [[], []]


@pytest.mark.parametrize(
    ("outcome", "conclusion"),
    [
        (Outcome.PASS, "success"),
        (Outcome.WARN, "neutral"),
        (Outcome.INCONCLUSIVE, "neutral"),
        (Outcome.FAIL, "failure"),
    ],
)
def test_the_conclusion_follows_the_verdict(outcome: Outcome, conclusion: str) -> None:
    assert plan.conclusion(outcome) == conclusion


def test_more_than_fifty_annotations_go_in_chunks(fake: FakeGitHub, api: Api, runner: Runner) -> None:
    """EnricoMi #212: the API takes fifty a request; a PATCH of our own check adds the rest and changes nothing else."""
    run([check(annotations=120)], api, runner)
    [made] = fake.state.checks
    assert [a["message"] for a in made.annotations] == [f"m{n}" for n in range(120)]
    assert [set(p) for p in made.patches] == [{"output"}, {"output"}]


def test_annotations_are_not_doubled_when_an_answer_is_lost(fake: FakeGitHub, api: Api, runner: Runner) -> None:
    fake.fail("PATCH .*/check-runs", cut=True, after=True)
    fake.fail("POST .*/check-runs", status=502, after=True)
    run([check(annotations=70)], api, runner)
    assert len(fake.state.checks) == 1
    assert len(fake.state.checks[0].annotations) == 70


def test_a_missing_permission_names_the_lines_to_add(
    fake: FakeGitHub, api: Api, runner: Runner, context_of: ContextOf
) -> None:
    """EnricoMi #95 #140 #167 #284: 'Resource not accessible by integration', the commonest question of all."""
    denied = frozenset({"issues:write", "checks:write"})
    fake.state.actors[DEFAULT_TOKEN] = Actor("github-actions[bot]", 41898282, "github-actions", denied)
    done = run(planned(context_of("pull_request", pull_payload())), api, runner)
    assert [p.severity for p in done.problems] == ["warning", "warning"]
    assert "permissions:%0A  contents: read%0A  checks: write" in log(runner)
    assert "permissions:%0A  contents: read%0A  pull-requests: write" in log(runner)
    summary = (runner.summary or Path()).read_text()
    assert "CO₂e" in summary
    assert "> ```yaml\n> permissions:\n>   contents: read\n>   checks: write\n" in summary
    assert "verdict<<" in (runner.outputs or Path()).read_text()


def test_a_fork_is_not_told_to_add_permissions_that_do_not_help(
    fake: FakeGitHub, api: Api, runner: Runner, context_of: ContextOf
) -> None:
    """size-limit #46, sticky #99: the token of a fork's pull request is read-only whatever the YAML says."""
    denied = frozenset({"issues:write", "checks:write"})
    fake.state.actors[DEFAULT_TOKEN] = Actor("github-actions[bot]", 41898282, "github-actions", denied)
    done = run(planned(context_of("pull_request", pull_payload(fork="stranger/train"))), api, runner, fork=True)
    assert all("read-only" in p.text and "permissions:" not in p.text for p in done.problems)


def test_a_wrong_token_is_named_as_such(fake: FakeGitHub, runner: Runner) -> None:
    from .conftest import connect

    api = connect(fake, token="ghp_old")
    done = run([check()], api, runner)
    api.close()
    assert "github-token" in done.problems[0].text


def test_a_commit_that_github_does_not_know_is_a_warning(fake: FakeGitHub, api: Api, runner: Runner) -> None:
    del fake.state.commits[sha(HEAD)]
    done = run([check()], api, runner)
    assert "No commit found" in done.problems[0].text


def test_without_a_token_the_summary_is_written_and_one_warning_given(runner: Runner, context_of: ContextOf) -> None:
    done = run(planned(context_of("pull_request", pull_payload())), None, runner)
    assert len(done.problems) == 1
    assert "CO₂e" in (runner.summary or Path()).read_text()


def test_a_summary_over_the_limit_is_replaced_not_dropped_whole(runner: Runner) -> None:
    """rattler-build #2738, dependency-review-action #786 #867: over 1024k GitHub drops everything."""
    assert runner.summary
    runner.summary.write_text("x" * 950_000)
    done = run([WriteSummary(text="y" * 60_000)], None, runner)
    assert runner.summary.stat().st_size <= workflow_commands.MAX_SUMMARY_BYTES
    assert "did not fit" in runner.summary.read_text()
    assert done.problems


def test_policy_turns_comment_and_check_off(fake: FakeGitHub, api: Api, runner: Runner, context_of: ContextOf) -> None:
    effects = planned(context_of("pull_request", pull_payload()), plan.Policy(comment="off", check="off"))
    run(effects, api, runner)
    assert fake.state.requests == []
    assert (runner.summary or Path()).exists()


def test_no_text_of_a_stranger_becomes_a_command(runner: Runner) -> None:
    run([Announce(level="warning", title="a,b:c", message="x\n::error::forged\r\n%0A")], None, runner)
    assert log(runner) == "::warning title=a%2Cb%3Ac::x%0A::error::forged%0D%0A%250A\n"
