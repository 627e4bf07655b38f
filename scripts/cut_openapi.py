"""Cut GitHub's OpenAPI description down to the paths that the tests' fake of its API serves.

The full description (MIT, see tests/github_fake/LICENSE.openapi) comes with the npm package @octokit/openapi:

    npm install @octokit/openapi
    python scripts/cut_openapi.py node_modules/@octokit/openapi/generated/api.github.com.json

Only the listed operations stay, with the components that they reach; prose, examples and vendor extensions go.
"""

import argparse
import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "tests" / "github_fake" / "openapi.json"
REPO = "/repos/{owner}/{repo}"
OPERATIONS = {
    f"{REPO}/issues/{{issue_number}}/comments": ("get", "post"),
    f"{REPO}/issues/comments/{{comment_id}}": ("get", "patch", "delete"),
    f"{REPO}/pulls": ("get",),
    f"{REPO}/pulls/{{pull_number}}": ("get",),
    f"{REPO}/compare/{{basehead}}": ("get",),
    f"{REPO}/commits": ("get",),
    f"{REPO}/commits/{{ref}}/check-runs": ("get",),
    f"{REPO}/check-runs": ("post",),
    f"{REPO}/check-runs/{{check_run_id}}": ("get", "patch"),
    f"{REPO}/contents/{{path}}": ("get",),
    f"{REPO}/git/ref/{{ref}}": ("get",),
    f"{REPO}/git/commits": ("post",),
    f"{REPO}/git/commits/{{commit_sha}}": ("get",),
    f"{REPO}/git/trees": ("post",),
    f"{REPO}/git/trees/{{tree_sha}}": ("get",),
    f"{REPO}/git/blobs/{{file_sha}}": ("get",),
    f"{REPO}/actions/artifacts": ("get",),
    f"{REPO}/actions/artifacts/{{artifact_id}}/{{archive_format}}": ("get",),
    f"{REPO}/actions/runs/{{run_id}}": ("get",),
    f"{REPO}/actions/runs/{{run_id}}/artifacts": ("get",),
}
PROSE = frozenset({"description", "summary", "examples", "example", "externalDocs", "tags"})


def cut(full: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the description that `OPERATIONS` names."""
    paths: dict[str, Any] = {}
    for path, verbs in OPERATIONS.items():
        item = full["paths"][path]
        kept = {key: value for key, value in item.items() if key in verbs or key == "parameters"}
        paths[path] = _plain(kept)
    components: dict[str, dict[str, Any]] = {}
    todo = list(_references(paths))
    while todo:
        _, _, kind, name = todo.pop().split("/")
        group = components.setdefault(kind, {})
        if name not in group:
            group[name] = _plain(full["components"][kind][name])
            todo += _references(group[name])
    version = full["info"]["version"]
    return {
        "openapi": full["openapi"],
        "info": {"title": "GitHub REST API, cut for tests", "version": version, "license": full["info"]["license"]},
        "paths": paths,
        "components": {kind: dict(sorted(group.items())) for kind, group in sorted(components.items())},
    }


def _plain(value: Any, *, names: bool = False) -> Any:
    """Return `value` without prose; under `names` the keys are names of properties, not words of the format."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {}
    for key, item in value.items():
        if not names and (key in PROSE or key.startswith("x-")):
            # A response must have a description, if an empty one.
            if key == "description" and ("content" in value or "headers" in value or len(value) == 1):
                plain[key] = ""
            continue
        plain[key] = _plain(item, names=not names and key in {"properties", "headers", "responses"})
    return plain


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [reference for item in value for reference in _references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [reference for item in value.values() for reference in _references(item)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("full", type=Path, help="GitHub's whole description, JSON")
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    subset = cut(json.loads(arguments.full.read_text(encoding="utf-8")))
    arguments.output.write_text(json.dumps(subset, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
