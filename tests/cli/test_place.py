"""What the options of place ask for is given, or the audit says that it is not."""

from pathlib import Path

import pytest

from ecoaudit import pipeline
from ecoaudit.config import Config

SAMPLE = Path(__file__).resolve().parents[2] / "fixtures" / "sample_logs" / "synthetic-8xh100" / "telemetry.jsonl.gz"


def warnings(config: Config) -> str:
    return " ".join(pipeline.audit_inputs([str(SAMPLE)], config).quality.warnings)


def test_a_zone_beside_a_region_says_which_figure_is_whose() -> None:
    told = warnings(Config(zone="SE", region="aws:us-east-1"))
    assert "the grid is that of zone SE; PUE and price are those of aws:us-east-1" in told


@pytest.mark.parametrize(("basis", "told"), [("marginal", True), ("as given", False)])
def test_a_basis_that_the_tables_do_not_hold_is_not_passed_over(basis: str, told: bool) -> None:
    found = warnings(Config(region="aws:us-east-1", intensity_basis=basis))  # type: ignore[arg-type]
    assert ("not a marginal one" in found) == told
