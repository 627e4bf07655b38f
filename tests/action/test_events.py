"""Every event that a workflow can run on, from runs before it to what GitHub shows after it."""

from typing import Any

import msgspec
import pytest

from audits import l3_audit
from ecoaudit.publish import comment, deliver, digest
from ecoaudit.report.charts import draw as DRAW  # noqa: N812 before a fixture puts nothing in its place
from github_fake import DEFAULT_TOKEN, Actor, sha

from .conftest import BASE, HEAD, Job, pull_event, push_event, workflow_run_event

CONFIG = b"project: demo\nbudgets:\n  - {metric: energy_kwh, max: 10}\n"
STRANGERS_CONFIG = "budgets:\n  - {metric: energy_kwh, max: 1000000}\n"


pytestmark = pytest.mark.usefixtures("no_pictures")


def test_the_base_branch_leaves_a_baseline_that_the_pull_request_finds(job: Job) -> None:
    base = job.put_audit(l3_audit(facility_kwh=8.0, j_per_token=0.1), "base.json")
    pushed = job.run("push", push_event(2), with_={"audit": base}, GITHUB_SHA=sha(2))
    assert pushed.code == 0
    assert job.fake.state.comments == []
    head = job.put_audit(l3_audit(facility_kwh=9.6, j_per_token=0.12), "head.json")
    result = job.run("pull_request", pull_event(), with_={"audit": head, "max-increase-percent": "10"})
    assert result.code == 1
    assert float(result.outputs["carbon-delta-percent"]) == pytest.approx(20.0)
    [body] = [c.body for c in job.fake.state.comments]
    assert sha(2)[:7] in body
    assert "check run" in body


def test_the_history_grows_from_push_to_push(job: Job) -> None:
    job.fake.state.add_line(*range(4, 9), branch="main", after=3)
    for commit in range(3, 9):
        path = job.put_audit(l3_audit(facility_kwh=float(commit)))
        job.run("push", push_event(commit), with_={"audit": path}, GITHUB_SHA=sha(commit))
    last = digest.decode(job.fake.state.checks[-1].data["output"]["text"])
    assert last
    assert [a.energy.headline.value.value for a in last.history if a.energy.headline] == [3.0, 4.0, 5.0, 6.0, 7.0]


def test_the_trend_of_the_base_branch_is_in_comment_summary_and_html(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """From push to push in the digests, then as a sparkline and as a chart; the pull request's own run is the last."""
    monkeypatch.setattr("ecoaudit.report.charts.draw", DRAW)
    monkeypatch.setattr("ecoaudit.report.charts.NAMES", ("trend",))
    job.fake.state.add_line(*range(4, 9), branch="main", after=3)
    for commit in range(3, 9):
        path = job.put_audit(l3_audit(j_per_token=0.1 + commit / 1000))
        job.run("push", push_event(commit), with_={"audit": path}, GITHUB_SHA=sha(commit))
    job.fake.state.add_line(60, after=8, branch="topic")
    job.fake.state.pulls[7].head_sha = sha(60)
    event = pull_event(head=60)
    event["pull_request"]["base"]["sha"] = sha(8)
    result = job.run("pull_request", event, with_={"audit": job.put_audit(l3_audit(j_per_token=0.12))})
    [made] = job.fake.state.comments
    trend = "Trend `▁▁▂▂▃▃█` Energy per token of the last 7 runs, this one right: 0.103"
    for text in (made.body, result.summary, job.fake.state.checks[-1].data["output"]["summary"]):
        assert trend in text
        assert "noise from 6 runs" in text
    chart = (job.workspace / "ecoaudit-report/charts/trend-light.svg").read_text(encoding="utf-8")
    assert "Energy per token" in chart
    assert "trend" in (job.workspace / result.outputs["report-html"]).read_text(encoding="utf-8").lower()


def test_no_host_name_reaches_github(job: Job) -> None:
    """Nor by way of the verdict, whose messages are written before nodes become numbers."""
    audit = l3_audit()
    hardware = msgspec.structs.replace(audit.hardware, hosts=["trn-gpu-007.cluster.example"])
    quality = msgspec.structs.replace(audit.quality, warnings=["trn-gpu-007 has no meter"])
    audit = msgspec.structs.replace(audit, hardware=hardware, quality=quality)

    def judge(*arguments: Any, **named: Any) -> Any:
        verdict = deliver_judge(*arguments, **named)
        return msgspec.structs.replace(verdict, headline="Over budget on trn-gpu-007", notes=["see trn-gpu-007"])

    deliver_judge = deliver.judge
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "judge", judge)
        result = job.run("pull_request", pull_event(), with_={"audit": job.put_audit(audit)})
    [check] = job.fake.state.checks
    carried = digest.decode(check.data["output"]["text"])
    assert carried
    for text in (job.fake.state.comments[0].body, str(check.data["output"]), result.summary, result.log, str(carried)):
        assert "trn-gpu-007" not in text
    assert "Over budget on node 1" in check.data["output"]["title"]


