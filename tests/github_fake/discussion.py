"""Comments and pull requests."""

from typing import Any

from github_fake.routing import Answer, Refused, Request, page_of, route
from github_fake.state import Actor, Comment, Pull, State
from github_fake.validation import fill

MAX_BODY = 65_536


@route("GET", "/issues/{number}/comments", "issues:read")
def _list_comments(state: State, request: Request, at: dict[str, str]) -> Answer:
    number = int(at["number"])
    pull_of(state, number)
    mine = sorted((c for c in state.comments if c.issue == number), key=lambda c: c.id)
    return page_of(request, [_comment(c, state, request) for c in mine])


@route("POST", "/issues/{number}/comments", "issues:write")
def _create_comment(state: State, request: Request, at: dict[str, str]) -> Answer:
    number = int(at["number"])
    pull_of(state, number)
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
            "user": user_of(comment.author, request),
        },
        request.base_url,
    )


def user_of(actor: Actor, request: Request) -> dict[str, Any]:
    kind = "Bot" if actor.app else "User"
    return fill("simple-user", {"login": actor.login, "id": actor.id, "type": kind}, request.base_url)


@route("GET", "/pulls", "pulls:read")
def _list_pulls(state: State, request: Request, at: dict[str, str]) -> Answer:
    wanted = request.query.get("state", "open")
    head = request.query.get("head")
    found = [p for p in state.pulls.values() if wanted in {"all", p.state} and head in {None, _head_label(p)}]
    return page_of(request, [_pull(p, state, request, "pull-request-simple") for p in found])


@route("GET", "/pulls/{number}", "pulls:read")
def _get_pull(state: State, request: Request, at: dict[str, str]) -> Answer:
    return Answer(200, _pull(pull_of(state, int(at["number"])), state, request, "pull-request"))


def pull_of(state: State, number: int) -> Pull:
    if number not in state.pulls:
        raise Refused(404, "Not Found")
    return state.pulls[number]


def _head_label(pull: Pull) -> str:
    return f"{(pull.head_repository or '').partition('/')[0]}:{pull.head_branch}"


def _pull(pull: Pull, state: State, request: Request, schema: str) -> dict[str, Any]:
    def ref(branch: str, sha: str, full_name: str | None) -> dict[str, Any]:
        owner = (full_name or "ghost").partition("/")[0]
        repo = fill("repository", {"full_name": full_name}, request.base_url) if full_name else None
        user = user_of(Actor(owner, 7, None), request)
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
