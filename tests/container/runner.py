"""What GitHub's runner does with a container action: folders it mounts, variables it sets, the command it runs."""

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
RUNNER_UID, RUNNER_GID = 1001, 127
HEREDOC = re.compile(r"^([\w-]+)<<(\S+)\n(.*?)\n?^\2$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a step leaves: `text` is both streams as the log shows them, `summary` the Markdown of the job summary."""

    exit_code: int
    text: str
    outputs: Mapping[str, str]
    summary: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Job:
    """A job on a runner, with its folders under `folder`; they belong to the runner's user, as on a real one."""

    folder: Path
    image: str

    @property
    def workspace(self) -> Path:
        """The checkout that the steps of the job share."""
        return self.folder / "workspace"

    def set_up(self) -> "Job":
        """Make the folders that are mounted into the container."""
        for name in ("workspace", "home", "workflow", "file_commands", "runner_temp"):
            path = self.folder / name
            path.mkdir(parents=True)
            if os.geteuid() == 0:
                os.chown(path, RUNNER_UID, RUNNER_GID)
        return self

    def run_action(
        self,
        inputs: Mapping[str, str],
        *,
        event_name: str,
        event: Mapping[str, Any],
        environment: Mapping[str, str],
        options: Sequence[str] = ("--network", "host"),
    ) -> Answer:
        """Run the image as the step `uses: ./` with `inputs`, and return what it left.

        Every input of action.yml reaches the container: as given, else its default, else empty.
        """
        (self.folder / "workflow" / "event.json").write_text(json.dumps(event), encoding="utf-8")
        commands = self.folder / "file_commands"
        files = {"GITHUB_OUTPUT": "set_output", "GITHUB_STEP_SUMMARY": "step_summary", "GITHUB_ENV": "set_env"}
        for name in files.values():
            (commands / name).write_text("", encoding="utf-8")
        variables = {
            **{f"INPUT_{name.replace(' ', '_').upper()}": value for name, value in self._inputs(inputs).items()},
            **{variable: f"/github/file_commands/{name}" for variable, name in files.items()},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event_name,
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_WORKSPACE": "/github/workspace",
            "HOME": "/github/home",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": "/github/runner_temp",
            "RUNNER_WORKSPACE": "/home/runner/work/project",
            **environment,
        }
        command = ["docker", "run", "--rm", "--workdir", "/github/workspace", *options]
        for name in sorted(variables):
            command += ["--env", name]
        for name in ("workspace", "home", "workflow", "file_commands", "runner_temp"):
            command += ["--volume", f"{self.folder / name}:/github/{name}"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, self.image],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Answer(
            exit_code=done.returncode,
            text=done.stdout,
            outputs={m[1]: m[3] for m in HEREDOC.finditer((commands / "set_output").read_text(encoding="utf-8"))},
            summary=(commands / "step_summary").read_text(encoding="utf-8"),
            seconds=time.monotonic() - began,
        )

    @staticmethod
    def _inputs(given: Mapping[str, str]) -> dict[str, str]:
        declared = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
        unknown = set(given) - set(declared)
        assert not unknown, f"action.yml has no input {sorted(unknown)}"
        inputs = {name: str(about.get("default", "")) for name, about in declared.items()}
        inputs["github-token"] = "a-token-of-this-job"  # ${{ github.token }}
        return {**inputs, **given}
