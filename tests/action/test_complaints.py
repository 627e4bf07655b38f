"""What users of other report actions complained of, by their issue's number; more stand beside what they concern."""

import socket
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from audits import l3_audit
from ecoaudit.publish import digest
from github_fake import sha

from .conftest import HEAD, Job, pull_event, push_event

pytestmark = pytest.mark.usefixtures("no_pictures")
AUDIT = {"audit": "run.json"}


def based_job(job: Job, *, age_days: float = 0.0, **changes: Any) -> Job:
    """Leave a base run on the merge base, `age_days` ago."""
    job.put_audit(l3_audit(**changes), "run.json")
    job.run("push", push_event(2), with_=AUDIT, GITHUB_SHA=sha(2))
    output = job.fake.state.checks[0].data["output"]
    carried = digest.decode(output["text"])
    assert carried
    created = job.now - timedelta(days=age_days)
    output["text"] = digest.encode(msgspec.structs.replace(carried, created_at=created.isoformat()))
    return job


def test_codecov_feedback_123_576_an_old_base_is_not_used_silently(job: Job) -> None:
    result = based_job(job, age_days=300).run("pull_request", pull_event(), with_=AUDIT)
    assert "300 days old" in result.log
    assert "300 days" in job.fake.state.comments[0].body


def test_kadai_1704_the_comment_compares_with_main_and_names_the_noise(job: Job) -> None:
    based_job(job).run("pull_request", pull_event(), with_=AUDIT)
    [made] = job.fake.state.comments
    assert "no detectable change" in made.body
    assert "noise" in made.body


def test_enricomi_624_a_gate_may_be_on_the_regression_alone(job: Job) -> None:
    based_job(job, j_per_token=0.1)
    gate = {**AUDIT, "max-increase-percent": "10"}
    assert job.run("pull_request", pull_event(), with_=gate).code == 0
    job.put_audit(l3_audit(j_per_token=0.12), "run.json")
    assert job.run("pull_request", pull_event(), with_=gate).code == 1


def test_a_refused_file_is_named_as_the_inputs_name_it(job: Job) -> None:
    (job.workspace / "logs").mkdir()
    (job.workspace / "logs" / "train.log").write_text("hello\n", encoding="utf-8")
    result = job.run("pull_request", pull_event(), with_={"logs": "logs/train.log"})
    for text in (result.summary, job.fake.state.checks[-1].data["output"]["summary"], result.log):
        assert "logs/train.log: not a log that is understood" in text and str(job.workspace) not in text


def test_enricomi_42_the_title_of_the_check_is_the_verdict(quick_job: Job) -> None:
    quick_job.run("pull_request", pull_event(), with_={**AUDIT, "energy-budget-kwh": "1"})
    assert quick_job.fake.state.checks[0].data["output"]["title"].startswith("Over budget: energy")


def test_bencher_894_a_check_without_a_comment(quick_job: Job) -> None:
    result = quick_job.run("pull_request", pull_event(), with_={**AUDIT, "comment": "off"})
    assert quick_job.fake.state.comments == []
    assert len(quick_job.fake.state.checks) == 1
    assert result.outputs["comment-url"] == ""


def test_github_checks_action_369_tf_via_pr_538_no_conclusion_is_ever_changed(quick_job: Job) -> None:
    """The token may not change a check of another app, nor since 2025 the conclusion of Actions' own."""
    for limit in ("1", "100"):
        quick_job.run("pull_request", pull_event(), with_={**AUDIT, "energy-budget-kwh": limit})
    assert not any(r.startswith("PATCH") and "check-runs" in r for r in quick_job.fake.state.requests)
    assert [c.data["conclusion"] for c in quick_job.fake.state.checks] == ["failure", "success"]


def test_github_action_benchmark_158_the_summary_is_written_once(quick_job: Job) -> None:
    summary = quick_job.run("pull_request", pull_event(), with_=AUDIT).summary
    assert summary.count("### ") == 1


def test_py_cov_169_a_comment_that_is_not_published_is_said(quick_job: Job) -> None:
    quick_job.fake.fail("POST .*/comments", status=422, message="Validation Failed", times=9)
    result = quick_job.run("pull_request", pull_event(), with_=AUDIT)
    assert result.code == 0
    assert "::warning" in result.log
    assert "Validation Failed" in result.log
    assert "Validation Failed" in result.summary


def test_py_cov_498_569_links_follow_the_server(quick_job: Job) -> None:
    result = quick_job.run("pull_request", pull_event(), with_=AUDIT, GITHUB_SERVER_URL="https://ghes.example")
    [check] = quick_job.fake.state.checks
    assert check.data["details_url"].startswith("https://ghes.example/octo/train/actions/runs/")
    assert "https://ghes.example/octo/train/actions" in quick_job.fake.state.comments[0].body
    assert result.code == 0


def test_cml_291_1120_no_picture_is_fetched_from_anywhere(quick_job: Job) -> None:
    result = quick_job.run("pull_request", pull_event(), with_=AUDIT)
    [made] = quick_job.fake.state.comments
    for text in (made.body, result.summary, quick_job.fake.state.checks[0].data["output"]["summary"]):
        assert "![" not in text
        assert "<img" not in text
        assert "<picture" not in text


def test_nothing_but_the_server_of_the_repository_is_asked(quick_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """eco-ci PR78: the place was looked up at a third party, over plain http."""
    asked: list[Any] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        asked.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    quick_job.run("pull_request", pull_event(), with_=AUDIT)
    own = quick_job.fake.url.removeprefix("http://").split(":")
    assert {(host, str(port)) for host, port, *_ in asked} == {(own[0], own[1])}


def test_eco_ci_107_the_first_line_is_the_total_of_the_run(quick_job: Job) -> None:
    quick_job.run("pull_request", pull_event(), with_=AUDIT)
    first = next(line for line in quick_job.fake.state.comments[0].body.splitlines() if line.startswith("#"))
    assert "Not judged" in first
    assert "CO₂e" in first


def test_mmgpy_134_open_zaak_2442_a_gate_tighter_than_the_noise_does_not_fail_a_change_within_it(job: Job) -> None:
    """CI noise forced thresholds up to 400 %: the gate was off."""
    based_job(job, j_per_token=0.1)
    job.put_audit(l3_audit(j_per_token=0.103), "run.json")
    result = job.run("pull_request", pull_event(), with_={**AUDIT, "max-increase-percent": "2"})
    assert (result.code, result.outputs["verdict"]) == (0, "inconclusive")


def test_infracost_1472_a_warning_is_not_a_failure(job: Job) -> None:
    folder = job.workspace / ".github"
    folder.mkdir()
    (folder / "ecoaudit.yml").write_text("budgets:\n  - {metric: energy_kwh, max: 1, level: warn}\n")
    job.put_audit(l3_audit(), "run.json")
    result = job.run("pull_request", pull_event(), with_=AUDIT)
    assert (result.code, result.outputs["verdict"]) == (0, "warn")
    assert job.fake.state.checks[0].data["conclusion"] == "neutral"


def test_infracost_1153_the_exit_code_is_the_gate(quick_job: Job) -> None:
    assert quick_job.run("pull_request", pull_event(), with_={**AUDIT, "cost-budget-usd": "1"}).code == 1
    assert quick_job.fake.state.checks[0].head_sha == sha(HEAD)
