"""Charts and badges, whole: what a push leaves on its branch, and what the next pull request shows of it."""

import json
import xml.etree.ElementTree as ET

import pytest

from audits import l3_audit
from ecoaudit.publish import charts
from ecoaudit.report.charts import draw as DRAW  # noqa: N812 before a fixture puts another in its place
from ecoaudit.report.charts.style import THEMES
from github_fake import DEFAULT_TOKEN, Actor, sha

from .conftest import BASE, HEAD, Job, Result, pull_event, push_event, workflow_run_event

BRANCH = "ecoaudit-charts"
CHARTS = {"audit": "run.json", "charts-branch": BRANCH}
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><desc>d</desc></svg>"


@pytest.fixture
def job(job: Job, monkeypatch: pytest.MonkeyPatch) -> Job:
    """The job with a finished audit, and pictures that cost nothing."""
    monkeypatch.setattr("ecoaudit.report.charts.draw", lambda *_, theme, **__: {"power": SVG + theme.encode()})
    job.put_audit(l3_audit(), "run.json")
    return job


def push(job: Job, commit: int = 2, **more: str) -> Result:
    return job.run("push", push_event(commit), with_=CHARTS, GITHUB_SHA=sha(commit), **more)


def test_the_comment_of_a_pull_request_shows_the_pictures_of_its_base(job: Job) -> None:
    push(job)
    job.run("pull_request", pull_event(), with_=CHARTS)
    [made] = job.fake.state.comments
    index = charts.read_index(job.fake.state.files_on(BRANCH)["index.json"])
    assert index
    [picture] = index.runs[0].pictures
    root = f"https://github.com/octo/train/blob/{BRANCH}"
    assert f'src="{root}/{picture.light}?raw=true"' in made.body
    assert f'srcset="{root}/{picture.dark}?raw=true"' in made.body
    assert f"base run {sha(2)[:7]}" in made.body


