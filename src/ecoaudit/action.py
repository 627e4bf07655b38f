"""The GitHub Action: inputs from the environment, then audit, baseline, verdict, report, and what GitHub shows."""

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

import msgspec

from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError
from ecoaudit.judge.verdict import Outcome
from ecoaudit.markdown_text import clean, escape
from ecoaudit.model.audit import Audit
from ecoaudit.publish import artifact, badges, baseline, deliver, inputs, permissions, plan, workflow_commands
from ecoaudit.publish.activity import Activity, decide
from ecoaudit.publish.address import ALLOW_HTTP, check_address
from ecoaudit.publish.api import Api
from ecoaudit.publish.effects import Announce, Effect, SetOutputs, WriteSummary
from ecoaudit.publish.event import Context, WorkflowRun, read_context
from ecoaudit.publish.execute import Runner, execute
from ecoaudit.publish.failure import ApiFailure
from ecoaudit.publish.inputs import Settings

BAD_INPUT = 2

Connect = Callable[[str, str, str], Api]
"""Makes the connection: API address, repository, token."""


@dataclass(frozen=True, slots=True)
class _NothingToDo(Exception):
    """The run that triggered this one left nothing to publish, and that is not this run's fault."""

    reason: str


def main(
    environ: Mapping[str, str],
    *,
    stream: TextIO | None = None,
    connect: Connect = Api,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Run the action in the runner's environment and return its exit code.

    0: pass, warn or inconclusive; 1: fail (moved by the input `fail-on`); 2: bad input or usage. `connect`, `now` and
    `stream` are for tests.
    """
    runner = Runner(stream or sys.stdout, _path(environ, "GITHUB_STEP_SUMMARY"), _path(environ, "GITHUB_OUTPUT"))
    try:
        return _main(environ, runner, connect, now)
    except Exception as error:  # noqa: BLE001 a traceback ends with 1, which reads as a failed budget
        return _crashed(error, environ, runner)


def _main(environ: Mapping[str, str], runner: Runner, connect: Connect, now: Callable[[], datetime]) -> int:
    token = environ.get("INPUT_GITHUB-TOKEN", "") or environ.get("GITHUB_TOKEN", "")
    for command in workflow_commands.mask(token):
        print(command, file=runner.stream)
    try:
        context = read_context(environ)
        check_address(context.api_url, allow_http=environ.get(ALLOW_HTTP, "").lower() == "true")
    except EcoauditError as error:
        text = f"### ❌ ecoaudit could not start\n\n{escape(error.line())}\n"
        execute(
            [WriteSummary(text=text), Announce(level="error", title="ecoaudit", message=error.line())], None, runner
        )
        return BAD_INPUT
    activity = decide(context)
    api = connect(context.api_url, context.repository, token) if token else None
    try:
        return _run(environ, context, activity, api, runner, now())
    except _NothingToDo as nothing:
        execute([Announce(level="notice", title="ecoaudit", message=nothing.reason)], None, runner)
        return 0
    except EcoauditError as error:
        policy, project = _unread_policy(environ)
        said = error.line().replace(f"{_workspace(environ)}/", "")  # as the inputs name it
        effects = plan.refusal(context, activity, said, policy=policy, project=project)
        execute(effects, api, runner, fork=activity.fork)
        return error.exit_code
    except Exception as error:
        policy, project = _unread_policy(environ)
        effects = plan.fault(context, activity, _fault(error), policy=policy, project=project)
        with contextlib.suppress(Exception):  # the fault may be in what publishes
            execute(effects if api is not None else [], api, runner, fork=activity.fork)
        raise
    finally:
        if api is not None:
            api.close()


def _workspace(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()


def _unread_policy(environ: Mapping[str, str]) -> tuple[plan.Policy, str | None]:
    """Return what the inputs say of the check and its project where they could not be read as a whole."""
    check: Literal["on", "off"] = "off" if environ.get("INPUT_CHECK", "").strip() == "off" else "on"
    return plan.Policy(check=check), environ.get("INPUT_PROJECT", "").strip() or None


def _fault(error: Exception) -> str:
    what = clean(f"{type(error).__name__}: {error}", limit=300)
    return f"ecoaudit itself failed, and nothing was judged: {what}. Re-run with debug logging to see where."


def _crashed(error: Exception, environ: Mapping[str, str], runner: Runner) -> int:
    """Say that the program itself failed; where it did is for the debug log (RUNNER_DEBUG, set by a debug re-run)."""
    message = _fault(error)
    print(workflow_commands.annotation("error", message, title="ecoaudit"), file=runner.stream, flush=True)
    if environ.get("RUNNER_DEBUG") == "1":
        print("::group::Where ecoaudit failed", file=runner.stream)
        with workflow_commands.untrusted(runner.stream):
            traceback.print_exception(error, file=runner.stream)
        print("::endgroup::", file=runner.stream)
    if runner.summary:
        workflow_commands.append_summary(runner.summary, f"### ❌ ecoaudit failed\n\n{escape(message)}\n")
    return BAD_INPUT


def _run(
    environ: Mapping[str, str], context: Context, activity: Activity, api: Api | None, runner: Runner, now: datetime
) -> int:
    settings = inputs.read_settings(environ)
    workspace = _workspace(environ)
    report_dir = inputs.inside(workspace, settings.report_dir, "report-dir")
    _refuse_strangers(activity, settings)
    if api is not None:
        activity = _with_base(api, activity)
    text = _configuration(workspace, activity, api, settings)
    config = _placed(inputs.merge(text, settings, where=settings.config), workspace, settings)
    explicit = inputs.inside(workspace, settings.baseline, "baseline") if settings.baseline else None
    job = deliver.Job(
        context=context,
        activity=activity,
        api=api,
        config=config,
        policy=settings.policy,
        runner=runner,
        now=now,
        artifact_name=settings.artifact_name,
        config_path=settings.config,
        config_text=text,
        explicit_base=_read(explicit) if explicit else None,
        explicit_base_name=settings.baseline,
        charts_branch=_charts_branch(settings, context, activity),
    )
    audits = _audits(workspace, settings, job)
    deliver.check_projects(audits)
    folders = [report_dir] if len(audits) == 1 else [report_dir / _slug(a.project, i) for i, a in enumerate(audits, 1)]
    items = [deliver.judged(audit, job) for audit in audits]
    worst = deliver.worst(items)
    planned: list[Effect] = []
    for item, folder in zip(items, folders, strict=True):
        paths, drawn = _report(item, job, folder, workspace)
        effects = deliver.effects_of(item, job, paths, drawn)
        # Several audits have one set of outputs: those of the worst.
        planned += [e for e in effects if item is worst or not isinstance(e, SetOutputs)]
    _give_to_owner(report_dir, workspace)
    done = execute(planned, api, runner, fork=activity.fork)
    return BAD_INPUT if done.failed else exit_code(worst.verdict.outcome, settings.fail_on)


def _charts_branch(settings: Settings, context: Context, activity: Activity) -> str:
    """Return the branch for charts; raises when it is one that people work on, since it is written by force."""
    own = None if activity.fork else activity.branch
    if settings.charts_branch and settings.charts_branch in {
        context.branch,
        context.default_branch,
        activity.base.branch,
        own,
    }:
        raise EcoauditError(
            f"{settings.charts_branch!r} is a branch that is worked on",
            where="input charts-branch",
            fix="name one for charts alone, such as ecoaudit-charts",
        )
    return settings.charts_branch


def _report(
    item: deliver.Judged, job: deliver.Job, folder: Path, workspace: Path
) -> tuple[dict[str, str], Mapping[str, bytes]]:
    """Write and print the report and badges; return their paths as the outputs name them, and the charts."""
    from ecoaudit import pipeline

    report, files = pipeline.write_report(item.audit, item.verdict, folder, base=item.base, history=item.history)
    with workflow_commands.untrusted(job.runner.stream):
        print(report.console, file=job.runner.stream)
    made = badges.files(badges.of(item.audit, item.verdict.outcome, judged=item.verdict.judged))
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    paths = {
        "audit-json": str(files.audit_json.relative_to(workspace)),
        "report-md": str(files.report_md.relative_to(workspace)),
        "report-html": str(files.report_html.relative_to(workspace)),
    }
    return paths, report.charts


def exit_code(outcome: Outcome, fail_on: str) -> int:
    """Return 1 where the verdict is one that `fail-on` names or worse; `warn` includes inconclusive."""
    failing = {"fail": {Outcome.FAIL}, "warn": {Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.FAIL}, "never": set()}
    return 1 if outcome in failing[fail_on] else 0


def _refuse_strangers(activity: Activity, settings: Settings) -> None:
    """Keep a stranger's files away from a token that can write."""
    if activity.trusted:
        return
    if activity.artifact_run is None and (settings.logs or settings.audits):
        raise EcoauditError(
            "pull_request_target runs with a token that can write beside files of the pull request",
            fix="audit in a pull_request workflow and publish from workflow_run (docs/action.md)",
        )
    if settings.logs:
        raise EcoauditError(
            "a run for a fork reads no logs, only the audit.json of the fork's own run",
            where="inputs telemetry, logs",
            fix="leave them out; set artifact-name",
        )


def _with_base(api: Api, activity: Activity) -> Activity:
    try:
        return baseline.with_base(api, activity)
    except ApiFailure as failure:
        raise EcoauditError(permissions.explain("pulls", failure, fork=activity.fork)) from failure


def _configuration(workspace: Path, activity: Activity, api: Api | None, settings: Settings) -> bytes | None:
    """Return the configuration's text: the workspace's, or for a stranger's run the base branch's."""
    named = settings.config != inputs.DEFAULT_CONFIG
    if activity.trusted:
        path = inputs.inside(workspace, settings.config, "config")
        if not path.is_file():
            if named:
                raise EcoauditError("there is no such file", where=f"input config: {settings.config}")
            return None
        return path.read_bytes()
    if api is None:
        raise EcoauditError("the base branch's configuration cannot be read without a token", where="github-token")
    ref = activity.base.sha or activity.base.branch
    if ref is None:
        return None
    try:
        text = api.file(settings.config, ref)
    except ApiFailure as failure:
        raise EcoauditError(permissions.explain("config", failure, fork=activity.fork)) from failure
    if text is None and named:
        raise EcoauditError("the base branch has no such file", where=f"input config: {settings.config}")
    return text


def _placed(config: Config, workspace: Path, settings: Settings) -> Config:
    """Return `config` with its calibration as a path inside the workspace."""
    given = settings.calibration or config.calibration
    if not given:
        return config
    return msgspec.structs.replace(config, calibration=str(inputs.inside(workspace, given, "calibration")))


def _audits(workspace: Path, settings: Settings, job: deliver.Job) -> list[Audit]:
    from ecoaudit import pipeline
    from ecoaudit.jobs import Jobs, available_cpus

    if settings.logs and settings.audits:
        raise EcoauditError("give either logs or finished audits", where="inputs telemetry, logs, audit")
    if settings.logs:
        activity = job.activity
        identity = pipeline.RunIdentity(str(job.context.run_id), activity.head_sha, activity.branch)
        found = inputs.expand(workspace, settings.logs, "telemetry, logs")
        with Jobs(available_cpus()) as jobs:
            return [pipeline.audit_inputs(found, job.config, identity, jobs)]
    if settings.audits:
        audits = [_read(Path(p)) for p in inputs.expand(workspace, settings.audits, "audit")]
    elif job.activity.artifact_run is not None:
        audits = _from_artifact(job, job.activity.artifact_run)
    else:
        raise EcoauditError(
            "there is nothing to audit", where="inputs telemetry, logs, audit", fix="name the run's telemetry and logs"
        )
    return [_identified(audit, job) for audit in audits]


def _from_artifact(job: deliver.Job, run_id: int) -> list[Audit]:
    if job.api is None:
        raise EcoauditError("the run's artifact cannot be read without a token", where="github-token")
    try:
        found = [a for a in job.api.artifacts(name=job.artifact_name, run_id=run_id) if not a.expired]
        audits = artifact.read_audits(job.api.download(found[0], artifact.MAX_ZIP_BYTES)) if found else []
    except ApiFailure as failure:
        raise EcoauditError(permissions.explain("artifacts", failure, fork=job.activity.fork)) from failure
    if audits:
        return audits
    what = f"the run {run_id} left no audit.json in an artifact called {job.artifact_name!r}"
    subject = job.context.subject
    if isinstance(subject, WorkflowRun) and subject.conclusion != "success":
        raise _NothingToDo(f"{what}; it ended as {subject.conclusion}")
    raise EcoauditError(what, where="input artifact-name", fix="upload the report folder in the first workflow")


def _identified(audit: Audit, job: deliver.Job) -> Audit:
    """Return `audit` with this execution's project and commit where it has none, or where its own is not believed."""
    own = audit.run.commit if job.activity.trusted else None
    run = msgspec.structs.replace(audit.run, commit=own or job.activity.head_sha)
    return msgspec.structs.replace(audit, run=run, project=audit.project or job.config.project)


def _read(path: Path) -> Audit:
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= artifact.MAX_AUDIT_BYTES else b""
    except OSError as error:
        raise EcoauditError(f"cannot read the audit: {error.strerror}", where=str(path)) from error
    if size > artifact.MAX_AUDIT_BYTES:
        raise EcoauditError(f"the audit is larger than {artifact.MAX_AUDIT_BYTES:,} bytes", where=str(path))
    return artifact.decode_untrusted(data, where=str(path))


def _slug(project: str | None, number: int) -> str:
    """Return a folder name for a project; the number keeps names that read alike apart."""
    return f"{number:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', project or '').strip('-').lower()[:40]}".rstrip("-")


def _give_to_owner(folder: Path, workspace: Path) -> None:
    """Give what a root container wrote to the workspace's owner, so that later steps can clean up."""
    if os.geteuid() != 0:
        return
    owner = workspace.stat()
    made = [p for p in (folder, *folder.parents) if p != workspace and p.is_relative_to(workspace)]
    for path in [*made, *folder.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None
