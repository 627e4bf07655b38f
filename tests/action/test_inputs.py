"""Inputs as the runner hands them over: names, defaults, errors that name the input, paths that stay inside."""

from pathlib import Path

import pytest

from ecoaudit.config import Budget, Config, HardwareShape, ModelShape
from ecoaudit.errors import EcoauditError
from ecoaudit.publish import inputs
from ecoaudit.publish.inputs import Settings, merge, read_settings


def test_absent_and_empty_inputs_mean_their_defaults() -> None:
    assert read_settings({}) == read_settings({f"INPUT_{i.name.upper()}": "" for i in inputs.INPUTS}) == Settings()


def test_hyphens_stay_in_the_variable_names() -> None:
    assert read_settings({"INPUT_FAIL-ON": "warn"}).fail_on == "warn"
    assert read_settings({"INPUT_FAIL_ON": "warn"}).fail_on == "fail"


def test_lists_are_one_a_line() -> None:
    settings = read_settings({"INPUT_TELEMETRY": " a b.jsonl \n\nc/\n", "INPUT_LOGS": "train.log"})
    assert settings.logs == ("a b.jsonl", "c/", "train.log")


def test_the_token_is_not_in_the_representation() -> None:
    assert "secret" not in repr(read_settings({"INPUT_GITHUB-TOKEN": "secret"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTENSITY", "much"),
        ("PUE", "nan"),
        ("GPUS", "7.5"),
        ("NODES", "two"),
        ("CARBON-BUDGET-KG", "10 kg"),
        ("COST-BUDGET-USD", "-1"),
        ("COMMENT", "yes"),
        ("CHECK", "true"),
        ("FAIL-ON", "error"),
    ],
)
def test_a_wrong_value_names_its_input(name: str, value: str) -> None:
    with pytest.raises(EcoauditError, match=f"input {name.lower()}"):
        read_settings({f"INPUT_{name}": value})


@pytest.mark.parametrize(("name", "value"), [("PUE", "0.5"), ("ON-MISSING-BASELINE", "ignore")])
def test_a_value_out_of_range_is_refused_with_the_configuration(name: str, value: str) -> None:
    with pytest.raises(EcoauditError, match=f"action: input {name.lower()}: must be"):
        merge(None, read_settings({f"INPUT_{name}": value}), where="x")


def test_inputs_come_before_the_file() -> None:
    file = b"project: a\nregion: aws:us-east-1\npue: 1.3\nbudgets:\n  - {metric: carbon_kg, max: 9}\n"
    settings = read_settings({"INPUT_ZONE": "SE", "INPUT_PUE": "auto", "INPUT_CARBON-BUDGET-KG": "5"})
    config = merge(file, settings, where="f")
    assert (config.project, config.region, config.zone, config.pue) == ("a", None, "SE", "auto")
    assert config.budgets == (Budget(metric="carbon_kg", max=5.0),)


def test_a_place_as_input_replaces_every_answer_of_the_file_to_how_dirty_the_grid_was() -> None:
    file = b"region: aws:us-east-1\nintensity_series: grid.csv\nmarket_intensity_g_per_kwh: 3\n"
    config = merge(file, read_settings({"INPUT_INTENSITY": "20"}), where="f")
    assert (config.region, config.intensity_g_per_kwh, config.intensity_series) == (None, 20.0, None)
    assert config.market_intensity_g_per_kwh is None


def test_hardware_inputs_complete_the_files_hardware() -> None:
    settings = read_settings({"INPUT_GPU": "H100 SXM", "INPUT_GPUS": "16"})
    config = merge(b"hardware: {gpus: 8, nodes: 2}\n", settings, where="f")
    assert config.hardware == HardwareShape(gpu="H100 SXM", gpus=16, nodes=2)


def test_what_a_workflow_says_of_the_run_is_an_input() -> None:
    given = {
        "ZONE": "GB",
        "INTENSITY-BASIS": "direct",
        "GRID-PROVIDER": "ukcarbonintensity",
        "NODE-GPUS": "8",
        "COOLING": "liquid",
        "TIMEZONE": "Europe/London",
        "MODEL": "llama2-7b",
        "PARAMS": "6.738e9",
    }
    config = merge(None, read_settings({f"INPUT_{name}": value for name, value in given.items()}), where="f")
    assert config == Config(
        zone="GB",
        intensity_basis="direct",
        grid_provider="ukcarbonintensity",
        node_gpu_count=8,
        cooling="liquid",
        timezone="Europe/London",
        model=ModelShape(preset="llama2-7b", params=6.738e9),
    )


@pytest.mark.parametrize(("name", "value"), [("COOLING", "water"), ("INTENSITY-BASIS", "average")])
def test_a_word_that_is_none_of_the_choices_is_refused_with_the_choices(name: str, value: str) -> None:
    with pytest.raises(EcoauditError, match=f"action: input {name.lower()}: must be one of .*{value}"):
        merge(None, read_settings({f"INPUT_{name}": value}), where="f")


def test_an_input_for_every_key_or_the_file_alone() -> None:
    """Keys that a workflow seldom sets, and lists, are left to the file (docs/action.md says so)."""
    in_file = {"intensity_series", "market_intensity_g_per_kwh", "meter_boundary", "network_power_w", "budgets"}
    reached = set(inputs.OVERRIDES.values()) | {"calibration"}
    grouped = {key.partition("_")[0] for key in reached if key.startswith(("hardware_", "model_"))}
    assert set(Config.__struct_fields__) - reached - grouped == in_file


def test_budgets_of_inputs_join_those_of_the_file() -> None:
    file = b"budgets:\n  - {metric: carbon_kg, max_increase_percent: 3}\n"
    settings = read_settings({"INPUT_ENERGY-BUDGET-KWH": "5", "INPUT_MAX-INCREASE-PERCENT": "7"})
    metrics = [(b.metric, b.max, b.max_increase_percent) for b in merge(file, settings, where="f").budgets]
    assert metrics == [("carbon_kg", None, 3.0), ("energy_kwh", 5.0, None), ("workload", None, 7.0)]


def test_a_misspelt_key_in_the_file_is_named_with_its_neighbour() -> None:
    with pytest.raises(EcoauditError, match="did you mean 'region'"):
        merge(b"regoin: x", Settings(), where=".github/ecoaudit.yml")
    with pytest.raises(EcoauditError, match=r"ecoaudit\.yml:2"):
        merge(b"a: [\nb: }", Settings(), where=".github/ecoaudit.yml")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "link/x"])
def test_no_path_leads_out_of_the_workspace(tmp_path: Path, path: str) -> None:
    """EnricoMi #353 #119 #136: a container cannot see other paths; nor should it write there."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "link").symlink_to(tmp_path)
    with pytest.raises(EcoauditError, match="out of the workspace"):
        inputs.inside(workspace, path, "report-dir")


def test_globs_find_files_of_the_workspace_only(tmp_path: Path) -> None:
    for name in ("a/1.jsonl", "a/b/2.jsonl", "c.log"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = inputs.expand(tmp_path, ("**/*.jsonl", "c.log", str(tmp_path / "a"), "s3://bucket/x"), "telemetry")
    names = [f if "://" in f else str(Path(f).relative_to(tmp_path)) for f in found]
    assert names == ["a/1.jsonl", "a/b/2.jsonl", "c.log", "a", "s3://bucket/x"]
    for pattern in ("*.csv", "missing", "../*", "/etc/*", "a/../../*"):
        with pytest.raises(EcoauditError, match="input telemetry"):
            inputs.expand(tmp_path, (pattern,), "telemetry")
