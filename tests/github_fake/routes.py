"""The endpoints: each turns a request on the state into an answer of GitHub's shape."""

import base64
import json
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from github_fake.state import NOW, Actor, Artifact, CheckRun, Comment, Commit, Pull, State
from github_fake.validation import fill

MAX_BODY = 65_536
MAX_OUTPUT = 65_535
MAX_ANNOTATIONS = 50


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    actor: Actor
    base_url: str
    storage_url: str


@dataclass(frozen=True)
class Answer:
    status: int
    data: Any = None
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        self.answer = Answer(
            status,
            {
                "message": message,
                "documentation_url": "https://docs.github.com/rest",
                **({"errors": errors} if errors else {}),
            },
        )
        super().__init__(message)


Handler = Callable[[State, Request, dict[str, str]], Answer]
_ROUTES: list[tuple[str, re.Pattern[str], str | None, Handler]] = []


def route(method: str, template: str, scope: str | None) -> Callable[[Handler], Handler]:
    """Register a handler; a token without `scope` is refused as GitHub refuses it."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{'.+' if m[1] == 'path' else '[^/]+'})", template))

    def register(handler: Handler) -> Handler:
        _ROUTES.append((method, pattern, scope, handler))
        return handler

    return register


def answer(state: State, request: Request) -> Answer:
    """Return the answer to a request, an error's included."""
    prefix = f"/repos/{state.full_name}"
    if request.path == "/graphql" and request.method == "POST":
        return Answer(200, {"data": {"viewer": {"login": request.actor.login}}})
    if request.path == "/user" and request.actor.app:
        return Refused(403, "Resource not accessible by integration").answer
    for method, pattern, scope, handler in _ROUTES:
        match = pattern.fullmatch(request.path.removeprefix(prefix))
        if request.path.startswith(prefix) and method == request.method and match:
            if scope in request.actor.denied:
                return Refused(403, "Resource not accessible by integration").answer
            try:
                return handler(state, request, match.groupdict())
            except Refused as refused:
                return refused.answer
    return Refused(404, "Not Found").answer


# --- comments ---


@route("GET", "/issues/{number}/comments", "issues:read")
def _list_comments(state: State, request: Request, at: dict[str, str]) -> Answer:
    number = int(at["number"])
    _pull_of(state, number)
    mine = sorted((c for c in state.comments if c.issue == number), key=lambda c: c.id)
    return _page(request, [_comment(c, state, request) for c in mine])


@route("POST", "/issues/{number}/comments", "issues:write")
def _create_comment(state: State, request: Request, at: dict[str, str]) -> Answer:
    number = int(at["number"])
    _pull_of(state, number)
    comment = state.add_comment(number, _body(request), request.actor)
    return Answer(201, _comment(comment, state, request), (("Location", _comment_url(comment, state, request)),))


@route("GET", "/issues/comments/{id}", "issues:read")
def _get_comment(state: State, request: Request, at: dict[str, str]) -> Answer:
    return Answer(200, _comment(_find_comment(state, at), state, request))


@route("PATCH", "/issues/comments/{id}", "issues:write")
def _edit_comment(state: State, request: Request, at: dict[str, str]) -> Answer:
    comment = _find_comment(state, at)
    if comment.author.id != request.actor.id:
        raise Refused(403, "Resource not accessible by integration")
    comment.body = _body(request)
    comment.edits += 1
    return Answer(200, _comment(comment, state, request))


@route("DELETE", "/issues/comments/{id}", "issues:write")
def _delete_comment(state: State, request: Request, at: dict[str, str]) -> Answer:
    state.comments.remove(_find_comment(state, at))
    return Answer(204)


def _body(request: Request) -> str:
    body: str = request.body["body"]
    if len(body) > MAX_BODY:
        raise Refused(422, "Validation Failed", [{"message": f"body is too long (maximum is {MAX_BODY} characters)"}])
    return body


