"""A fault of the program itself is neither a failed budget nor a silent pass."""

import pytest

from ecoaudit.publish import deliver

from .conftest import Job, pull_event

AUDIT = {"audit": "run.json"}


@pytest.fixture
def broken_job(quick_job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job in which judging raises what no one foresaw, with a stranger's text in it."""

    def judged(*_: object) -> None:
        raise KeyError("boom\n::error::forged")

    monkeypatch.setattr(deliver, "judged", judged)
    return quick_job


def test_it_ends_with_2_one_line_and_a_summary(broken_job: Job) -> None:
    result = broken_job.run("pull_request", pull_event(), with_=AUDIT)
    assert result.code == 2
    [line] = [line for line in result.log.splitlines() if line.startswith("::error")]
    assert line.startswith("::error title=ecoaudit::ecoaudit itself failed")
    assert "KeyError" in line
    assert "Traceback" not in result.log
    assert "ecoaudit itself failed" in result.summary


def test_the_check_fails_and_says_that_ecoaudit_could_not_run(broken_job: Job) -> None:
    """A required check must not pass because the program broke, nor hang for want of one."""
    broken_job.run("pull_request", pull_event(), with_=AUDIT)
    [check] = broken_job.fake.state.checks
    assert (check.data["conclusion"], check.data["output"]["title"]) == ("failure", "ecoaudit could not run")
    assert "KeyError" in check.data["output"]["summary"] and "Traceback" not in check.data["output"]["summary"]
    assert broken_job.fake.state.comments == []


@pytest.mark.parametrize("inputs", [{"check": "off"}, {"github-token": ""}])
def test_without_a_check_or_a_token_none_is_made(broken_job: Job, inputs: dict[str, str]) -> None:
    result = broken_job.run("pull_request", pull_event(), with_={**AUDIT, **inputs}, GITHUB_TOKEN="")
    assert result.code == 2 and broken_job.fake.state.checks == []


def test_a_fault_in_publishing_itself_ends_the_same_way(quick_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecoaudit.action.execute", lambda *_, **__: 1 / 0)
    result = quick_job.run("pull_request", pull_event(), with_=AUDIT)
    assert result.code == 2 and "ZeroDivisionError" in result.log


def test_the_traceback_is_in_the_debug_log_alone_and_fenced_off(broken_job: Job) -> None:
    log = broken_job.run("pull_request", pull_event(), with_=AUDIT, RUNNER_DEBUG="1").log
    begin, end = log.index("::group::"), log.index("::endgroup::")
    fence, fence_end = log.index("::stop-commands::"), log.rindex("::ecoaudit-")
    assert begin < fence < log.index("Traceback") < fence_end < end
    assert "ghs_default" not in log.split("\n", 1)[1]


def test_a_fault_before_anything_is_read_is_no_different(quick_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecoaudit.action.read_context", lambda _: 1 / 0)
    result = quick_job.run("pull_request", pull_event(), with_=AUDIT)
    assert result.code == 2
    assert "ZeroDivisionError" in result.log
