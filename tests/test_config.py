"""The configuration file: what it takes, and how it says what is wrong."""

import re
from pathlib import Path

import msgspec
import pytest

from ecoaudit.config import Budget, Config, ModelShape, load, override, parse
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
        ("budgets: [{metric: carbon, max: 1}]", "budgets[0].metric: must be one of carbon_kg, cost_usd, energy_kwh"),
        ("budgets: [{metric: carbon, max: 1}]", "got 'carbon'; did you mean 'carbon_kg'?"),
        ("budgets: [{metric: carbon_kg}]", "budgets[0]: the budget for carbon_kg needs either max or max_increase"),
        ("budgets: [{metric: carbon_kg, max: 1, max_increase_percent: 2}]", "needs either"),
        ("budgets: [{metric: carbon_kg, max: 1}, {metrc: x}]", "budgets[1]: unknown key 'metrc'"),
        ("budgets: [{metric: carbon_kg, max: 1}, {max: 1}]", "budgets[1]: the key 'metric' is missing"),
        ("budgets: [{metric: carbon_kg, max: 1}, 3]", "budgets[1]: must be a mapping of keys to values, got 3"),
        ("budgets: [{metric: carbon_kg, max: 1}, {metric: energy_kwh, max: x}]", "budgets[1].max: must be a number of"),
        ("budgets: {metric: carbon_kg}", "budgets: must be a list"),
        ("zone: NO", "zone: must be text, got false; YAML reads NO, no, off, on and yes as true or false: put it in"),
        ("on_missing_baseline: off", "must be one of fail, pass, warn, got false; YAML reads"),
        ("project: 2024", "project: must be text, got 2024; put it in quotes"),
        ("region: a\nzone: SE\nregion: b", ":3: the key 'region' is given twice, first in line 1"),
        ("budgets:\n- metric: carbon_kg\n  max: 1\n  max: 2", ":4: the key 'max' is given twice, first in line 3"),
        ("pue: .nan", "pue: must be a finite number from 1 to 4 or auto, got nan"),
        ("host_power_w: .inf", "host_power_w: must be a finite number above 0, got inf"),
        ("node_gpu_count: 2.5", "node_gpu_count: must be a whole number above 0, got 2.5"),
        ("hardware: H100", "hardware: must be a mapping of keys to values, got 'H100'"),
        ("hardware: {gpus: 4, nodes: 8}", "hardware: 4 GPUs cannot be on 8 nodes"),
        ("model: {precision: foo}", "model.precision: must be one of bf16"),
        ("model: {layers: 32}", "model: layers and hidden_size belong together"),
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


def test_an_error_names_the_option_that_was_written() -> None:
    with pytest.raises(EcoauditError, match=r"^command line: --pue: must be a finite number from 1 to 4"):
        override(Config(), {"pue": float("nan")}, where="command line", names={"pue": "--pue"})
    with pytest.raises(EcoauditError, match=r"^command line: --precision: must be one of bf16"):
        override(Config(), {"model_precision": "x"}, where="command line", names={"model_precision": "--precision"})


@pytest.mark.parametrize(("named", "kept"), [("bfloat16", "bf16"), ("BF16", "bf16"), ("float16", "fp16")])
def test_a_number_format_by_its_long_name(named: str, kept: str) -> None:
    model = parse({"model": {"precision": named}}, where="c").model
    assert model is not None
    assert model.precision == kept


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EcoauditError, match="cannot read the configuration"):
        load(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("kind", "heading"), [(Config, "# Configuration"), (ModelShape, "## The trained model"), (Budget, "## Budgets")]
)
def test_every_key_is_documented(kind: type[msgspec.Struct], heading: str) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = page.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = {
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert rows == set(kind.__struct_fields__)


def test_a_number_with_an_exponent_needs_no_point(tmp_path: Path) -> None:
    """YAML 1.1 takes 7e9 for a word."""
    path = tmp_path / "ecoaudit.yml"
    path.write_text("model: {params: 46.7e9, active_params: 12.8E+9}\n", encoding="utf-8")
    model = load(path).model
    assert model is not None
    assert (model.params, model.active_params) == (46.7e9, 12.8e9)


@pytest.mark.parametrize(
    "ways", [("intensity_g_per_kwh: 5", "grid_provider: x"), ("intensity_series: a", "grid_provider: x")]
)
def test_one_question_has_one_answer(tmp_path: Path, ways: tuple[str, str]) -> None:
    path = tmp_path / "ecoaudit.yml"
    path.write_text("\n".join(ways), encoding="utf-8")
    with pytest.raises(EcoauditError, match="give one"):
        load(path)


def test_numbers_with_an_exponent_need_no_point(tmp_path: Path) -> None:
    path = tmp_path / "ecoaudit.yml"
    path.write_text("host_power_w: 2e3\nbudgets: [{metric: energy_kwh, max: 1e4}]\n", encoding="utf-8")
    config = load(path)
    assert (config.host_power_w, config.budgets[0].max) == (2000.0, 10000.0)


@pytest.mark.parametrize("text", ["price_per_gpu_hour: .inf", "host_power_w: .inf", "network_power_w: .nan"])
def test_no_figure_is_infinite(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ecoaudit.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EcoauditError):
        load(path)


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ecoaudit.yml"
    path.write_text("[" * 20000, encoding="utf-8")
    with pytest.raises(EcoauditError, match=r"nested too deeply|not valid YAML"):
        load(path)
