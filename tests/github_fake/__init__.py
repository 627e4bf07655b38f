"""A stateful fake of the part of GitHub's REST API that publishing uses, checked against GitHub's own description."""

from github_fake.server import FakeGitHub, Fault
from github_fake.state import DEFAULT_TOKEN, Actor, Artifact, State, sha, zipped

__all__ = ["DEFAULT_TOKEN", "Actor", "Artifact", "FakeGitHub", "Fault", "State", "sha", "zipped"]