def test_the_stored_charts_are_the_reports_own_on_a_page_colour(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecoaudit.report.charts.draw", DRAW)
    push(job)
    drawn = {p: data for p, data in job.fake.state.files_on(BRANCH).items() if p.startswith("pictures/")}
    assert drawn
    pages = {
        rect.get("fill")
        for data in drawn.values()
        if (rect := ET.fromstring(data).find("{http://www.w3.org/2000/svg}rect")) is not None
    }
    assert pages == {theme.page for theme in THEMES.values()}
    names = sorted(p.name for p in (job.workspace / "ecoaudit-report/charts").iterdir())
    index = charts.read_index(job.fake.state.files_on(BRANCH)["index.json"])
    assert index
    assert {f"{p.name}-dark.svg" for p in index.runs[0].pictures} <= set(names)


def test_a_pull_request_stores_nothing(job: Job) -> None:
    job.run("pull_request", pull_event(), with_=CHARTS)
    assert BRANCH not in job.fake.state.branches
    assert not any("/git/" in r for r in job.fake.state.requests)
    assert "<picture" not in job.fake.state.comments[0].body


def test_it_is_off_unless_asked_for(job: Job) -> None:
    job.run("push", push_event(2), with_={"audit": "run.json"}, GITHUB_SHA=sha(2))
    job.run("pull_request", pull_event(), with_={"audit": "run.json"})
    assert list(job.fake.state.branches) == ["main", "topic"]
    assert not any("index.json" in r for r in job.fake.state.requests)


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch"])
def test_a_nightly_run_stores_too(job: Job, event: str) -> None:
    job.run(event, {"repository": push_event(3)["repository"]}, with_=CHARTS, GITHUB_SHA=sha(3))
    assert "badges/demo/badge-carbon.svg" in job.fake.state.files_on(BRANCH)


def test_only_the_default_branch_sets_the_badges(job: Job) -> None:
    push(job, GITHUB_REF="refs/heads/topic")
    assert not any(path.startswith("badges/") for path in job.fake.state.files_on(BRANCH))
    push(job, 3)
    data = json.loads(job.fake.state.files_on(BRANCH)["badges/demo/badge-energy.json"])
    assert "kWh" in data["message"]


def test_the_report_folder_has_the_badges_in_any_case(job: Job) -> None:
    job.run("pull_request", pull_event(), with_={"audit": "run.json"})
    folder = job.workspace / "ecoaudit-report"
    assert {p.name for p in folder.glob("badge-*")} == {
        f"badge-{name}.{kind}" for name in ("carbon", "energy", "cost") for kind in ("json", "svg")
    }


@pytest.mark.parametrize("branch", ["main", "topic", "refs/heads/main", "a..b", "-x", "x y", "x.lock"])
def test_a_branch_that_is_worked_on_or_is_no_name_is_refused(job: Job, branch: str) -> None:
    before = dict(job.fake.state.branches)
    result = job.run("pull_request", pull_event(), with_={**CHARTS, "charts-branch": branch})
    assert result.code == 2
    assert "charts-branch" in result.log
    assert job.fake.state.branches == before


def test_a_token_that_may_not_write_is_told_the_line_and_the_verdict_stands(job: Job) -> None:
    denied = frozenset({"contents:write"})
    job.fake.state.actors[DEFAULT_TOKEN] = Actor("github-actions[bot]", 41898282, "github-actions", denied)
    result = push(job)
    assert (result.code, result.outputs["verdict"]) == (0, "pass")
    assert "contents: write" in result.log
    assert "contents: read" not in result.log
    assert "contents: write" in result.summary


def test_a_lost_race_fails_no_job(job: Job) -> None:
    """rjsf PR5236."""

    def race(what: str) -> None:
        if what == "POST /repos/octo/train/git/commits":
            git = job.fake.state.git
            tree = git.add_tree({"index.json": b'{"schema": "ecoaudit.charts/1"}'})
            job.fake.state.branches[BRANCH] = git.add_commit(tree, (), "another job")

    job.fake.before = race
    result = push(job)
    assert result.code == 0
    assert "kept changing" in result.log


def test_a_run_for_a_fork_stores_nothing(job: Job) -> None:
    job.upload(l3_audit(), run=900, branch="topic", commit=HEAD, fork=True)
    job.fake.state.add_pull(8, head=HEAD, base=BASE, branch="topic", fork="stranger/train")
    push(job)
    before = job.fake.state.branches[BRANCH]
    result = job.run("workflow_run", workflow_run_event(), with_={"charts-branch": BRANCH}, GITHUB_SHA=sha(3))
    assert result.code == 0, result.log
    assert job.fake.state.branches[BRANCH] == before
    assert "<picture" in job.fake.state.comments[0].body


def test_a_fork_whose_branch_is_called_like_ours_is_published_all_the_same(job: Job) -> None:
    """The name of a fork's branch is its own to choose, and nothing of it is written to."""
    job.upload(l3_audit(), run=900, branch=BRANCH, commit=HEAD, fork=True)
    job.fake.state.add_pull(8, head=HEAD, base=BASE, branch=BRANCH, fork="stranger/train")
    event = workflow_run_event(head_branch=BRANCH)
    result = job.run("workflow_run", event, with_={"charts-branch": BRANCH}, GITHUB_SHA=sha(3))
    assert result.code == 0, result.log
    assert len(job.fake.state.comments) == 1


def test_a_private_repository_is_told_who_sees_the_pictures(job: Job) -> None:
    """hive-mind PR1034, galaxie #1636: pictures of a private repository that nobody saw."""
    event = push_event(2)
    assert "private" not in push(job, 3).log
    event["repository"]["private"] = True
    result = job.run("push", event, with_=CHARTS, GITHUB_SHA=sha(2))
    assert "::notice title=ecoaudit::The repository is private" in result.log


def test_a_branch_that_cannot_be_read_leaves_the_comment_without_pictures(job: Job) -> None:
    push(job)
    job.fake.fail("GET .*/contents/index.json", status=403, message="Resource not accessible by integration", times=9)
    result = job.run("pull_request", pull_event(), with_=CHARTS)
    assert result.code == 0
    assert "<picture" not in job.fake.state.comments[0].body
    assert "read the branch of the charts" in result.log
