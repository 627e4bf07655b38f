"""Requests, answers, and the table that leads from one to the other."""

import json
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from github_fake.state import Actor, State


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

    def group(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{'.+' if match[1] in {'path', 'refname'} else '[^/]+'})"

    pattern = re.compile(re.sub(r"\{(\w+)\}", group, template))

    def register(handler: Handler) -> Handler:
        _ROUTES.append((method, pattern, scope, handler))
        return handler

    return register


def answer(state: State, request: Request) -> Answer:
    """Return the answer to a request, an error's included."""
    prefix = f"/repos/{state.full_name}"
    if request.path == "/graphql" and request.method == "POST":
        return graphql(state, request)
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


def graphql(state: State, request: Request) -> Answer:
    """Answer the three queries that publishing asks."""
    query, variables = request.body["query"], request.body["variables"]
    if "viewer" in query:
        return Answer(200, {"data": {"viewer": {"login": request.actor.login}}})
    if "repository(" in query:
        same = f"{variables['owner']}/{variables['name']}" == state.full_name
        return Answer(200, {"data": {"repository": {"id": "R_1"} if same else None}})
    if "contents:write" in request.actor.denied:
        return _graphql_error("FORBIDDEN", "Resource not accessible by integration")
    [update] = variables["input"]["refUpdates"]
    name = update["name"].removeprefix("refs/heads/")
    if state.branches.get(name, "0" * 40) != update["beforeOid"] or update["afterOid"] not in state.git.commits:
        return _graphql_error("UNPROCESSABLE", "Something went wrong while updating the refs")
    state.branches[name] = update["afterOid"]
    return Answer(200, {"data": {"updateRefs": {"clientMutationId": None}}})


def _graphql_error(kind: str, message: str) -> Answer:
    return Answer(200, {"data": {"updateRefs": None}, "errors": [{"type": kind, "message": message}]})


def page_of(request: Request, items: list[Any], key: str | None = None) -> Answer:
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
