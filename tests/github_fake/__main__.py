"""Run the fake for tests in other processes and containers: `python -m github_fake --port-file F --state-file F`.

The setup file is JSON: `{"repository": "octo/train", "lines": [{"commits": [1, 2], "branch": "main", "after": null}],
"pulls": [{"number": 7, "head": 3, "base": 2, "branch": "topic", "fork": null}], "artifacts": [{"name": ..., "run_id":
..., "branch": ..., "commit": 3, "fork": false, "files": {"audit.json": "PATH"}}], "conclusions": {"5": "success"},
"files": [{"ref": 2, "path": ".github/ecoaudit.yml", "text": "..."}], "denied":
["checks:write"], "token": "..."}`; commits are small
numbers. The state file is rewritten after every request and holds comments, checks, requests and violations.
"""

import argparse
import json
import signal
import threading
from pathlib import Path
from typing import Any

from github_fake.server import MAX_SECONDS, FakeGitHub
from github_fake.state import DEFAULT_TOKEN, Actor, Artifact, State, sha, zipped


def state_from(setup: dict[str, Any]) -> State:
    """Return the state that a setup file describes."""
    state = State(full_name=setup.get("repository", "octo/train"))
    bot = Actor("github-actions[bot]", 41898282, "github-actions", frozenset(setup.get("denied", ())))
    state.actors = {DEFAULT_TOKEN: bot, setup.get("token", DEFAULT_TOKEN): bot}
    for line in setup.get("lines", ()):
        state.add_line(*line["commits"], branch=line.get("branch"), after=line.get("after"))
    for pull in setup.get("pulls", ()):
        state.add_pull(**pull)
    for item in setup.get("artifacts", ()):
        content = zipped({name: Path(path).read_bytes() for name, path in item["files"].items()})
        state.artifacts.append(
            Artifact(
                state.next_id(),
                item["name"],
                item["run_id"],
                item["branch"],
                sha(item["commit"]),
                content,
                item["fork"],
            )
        )
    state.conclusions.update({int(run): text for run, text in setup.get("conclusions", {}).items()})
    for file in setup.get("files", ()):
        state.files[sha(file["ref"]), file["path"]] = file["text"].encode()
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port-file", type=Path, required=True, help="the API's address is written here once it is up")
    parser.add_argument("--state-file", type=Path, required=True)
    parser.add_argument("--setup", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0, help=f"ends after this time (at most {MAX_SECONDS:g})")
    arguments = parser.parse_args()
    setup = json.loads(arguments.setup.read_text()) if arguments.setup else {}
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with FakeGitHub(state_from(setup), seconds=arguments.seconds) as fake:

        def dump() -> None:
            _replace(arguments.state_file, json.dumps(fake.state.dump(), indent=1))

        fake.on_change = dump
        dump()
        _replace(arguments.port_file, fake.url)
        done.wait(min(arguments.seconds, MAX_SECONDS))
        dump()


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, never half of it."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
