"""What an audit says of its configuration is what the command line takes."""

import shlex
from pathlib import Path

import click
import msgspec
import pytest

from ecoaudit.arguments import arguments
from ecoaudit.cli import main, run
from ecoaudit.config import Config, HardwareShape, ModelShape, parse
from ecoaudit.model.audit_json import decode
from ecoaudit.report.facts import reproduce

SAMPLE = Path(__file__).resolve().parents[1] / "fixtures" / "sample_logs" / "synthetic-8xh100"
EVERY_KEY = {
    "project": "a b",
    "region": "aws:us-east-1",
    "zone": "SE",
    "intensity_g_per_kwh": 20.5,
    "intensity_basis": "direct",
    "market_intensity_g_per_kwh": 10,
    "pue": 1.2,
    "price_per_gpu_hour": 2,
    "host_power_w": 1500.0,
    "node_gpu_count": 8,
    "own_gpus": "0-3",
    "cooling": "air",
    "meter_boundary": "dc",
    "network_power_w": 200,
    "timezone": "Europe/Berlin",
    "calibration": "/home/me/node.json",
    "hardware": {"gpu": "H100 SXM", "gpus": 8, "nodes": 1},
    "model": {"preset": "llama2-7b", "params": 6.7e9, "active_params": 6e9, "layers": 32, "hidden_size": 4096}
    | {"sequence_length": 2048, "method": "lora", "precision": "bf16"},
}


def options() -> dict[str, click.Parameter]:
    """The options of `ecoaudit audit` by the way they are written."""
    command = main.get_command(click.Context(main), "audit")
    assert command is not None
    return {name: one for one in command.params for name in one.opts}


def test_every_key_but_the_budgets_is_an_option_that_the_command_has() -> None:
    config = parse(EVERY_KEY, where="c")
    unset = {"intensity_series", "grid_provider", "budgets", "on_missing_baseline"}
    assert {f.name for f in msgspec.structs.fields(Config)} == EVERY_KEY.keys() | unset
    for group, shape in (("hardware", HardwareShape), ("model", ModelShape)):
        assert EVERY_KEY[group].keys() == {f.name for f in msgspec.structs.fields(shape)}  # type: ignore[attr-defined]
    told = arguments(config)
    assert set(told[::2]) <= options().keys()
    assert len(told) == 2 * (len(EVERY_KEY) - 2 + 3 + 8)
    assert arguments(Config()) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("calibration", "/home/me/node.json", "node.json"),
        ("intensity_series", "grid/se.csv", "se.csv"),
        ("grid_provider", "https://grid.example/?key=secret&from={start}&to={end}", "URL"),
        ("grid_provider", "electricitymaps", "electricitymaps"),
    ],
)
def test_no_folder_and_no_address_is_told(key: str, value: str, said: str) -> None:
    assert arguments(parse({key: value}, where="c"))[1] == said


def test_the_command_of_the_report_makes_the_same_audit_again(tmp_path: Path) -> None:
    given = ["--zone", "SE", "--cooling", "air", "--price", "2.5", "--timezone", "Europe/Berlin", "--params", "7e9"]
    assert run(["audit", str(SAMPLE), "-o", str(tmp_path / "a"), *given]) == 0
    first = decode((tmp_path / "a" / "audit.json").read_bytes())
    words = shlex.split(reproduce(first))
    assert words[:3] == ["ecoaudit", "audit", "LOGS..."]
    assert run(["audit", str(SAMPLE), "-o", str(tmp_path / "b"), *words[3:]]) == 0
    assert decode((tmp_path / "b" / "audit.json").read_bytes()) == first
