"""Git's objects: refs, commits, trees and blobs, as the Git database API serves them."""

import base64
from typing import Any

from github_fake.routing import Answer, Refused, Request, route
from github_fake.state import State
from github_fake.validation import fill


@route("GET", "/git/ref/{refname}", "contents:read")
def _ref(state: State, request: Request, at: dict[str, str]) -> Answer:
    tip = state.branches.get(at["refname"].removeprefix("heads/"))
    if tip is None or not at["refname"].startswith("heads/"):
        raise Refused(404, "Not Found")
    target = {"type": "commit", "sha": tip, "url": f"{request.base_url}/x"}
    return Answer(200, fill("git-ref", {"ref": f"refs/{at['refname']}", "object": target}, request.base_url))


@route("GET", "/git/commits/{sha}", "contents:read")
def _commit(state: State, request: Request, at: dict[str, str]) -> Answer:
    if at["sha"] not in state.git.commits:
        raise Refused(404, "Not Found")
    return Answer(200, _shown(state, request, at["sha"]))


@route("POST", "/git/commits", "contents:write")
def _create_commit(state: State, request: Request, at: dict[str, str]) -> Answer:
    body = request.body
    if body["tree"] not in state.git.trees:
        raise Refused(422, "Tree SHA does not exist")
    name = state.git.add_commit(body["tree"], tuple(body.get("parents", ())), body["message"])
    return Answer(201, _shown(state, request, name))


@route("GET", "/git/trees/{sha}", "contents:read")
def _tree(state: State, request: Request, at: dict[str, str]) -> Answer:
    if at["sha"] not in state.git.trees:
        raise Refused(404, "Not Found")
    return Answer(200, _listed(state, request, at["sha"]))


@route("POST", "/git/trees", "contents:write")
def _create_tree(state: State, request: Request, at: dict[str, str]) -> Answer:
    entries: dict[str, str] = {}
    for item in request.body["tree"]:
        if "content" in item:
            entries[item["path"]] = state.git.add_blob(item["content"].encode())
        elif item.get("sha") in state.git.blobs:
            entries[item["path"]] = item["sha"]
        else:
            raise Refused(422, "tree.sha is not a valid blob")
    return Answer(201, _listed(state, request, state.git.add_entries(entries)))


@route("GET", "/git/blobs/{sha}", "contents:read")
def _blob(state: State, request: Request, at: dict[str, str]) -> Answer:
    data = state.git.blobs.get(at["sha"])
    if data is None:
        raise Refused(404, "Not Found")
    content = {
        "sha": at["sha"],
        "size": len(data),
        "encoding": "base64",
        "content": base64.encodebytes(data).decode(),
        "url": f"{request.base_url}/x",
    }
    return Answer(200, fill("blob", content, request.base_url))


def _shown(state: State, request: Request, name: str) -> dict[str, Any]:
    tree, parents, message = state.git.commits[name]
    url = f"{request.base_url}/x"
    found = {
        "sha": name,
        "message": message,
        "tree": {"sha": tree, "url": url},
        "parents": [{"sha": parent, "url": url, "html_url": url} for parent in parents],
    }
    return fill("git-commit", found, request.base_url)


def _listed(state: State, request: Request, name: str) -> dict[str, Any]:
    files = state.git.trees[name]
    folders = {path.rsplit("/", depth)[0] for path in files for depth in range(1, path.count("/") + 1)}
    items = [{"path": folder, "mode": "040000", "type": "tree", "sha": "0" * 40} for folder in sorted(folders)]
    items += [
        {"path": path, "mode": "100644", "type": "blob", "sha": blob, "size": len(state.git.blobs[blob])}
        for path, blob in files.items()
    ]
    return fill("git-tree", {"sha": name, "tree": items, "truncated": False}, request.base_url)
