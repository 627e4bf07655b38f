"""Where the base run comes from: a check run on the base branch that carries our digest, else an artifact of it.

Branches, extra permissions and servers are not needed. What was found is always said: source, commit, age, distance.
A look-up that GitHub refuses is a missing baseline with a warning, never a failure of the job.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ecoaudit.errors import EcoauditError
from ecoaudit.judge.verdict import Baseline, Outcome
from ecoaudit.model.audit import Audit
from ecoaudit.publish import artifact, digest, permissions, plan
from ecoaudit.publish.activity import Activity, FindPull
from ecoaudit.publish.api import DEFAULT_BOT, Api, Check
from ecoaudit.publish.artifact import Artifact
from ecoaudit.publish.event import Context
from ecoaudit.publish.failure import ApiFailure, Kind

WALK = 15
"""Commits of the base branch that are looked at, newest first."""
MAX_ARTIFACTS = 5
OLD_S = 90 * 86_400
"""A base run older than this is named in a warning: drivers, data and prices have moved on."""


@dataclass(frozen=True, slots=True)
class Found:
    """A base run, what to say of it, and the runs of the base branch before it, oldest first."""

    audit: Audit
    baseline: Baseline
    history: tuple[Audit, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """The result of a search, with what went wrong on the way."""

    found: Found | None = None
    warnings: tuple[str, ...] = ()


def find(
    api: Api, context: Context, activity: Activity, project: str | None, *, artifact_name: str, now: datetime
) -> Lookup:
    """Search the base run of `project`; the run's own commit is never its own baseline.

    `activity` must name its base (`with_base`); `now` is for the age of what is found.
    """
    try:
        commits = _commits(api, activity)
    except ApiFailure as failure:
        return Lookup(None, (permissions.explain("commits", failure, fork=activity.fork),))
    warnings: list[str] = []
    failing: Found | None = None
    for search in (_from_checks, _from_artifacts):
        try:
            found, failed = search(api, context, activity, project, commits, artifact_name, now)
        except ApiFailure as failure:
            need: permissions.Need = "checks" if search is _from_checks else "artifacts"
            warnings.append(permissions.explain(need, failure, fork=activity.fork))
            continue
        if found:
            return Lookup(found, (*warnings, *_age_warnings(found)))
        failing = failing or failed
    if failing:
        commit = (failing.baseline.commit or "unknown")[:7]
        warnings.append(
            f"Every run found on the base branch failed its own budgets; compared with the one of {commit}."
        )
        failing = replace(failing, baseline=_failed(failing.baseline))
    return Lookup(failing, tuple(warnings))


def with_base(api: Api, activity: Activity) -> Activity:
    """Return `activity` with the base of a pull request that the event did not name. Raises `ApiFailure`."""
    if not isinstance(activity.comment, FindPull) or activity.base.sha is not None:
        return activity
    pulls = api.open_pulls_from(activity.comment.owner, activity.comment.branch)
    pull = next((p for p in pulls if p.head_sha == activity.head_sha), None)
    if pull is None:
        return activity
    base = replace(activity.base, sha=pull.base_sha, branch=pull.base_branch, include_start=True)
    return replace(activity, base=base)


def from_file(audit: Audit, name: str) -> Found:
    """Return the base run in a file that the user named."""
    return Found(audit, Baseline(source=f"file {name}", commit=audit.run.commit, run_id=audit.run.id))


def _commits(api: Api, activity: Activity) -> list[str]:
    """Return the commits whose runs may serve, the nearest first."""
    base = activity.base
    start = base.sha
    if start is None:
        return []
    if base.merge_base:
        try:
            start = api.compare(start, activity.head_sha).merge_base
        except ApiFailure as failure:
            # No common ancestor, or a head that this repository cannot see: the tip of the base branch serves.
            if failure.kind != Kind.MISSING:
                raise
    commits = api.ancestors(start, WALK + 1)
    return commits[:WALK] if base.include_start else commits[1:]


def _from_checks(
    api: Api,
    context: Context,
    activity: Activity,
    project: str | None,
    commits: list[str],
    artifact_name: str,
    now: datetime,
) -> tuple[Found | None, Found | None]:
    """Return the nearest run that did not fail, and the nearest that did."""
    del activity, artifact_name
    failing: Found | None = None
    for distance, sha in enumerate(commits):
        for check in api.checks(sha, plan.check_name(project)):
            carried = digest.decode(check.text) if _by_us(api, check) else None
            if carried is None or carried.audit.project != project or carried.commit != sha:
                continue
            if plan.run_of(check.external_id) == context.run_id:
                continue
            found = Found(
                carried.audit,
                Baseline(
                    source="check run",
                    commit=sha,
                    run_id=str(carried.run_id),
                    age_s=_age_s(carried.created_at, now),
                    distance=distance,
                    runs=1 + len(carried.history),
                ),
                tuple(carried.history),
            )
            if carried.outcome != Outcome.FAIL:
                return found, failing
            failing = failing or found
    return None, failing


def _from_artifacts(
    api: Api,
    context: Context,
    activity: Activity,
    project: str | None,
    commits: list[str],
    artifact_name: str,
    now: datetime,
) -> tuple[Found | None, Found | None]:
    branch = activity.base.branch
    if branch is None:
        return None, None
    usable = [
        (run.id, run.head_sha, a)
        for a in api.artifacts(name=artifact_name)
        if (run := a.workflow_run) and not a.expired and run.id is not None and run.id != context.run_id
        # A fork's branch may be called like ours: only what ran in this repository counts.
        if run.head_branch == branch and run.repository_id == run.head_repository_id
        if run.head_sha != activity.head_sha
    ]
    # Commits that the pull request is based on come before later ones of the branch.
    rank = {sha: distance for distance, sha in enumerate(commits)}
    usable.sort(key=lambda item: rank.get(item[1] or "", WALK + 1))
    failing: Found | None = None
    for run_id, sha, item in usable[:MAX_ARTIFACTS]:
        audit = _audit_in(api, item, project)
        if audit is None:
            continue
        baseline = Baseline(
            source=f"artifact {artifact_name}",
            commit=sha,
            run_id=str(run_id),
            age_s=_age_s(item.created_at, now),
            distance=rank.get(sha or ""),
        )
        if api.run_conclusion(run_id) != "failure":
            return Found(audit, baseline), failing
        failing = failing or Found(audit, baseline)
    return None, failing


def _audit_in(api: Api, item: Artifact, project: str | None) -> Audit | None:
    try:
        audits = artifact.read_audits(api.download(item, artifact.MAX_ZIP_BYTES))
    except EcoauditError:
        return None  # an artifact of another tool, or of a version whose audits this one cannot read
    return next((audit for audit in audits if audit.project == project), None)


def _by_us(api: Api, check: Check) -> bool:
    """Return whether the check run was made by the app that this token belongs to."""
    if f"{check.app}[bot]" == DEFAULT_BOT:
        return True
    return check.app is not None and api.viewer in {check.app, f"{check.app}[bot]"}


def _age_warnings(found: Found) -> tuple[str, ...]:
    age_s = found.baseline.age_s
    if age_s is None or age_s <= OLD_S:
        return ()
    return (f"The base run is {age_s / 86_400:.0f} days old; a scheduled run on the base branch would renew it.",)


def _age_s(created_at: str | None, now: datetime) -> float | None:
    if created_at is None:
        return None
    try:
        created = datetime.fromisoformat(created_at)
    except ValueError:
        return None
    if created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    return max((now - created).total_seconds(), 0.0)


def _failed(baseline: Baseline) -> Baseline:
    return Baseline(
        source=f"{baseline.source} (it failed its own budgets)",
        commit=baseline.commit,
        run_id=baseline.run_id,
        age_s=baseline.age_s,
        distance=baseline.distance,
        runs=baseline.runs,
    )
