"""What GitHub told the job: environment variables and the event file become one frozen `Context`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ecoaudit.errors import EcoauditError

MAX_EVENT_BYTES = 32_000_000
NO_COMMIT = "0" * 40

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """`head_repository` is None when the fork was deleted; `base_sha` is the tip of the base branch at the event."""

    number: int
    head_sha: str
    head_branch: str
    head_repository: str | None
    base_sha: str
    base_branch: str


@dataclass(frozen=True, slots=True)
class Push:
    """`before` is None on a new branch; `deleted` when the push removed the branch."""

    after: str
    before: str | None
    deleted: bool


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """The finished run that triggered this one. Its branch, repository and artifacts may be a stranger's."""

    id: int
    event: str
    head_sha: str
    head_branch: str | None
    head_repository: str | None
    conclusion: str | None
    run_number: int
    run_attempt: int
    workflow: str


@dataclass(frozen=True, slots=True)
class MergeGroup:
    head_sha: str
    base_sha: str
    base_branch: str


Subject = PullRequest | Push | WorkflowRun | MergeGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One execution on a runner. `sha` is GITHUB_SHA, which for a pull request is the merge commit."""

    event: str
    repository: str
    sha: str
    ref: str
    run_id: int
    run_number: int
    run_attempt: int
    workflow: str
    job: str
    actor: str
    server_url: str
    api_url: str
    default_branch: str | None
    subject: Subject | None
    private: bool = False

    @property
    def branch(self) -> str | None:
        """The branch that the run is on, when it is on one."""
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else None

    @property
    def run_url(self) -> str:
        """The page of this workflow run."""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}/attempts/{self.run_attempt}"


class _Repository(msgspec.Struct):
    full_name: str
    default_branch: str | None = None
    private: bool = False


class _Ref(msgspec.Struct):
    sha: str
    ref: str
    repo: _Repository | None = None


class _PullRequest(msgspec.Struct):
    number: int
    head: _Ref
    base: _Ref


class _WorkflowRun(msgspec.Struct):
    id: int
    event: str
    head_sha: str
    head_branch: str | None = None
    head_repository: _Repository | None = None
    conclusion: str | None = None
    run_number: int = 0
    run_attempt: int = 1
    name: str | None = None


class _MergeGroup(msgspec.Struct):
    head_sha: str
    base_sha: str
    base_ref: str


class _PullRequestEvent(msgspec.Struct):
    pull_request: _PullRequest


class _WorkflowRunEvent(msgspec.Struct):
    workflow_run: _WorkflowRun


class _MergeGroupEvent(msgspec.Struct):
    merge_group: _MergeGroup


class _PushEvent(msgspec.Struct):
    after: str
    before: str
    deleted: bool = False


class _AnyEvent(msgspec.Struct):
    repository: _Repository | None = None


_Event = TypeVar("_Event")


def read_context(environ: Mapping[str, str]) -> Context:
    """Return the context that the runner's environment and its event file describe.

    Raises `EcoauditError` when a variable is missing or malformed or the event file does not have the event's shape.
    """
    event = _required(environ, "GITHUB_EVENT_NAME")
    path = Path(_required(environ, "GITHUB_EVENT_PATH"))
    try:
        if path.stat().st_size > MAX_EVENT_BYTES:
            raise EcoauditError(f"the event file is larger than {MAX_EVENT_BYTES:,} bytes", where=str(path))
        payload = path.read_bytes()
    except OSError as error:
        raise EcoauditError(f"cannot read the event file: {error.strerror}", where=str(path)) from error
    repository = _required(environ, "GITHUB_REPOSITORY")
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise EcoauditError(f"GITHUB_REPOSITORY is {repository!r}, not owner/name")
    described = _decode(payload, _AnyEvent, path)
    return Context(
        event=event,
        repository=repository,
        sha=_sha(_required(environ, "GITHUB_SHA"), "GITHUB_SHA"),
        ref=environ.get("GITHUB_REF", ""),
        run_id=_number(environ, "GITHUB_RUN_ID"),
        run_number=_number(environ, "GITHUB_RUN_NUMBER"),
        run_attempt=_number(environ, "GITHUB_RUN_ATTEMPT", default=1),
        workflow=environ.get("GITHUB_WORKFLOW", ""),
        job=environ.get("GITHUB_JOB", ""),
        actor=environ.get("GITHUB_ACTOR", ""),
        server_url=environ.get("GITHUB_SERVER_URL", "").rstrip("/") or "https://github.com",
        api_url=environ.get("GITHUB_API_URL", "").rstrip("/") or "https://api.github.com",
        default_branch=described.repository.default_branch if described.repository else None,
        subject=_subject(event, payload, path),
        private=bool(described.repository and described.repository.private),
    )


def _subject(event: str, payload: bytes, path: Path) -> Subject | None:
    where = str(path)
    if event in {"pull_request", "pull_request_target", "pull_request_review"}:
        pull = _decode(payload, _PullRequestEvent, path).pull_request
        return PullRequest(
            number=pull.number,
            head_sha=_sha(pull.head.sha, where),
            head_branch=pull.head.ref,
            head_repository=pull.head.repo.full_name if pull.head.repo else None,
            base_sha=_sha(pull.base.sha, where),
            base_branch=pull.base.ref,
        )
    if event == "push":
        push = _decode(payload, _PushEvent, path)
        return Push(
            after=_sha(push.after, where),
            before=None if set(push.before) == {"0"} else _sha(push.before, where),
            deleted=push.deleted,
        )
    if event == "workflow_run":
        run = _decode(payload, _WorkflowRunEvent, path).workflow_run
        return WorkflowRun(
            id=run.id,
            event=run.event,
            head_sha=_sha(run.head_sha, where),
            head_branch=run.head_branch,
            head_repository=run.head_repository.full_name if run.head_repository else None,
            conclusion=run.conclusion,
            run_number=run.run_number,
            run_attempt=run.run_attempt,
            workflow=run.name or "",
        )
    if event == "merge_group":
        group = _decode(payload, _MergeGroupEvent, path).merge_group
        return MergeGroup(
            head_sha=_sha(group.head_sha, where),
            base_sha=_sha(group.base_sha, where),
            base_branch=group.base_ref.removeprefix("refs/heads/"),
        )
    return None


def _decode(payload: bytes, kind: type[_Event], path: Path) -> _Event:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EcoauditError(f"the event file does not have the event's shape: {error}", where=str(path)) from error


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise EcoauditError(
            f"{name} is not set", fix="run this in a GitHub Actions job, or use `ecoaudit audit` and `ecoaudit compare`"
        )
    return value


def _number(environ: Mapping[str, str], name: str, default: int | None = None) -> int:
    text: Any = environ.get(name, "") or ("" if default is None else str(default))
    if not text.isascii() or not text.isdigit():
        raise EcoauditError(f"{name} is {text!r}, not a number")
    return int(text)


def _sha(text: str, where: str) -> str:
    if not _SHA.fullmatch(text):
        raise EcoauditError(f"{text!r} is not a commit id", where=where)
    return text
