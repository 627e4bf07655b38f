"""The image by itself: small, complete, careful about where it runs."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from .runner import RUNNER_GID, RUNNER_UID

pytestmark = pytest.mark.container

Run = Callable[[Sequence[str], Sequence[str]], subprocess.CompletedProcess[str]]
MAX_COMPRESSED_BYTES = 160_000_000


def test_the_image_leaves_user_and_folder_to_the_runner(image: str) -> None:
    shown = subprocess.run(["docker", "inspect", image], capture_output=True, text=True, check=True)
    config = json.loads(shown.stdout)[0]["Config"]
    assert config["User"] == ""
    assert config["WorkingDir"] in {"", "/"}
    assert config["Entrypoint"][0].startswith("/")
    assert config["Entrypoint"][-1] == "action"
    assert config["Labels"]["org.opencontainers.image.source"] == "https://github.com/ecocompute/audit"


def test_the_image_is_small_enough_to_pull_for_every_job(image: str) -> None:
    size = 0
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        assert saved.stdout is not None
        with subprocess.Popen(["gzip", "-1"], stdin=saved.stdout, stdout=subprocess.PIPE) as packed:
            saved.stdout.close()
            assert packed.stdout is not None
            while block := packed.stdout.read(1 << 20):
                size += len(block)
    print(f"image: {size / 1e6:.0f} MB compressed with gzip -1")
    assert 0 < size <= MAX_COMPRESSED_BYTES


def test_the_demo_needs_no_network(docker_run: Run) -> None:
    done = docker_run(["--workdir", "/tmp"], ["ecoaudit", "demo"])
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout


def test_the_image_runs_as_another_user_on_a_read_only_root(docker_run: Run, tmp_path: Path) -> None:
    os.chown(tmp_path, RUNNER_UID, RUNNER_GID)
    hardened = ["--user", f"{RUNNER_UID}:{RUNNER_GID}", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    hardened += ["--security-opt", "no-new-privileges", "--volume", f"{tmp_path}:/work", "--workdir", "/work"]
    done = docker_run(hardened, ["ecoaudit", "demo"])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ecoaudit-demo" / "report.html").stat().st_uid == RUNNER_UID


def test_the_list_of_fonts_is_made_with_the_image(docker_run: Run) -> None:
    listing = "import os, matplotlib; print(os.listdir(matplotlib.get_cachedir()))"
    done = docker_run([], ["/opt/ecoaudit/bin/python", "-c", listing])
    assert "fontlist-" in done.stdout, done.stderr


def test_no_module_is_compiled_at_start(docker_run: Run) -> None:
    done = docker_run(["--workdir", "/tmp"], ["/opt/ecoaudit/bin/python", "-IBv", "-m", "ecoaudit", "demo"])
    loaded = [line for line in done.stderr.splitlines() if line.startswith("# code object from")]
    assert len(loaded) > 100
    assert [line for line in loaded if ".pyc" not in line] == []


def test_the_workspace_cannot_put_a_module_before_ours(job_with_traps: Path, image: str) -> None:
    command = ["docker", "run", "--rm", "--network", "none", "--workdir", "/github/workspace"]
    command += ["--volume", f"{job_with_traps}:/github/workspace", "--env", "PYTHONPATH=/github/workspace", image]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "trapped" not in done.stdout + done.stderr


@pytest.fixture
def job_with_traps(tmp_path: Path) -> Path:
    """A workspace whose modules shadow the standard library and ours."""
    for name in ("json", "click", "ecoaudit", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("print('trapped')\n", encoding="utf-8")
    return tmp_path
