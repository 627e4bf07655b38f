"""The image under test and a runner for it. `ECOAUDIT_TEST_IMAGE` names an image; without it, one is built here."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from .runner import ROOT, RUNNER_GID, RUNNER_UID, Job

BUILT_HERE = "ecoaudit:tests"
SAMPLE = ROOT / "fixtures" / "sample_logs" / "synthetic-8xh100"


def absent(reason: str) -> NoReturn:
    """Skip, or fail where CI must have an engine."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must have it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def image() -> str:
    """The name of the built image."""
    if shutil.which("docker") is None:
        absent("docker is not installed")
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        absent("no Docker Engine answers")
    given = os.environ.get("ECOAUDIT_TEST_IMAGE")
    if given:
        return given
    built = subprocess.run(["docker", "build", "--tag", BUILT_HERE, ROOT], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return BUILT_HERE


@pytest.fixture
def docker_run(image: str) -> Callable[[Sequence[str], Sequence[str]], subprocess.CompletedProcess[str]]:
    """Return a function that runs a command in a new container without a network, with options of `docker run`."""

    def run(options: Sequence[str], command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        program, *arguments = command
        line = ["docker", "run", "--rm", "--network", "none", *options, "--entrypoint", program, image, *arguments]
        return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def job(image: str, tmp_path: Path) -> Job:
    """A job whose workspace holds the logs of the sample run."""
    made = Job(tmp_path / "github", image).set_up()
    logs = made.workspace / "logs"
    shutil.copytree(SAMPLE, logs)
    for path in [logs, *logs.iterdir()]:
        if os.geteuid() == 0:
            os.chown(path, RUNNER_UID, RUNNER_GID)
    return made
