"""The built page, and Debian's Chromium with it open from a file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecoaudit.calculator.build import site
from ecoaudit.reference import load


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    for name, content in site(load()).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def open_page(browser: Any, built: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the page from its file; the test fails if a script error or a request shows up."""
    contexts: list[Any] = []
    errors: list[str] = []
    asked: list[str] = []

    def open_at(fragment: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto((built / "index.html").as_uri() + fragment)
        return tab

    yield open_at
    for context in contexts:
        context.close()
    assert not errors
    assert asked, "the page itself is a request, else nothing was watched"
    assert all(url.startswith((built / "index.html").as_uri()) for url in asked)
