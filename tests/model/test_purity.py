"""The model is pure and stands where it should in the order of stages."""

import ast
from pathlib import Path

import pytest

import ecoaudit.model

FOLDER = Path(ecoaudit.model.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))
TOUCHES_THE_WORLD = {"os", "io", "pathlib", "time", "socket", "subprocess", "urllib", "requests", "random", "logging"}
MAY_IMPORT = (
    "ecoaudit.counts",
    "ecoaudit.errors",
    "ecoaudit.quantity",
    "ecoaudit.ingest.records",
    "ecoaudit.reference.types",
    "ecoaudit.model",
)


def imported(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_clock_network_file_or_environment(module: Path) -> None:
    assert not {name.split(".")[0] for name in imported(module)} & TOUCHES_THE_WORLD
    calls = [n.func for n in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    assert "open" not in {call.id for call in calls if isinstance(call, ast.Name)}
    assert not {"now", "today", "utcnow"} & {call.attr for call in calls if isinstance(call, ast.Attribute)}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_only_earlier_stages_are_imported(module: Path) -> None:
    own = {name for name in imported(module) if name.startswith("ecoaudit")}
    assert not [name for name in own if not name.startswith(MAY_IMPORT)]
