"""Which run is the base: the nearest that did not fail, of our own making, never the run itself; and it is said."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from audits import l3_audit
from ecoaudit.judge.verdict import Outcome
from ecoaudit.model.audit import Audit
from ecoaudit.model.audit_json import encode
from ecoaudit.publish import baseline, digest
from ecoaudit.publish.activity import decide
from ecoaudit.publish.api import Api
from ecoaudit.publish.baseline import Lookup
from ecoaudit.publish.event import Context
from github_fake import DEFAULT_TOKEN, Actor, Artifact, FakeGitHub, sha, zipped
from github_fake.state import CheckRun

from .conftest import BASE, pull_payload

ContextOf = Callable[..., Context]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REPOSITORY = {"repository": {"full_name": "octo/train", "default_branch": "main"}}


def leave_check(
    fake: FakeGitHub,
    commit: int,
    *,
    kwh: float = 8.0,
    outcome: Outcome = Outcome.PASS,
    app: str = "github-actions",
    run: int = 100,
    project: str | None = "demo",
    says: int | None = None,
    history: list[Audit] | None = None,
) -> None:
    """Leave the check run of an earlier execution on a commit."""
    text = digest.encode(
        digest.Digest(
            audit=l3_audit(facility_kwh=kwh, project=project),
            outcome=outcome,
            commit=sha(commit if says is None else says),
            run_id=run,
            created_at="2026-11-24T09:00:00+00:00",
            history=history or [],
        )
    )
    name = f"ecoaudit / {project}" if project else "ecoaudit"
    data = {
        "status": "completed",
        "conclusion": "success",
        "external_id": f"ecoaudit:{run}:1:audit:f",
        "output": {"title": "t", "summary": "s", "text": text},
    }
    fake.state.checks.append(CheckRun(fake.state.next_id(), name, sha(commit), app, data))


def leave_artifact(
    fake: FakeGitHub, commit: int, *, run: int = 200, branch: str = "main", fork: bool = False, kwh: float = 8.0
) -> Artifact:
    content = zipped({"audit.json": encode(l3_audit(facility_kwh=kwh))})
    item = Artifact(fake.state.next_id(), "ecoaudit", run, branch, sha(commit), content, fork=fork)
    fake.state.artifacts.append(item)
    fake.state.conclusions.setdefault(run, "success")
    return item


def look(api: Api, context: Context, project: str | None = "demo") -> Lookup:
    activity = baseline.with_base(api, decide(context))
    return baseline.find(api, context, activity, project, artifact_name="ecoaudit", now=NOW)


def kwh(lookup: Lookup) -> float:
    assert lookup.found
    headline = lookup.found.audit.energy.headline
    assert headline
    return headline.value.value


def test_the_merge_base_serves_not_the_tip_of_the_base_branch(
    fake: FakeGitHub, api: Api, context_of: ContextOf
) -> None:
    """EnricoMi #85 #148, github-action-benchmark #267 #281: compared with the wrong base, or with the last entry."""
    leave_check(fake, BASE, kwh=9.0)
    leave_check(fake, 2, kwh=8.0)
    leave_check(fake, 1, kwh=7.0)
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert kwh(lookup) == 8.0
    assert lookup.found
    found = lookup.found.baseline
    assert (found.source, found.commit, found.age_s, found.distance) == ("check run", sha(2), 3 * 3600.0, 0)
    assert lookup.warnings == ()


def test_ancestors_are_walked_and_the_distance_is_said(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 1)
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert lookup.found
    assert lookup.found.baseline.distance == 1


def test_a_pull_request_to_another_branch_is_compared_with_that_branch(
    fake: FakeGitHub, api: Api, context_of: ContextOf
) -> None:
    """py-cov PR248: a pull request to a release branch was compared with the default branch."""
    fake.state.add_line(20, 21, after=1, branch="release")
    fake.state.add_line(30, after=21, branch="fix")
    leave_check(fake, 3, kwh=9.0)
    leave_check(fake, 20, kwh=5.0)
    lookup = look(api, context_of("pull_request", pull_payload(head=30, base=21)))
    assert kwh(lookup) == 5.0


def test_the_pull_request_itself_is_never_its_base(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 11)
    leave_check(fake, 10)
    assert look(api, context_of("pull_request", pull_payload())).found is None


def test_a_push_is_compared_with_the_commit_before(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 3, kwh=9.0)
    leave_check(fake, 2, kwh=8.0)
    payload = {"after": sha(3), "before": sha(1), "deleted": False, **REPOSITORY}
    lookup = look(api, context_of("push", payload, GITHUB_SHA=sha(3)))
    assert kwh(lookup) == 8.0
    assert lookup.found
    assert lookup.found.baseline.distance == 0


def test_a_nightly_run_is_compared_with_the_night_before_on_the_same_commit(
    fake: FakeGitHub, api: Api, context_of: ContextOf
) -> None:
    leave_check(fake, 3, kwh=7.0, run=100)
    leave_check(fake, 3, kwh=9.0, run=5001)
    lookup = look(api, context_of("schedule", {}, GITHUB_SHA=sha(3), GITHUB_RUN_ID="5001"))
    assert kwh(lookup) == 7.0


def test_a_merge_queue_is_compared_with_its_base(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 3, kwh=6.0)
    group = {"head_sha": sha(11), "base_sha": sha(3), "base_ref": "refs/heads/main", "head_ref": "q"}
    lookup = look(api, context_of("merge_group", {"merge_group": group, **REPOSITORY}))
    assert kwh(lookup) == 6.0


