"""What this event asks for, decided once and purely: where to comment, which commit to check, where a baseline is."""

from dataclasses import dataclass

from ecoaudit.publish.event import Context, MergeGroup, PullRequest, Push, WorkflowRun

COMMIT_EVENTS = frozenset(
    {"schedule", "workflow_dispatch", "repository_dispatch", "release", "create", "deployment", "registry_package"}
)
"""Events without a subject of their own whose GITHUB_SHA is the commit that was checked out."""


@dataclass(frozen=True, slots=True)
class OnPull:
    """The pull request `number`; its base is known from the event."""

    number: int


@dataclass(frozen=True, slots=True)
class FindPull:
    """The open pull request from `owner:branch` whose head is still the run's commit, to be asked of GitHub.

    A number in the artifact is never believed, and `workflow_run.pull_requests` is empty for forks.
    """

    owner: str
    branch: str


@dataclass(frozen=True, slots=True)
class BaseSearch:
    """Where the baseline search begins.

    `merge_base` asks for the merge base of `sha` and the head first. `include_start` is false where the start is the
    run's own commit and must not be its own baseline. `branch` is the branch whose artifacts may serve.
    """

    sha: str | None
    branch: str | None
    merge_base: bool = False
    include_start: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What to do for one execution.

    `trusted` is false when the workspace, the artifact or the branch may be a stranger's while the token can write:
    configuration then comes from the base branch and only an `audit.json` is read. `run_number`, `run_attempt` and
    `workflow` order this execution among those that write the same comment.
    """

    head_sha: str
    branch: str | None
    comment: OnPull | FindPull | None
    check_sha: str | None
    base: BaseSearch
    trusted: bool
    fork: bool
    artifact_run: int | None
    run_number: int
    run_attempt: int
    workflow: str
    notes: tuple[str, ...] = ()


def decide(context: Context) -> Activity:
    """Return the activity for the context's event."""
    match context.subject:
        case PullRequest() as pull:
            return _for_pull(context, pull)
        case Push() as push:
            return _for_push(context, push)
        case WorkflowRun() as run:
            return _for_workflow_run(context, run)
        case MergeGroup() as group:
            return _activity(
                context,
                head_sha=group.head_sha,
                check_sha=group.head_sha,
                base=BaseSearch(sha=group.base_sha, branch=group.base_branch),
                notes=("A merge queue has no pull request of its own: a check run, no comment.",),
            )
    if context.event in COMMIT_EVENTS:
        return _activity(
            context,
            head_sha=context.sha,
            check_sha=context.sha,
            base=BaseSearch(sha=context.sha, branch=context.branch or context.default_branch),
        )
    return _activity(
        context,
        head_sha=context.sha,
        check_sha=None,
        base=BaseSearch(sha=None, branch=context.branch or context.default_branch),
        notes=(f"The event {context.event} names no commit to check: the job summary only.",),
    )


def _for_pull(context: Context, pull: PullRequest) -> Activity:
    return _activity(
        context,
        head_sha=pull.head_sha,
        branch=pull.head_branch,
        comment=OnPull(pull.number),
        check_sha=pull.head_sha,
        base=BaseSearch(sha=pull.base_sha, branch=pull.base_branch, merge_base=True),
        trusted=context.event != "pull_request_target",
        fork=pull.head_repository != context.repository,
    )


def _for_push(context: Context, push: Push) -> Activity:
    if push.deleted:
        return _activity(
            context,
            head_sha=context.sha,
            check_sha=None,
            base=BaseSearch(sha=None, branch=context.branch),
            notes=("The push deleted the branch: the job summary only.",),
        )
    # A tag's `after` may be the tag object; GITHUB_SHA is the commit in every case.
    sha = push.after if context.branch else context.sha
    return _activity(
        context,
        head_sha=sha,
        check_sha=sha,
        base=BaseSearch(sha=sha, branch=context.branch or context.default_branch, include_start=False),
    )


def _for_workflow_run(context: Context, run: WorkflowRun) -> Activity:
    owner = run.head_repository.partition("/")[0] if run.head_repository else None
    from_pull = run.event in {"pull_request", "pull_request_target"}
    notes = []
    comment = None
    if from_pull and owner and run.head_branch:
        comment = FindPull(owner, run.head_branch)
    elif from_pull:
        notes.append("The fork of this run is gone, so its pull request cannot be found: a check run, no comment.")
    return _activity(
        context,
        head_sha=run.head_sha,
        branch=run.head_branch,
        comment=comment,
        check_sha=run.head_sha,
        base=BaseSearch(
            sha=None if from_pull else run.head_sha,
            branch=context.default_branch if from_pull else run.head_branch,
            merge_base=from_pull,
            include_start=False,
        ),
        trusted=run.head_repository == context.repository,
        fork=run.head_repository != context.repository,
        artifact_run=run.id,
        run_number=run.run_number,
        run_attempt=run.run_attempt,
        workflow=run.workflow,
        notes=tuple(notes),
    )


def _activity(
    context: Context,
    *,
    head_sha: str,
    check_sha: str | None,
    base: BaseSearch,
    branch: str | None = None,
    comment: OnPull | FindPull | None = None,
    trusted: bool = True,
    fork: bool = False,
    artifact_run: int | None = None,
    run_number: int | None = None,
    run_attempt: int | None = None,
    workflow: str | None = None,
    notes: tuple[str, ...] = (),
) -> Activity:
    return Activity(
        head_sha=head_sha,
        branch=branch or context.branch,
        comment=comment,
        check_sha=check_sha,
        base=base,
        trusted=trusted,
        fork=fork,
        artifact_run=artifact_run,
        run_number=context.run_number if run_number is None else run_number,
        run_attempt=context.run_attempt if run_attempt is None else run_attempt,
        workflow=context.workflow if workflow is None else workflow,
        notes=notes,
    )
