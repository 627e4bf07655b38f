"""Commits, comparisons and files."""

import base64
import urllib.parse
from typing import Any

from github_fake.routing import Answer, Refused, Request, page_of, route
from github_fake.state import Commit, State
from github_fake.validation import fill


@route("GET", "/commits", "contents:read")
def _list_commits(state: State, request: Request, at: dict[str, str]) -> Answer:
    start = request.query.get("sha", "main")
    found = state.ancestors(state.branches.get(start, start))
    if not found:
        raise Refused(404, "Not Found")
    return page_of(request, [_commit(state.commits[sha], state, request) for sha in found])


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
    ref = request.query.get("ref", "main")
    data = state.files.get((ref, path)) or state.files_on(ref).get(path)
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
