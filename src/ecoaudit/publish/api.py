"""The requests that publishing makes of GitHub, typed, retried and without credentials leaking into redirects."""

import functools
import itertools
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ecoaudit.publish.artifact import Artifact, ArtifactList, fetch
from ecoaudit.publish.effects import Annotation, CreateCheck
from ecoaudit.publish.failure import ApiFailure, Kind
from ecoaudit.publish.retry import Retrier

if TYPE_CHECKING:
    from github.CheckRun import CheckRun
    from github.IssueComment import IssueComment
    from github.PullRequest import PullRequest
    from github.Repository import Repository

DEFAULT_BOT = "github-actions[bot]"
"""Who writes when the job's own token is used."""
ANNOTATIONS_PER_REQUEST = 50
MAX_CONFIG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Comment:
    id: int
    author_id: int | None
    author: str | None
    body: str
    url: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request as it is now."""

    number: int
    head_sha: str
    base_sha: str
    base_branch: str


@dataclass(frozen=True, slots=True)
class Check:
    id: int
    url: str
    external_id: str
    conclusion: str | None
    app: str | None
    text: str
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """Two commits against each other: how many commits head is ahead, and where they parted."""

    merge_base: str
    ahead_by: int


T = TypeVar("T")


class Api:
    """One repository on one server. All methods raise `ApiFailure`."""

    def __init__(
        self,
        base_url: str,
        repository: str,
        token: str,
        *,
        retrier: Retrier | None = None,
        timeout_s: int = 20,
        seconds_between_writes: float | None = 1.0,
    ) -> None:
        """`seconds_between_writes` is GitHub's advice against secondary rate limits."""
        self.repository = repository
        self.retrier = retrier or Retrier()
        self._base_url = base_url
        self._token = token
        self._timeout_s = timeout_s
        self._seconds_between_writes = seconds_between_writes

    @functools.cached_property
    def _repo(self) -> "Repository":
        from github import Auth, Github

        github: Github = Github(
            auth=Auth.Token(self._token),
            base_url=self._base_url,
            timeout=self._timeout_s,
            per_page=100,
            retry=None,  # ours looks before it writes again
            seconds_between_requests=None,
            seconds_between_writes=self._seconds_between_writes,
            lazy=True,
        )
        return github.get_repo(self.repository)

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if "_repo" in self.__dict__:
            self._repo.requester.close()

    # --- comments ---

    def comments(self, number: int) -> list[Comment]:
        """Return all comments of a pull request, oldest first, from every page."""
        issue = self._repo.get_issue(number)
        return self.retrier.read(lambda: [_comment(c) for c in issue.get_comments()])

    def create_comment(self, number: int, body: str, look: Callable[[], Comment | None]) -> Comment:
        """Create a comment; `look` finds it when the answer was lost."""
        issue = self._repo.get_issue(number)
        return self.retrier.write(lambda: _comment(issue.create_comment(body)), look)

    def edit_comment(self, comment_id: int, body: str) -> None:
        """Set a comment's body; the same body twice is the same as once."""
        path = f"/repos/{self.repository}/issues/comments/{comment_id}"
        self.retrier.read(lambda: self.send("PATCH", path, {"body": body}))

    def delete_comment(self, comment_id: int) -> None:
        """Delete a comment; one that is gone already is fine."""
        path = f"/repos/{self.repository}/issues/comments/{comment_id}"
        try:
            self.retrier.read(lambda: self.send("DELETE", path, None))
        except ApiFailure as failure:
            if failure.kind != Kind.MISSING:
                raise

    @functools.cached_property
    def viewer(self) -> str | None:
        """The login behind the token, `name[bot]` for an app; None where the server does not tell.

        `GET /user` is forbidden to installation tokens; GraphQL's `viewer` answers them too.
        """
        try:
            data = self.retrier.read(lambda: self.graphql("query { viewer { login } }", {}))
            login = data["viewer"]["login"]
        except (ApiFailure, KeyError, TypeError):
            return None
        return login if isinstance(login, str) else None

    # --- pull requests and commits ---

    def pull(self, number: int) -> Pull:
        """Return the pull request as it is now."""
        return self.retrier.read(lambda: _pull(self._repo.get_pull(number)))

    def open_pulls_from(self, owner: str, branch: str) -> list[Pull]:
        """Return the open pull requests whose head is `owner:branch`."""
        pulls = self._repo.get_pulls(state="open", head=f"{owner}:{branch}")
        return self.retrier.read(lambda: [_pull(p) for p in pulls])

    def compare(self, base: str, head: str) -> Divergence:
        """Return how `head` stands to `base`."""

        def ask() -> Divergence:
            comparison = self._repo.compare(base, head, comparison_commits_per_page=1)
            return Divergence(comparison.merge_base_commit.sha, comparison.ahead_by)

        return self.retrier.read(ask)

    def ancestors(self, sha: str, count: int) -> list[str]:
        """Return the ids of `sha` and the commits before it, newest first, at most `count`."""
        commits = self._repo.get_commits(sha=sha)
        return self.retrier.read(lambda: [c.sha for c in itertools.islice(commits, count)])

    def file(self, path: str, ref: str) -> bytes | None:
        """Return a file of the repository at `ref`; None where there is none."""

        def ask() -> bytes | None:
            content = self._repo.get_contents(path, ref=ref)
            if isinstance(content, list) or content.size > MAX_CONFIG_BYTES:
                return None
            return content.decoded_content

        try:
            return self.retrier.read(ask)
        except ApiFailure as failure:
            if failure.kind == Kind.MISSING:
                return None
            raise

    # --- check runs ---

    def checks(self, sha: str, name: str) -> list[Check]:
        """Return the completed check runs called `name` on a commit, newest first."""

        def ask() -> list[Check]:
            runs = self._repo.get_commit(sha).get_check_runs(check_name=name, status="completed", filter="all")
            return sorted((_check(run) for run in runs), key=lambda check: -check.id)

        return self.retrier.read(ask)

    def create_check(self, effect: CreateCheck) -> Check:
        """Create a completed check run with its first annotations; a lost answer is looked up by `external_id`."""

        def create() -> Check:
            annotations = [annotation_request(a) for a in effect.annotations[:ANNOTATIONS_PER_REQUEST]]
            run = self._repo.create_check_run(
                name=effect.name,
                head_sha=effect.head_sha,
                status="completed",
                conclusion=effect.conclusion,
                external_id=effect.external_id,
                details_url=effect.details_url,
                output={**_output(effect), **({"annotations": annotations} if annotations else {})},
            )
            return _check(run)

        def look() -> Check | None:
            runs = self._repo.get_commit(effect.head_sha).get_check_runs(check_name=effect.name, filter="all")
            return next((_check(run) for run in runs if run.external_id == effect.external_id), None)

        return self.retrier.write(create, look)

    def add_annotations(self, check: Check, effect: CreateCheck) -> None:
        """Add the annotations that `create_check` left, fifty a request, to its check run; nothing else is changed."""
        path = f"/repos/{self.repository}/check-runs/{check.id}"
        for start in range(ANNOTATIONS_PER_REQUEST, len(effect.annotations), ANNOTATIONS_PER_REQUEST):
            chunk = effect.annotations[start : start + ANNOTATIONS_PER_REQUEST]
            body = {"output": {**_output(effect), "annotations": [annotation_request(a) for a in chunk]}}

            def look(expected: int = start + len(chunk)) -> bool | None:
                run = self._repo.get_check_run(check.id)
                return True if run.output.annotations_count >= expected else None

            def send(body: dict[str, Any] = body) -> bool:
                self.send("PATCH", path, body)
                return True

            self.retrier.write(send, look)

    # --- artifacts ---

    def artifacts(self, *, name: str, run_id: int | None = None) -> list[Artifact]:
        """Return the latest hundred artifacts called `name`, of one run or of the whole repository, newest first."""
        place = f"/runs/{run_id}/artifacts" if run_id else "/artifacts"
        path = f"/repos/{self.repository}/actions{place}?{urllib.parse.urlencode({'name': name, 'per_page': 100})}"
        data = self.retrier.read(lambda: self.send("GET", path, None))
        found = convert(data, ArtifactList).artifacts
        return sorted((a for a in found if a.name == name), key=lambda a: -a.id)

    def download(self, artifact: Artifact, max_bytes: int) -> bytes:
        """Return an artifact's zip, at most `max_bytes` of it read; the signed address never sees the token."""
        path = f"/repos/{self.repository}/actions/artifacts/{artifact.id}/zip"

        def ask() -> bytes:
            headers, _ = self._repo.requester.requestJsonAndCheck("GET", path)
            location = headers.get("location")
            if not location:
                raise ApiFailure(Kind.REFUSED, "the server names no address to download the artifact from")
            return fetch(location, max_bytes, self._timeout_s, allow_http=self._base_url.startswith("http://"))

        return self.retrier.read(ask)

    def run_conclusion(self, run_id: int) -> str | None:
        """Return how a workflow run ended."""
        return self.retrier.read(lambda: self._repo.get_workflow_run(run_id).conclusion)

    def graphql(self, query: str, variables: Mapping[str, Any]) -> Any:
        """Return the data that GraphQL answers with; not retried."""
        _, answer = self._repo.requester.graphql_query(query, dict(variables))
        return answer["data"]

    def send(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """Return the answer to one REST request; not retried."""
        _, data = self._repo.requester.requestJsonAndCheck(verb, path, input=body)
        return data


def annotation_request(annotation: Annotation) -> dict[str, str | int]:
    """Return an annotation in the API's words, within its limits (title 255 characters, message 64 KB)."""
    return {
        "path": annotation.path,
        "start_line": annotation.start_line,
        "end_line": annotation.end_line,
        "annotation_level": annotation.level,
        "title": annotation.title[:255],
        "message": annotation.message[:16_000],
    }


def _output(effect: CreateCheck) -> dict[str, Any]:
    return {"title": effect.title, "summary": effect.summary, **({"text": effect.text} if effect.text else {})}


def _comment(comment: "IssueComment") -> Comment:
    user = comment.user
    return Comment(
        id=comment.id,
        author_id=user.id if user else None,
        author=user.login if user else None,
        body=comment.body or "",
        url=comment.html_url,
    )


def _pull(pull: "PullRequest") -> Pull:
    return Pull(pull.number, pull.head.sha, pull.base.sha, pull.base.ref)


def _check(run: "CheckRun") -> Check:
    return Check(
        id=run.id,
        url=run.html_url or "",
        external_id=run.external_id or "",
        conclusion=run.conclusion,
        app=run.app.slug if run.app else None,
        text=run.output.text or "",
        completed_at=run.completed_at,
    )


def convert(data: Any, kind: type[T]) -> T:
    """Return the answer `data` as `kind`; raises `ApiFailure` when it does not have the described shape."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise ApiFailure(Kind.REFUSED, f"the answer does not have the described shape: {error}") from error
