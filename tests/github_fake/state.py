"""What the fake remembers: one repository with its commits, pull requests, comments, check runs and artifacts."""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

DEFAULT_TOKEN = "ghs_default"
NOW = "2026-11-24T00:00:00Z"


@dataclass(frozen=True)
class Actor:
    """Who a token belongs to. `app` is its app's slug (None for a person); `denied` are scopes it lacks."""

    login: str
    id: int
    app: str | None
    denied: frozenset[str] = frozenset()


@dataclass
class Pull:
    number: int
    head_sha: str
    head_branch: str
    head_repository: str | None
    base_branch: str
    base_sha: str
    state: str = "open"


@dataclass
class Comment:
    id: int
    issue: int
    author: Actor
    body: str
    edits: int = 0


@dataclass
class CheckRun:
    id: int
    name: str
    head_sha: str
    app: str
    data: dict[str, Any]
    annotations: list[dict[str, Any]] = field(default_factory=list)
    patches: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Artifact:
    id: int
    name: str
    run_id: int
    head_branch: str
    head_sha: str
    content: bytes
    fork: bool = False
    expired: bool = False
    created_at: str = NOW


@dataclass
class Git:
    """Objects by id: blobs as bytes, trees as path to blob, commits as (tree, parents, message)."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, dict[str, str]] = field(default_factory=dict)
    commits: dict[str, tuple[str, tuple[str, ...], str]] = field(default_factory=dict)

    def add_tree(self, files: dict[str, bytes]) -> str:
        """Return the id of a tree with `files`, which may be in folders."""
        return self.add_entries({path: self.add_blob(data) for path, data in files.items()})

    def add_blob(self, data: bytes) -> str:
        name = _id("blob", data)
        self.blobs[name] = data
        return name

    def add_entries(self, entries: dict[str, str]) -> str:
        name = _id("tree", repr(sorted(entries.items())).encode())
        self.trees[name] = entries
        return name

    def add_commit(self, tree: str, parents: tuple[str, ...], message: str) -> str:
        name = _id("commit", repr((tree, parents, message, len(self.commits))).encode())
        self.commits[name] = (tree, parents, message)
        return name


def _id(kind: str, data: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


@dataclass
class Commit:
    sha: str
    parents: tuple[str, ...]


def sha(number: int) -> str:
    """Return a commit id that reads as its number."""
    return f"{number:040x}"


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip of `files`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@dataclass
class State:
    """The repository `full_name` and everything that happened to it. `requests` lists them as `METHOD path`."""

    full_name: str = "octo/train"
    actors: dict[str, Actor] = field(
        default_factory=lambda: {DEFAULT_TOKEN: Actor("github-actions[bot]", 41898282, "github-actions")}
    )
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    checks: list[CheckRun] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    conclusions: dict[int, str] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    git: Git = field(default_factory=Git)
    requests: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    last_id: int = 1000

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def add_line(self, *numbers: int, branch: str | None = None, after: int | None = None) -> str:
        """Add commits one after the other (the first after `after`); `branch` then points to the last, returned."""
        parent = sha(after) if after is not None else None
        for number in numbers:
            self.commits[sha(number)] = Commit(sha(number), (parent,) if parent else ())
            parent = sha(number)
        assert parent is not None
        if branch:
            self.branches[branch] = parent
        return parent

    def add_pull(self, number: int, *, head: int, base: int, branch: str = "topic", fork: str | None = None) -> Pull:
        """Open a pull request; `fork` is the full name of the repository it comes from."""
        pull = Pull(number, sha(head), branch, fork or self.full_name, "main", sha(base))
        self.pulls[number] = pull
        return pull

    def add_comment(self, issue: int, body: str, author: Actor | None = None) -> Comment:
        comment = Comment(self.next_id(), issue, author or self.actors[DEFAULT_TOKEN], body)
        self.comments.append(comment)
        return comment

    def files_on(self, branch: str) -> dict[str, bytes]:
        """Return the files of a branch that was written as Git objects; empty where there is none."""
        commit = self.git.commits.get(self.branches.get(branch, ""))
        return {path: self.git.blobs[blob] for path, blob in self.git.trees[commit[0]].items()} if commit else {}

    def ancestors(self, start: str) -> list[str]:
        """Return `start` and the commits before it, newest first."""
        seen: dict[str, None] = {}
        todo = [start]
        while todo:
            current = todo.pop(0)
            if current not in seen and current in self.commits:
                seen[current] = None
                todo += self.commits[current].parents
        return list(seen)

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON data, for a test in another process."""
        return {
            "comments": [
                {"id": c.id, "issue": c.issue, "author": c.author.login, "body": c.body, "edits": c.edits}
                for c in self.comments
            ],
            "checks": [
                {
                    "id": c.id,
                    "name": c.name,
                    "head_sha": c.head_sha,
                    "app": c.app,
                    "conclusion": c.data.get("conclusion"),
                    "output": c.data.get("output", {}),
                    "annotations": len(c.annotations),
                }
                for c in self.checks
            ],
            "requests": self.requests,
            "violations": self.violations,
        }
