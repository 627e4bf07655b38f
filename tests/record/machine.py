"""A folder, an environment and a command line to run the recorder in, and what it has written."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EIGHT_AT_500_W = "gpus 8\ntrace * 0 500000 90\n"


class Process(subprocess.Popen[str]):
    """A process that a failing test does not wait for: leaving its `with` block by an exception kills it."""

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        if kind is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(20)
        if self.poll() is None:
            self.kill()
        super().__exit__(kind, value, traceback)


class Machine:
    """A place with GPUs to run the recorder in: its folder, environment and command line."""

    def __init__(self, folder: Path, library: Path | None) -> None:
        self.folder = folder
        self._library = library
        self.configure(EIGHT_AT_500_W)

    def configure(self, text: str) -> None:
        (self.folder / "gpus.conf").write_text(text)

    def environ(self, **more: str) -> dict[str, str]:
        """Only what is given here is set: no CUDA_VISIBLE_DEVICES or launcher of the machine that runs the tests."""
        out = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONWARNINGS": "error",
            "ECOAUDIT_RUNTIME_DIR": str(self.folder / "runtime"),
            "NVML_STUB_CONFIG": str(self.folder / "gpus.conf"),
        }
        if self._library is not None:
            out["LD_LIBRARY_PATH"] = str(self._library)
        return out | more

    def start(self, *arguments: str, env: dict[str, str] | None = None, **popen: Any) -> Process:
        """Start `ecoaudit record` with these arguments."""
        command = [sys.executable, "-m", "ecoaudit", "record", *arguments]
        return self.popen(command, env=env, **popen)

    def popen(self, command: list[str], env: dict[str, str] | None = None, **popen: Any) -> Process:
        return Process(
            command,
            cwd=self.folder,
            env=self.environ(**(env or {})),
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | popen),
        )

    def run(self, *arguments: str, env: dict[str, str] | None = None, **popen: Any) -> tuple[int, str, str]:
        """Run `ecoaudit record` to its end; return exit code, stdout and stderr."""
        with self.start(*arguments, env=env, **popen) as process:
            out, err = process.communicate(timeout=20)
        return process.returncode, out, err

    def read(self, name: str = "run.jsonl") -> "Records":
        return Records(self.folder / name)

    def processes(self) -> Iterator[int]:
        """Yield the processes that were started here and their descendants: their environment names this folder."""
        mark = f"ECOAUDIT_RUNTIME_DIR={self.folder}/".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes():
                        yield int(entry.name)

    def end(self) -> None:
        """Kill, by their ids, the processes that a test has left behind."""
        for _ in range(3):  # one of them may just have started another
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


class Records:
    """The lines of a recording by type; `torn` counts lines that are not JSON."""

    def __init__(self, path: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        self.torn = 0
        self.size = path.stat().st_size
        for line in path.read_text().splitlines():
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.torn += 1

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    @property
    def header(self) -> dict[str, Any]:
        return self.of("header")[0]

    @property
    def samples(self) -> list[dict[str, Any]]:
        return self.of("sample")

    @property
    def footer(self) -> dict[str, Any]:
        (footer,) = self.of("footer")
        return footer

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.of("event") if line["name"] == name]


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until the condition holds and return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)
    return value


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