def _find_comment(state: State, at: dict[str, str]) -> Comment:
    found = next((c for c in state.comments if c.id == int(at["id"])), None)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _comment_url(comment: Comment, state: State, request: Request) -> str:
    return f"{request.base_url}/repos/{state.full_name}/issues/comments/{comment.id}"


def _comment(comment: Comment, state: State, request: Request) -> dict[str, Any]:
    return fill(
        "issue-comment",
        {
            "id": comment.id,
            "url": _comment_url(comment, state, request),
            "html_url": f"https://github.com/{state.full_name}/pull/{comment.issue}#issuecomment-{comment.id}",
            "body": comment.body,
            "user": _user(comment.author, request),
        },
        request.base_url,
    )


def _user(actor: Actor, request: Request) -> dict[str, Any]:
    kind = "Bot" if actor.app else "User"
    return fill("simple-user", {"login": actor.login, "id": actor.id, "type": kind}, request.base_url)


# --- pull requests and commits ---


@route("GET", "/pulls", "pulls:read")
def _list_pulls(state: State, request: Request, at: dict[str, str]) -> Answer:
    wanted = request.query.get("state", "open")
    head = request.query.get("head")
    found = [p for p in state.pulls.values() if wanted in {"all", p.state} and head in {None, _head_label(p)}]
    return _page(request, [_pull(p, state, request, "pull-request-simple") for p in found])


@route("GET", "/pulls/{number}", "pulls:read")
def _get_pull(state: State, request: Request, at: dict[str, str]) -> Answer:
    return Answer(200, _pull(_pull_of(state, int(at["number"])), state, request, "pull-request"))


def _pull_of(state: State, number: int) -> Pull:
    if number not in state.pulls:
        raise Refused(404, "Not Found")
    return state.pulls[number]


def _head_label(pull: Pull) -> str:
    return f"{(pull.head_repository or '').partition('/')[0]}:{pull.head_branch}"


def _pull(pull: Pull, state: State, request: Request, schema: str) -> dict[str, Any]:
    def ref(branch: str, sha: str, full_name: str | None) -> dict[str, Any]:
        owner = (full_name or "ghost").partition("/")[0]
        repo = fill("repository", {"full_name": full_name}, request.base_url) if full_name else None
        user = _user(Actor(owner, 7, None), request)
        return {"label": f"{owner}:{branch}", "ref": branch, "sha": sha, "repo": repo, "user": user}

    return fill(
        schema,
        {
            "number": pull.number,
            "url": f"{request.base_url}/repos/{state.full_name}/pulls/{pull.number}",
            "state": pull.state,
            "head": ref(pull.head_branch, pull.head_sha, pull.head_repository),
            "base": ref(pull.base_branch, pull.base_sha, state.full_name),
        },
        request.base_url,
    )


@route("GET", "/commits", "contents:read")
def _list_commits(state: State, request: Request, at: dict[str, str]) -> Answer:
    start = request.query.get("sha", "main")
    found = state.ancestors(state.branches.get(start, start))
    if not found:
        raise Refused(404, "Not Found")
    return _page(request, [_commit(state.commits[sha], state, request) for sha in found])


@route("GET", "/compare/{basehead}", "contents:read")
def _compare(state: State, request: Request, at: dict[str, str]) -> Answer:
    base, head = urllib.parse.unquote(at["basehead"]).split("...")
    behind, ahead = state.ancestors(state.branches.get(base, base)), state.ancestors(state.branches.get(head, head))
    common = next((sha for sha in behind if sha in set(ahead)), None)
    if common is None:
        raise Refused(404, "Not Found")
    counts = len(set(ahead) - set(behind)), len(set(behind) - set(ahead))
    kind = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}.get(
        (counts[0] > 0, counts[1] > 0), "identical"
    )
    return Answer(
        200,
        fill(
            "commit-comparison",
            {
                "status": kind,
                "ahead_by": counts[0],
                "behind_by": counts[1],
                "total_commits": counts[0],
                "base_commit": _commit(state.commits[behind[0]], state, request),
                "merge_base_commit": _commit(state.commits[common], state, request),
                "commits": [],
            },
            request.base_url,
        ),
    )