def test_a_failing_run_is_passed_over(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 2, kwh=80.0, outcome=Outcome.FAIL)
    leave_check(fake, 1, kwh=8.0)
    assert kwh(look(api, context_of("pull_request", pull_payload()))) == 8.0


def test_where_all_failed_the_nearest_serves_and_is_named(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 2, kwh=80.0, outcome=Outcome.FAIL)
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert lookup.found
    assert "failed its own budgets" in lookup.found.baseline.source
    assert "failed its own budgets" in lookup.warnings[0]


@pytest.mark.parametrize(
    "stranger",
    [{"app": "other-app"}, {"project": "another"}, {"says": 1}],
    ids=["another app", "another project", "a digest of another commit"],
)
def test_what_is_not_ours_is_not_read(
    fake: FakeGitHub, api: Api, context_of: ContextOf, stranger: dict[str, str]
) -> None:
    leave_check(fake, 2, **stranger)  # type: ignore[arg-type]
    if "project" in stranger:
        fake.state.checks[0].name = "ecoaudit / demo"
    assert look(api, context_of("pull_request", pull_payload())).found is None


def test_an_app_of_ones_own_reads_its_own_checks(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    fake.state.actors[DEFAULT_TOKEN] = Actor("auditor[bot]", 77, "auditor")
    leave_check(fake, 2, app="auditor")
    assert look(api, context_of("pull_request", pull_payload())).found


def test_the_history_comes_along(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 2, history=[l3_audit(facility_kwh=k) for k in (6.0, 7.0)])
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert lookup.found
    assert len(lookup.found.history) == 2
    assert lookup.found.baseline.runs == 3


def test_an_artifact_of_the_base_branch_serves_where_no_check_does(
    fake: FakeGitHub, api: Api, context_of: ContextOf
) -> None:
    leave_artifact(fake, 3, run=201, kwh=9.0)
    leave_artifact(fake, 2, run=200, kwh=8.0)
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert kwh(lookup) == 8.0
    assert lookup.found
    assert (lookup.found.baseline.source, lookup.found.baseline.distance) == ("artifact ecoaudit", 0)


def test_an_artifact_of_a_fork_with_a_branch_called_main_does_not_serve(
    fake: FakeGitHub, api: Api, context_of: ContextOf
) -> None:
    leave_artifact(fake, 2, fork=True)
    leave_artifact(fake, 2, run=201, branch="topic")
    leave_artifact(fake, 2, run=202).expired = True
    leave_artifact(fake, 11, run=203)
    assert look(api, context_of("pull_request", pull_payload())).found is None


def test_an_artifact_of_a_failed_run_is_passed_over(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    fake.state.conclusions[200] = "failure"
    leave_artifact(fake, 2, run=200, kwh=80.0)
    leave_artifact(fake, 1, run=199, kwh=8.0)
    assert kwh(look(api, context_of("pull_request", pull_payload()))) == 8.0


def test_a_broken_artifact_is_passed_over(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    """size-limit #49: a base without what was expected crashed the run."""
    leave_artifact(fake, 2).content = zipped({"audit.json": b"{}"})
    leave_artifact(fake, 1, run=199, kwh=7.0)
    assert kwh(look(api, context_of("pull_request", pull_payload()))) == 7.0


@pytest.mark.parametrize("scope", ["checks:read", "contents:read", "actions:read"])
def test_a_look_up_that_is_refused_is_a_missing_baseline_with_the_lines_to_add(
    fake: FakeGitHub, api: Api, context_of: ContextOf, scope: str
) -> None:
    bot = fake.state.actors[DEFAULT_TOKEN]
    fake.state.actors[DEFAULT_TOKEN] = Actor(bot.login, bot.id, bot.app, frozenset({scope}))
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert lookup.found is None
    [warning] = lookup.warnings
    assert "permissions:" in warning
    assert scope.split(":", maxsplit=1)[0] in warning


def test_checks_that_may_not_be_read_leave_the_artifacts(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    bot = fake.state.actors[DEFAULT_TOKEN]
    fake.state.actors[DEFAULT_TOKEN] = Actor(bot.login, bot.id, bot.app, frozenset({"checks:read"}))
    leave_artifact(fake, 2)
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert lookup.found
    assert len(lookup.warnings) == 1


def test_a_head_that_shares_no_history_falls_back_to_the_base(
    fake: FakeGitHub, api: Api, context_of: ContextOf
) -> None:
    fake.state.add_line(50, branch="orphan")
    leave_check(fake, 3, kwh=9.0)
    assert kwh(look(api, context_of("pull_request", pull_payload(head=50)))) == 9.0


def test_a_first_run_asks_a_bounded_number_of_questions(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    fake.state.add_line(*range(200, 260), branch="main", after=3)
    look(api, context_of("pull_request", pull_payload(base=259, head=259)))
    assert len(fake.state.requests) <= baseline.WALK + 3


def test_a_damaged_date_is_an_unknown_age(fake: FakeGitHub, api: Api, context_of: ContextOf) -> None:
    leave_check(fake, 2)
    text = fake.state.checks[0].data["output"]["text"]
    carried = digest.decode(text)
    assert carried
    fake.state.checks[0].data["output"]["text"] = digest.encode(msgspec.structs.replace(carried, created_at="?"))
    lookup = look(api, context_of("pull_request", pull_payload()))
    assert lookup.found
    assert lookup.found.baseline.age_s is None
