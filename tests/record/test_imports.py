"""The recorder is light: the standard library and nvidia-ml-py, nothing else, and little of them."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "src" / "ecoaudit" / "record"


@pytest.mark.parametrize("path", sorted(RECORD.glob("*.py")), ids=lambda p: p.name)
def test_only_the_standard_library_and_pynvml(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "compression", "pynvml"}  # compression: in the library since 3.14
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert all(alias.name.partition(".")[0] in allowed for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1 or str(node.module).partition(".")[0] in allowed


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_recording_loads_nothing_heavy() -> None:
    before = loaded_by("")
    loaded = {
        name.partition(".")[0] for name in loaded_by("import ecoaudit.record.session, ecoaudit.record.cli") - before
    }
    assert loaded <= set(sys.stdlib_module_names) | {"pynvml", "ecoaudit"}
    assert not loaded & {"asyncio", "email", "http", "dataclasses", "inspect", "socket", "logging", "multiprocessing"}


def test_importing_the_package_or_the_callbacks_costs_nothing() -> None:
    loaded = loaded_by("import ecoaudit, ecoaudit.callbacks") - loaded_by("")
    assert {name for name in loaded if name.startswith("ecoaudit")} == {"ecoaudit", "ecoaudit.callbacks"}
    assert not {name.partition(".")[0] for name in loaded} & {"pynvml", "ctypes", "argparse", "json", "subprocess"}


def test_the_package_can_be_called_and_imported_from() -> None:
    script = (
        "import ecoaudit, ecoaudit.record.cli\n"
        "from ecoaudit import record, phase, step\n"
        "assert ecoaudit.record is record and record.cli is ecoaudit.record.cli\n"
        "assert type(record('x.jsonl')).__name__ == 'Recording'\n"
        "phase('train'); step(1)\n"
        "try:\n    ecoaudit.nothing\nexcept AttributeError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert done.stdout == "module 'ecoaudit' has no attribute 'nothing'\n"


def test_where_nothing_can_fork_recording_says_what_to_do_instead() -> None:
    """Windows, as seen by what it lacks."""
    script = "import os, sys; del os.fork; from ecoaudit.__main__ import main; sys.exit(main(['record', '--help']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT / "src")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ecoaudit: recording needs Linux or another Unix; ")
    assert done.stderr.count("\n") == 1
