"""The image is built from pinned, hashed requirements; they must keep up with what pyproject.toml asks for."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .building import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n +--hash=sha256:[0-9a-f]{64})*)", re.MULTILINE
)


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Return for each package of requirements/`name` its version and how many hashes it has."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return {canonicalize_name(m["name"]): (m["version"], m["hashes"].count("--hash")) for m in PIN.finditer(text)}


@pytest.mark.parametrize(
    ("name", "asked"),
    [("runtime.txt", PROJECT["project"]["dependencies"]), ("build.txt", PROJECT["build-system"]["requires"])],
)
def test_the_pins_satisfy_what_the_project_asks_for(name: str, asked: list[str]) -> None:
    pinned = pins(name)
    for text in asked:
        requirement = Requirement(text)
        assert canonicalize_name(requirement.name) in pinned, f"{requirement.name} is not pinned: run make lock"
        version, hashes = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement.name} {version} is too old: run make lock"
        assert hashes >= 1


def test_the_build_requirements_are_those_of_the_project() -> None:
    lines = (ROOT / "requirements" / "build.in").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == PROJECT["build-system"]["requires"]
