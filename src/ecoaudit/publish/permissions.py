"""What to tell a user whose token may not do something: the exact lines to add, or why no line helps."""

from typing import Literal

from ecoaudit.publish.failure import ApiFailure, Kind

Need = Literal["comment", "check", "checks", "artifacts", "commits", "config", "pulls", "pictures", "charts"]

_GRANTS: dict[Need, str] = {
    "comment": "pull-requests: write",
    "check": "checks: write",
    "checks": "checks: read",
    "artifacts": "actions: read",
    "commits": "contents: read",
    "config": "contents: read",
    "pulls": "pull-requests: read",
    "pictures": "contents: read",
    "charts": "contents: write",
}
_WHAT: dict[Need, str] = {
    "comment": "write the comment",
    "check": "create the check run",
    "checks": "read the check runs of the base branch",
    "artifacts": "read the artifacts of other runs",
    "commits": "read the commits of the base branch",
    "config": "read the base branch's configuration",
    "pulls": "find the pull request of the run",
    "pictures": "read the branch of the charts",
    "charts": "store the charts",
}


def explain(need: Need, failure: ApiFailure, *, fork: bool) -> str:
    """Return what was refused and what to do about it, with the YAML to add where YAML helps."""
    problem = f"GitHub did not let this job {_WHAT[need]}: {failure}."
    if failure.status == 401:
        return f"{problem} The token is not valid: check the input `github-token`."
    if failure.kind == Kind.DENIED:
        if fork and need in {"comment", "check"}:
            return (
                f"{problem} The token of a pull request from a fork is read-only whatever the workflow asks for: "
                "publish from a second workflow, as docs/action.md shows under 'Pull requests from forks'."
            )
        rights = dict.fromkeys(("contents: read", _GRANTS[need])) if need != "charts" else (_GRANTS[need],)
        lines = "".join(f"  {right}\n" for right in rights)
        return f"{problem} Add to the job:\n\npermissions:\n{lines}"
    if failure.kind == Kind.MISSING:
        return f"{problem} Either it does not exist, or the token may not see it (`{_GRANTS[need]}`)."
    return problem