def _commit(commit: Commit, state: State, request: Request) -> dict[str, Any]:
    url = f"{request.base_url}/repos/{state.full_name}/commits/{commit.sha}"
    return fill("commit", {"sha": commit.sha, "url": url}, request.base_url)


@route("GET", "/contents/{path}", "contents:read")
def _contents(state: State, request: Request, at: dict[str, str]) -> Answer:
    path = urllib.parse.unquote(at["path"])
    data = state.files.get((request.query.get("ref", "main"), path))
    if data is None:
        raise Refused(404, "Not Found")
    content = {
        "type": "file",
        "encoding": "base64",
        "size": len(data),
        "name": path.rsplit("/", 1)[-1],
        "path": path,
        "content": base64.b64encode(data).decode(),
        "url": f"{request.base_url}{request.path}",
    }
    return Answer(200, fill("content-file", content, request.base_url))


# --- check runs ---


@route("GET", "/commits/{ref}/check-runs", "checks:read")
def _list_checks(state: State, request: Request, at: dict[str, str]) -> Answer:
    name, status = request.query.get("check_name"), request.query.get("status")
    found = [c for c in state.checks if c.head_sha == at["ref"] and name in {None, c.name}]
    found = [c for c in found if status in {None, c.data["status"]}]
    if request.query.get("filter", "latest") == "latest":
        found = list({(c.app, c.name): c for c in found}.values())
    items = [_check(c, state, request) for c in sorted(found, key=lambda c: -c.id)]
    return _page(request, items, "check_runs")


@route("POST", "/check-runs", "checks:write")
def _create_check(state: State, request: Request, at: dict[str, str]) -> Answer:
    if request.actor.app is None:
        raise Refused(403, "You must authenticate via a GitHub App.")
    if request.body["head_sha"] not in state.commits:
        raise Refused(422, f"No commit found for SHA: {request.body['head_sha']}")
    data = dict(request.body)
    if "conclusion" in data:
        data["status"] = "completed"
    check = CheckRun(state.next_id(), data["name"], data["head_sha"], request.actor.app, data)
    _annotate(check, data.get("output", {}))
    state.checks.append(check)
    return Answer(201, _check(check, state, request))


@route("GET", "/check-runs/{id}", "checks:read")
def _get_check(state: State, request: Request, at: dict[str, str]) -> Answer:
    return Answer(200, _check(_find_check(state, at), state, request))


@route("PATCH", "/check-runs/{id}", "checks:write")
def _edit_check(state: State, request: Request, at: dict[str, str]) -> Answer:
    check = _find_check(state, at)
    if check.app != request.actor.app:
        raise Refused(403, "Invalid app_id: only the app that created a check run may change it")
    _annotate(check, request.body.get("output", {}))
    check.patches.append(request.body)
    output = {k: v for k, v in request.body.get("output", {}).items() if k != "annotations"}
    check.data = {**check.data, **request.body, "output": {**check.data.get("output", {}), **output}}
    return Answer(200, _check(check, state, request))


def _annotate(check: CheckRun, output: dict[str, Any]) -> None:
    for key in ("summary", "text"):
        if len(output.get(key) or "") > MAX_OUTPUT:
            raise Refused(422, f"Only {MAX_OUTPUT} characters are allowed; {len(output[key])} were supplied.")
    annotations = output.get("annotations", [])
    if len(annotations) > MAX_ANNOTATIONS:
        raise Refused(422, f"At most {MAX_ANNOTATIONS} annotations a request")
    check.annotations += annotations


