"""The summary's width: the terminal's where there is one, and none in a file or a pipe."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "fixtures" / "sample_logs" / "synthetic-8xh100"
COMMAND = [sys.executable, "-m", "ecoaudit", "audit", str(SAMPLE), "--region", "aws:eu-north-1"]


def on_a_terminal(folder: Path, columns: str) -> list[str]:
    """Return the lines of the summary on a terminal with so many columns."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": columns, "TERM": "dumb"}
    with subprocess.Popen(COMMAND, stdout=follower, stderr=subprocess.DEVNULL, cwd=folder, env=environment) as process:
        os.close(follower)
        told = b""
        while block := _read(leader):
            told += block
        assert process.wait(60) == 0
    os.close(leader)
    return told.decode().replace("\r\n", "\n").splitlines()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end was closed
        return b""


@pytest.mark.parametrize(("columns", "widest"), [("72", 72), ("20", 60)])
def test_the_table_fits_the_terminal(tmp_path: Path, columns: str, widest: int) -> None:
    table = "\n".join(on_a_terminal(tmp_path, columns)).split("\n\n")[1].splitlines()
    assert max(map(len, table)) == widest
    assert any(line.endswith("…") for line in table)


def test_a_pipe_has_no_width(tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "40"}
    result = subprocess.run(COMMAND, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert "…" not in result.stdout and max(map(len, result.stdout.splitlines())) > 80