def test_a_pull_request_of_a_fork_ends_by_its_verdict_and_says_how_to_publish(job: Job) -> None:
    """Phase 1: the token may only read. EnricoMi #359: the numbers are there all the same."""
    denied = frozenset({"issues:write", "checks:write"})
    job.fake.state.actors[DEFAULT_TOKEN] = Actor("github-actions[bot]", 41898282, "github-actions", denied)
    path = job.put_audit(l3_audit())
    result = job.run("pull_request", pull_event(fork="stranger/train"), with_={"audit": path, "energy-budget-kwh": "1"})
    assert result.code == 1
    assert "CO₂e" in result.summary
    assert "forks" in result.log
    assert "permissions:" not in result.log


def fork_run(job: Job, *audits: Any, **changes: Any) -> Any:
    """Phase 2 on the artifact that the fork's run left, with a workspace that the fork would like to be read."""
    state = job.fake.state
    state.add_pull(8, head=HEAD, base=BASE, branch="topic", fork="stranger/train")
    state.files[sha(BASE), ".github/ecoaudit.yml"] = CONFIG
    folder = job.workspace / ".github"
    folder.mkdir(exist_ok=True)
    (folder / "ecoaudit.yml").write_text(STRANGERS_CONFIG)
    if audits:
        job.upload(*audits, run=900, branch="topic", commit=HEAD, fork=True)
    inputs = changes.pop("with_", {})
    return job.run("workflow_run", workflow_run_event(**changes), with_=inputs, GITHUB_SHA=sha(3))


def test_the_run_for_a_fork_judges_by_the_base_branchs_configuration(job: Job) -> None:
    result = fork_run(job, l3_audit(facility_kwh=20.0))
    assert result.code == 1
    assert result.outputs["verdict"] == "fail"
    [made] = job.fake.state.comments
    assert made.issue == 8
    [check] = job.fake.state.checks
    assert check.head_sha == sha(HEAD)
    assert check.data["conclusion"] == "failure"


def test_figures_of_a_fork_never_become_a_baseline(job: Job) -> None:
    fork_run(job, l3_audit())
    assert "text" not in job.fake.state.checks[0].data["output"]


def test_nothing_of_the_forks_artifact_reaches_markup_or_commands(job: Job) -> None:
    hostile = "</details><img src=x>\n::error::forged\n@octocat #1 [x](https://evil.example) | `x`"
    audit = l3_audit(project=hostile, gpu=hostile)
    result = fork_run(job, audit)
    assert result.code == 0, result.log
    [made] = job.fake.state.comments
    for text in (made.body, result.summary, job.fake.state.checks[0].data["output"]["summary"]):
        assert "<img" not in text
        assert "@octocat" not in text.replace("`", "")
        assert "](https://evil" not in text
    fence = result.log.index("::stop-commands::")
    outside = result.log[:fence] + result.log[result.log.rindex("::ecoaudit-") :]
    assert "\n::error::forged" not in outside


def test_the_pull_request_of_a_fork_is_believed_only_at_its_current_head(job: Job) -> None:
    """nx.js PR409: never a number from the artifact; the branch and the commit must both agree."""
    job.fake.state.add_line(12, after=HEAD)
    result = fork_run(job, l3_audit(), head_sha=sha(12))
    assert result.code == 0, result.log
    assert job.fake.state.comments == []
    assert job.fake.state.checks[0].head_sha == sha(12)
    assert "stranger:topic" in result.log


def test_a_run_of_a_fork_that_left_nothing_is_no_failure_of_ours(job: Job) -> None:
    result = fork_run(job, conclusion="cancelled")
    assert result.code == 0
    assert "cancelled" in result.log
    assert job.fake.state.checks == []


def test_a_successful_run_without_its_artifact_is_a_mistake_to_fix(job: Job) -> None:
    result = fork_run(job)
    assert result.code == 2
    assert "artifact-name" in result.log


def test_a_run_for_a_fork_reads_no_logs(job: Job) -> None:
    (job.workspace / "x.jsonl").touch()
    result = fork_run(job, l3_audit(), with_={"telemetry": "x.jsonl"})
    assert result.code == 2
    assert "audit.json" in result.log


def test_a_broken_artifact_is_one_clear_line(job: Job) -> None:
    job.upload(l3_audit(), run=900, branch="topic", commit=HEAD, fork=True)
    job.fake.state.artifacts[0].content = b"PK not a zip"
    result = fork_run(job)
    assert result.code == 2
    assert "zip" in result.log
    assert "Traceback" not in result.log


def test_pull_request_target_refuses_files_of_the_pull_request(job: Job) -> None:
    result = job.run("pull_request_target", pull_event(), with_={"audit": job.put_audit(l3_audit())})
    assert result.code == 2
    assert "workflow_run" in result.log


