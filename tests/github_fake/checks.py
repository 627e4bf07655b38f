"""Check runs, with the limits that GitHub sets on them."""

from typing import Any

from github_fake.routing import Answer, Refused, Request, page_of, route
from github_fake.state import NOW, CheckRun, State
from github_fake.validation import fill

MAX_OUTPUT = 65_535
MAX_ANNOTATIONS = 50


@route("GET", "/commits/{ref}/check-runs", "checks:read")
def _list_checks(state: State, request: Request, at: dict[str, str]) -> Answer:
    name, status = request.query.get("check_name"), request.query.get("status")
    found = [c for c in state.checks if c.head_sha == at["ref"] and name in {None, c.name}]
    found = [c for c in found if status in {None, c.data["status"]}]
    if request.query.get("filter", "latest") == "latest":
        found = list({(c.app, c.name): c for c in found}.values())
    items = [_check(c, state, request) for c in sorted(found, key=lambda c: -c.id)]
    return page_of(request, items, "check_runs")


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
