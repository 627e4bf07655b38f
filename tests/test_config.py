"""The configuration file: what it takes, and how it says what is wrong."""

from pathlib import Path

import pytest

from ecoaudit.config import Config, load, parse
from ecoaudit.errors import EcoauditError


def test_an_empty_file_is_the_default() -> None:
    assert parse(None, where="c") == Config()


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ecoaudit.yml"
    path.write_text(
        "project: llama-7b\nregion: aws:eu-north-1\npue: auto\nprice_per_gpu_hour: auto\nbudgets:\n"
        "  - {metric: carbon_kg, max: 330, level: fail}\n"
        "  - {metric: j_per_token, max_increase_percent: 5, level: warn}\non_missing_baseline: pass\n",
        encoding="utf-8",
    )
    config = load(path)
    assert config.project == "llama-7b"
    assert [b.metric for b in config.budgets] == ["carbon_kg", "j_per_token"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("regoin: aws:eu-north-1", "unknown key 'regoin'; did you mean 'region'?"),
        ("budgets: [{metrc: carbon_kg, max: 1}]", "did you mean 'metric'?"),
        ("budgets: [{metric: carbon, max: 1}]", "Invalid enum value 'carbon'"),
        ("budgets: [{metric: carbon_kg}]", "give either max or max_increase_percent"),
        ("budgets: [{metric: carbon_kg, max: 1, max_increase_percent: 2}]", "give either"),
        ("budgets: [{metric: workload, max: 1}]", "only max_increase_percent fits"),
        ("pue: 0.9", "pue"),
        ("intensity_g_per_kwh: -1", "intensity_g_per_kwh"),
        ("- a list", "must be a mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ecoaudit.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EcoauditError) as caught:
        load(path)
    line = caught.value.line()
    assert message in line
    assert str(path) in line
    assert "\n" not in line


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EcoauditError, match="cannot read the configuration"):
        load(tmp_path / "none.yml")
