"""The executor: does the effects, goes on after what GitHub refuses, and reports what it could not do."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

from ecoaudit.markdown_text import escape
from ecoaudit.publish import chart_store, permissions, upsert, workflow_commands
from ecoaudit.publish.api import Api
from ecoaudit.publish.effects import (
    Announce,
    CreateCheck,
    Effect,
    SetOutputs,
    StoreCharts,
    UpsertComment,
    WriteSummary,
)
from ecoaudit.publish.failure import ApiFailure

NO_TOKEN = "GitHub was not asked: there is no token; set the input `github-token` (or GITHUB_TOKEN)."  # noqa: S105
SHORT_SUMMARY = "### ecoaudit\n\nThe report did not fit into the job summary; see the check run or the report files.\n"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not published. A warning leaves the exit code alone, an error is the user's to fix."""

    severity: Literal["notice", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True)
class Runner:
    """Where the runner listens: its log, the job summary and the outputs (None where it gives no file)."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    summary: Path | None = None
    outputs: Path | None = None


@dataclass(slots=True)
class Done:
    """What came of the effects so far."""

    comment_url: str = ""
    check_url: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether something went wrong that the user must fix before the result means anything."""
        return any(problem.severity == "error" for problem in self.problems)


def execute(effects: Sequence[Effect], api: Api | None, runner: Runner, *, fork: bool = False) -> Done:
    """Do `effects` in order; what GitHub refuses becomes a problem of the result and does not stop the rest.

    `api` is None without a token. `fork` tells a pull request from a fork, whose token no YAML can raise.
    """
    done = Done()
    for effect in effects:
        match effect:
            case CreateCheck():
                _check(effect, api, done, fork)
            case UpsertComment():
                _comment(effect, api, done, fork)
            case StoreCharts():
                _charts(effect, api, done)
            case WriteSummary():
                _summary(effect, runner, done)
            case Announce():
                _print(runner, effect.level, effect.message, effect.title)
            case SetOutputs():
                values = {**effect.values, "comment-url": done.comment_url, "check-url": done.check_url}
                if runner.outputs:
                    workflow_commands.append_outputs(runner.outputs, values)
    for problem in done.problems:
        _print(runner, problem.severity, problem.text, "ecoaudit")
    return done


def _print(runner: Runner, level: Literal["notice", "warning", "error"], message: str, title: str) -> None:
    print(workflow_commands.annotation(level, message, title=title), file=runner.stream, flush=True)


def _check(effect: CreateCheck, api: Api | None, done: Done, fork: bool) -> None:
    if api is None:
        done.problems.append(Problem("warning", NO_TOKEN))
        return
    try:
        check = api.create_check(effect)
        done.check_url = check.url
        api.add_annotations(check, effect)
    except ApiFailure as failure:
        done.problems.append(Problem("warning", permissions.explain("check", failure, fork=fork)))


def _comment(effect: UpsertComment, api: Api | None, done: Done, fork: bool) -> None:
    if api is None:
        if not any(problem.text == NO_TOKEN for problem in done.problems):
            done.problems.append(Problem("warning", NO_TOKEN))
        return
    try:
        result = upsert.upsert(effect, api, check_url=done.check_url)
    except ApiFailure as failure:
        done.problems.append(Problem("warning", permissions.explain("comment", failure, fork=fork)))
        return
    done.comment_url = result.url
    if result.reason:
        done.problems.append(Problem("error" if result.conflict else "notice", result.reason))


def _charts(effect: StoreCharts, api: Api | None, done: Done) -> None:
    """Store charts; whatever comes of it, pictures decide no job."""
    if api is None:
        return
    try:
        reason = chart_store.store(api, effect)
    except ApiFailure as failure:
        reason = permissions.explain("charts", failure, fork=False)
    if reason:
        done.problems.append(Problem("warning", reason))


def _summary(effect: WriteSummary, runner: Runner, done: Done) -> None:
    if runner.summary is None:
        return
    notes = "".join(f"\n> {_quoted(problem.text)}\n" for problem in done.problems)
    if not workflow_commands.append_summary(runner.summary, effect.text + notes):
        workflow_commands.append_summary(runner.summary, SHORT_SUMMARY)
        done.problems.append(Problem("warning", "The job summary is full: the report was not added to it."))


def _quoted(text: str) -> str:
    """Return a problem as a quotation; lines of YAML stay a block of their own."""
    before, _, yaml = text.partition("\n\n")
    if not yaml:
        return escape(before)
    lines = "".join(f"> {line}\n" for line in yaml.rstrip().splitlines())
    return f"{escape(before)}\n>\n> ```yaml\n{lines}> ```"
