"""Artifacts and workflow runs."""

from typing import Any

from github_fake.routing import Answer, Refused, Request, page_of, route
from github_fake.state import Artifact, State
from github_fake.validation import fill


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
    return page_of(request, [_artifact(a, state, request) for a in found], "artifacts")


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
