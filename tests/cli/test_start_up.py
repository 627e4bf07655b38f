"""Starting up is cheap: nothing heavy is imported until it is needed."""

import subprocess
import sys

import pytest

HEAVY = {"numpy", "pandas", "matplotlib", "github", "jinja2", "duckdb", "requests"}


def modules_after(*arguments: str) -> set[str]:
    """Return the top-level modules loaded after running `ecoaudit` with the arguments."""
    program = (
        "import sys; from ecoaudit.__main__ import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "print('\\n'.join(sorted({m.partition('.')[0] for m in sys.modules})), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(result.stderr.split())


def test_version_imports_next_to_nothing() -> None:
    assert not modules_after("--version") & (HEAVY | {"click", "msgspec", "yaml", "pynvml"})


def test_help_imports_nothing_heavy() -> None:
    assert not modules_after("--help") & HEAVY


@pytest.mark.parametrize("command", ["audit", "compare", "inspect", "formats", "demo", "action", "estimate", "publish"])
def test_every_command_explains_itself(command: str) -> None:
    assert not modules_after(command, "--help") & HEAVY


def test_importing_the_package_is_free() -> None:
    program = "import sys, ecoaudit; print(len([m for m in sys.modules if m.startswith('ecoaudit')]))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert int(result.stdout) <= 3
