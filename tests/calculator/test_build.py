"""The built page without a browser: complete, sourced, self-contained, and unable to call out."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ecoaudit.calculator.build import SCRIPTS, page, script, site
from ecoaudit.calculator.cli import calculator
from ecoaudit.calculator.export import data
from ecoaudit.reference import load

TABLES = load()
ASSETS = Path(__file__).parents[2] / "src/ecoaudit/calculator/assets"
CALLS_OUT = (
    r"\bfetch\b|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\bimport\b|importScripts|RTCPeer|Worker\b|\.src\b"
)
STORES = r"localStorage|sessionStorage|indexedDB|cookie"


@pytest.fixture(scope="module")
def exported() -> dict[str, Any]:
    return data(TABLES)


@pytest.fixture(scope="module")
def text() -> str:
    return page(TABLES)


def test_every_row_of_the_tables_is_there(exported: dict[str, Any]) -> None:
    assert [one["name"] for one in exported["gpus"]] == [gpu.name for gpu in TABLES.gpus()]
    assert [one["key"] for one in exported["regions"]] == [region.key for region in TABLES.regions()]
    assert [one["id"] for one in exported["models"]] == [model.id for model in TABLES.models()]
    assert [one["name"] for one in exported["nodes"]] == [node.name for node in TABLES.nodes()]
    assert {zone.zone for zone in TABLES.zones()} <= exported["zones"].keys()


def test_what_was_looked_up_is_what_the_tables_answer(exported: dict[str, Any]) -> None:
    for i, region in enumerate(TABLES.regions()):
        row = exported["regions"][i]
        assert exported["grids"][row["grid"]]["g"] == TABLES.grid(region=region.key).g_per_kwh
        assert exported["pues"][row["pue"]]["value"] == TABLES.pue(region.key).value
    for row in exported["gpus"]:
        for i, region in enumerate(TABLES.regions()):
            index = row["prices"].get(i, row["price"])
            price = TABLES.price(row["name"], region.key)
            assert (exported["prices"][index]["usd"] if index is not None else None) == (
                price.usd_per_gpu_hour if price else None
            )


def test_every_record_names_its_source(exported: dict[str, Any]) -> None:
    citations = exported["citations"]
    assert all(source and year and licence for source, year, licence in citations)
    for table in ("gpus", "regions", "nodes", "models", "grids", "pues", "prices", "lines", "priors"):
        assert all(citations[row["cite"]] for row in exported[table]), table
    assert all(citations[row["embodied_cite"]] for row in exported["gpus"])
    for name, constant in exported["constants"].items():
        assert constant["what"] and constant["source"] and constant["year"] and constant["licence"], name


def test_every_gpu_is_known_to_the_command_by_the_name_the_page_uses(exported: dict[str, Any]) -> None:
    assert all(TABLES.gpu(one["name"]).name == one["name"] for one in exported["gpus"])


def test_the_script_has_no_way_to_call_out_or_to_remember() -> None:
    code = re.sub(r"^\s*(//|\*|/\*\*).*$", "", script(), flags=re.MULTILINE)
    assert not re.search(CALLS_OUT, code)
    assert not re.search(STORES, code)
    assert not re.search(r"https?://", code.replace("http://www.w3.org/2000/svg", ""))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", code)


def test_the_page_refers_to_nothing_outside_itself(text: str) -> None:
    outside_data = re.sub(r'<script type="application/json".*?</script>', "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import""", outside_data)
    assert "default-src 'none'" in text
    assert text.count("</script>") == 2
    assert "@@" not in text


def test_every_asset_is_used() -> None:
    used = {f"{name}.js" for name in SCRIPTS} | {"start.js", "page.html", "page.css"}
    assert {path.name for path in ASSETS.iterdir()} == used


def test_the_build_is_the_same_every_time(text: str) -> None:
    assert site(TABLES)["index.html"].decode() == text


def test_the_command_writes_the_site(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "site"
    found = CliRunner().invoke(calculator, ["-o", str(folder)], catch_exceptions=False)
    assert found.exit_code == 0
    assert "index.html" in found.output
    assert (folder / "index.html").read_text(encoding="utf-8") == text
    assert (folder / ".nojekyll").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(calculator, ["-o", str(tmp_path / "file" / "site")])
    assert result.exit_code == 2 and "file' cannot be written" in result.output.splitlines()[-1]
