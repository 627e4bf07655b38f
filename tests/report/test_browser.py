"""The page in a browser: valid, accessible, without requests, legible on every screen and on paper."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecoaudit.report import html
from report import examples

pytestmark = pytest.mark.browser

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "report-npm"
NAMES = sorted(examples.pairs())


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    paths = {}
    for name, (audit, verdict) in examples.pairs().items():
        paths[name] = folder / f"{name}.html"
        history = examples.llm_history() if name == "llm" else []
        paths[name].write_text(html.render(audit, verdict, history=history), encoding="utf-8")
    return paths


@pytest.fixture(scope="module")
def node_modules(require_tool: Callable[[str], str]) -> Path:
    """Where axe-core and html-validate are, at the versions of the lock file beside this test."""
    npm, source = require_tool("npm"), Path(__file__).parent / "npm"
    lock = CACHE / "package-lock.json"
    if not lock.is_file() or lock.read_bytes() != (source / lock.name).read_bytes():
        CACHE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, CACHE)
        command = [npm, "ci", "--prefix", str(CACHE), "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        except subprocess.SubprocessError:
            lock.unlink()  # it says that the tools are there
            raise
    return CACHE / "node_modules"


def open_page(browser: Any, path: Path, *, width: int = 1100, scheme: str = "light") -> tuple[Any, list[str]]:
    """Return the page and the list that gathers every request it makes and every error it meets."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(path.as_uri())
    return page, [entry for entry in seen if entry != path.as_uri()]


@pytest.mark.npm
def test_valid(pages: dict[str, Path], node_modules: Path) -> None:
    program = node_modules / "html-validate" / "bin" / "html-validate.mjs"
    command = ["node", str(program), "--preset", "standard,a11y", *map(str, pages.values())]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.npm
@pytest.mark.parametrize(
    ("name", "scheme", "width"), [("llm", "light", 1100), ("llm", "dark", 1100), ("csv", "light", 390)]
)
def test_accessible(
    name: str, scheme: str, width: int, pages: dict[str, Path], browser: Any, node_modules: Path
) -> None:
    page, _ = open_page(browser, pages[name], width=width, scheme=scheme)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    page.evaluate((node_modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 120))]))")
    page.close()
    assert found == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [360, 1100])
def test_quiet_and_never_wider_than_the_screen(name: str, width: int, pages: dict[str, Path], browser: Any) -> None:
    page, seen = open_page(browser, pages[name], width=width)
    assert seen == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize(("scheme", "shown", "hidden"), [("light", "light", "dark"), ("dark", "dark", "light")])
def test_each_colour_scheme_shows_its_own_charts(
    scheme: str, shown: str, hidden: str, pages: dict[str, Path], browser: Any
) -> None:
    page, _ = open_page(browser, pages["llm"], scheme=scheme)
    assert page.locator(f".chart.{shown}").first.is_visible()
    assert not page.locator(f".chart.{hidden}").first.is_visible()
    page.emulate_media(media="print")
    assert page.locator(".chart.light").first.is_visible()
    assert page.locator(".sign").is_visible()
    assert not page.locator("nav").is_visible()
    page.close()
