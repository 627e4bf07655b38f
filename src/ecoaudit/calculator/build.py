"""One self-contained page from the assets and the exported data: works from a file, makes no request.

The content security policy names the hash of the page's own style and script and forbids everything else, so a browser
would refuse a request that a later change might slip in.
"""

import base64
import hashlib
from importlib import resources

import msgspec

from ecoaudit.calculator.export import data
from ecoaudit.reference import Tables

SCRIPTS = (
    *("numbers", "draws", "engine", "paper", "levers"),
    *("state", "share", "dom", "combobox", "sources", "inputs", "charts", "results", "compare", "choices", "page"),
)
"""Scripts in the order they are joined: arithmetic first, then the page. They share one scope."""


def site(tables: Tables) -> dict[str, bytes]:
    """Return the site's files by name; `.nojekyll` tells GitHub Pages to serve them as they are."""
    return {"index.html": page(tables).encode(), ".nojekyll": b""}


def page(tables: Tables) -> str:
    """Return the page."""
    style = _asset("page.css")
    code = script()
    # `<` cannot stand in a script element's text as it is: it might open or close one.
    json = msgspec.json.encode(data(tables)).decode().replace("<", "\\u003c")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(code)}; base-uri 'none'; form-action 'none'"
    )
    filled = _asset("page.html")
    for name, text in {"policy": policy, "style": style, "data": json, "script": code}.items():
        filled = filled.replace(f"@@{name}@@", text)
    return filled


def script() -> str:
    """Return the page's script: all parts in one strict scope, the engine named `ecoaudit` for other scripts."""
    parts = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{_asset("start.js")}\n{parts}\n}})();\n'


def _asset(name: str) -> str:
    return (resources.files("ecoaudit.calculator") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
