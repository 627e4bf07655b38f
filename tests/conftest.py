"""Fixtures that every test may use."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A shared machine may stall any example, so none has a deadline. CI tries the same examples each time: a change is
# refused for what it did, and new examples are found by those who run the tests at their desk.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

ROOT = Path(__file__).resolve().parents[1]

BROWSER_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate-golden", action="store_true", help="write golden files instead of comparing")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of public reference material, where the machine has it."""
    path = (ROOT / os.environ.get("ECOAUDIT_SHARED", "../shared")).resolve()
    if not path.is_dir():
        pytest.skip("no reference material here (set ECOAUDIT_SHARED)")
    return path


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """Return a function that gives the path of a program; without it the test skips, or fails when CI=true."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            missing(f"{name} is not installed")
        assert path is not None
        return path

    return find


def missing(reason: str) -> None:
    """Skip the test with the reason; fail it in CI, where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must have it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser(require_tool: Callable[[str], str]) -> Iterator[Any]:
    """Debian's Chromium, one for all tests: Playwright's synchronous interface can be entered once a process."""
    from playwright.sync_api import sync_playwright

    path = require_tool("chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield running
        running.close()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a function that compares text with a golden file, or writes it under --regenerate-golden."""
    folder = Path(request.path).parent / "golden"

    def check(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--regenerate-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path} is missing: run pytest --regenerate-golden"
        assert text == path.read_text(encoding="utf-8")

    return check