def _find_check(state: State, at: dict[str, str]) -> CheckRun:
    found = next((c for c in state.checks if c.id == int(at["id"])), None)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _check(check: CheckRun, state: State, request: Request) -> dict[str, Any]:
    output = check.data.get("output", {})
    url = f"{request.base_url}/repos/{state.full_name}/check-runs/{check.id}"
    return fill(
        "check-run",
        {
            "id": check.id,
            "name": check.name,
            "head_sha": check.head_sha,
            "url": url,
            "html_url": f"https://github.com/{state.full_name}/runs/{check.id}",
            "details_url": check.data.get("details_url"),
            "external_id": check.data.get("external_id"),
            "check_suite": {"id": 1},
            "status": check.data["status"],
            "conclusion": check.data.get("conclusion"),
            "started_at": NOW,
            "completed_at": NOW,
            "app": fill("nullable-integration", {"slug": check.app, "name": check.app}, request.base_url),
            "output": {
                "title": output.get("title"),
                "summary": output.get("summary"),
                "text": output.get("text"),
                "annotations_count": len(check.annotations),
                "annotations_url": f"{url}/annotations",
            },
        },
        request.base_url,
    )


# --- artifacts and runs ---


@route("GET", "/actions/artifacts", "actions:read")
def _list_artifacts(state: State, request: Request, at: dict[str, str]) -> Answer:
    return _artifacts(state, request, state.artifacts)


@route("GET", "/actions/runs/{id}/artifacts", "actions:read")
def _list_run_artifacts(state: State, request: Request, at: dict[str, str]) -> Answer:
    return _artifacts(state, request, [a for a in state.artifacts if a.run_id == int(at["id"])])


@route("GET", "/actions/artifacts/{id}/zip", "actions:read")
def _download(state: State, request: Request, at: dict[str, str]) -> Answer:
    found = next((a for a in state.artifacts if a.id == int(at["id"])), None)
    if found is None:
        raise Refused(404, "Not Found")
    if found.expired:
        raise Refused(410, "Artifact has expired")
    return Answer(302, None, (("Location", f"{request.storage_url}/{found.id}?sig=once"),))


@route("GET", "/actions/runs/{id}", "actions:read")
def _get_run(state: State, request: Request, at: dict[str, str]) -> Answer:
    run = int(at["id"])
    if run not in state.conclusions:
        raise Refused(404, "Not Found")
    overrides = {
        "id": run,
        "status": "completed",
        "conclusion": state.conclusions[run],
        "url": f"{request.base_url}{request.path}",
        "pull_requests": [],
    }
    return Answer(200, fill("workflow-run", overrides, request.base_url))


def _artifacts(state: State, request: Request, candidates: list[Artifact]) -> Answer:
    name = request.query.get("name")
    found = sorted((a for a in candidates if name in {None, a.name}), key=lambda a: -a.id)
    return _page(request, [_artifact(a, state, request) for a in found], "artifacts")


def _artifact(artifact: Artifact, state: State, request: Request) -> dict[str, Any]:
    url = f"{request.base_url}/repos/{state.full_name}/actions/artifacts/{artifact.id}"
    return fill(
        "artifact",
        {
            "id": artifact.id,
            "name": artifact.name,
            "size_in_bytes": len(artifact.content),
            "url": url,
            "archive_download_url": f"{url}/zip",
            "expired": artifact.expired,
            "created_at": artifact.created_at,
            "workflow_run": {
                "id": artifact.run_id,
                "repository_id": 1,
                "head_repository_id": 2 if artifact.fork else 1,
                "head_branch": artifact.head_branch,
                "head_sha": artifact.head_sha,
            },
        },
        request.base_url,
    )


def _page(request: Request, items: list[Any], key: str | None = None) -> Answer:
    """Return one page of a list, with the Link header that leads to the others."""
    size = min(int(request.query.get("per_page", "30")), 100)
    number = int(request.query.get("page", "1"))
    last = max(-(-len(items) // size), 1)
    part = items[(number - 1) * size : number * size]
    links = []
    for name, page in (("next", number + 1), ("last", last)):
        if number < last:
            query = urllib.parse.urlencode({**request.query, "page": page})
            links.append(f'<{request.base_url}{request.path}?{query}>; rel="{name}"')
    data = {"total_count": len(items), key: part} if key else part
    return Answer(200, data, (("Link", ", ".join(links)),) if links else ())


def encode(data: Any) -> bytes:
    """Return an answer's body."""
    return b"" if data is None else json.dumps(data).encode()