def test_a_merge_queue_gets_a_check_and_no_comment(job: Job) -> None:
    group = {"head_sha": sha(HEAD), "base_sha": sha(BASE), "base_ref": "refs/heads/main", "head_ref": "q"}
    result = job.run("merge_group", {"merge_group": group}, with_={"audit": job.put_audit(l3_audit())})
    assert result.code == 0
    assert [c.head_sha for c in job.fake.state.checks] == [sha(HEAD)]
    assert job.fake.state.comments == []
    assert "::notice" in result.log


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch"])
def test_a_nightly_run_is_compared_with_the_night_before(job: Job, event: str) -> None:
    first = job.run(event, {}, with_={"audit": job.put_audit(l3_audit(facility_kwh=8.0))}, GITHUB_SHA=sha(3))
    second = job.run(event, {}, with_={"audit": job.put_audit(l3_audit(facility_kwh=10.0))}, GITHUB_SHA=sha(3))
    assert (first.outputs["carbon-delta-percent"], second.outputs["carbon-delta-percent"]) == ("", "25")
    assert len(job.fake.state.checks) == 2


def test_the_reports_of_a_monorepo_share_one_comment(job: Job) -> None:
    for project in ("vision", "language", "speech"):
        path = job.put_audit(l3_audit(project=project), f"{project}.json")
        assert job.run("pull_request", pull_event(), with_={"audit": path}).code == 0
    [made] = job.fake.state.comments
    assert [p.meta.project for p in comment.parse(made.body)] == ["language", "speech", "vision"]
    assert {c.name for c in job.fake.state.checks} == {f"ecoaudit / {p}" for p in ("vision", "language", "speech")}


def test_one_final_job_publishes_all_reports(job: Job) -> None:
    for project, kwh in (("vision", 5.0), ("language", 50.0)):
        job.put_audit(l3_audit(project=project, facility_kwh=kwh), f"reports/{project}/audit.json")
    result = job.run("pull_request", pull_event(), with_={"audit": "reports/*/audit.json", "energy-budget-kwh": "10"})
    assert result.code == 1
    assert result.outputs["verdict"] == "fail"
    assert result.outputs["energy-kwh"] == "50"
    assert len(comment.parse(job.fake.state.comments[0].body)) == 2
    assert len(job.fake.state.checks) == 2
    assert (job.workspace / result.outputs["audit-json"]).is_file()


def test_two_reports_with_one_name_are_an_error(job: Job) -> None:
    """Goal 7: an error, not an overwrite."""
    for folder in ("a", "b"):
        job.put_audit(l3_audit(facility_kwh=float(ord(folder))), f"{folder}/audit.json")
    result = job.run("pull_request", pull_event(), with_={"audit": "*/audit.json"})
    assert result.code == 2
    assert "project" in result.log
    assert job.fake.state.comments == []


def test_two_jobs_of_one_run_with_one_name_are_an_error(job: Job) -> None:
    job.run("pull_request", pull_event(), with_={"audit": job.put_audit(l3_audit(facility_kwh=8.0))})
    job.run_id -= 1
    result = job.run("pull_request", pull_event(), with_={"audit": job.put_audit(l3_audit(facility_kwh=9.0))})
    assert result.code == 2
    assert "give each job its own" in result.log
    assert job.fake.state.comments[0].edits == 0


@pytest.mark.parametrize(("policy", "code"), [("pass", 0), ("warn", 0), ("fail", 1)])
def test_a_missing_baseline_follows_its_policy(job: Job, policy: str, code: int) -> None:
    inputs = {"audit": job.put_audit(l3_audit()), "max-increase-percent": "5", "on-missing-baseline": policy}
    result = job.run("pull_request", pull_event(), with_=inputs)
    assert (result.code, result.outputs["verdict"]) == (code, policy)


def test_a_baseline_can_be_a_file(job: Job) -> None:
    """EnricoMi #115: supply a baseline."""
    base = job.put_audit(l3_audit(facility_kwh=8.0), "base.json")
    result = job.run("pull_request", pull_event(), with_={"audit": job.put_audit(l3_audit()), "baseline": base})
    assert result.outputs["carbon-delta-percent"] == "0"
    assert "base" in job.fake.state.comments[0].body
    assert not any("compare" in r for r in job.fake.state.requests)


def test_a_failed_budget_of_the_file_is_annotated_at_its_line(job: Job) -> None:
    folder = job.workspace / ".github"
    folder.mkdir()
    (folder / "ecoaudit.yml").write_text(
        "project: demo\nbudgets:\n  - {metric: carbon_kg, max: 900}\n  - metric: energy_kwh\n    max: 1\n"
    )
    job.run("pull_request", pull_event(), with_={"audit": job.put_audit(l3_audit())})
    [annotation] = job.fake.state.checks[0].annotations
    assert (annotation["path"], annotation["start_line"]) == (".github/ecoaudit.yml", 4)
    assert annotation["annotation_level"] == "failure"
