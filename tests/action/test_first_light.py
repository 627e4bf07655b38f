"""The main job, whole: the sample run's logs in, and a comment, a check, a summary, outputs and an exit code out."""

import os
from pathlib import Path

import pytest

from ecoaudit.publish.inputs import OUTPUTS

from .conftest import HEAD, Job, pull_event

WITHIN = {"telemetry": "logs", "config": "logs/ecoaudit.yml", "carbon-budget-kg": "1000", "cost-budget-usd": "1000"}
OVER = {**WITHIN, "carbon-budget-kg": "0.001"}
QUICK = {"audit": "run.json"}
QUICK_OVER = {**QUICK, "energy-budget-kwh": "0.001"}


def test_within_budget_then_over_budget(sample_job: Job) -> None:
    job = sample_job
    good = job.run("pull_request", pull_event(), with_=WITHIN)
    assert good.code == 0, good.log
    [check] = job.fake.state.checks
    [comment] = job.fake.state.comments
    assert (check.data["conclusion"], int(check.head_sha, 16)) == ("success", HEAD)
    assert "✅" in comment.body
    assert check.data["output"]["summary"] != ""
    assert "CO₂e" in good.summary

    bad = job.run("pull_request", pull_event(), with_=OVER)
    assert bad.code == 1
    assert [c.data["conclusion"] for c in job.fake.state.checks] == ["success", "failure"]
    assert job.fake.state.comments == [comment]
    assert comment.edits == 1
    assert "❌" in comment.body
    assert "::error title=ecoaudit" in bad.log


def test_without_a_budget_the_check_succeeds_and_says_that_nothing_was_judged(quick_job: Job) -> None:
    result = quick_job.run("pull_request", pull_event(), with_={k: v for k, v in QUICK.items() if "budget" not in k})
    [check] = quick_job.fake.state.checks
    assert (check.data["conclusion"], result.outputs["verdict"], result.code) == ("success", "pass", 0)
    assert check.data["output"]["title"] == "No budget is set"
    for text in (check.data["output"]["summary"], quick_job.fake.state.comments[0].body, result.summary):
        assert "Not judged" in text and "✅" not in text


def test_outputs_are_complete_and_their_paths_are_relative(quick_job: Job) -> None:
    result = quick_job.run("pull_request", pull_event(), with_=QUICK)
    assert set(result.outputs) == {o.name for o in OUTPUTS}
    assert result.outputs["verdict"] == "pass"
    assert float(result.outputs["energy-kwh"]) > 0
    for name in ("audit-json", "report-md", "report-html"):
        path = Path(result.outputs[name])
        assert not path.is_absolute()
        assert (quick_job.workspace / path).is_file()
    assert result.outputs["check-url"].startswith("https://github.com/octo/train/runs/")
    assert "#issuecomment-" in result.outputs["comment-url"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away, as the container does")
def test_files_belong_to_the_owner_of_the_workspace(quick_job: Job) -> None:
    """runner #434: files of root break the next checkout."""
    os.chown(quick_job.workspace, 1001, 127)
    quick_job.run("pull_request", pull_event(), with_={**QUICK, "report-dir": "out/report"})
    made = [quick_job.workspace / "out", *(quick_job.workspace / "out").rglob("*")]
    assert len(made) > 4
    assert {(p.stat().st_uid, p.stat().st_gid) for p in made} == {(1001, 127)}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "nothing to audit"),
        ({"telemetry": "nowhere/*.jsonl"}, "nothing matches"),
        ({"telemetry": "run.json", "region": "aws:atlantis-1"}, "atlantis"),
        ({"audit": "run.json", "config": "missing.yml"}, "no such file"),
        ({"audit": "run.json", "fail-on": "sometimes"}, "fail-on"),
        ({"audit": "run.json", "report-dir": "../out"}, "out of the workspace"),
        ({"telemetry": "run.json", "audit": "run.json"}, "either"),
    ],
)
def test_bad_input_is_a_failed_check_a_summary_and_exit_2(quick_job: Job, inputs: dict[str, str], words: str) -> None:
    result = quick_job.run("pull_request", pull_event(), with_=inputs)
    assert result.code == 2
    [check] = quick_job.fake.state.checks
    assert check.data["conclusion"] == "failure"
    assert words in result.log
    assert "could not" in result.summary
    assert "Traceback" not in result.log


def test_the_token_is_masked_and_nowhere_in_the_log(quick_job: Job) -> None:
    """py-cov #305: a traceback dumped the environment with the token."""
    result = quick_job.run("pull_request", pull_event(), with_=QUICK)
    assert result.log.startswith("::add-mask::ghs_default\n")
    assert "ghs_default" not in result.log.split("\n", 1)[1] + result.summary


def test_the_console_summary_is_fenced_off_from_commands(quick_job: Job) -> None:
    log = quick_job.run("pull_request", pull_event(), with_=QUICK).log
    begin, end = log.index("::stop-commands::"), log.rindex("::ecoaudit-")
    assert begin < log.index("not judged") < end


def test_a_plain_http_address_of_another_machine_gets_no_token(quick_job: Job) -> None:
    result = quick_job.run("pull_request", pull_event(), with_=QUICK, GITHUB_API_URL="http://ghes.example/api/v3")
    assert result.code == 2
    assert quick_job.fake.state.requests == []
    assert "https" in result.summary


def test_without_a_network_the_verdict_stands(quick_job: Job) -> None:
    """codecov feedback #358, koios-java-client PR215: a server that is down must not decide the job."""
    result = quick_job.run("pull_request", pull_event(), with_=QUICK_OVER, GITHUB_API_URL="http://127.0.0.1:9")
    assert result.code == 1
    assert result.outputs["verdict"] == "fail"
    assert "CO₂e" in result.summary
    assert sum(quick_job.slept) < 60


@pytest.mark.parametrize(("fail_on", "code"), [("fail", 1), ("warn", 1), ("never", 0)])
def test_fail_on_moves_the_exit_code_and_not_the_check(quick_job: Job, fail_on: str, code: int) -> None:
    result = quick_job.run("pull_request", pull_event(), with_={**QUICK_OVER, "fail-on": fail_on})
    assert result.code == code
    assert quick_job.fake.state.checks[0].data["conclusion"] == "failure"


LOG = "".join(
    f"step {n}/9 | loss {11 - n}.0 | norm 1.0 | lr 1.0e-04 | 60000.00 ms | 524288 tok/s\n" for n in range(1, 10)
)


def test_a_log_alone_is_audited_on_the_hardware_of_the_inputs(quick_job: Job) -> None:
    (quick_job.workspace / "train.log").write_text(LOG, encoding="utf-8")
    inputs = {"logs": "train.log", "gpu": "H100 SXM", "gpus": "16", "nodes": "2", "region": "aws:us-east-1"}
    result = quick_job.run("pull_request", pull_event(), with_=inputs)
    assert result.code == 0, result.log
    assert float(result.outputs["energy-kwh"]) > 0 and float(result.outputs["cost-usd"]) > 0
    body = quick_job.fake.state.comments[0].body
    assert "facility, level L3" in body and "given by the user" in body
    ambiguous = quick_job.run("pull_request", pull_event(), with_={**inputs, "gpu": "A100"})
    assert ambiguous.code == 2 and "ambiguous" in ambiguous.log and "A100-SXM4-80GB" in ambiguous.log
