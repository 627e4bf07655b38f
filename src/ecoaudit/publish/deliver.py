"""One audit between its model and GitHub: the base run is searched, the audit judged, the effects planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError
from ecoaudit.judge import judge
from ecoaudit.judge.verdict import Outcome, Verdict
from ecoaudit.model.audit import Audit
from ecoaudit.publish import badges, baseline, chart_store, charts, digest, permissions, plan
from ecoaudit.publish.activity import Activity
from ecoaudit.publish.api import Api
from ecoaudit.publish.effects import Announce, Effect, StoreCharts
from ecoaudit.publish.event import Context
from ecoaudit.publish.execute import Runner
from ecoaudit.publish.failure import ApiFailure
from ecoaudit.publish.places import budget_annotations
from ecoaudit.publish.plan import Policy
from ecoaudit.report import markdown
from ecoaudit.report.hosts import hide

STORING_EVENTS = frozenset({"push", "schedule", "workflow_dispatch"})
"""Events whose job runs the repository's own commit on a branch and may thus be given `contents: write`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything about this execution that all its audits share. `api` is None without a token."""

    context: Context
    activity: Activity
    api: Api | None
    config: Config
    policy: Policy
    runner: Runner
    now: datetime
    artifact_name: str
    config_path: str = ""
    config_text: bytes | None = None
    explicit_base: Audit | None = None
    explicit_base_name: str = ""
    charts_branch: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """An audit with its verdict and the base run it was compared with; `pictures` is Markdown that shows that run."""

    audit: Audit
    verdict: Verdict
    found: baseline.Found | None
    warnings: tuple[str, ...]
    pictures: str = ""

    @property
    def base(self) -> Audit | None:
        """The base run's audit."""
        return self.found.audit if self.found else None

    @property
    def history(self) -> tuple[Audit, ...]:
        """The runs of the base branch before the base run, oldest first."""
        return self.found.history if self.found else ()


def judged(audit: Audit, job: Job) -> Judged:
    """Search the base run of `audit` and judge it; asks GitHub only to read."""
    lookup = _look_up(audit, job)
    found = lookup.found
    verdict = judge(
        audit,
        job.config.budgets,
        base=found.audit if found else None,
        baseline=found.baseline if found else None,
        history=found.history if found else (),
        on_missing_baseline=job.config.on_missing_baseline,
    )
    notes = [text.partition("\n\n")[0] for text in lookup.warnings]
    pictures, warnings = _pictures(audit, found, job)
    verdict = msgspec.structs.replace(verdict, notes=[*verdict.notes, *notes])
    return Judged(audit, verdict, found, (*lookup.warnings, *warnings), pictures)


def effects_of(
    item: Judged, job: Job, outputs: Mapping[str, str], drawn: Mapping[str, bytes] | None = None
) -> list[Effect]:
    """Return the effects that publish `item`; `outputs` are further outputs of the action, `drawn` the report's charts.

    Everything that leaves the machine names nodes by number; the report in the workspace does not come from here.
    """
    hosts = item.audit.hardware.hosts
    audit, verdict = hide(item.audit, hosts), hide(item.verdict, hosts)

    def render(max_bytes: int) -> str:
        return markdown.render(audit, verdict, max_bytes=max_bytes, base=item.base, history=item.history)

    effects = plan.plan(
        job.context,
        job.activity,
        audit,
        verdict,
        render=render,
        policy=job.policy,
        digest=_digest(item, job),
        outputs={**plan.known_outputs(audit, verdict), **outputs},
        annotations=budget_annotations(verdict, job.config_path, job.config_text) if job.config_text else (),
        pictures=item.pictures,
        store=_store(audit, verdict, job, drawn or {}),
    )
    return [*(Announce(level="warning", title="ecoaudit", message=text) for text in item.warnings), *effects]


def check_projects(audits: Sequence[Audit]) -> None:
    """Raise `EcoauditError` when two audits of one execution claim the same project."""
    seen: set[str | None] = set()
    for audit in audits:
        if audit.project in seen:
            raise EcoauditError(
                f"two audits report as project {audit.project!r}", fix="give each run its own `project`"
            )
        seen.add(audit.project)


def worst(items: Sequence[Judged]) -> Judged:
    """Return the audit with the worst outcome, the first of equals."""
    order = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.FAIL]
    return max(items, key=lambda item: order.index(item.verdict.outcome))


def _look_up(audit: Audit, job: Job) -> baseline.Lookup:
    if job.explicit_base is not None:
        return baseline.Lookup(baseline.from_file(job.explicit_base, job.explicit_base_name))
    if job.api is None:
        return baseline.Lookup(None, ("No baseline was searched: there is no token.",))
    return baseline.find(
        job.api, job.context, job.activity, audit.project, artifact_name=job.artifact_name, now=job.now
    )


def _pictures(audit: Audit, found: baseline.Found | None, job: Job) -> tuple[str, tuple[str, ...]]:
    """Return the block with the base run's stored pictures for a comment, and what went wrong."""
    commit = found.baseline.commit if found else None
    if not (job.charts_branch and job.api and job.activity.comment and job.policy.comment != "off" and commit):
        return "", ()
    try:
        index = chart_store.read(job.api, job.charts_branch)
    except ApiFailure as failure:
        return "", (permissions.explain("pictures", failure, fork=job.activity.fork),)
    if index is None:
        return "", ()
    context = job.context
    block = charts.block(
        index,
        audit.project or "",
        commit,
        server_url=context.server_url,
        repository=context.repository,
        branch=job.charts_branch,
    )
    return block, ()


def _store(audit: Audit, verdict: Verdict, job: Job, drawn: Mapping[str, bytes]) -> StoreCharts | None:
    context, activity = job.context, job.activity
    on_branch = context.event in STORING_EVENTS and context.branch is not None and activity.check_sha is not None
    if not (job.charts_branch and on_branch and activity.trusted):
        return None
    # A badge speaks for the repository, so only its default branch sets it; a schedule runs nowhere else.
    speaks = context.event == "schedule" or context.branch == context.default_branch
    made = badges.files(badges.of(audit, verdict.outcome, judged=verdict.judged)) if speaks else {}
    return StoreCharts(
        branch=job.charts_branch,
        project=audit.project or "",
        commit=activity.head_sha,
        run_id=context.run_id,
        pictures=charts.pictures_of(drawn),
        badges=made,
    )


def _digest(item: Judged, job: Job) -> str | None:
    if job.activity.fork:
        # After a fast-forward merge this commit is on the base branch: a stranger's figures must not be the baseline.
        return None
    history = [*item.history, item.base] if item.base else []
    return digest.encode(
        digest.Digest(
            audit=plan.audit_for_publishing(item.audit),
            outcome=item.verdict.outcome,
            commit=job.activity.head_sha,
            run_id=job.context.run_id,
            created_at=job.now.isoformat(timespec="seconds"),
            history=[plan.audit_for_publishing(audit) for audit in history],
        )
    )
