"""`ecoaudit estimate` on the command line."""

import json
import subprocess
import sys

import pytest

from ecoaudit.cli import run

ASKED = ["estimate", "--params", "7e9", "--tokens", "2e12", "--gpu", "H100 SXM", "--gpus", "64"]


def test_the_promised_command_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--region", "aws:eu-north-1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gpu_hours"]["low"] < found["gpu_hours"]["value"] < found["gpu_hours"]["high"]
    assert found["energy"]["facility"]["unit"] == "kWh"
    assert found["carbon"]["operational"]["unit"] == "kgCO2e"


def test_the_promised_command_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--region", "aws:eu-north-1"]) == 0
    text = capsys.readouterr().out
    assert "energy, facility" in text
    assert "lifecycle" in text
    assert "carbon, market-based  0 kg CO₂e" in text


def test_as_paper_needs_no_other_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", "--as-paper"]) == 0
    assert "$82,533" in capsys.readouterr().out
    assert run(["estimate", "--as-paper", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["carbon_kg"] == pytest.approx(330.13, abs=0.005)


def test_validate_prints_the_page_or_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", "--validate"]) == 0
    assert capsys.readouterr().out.startswith("# How the estimator fares")
    assert run(["estimate", "--validate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["within"] >= 0.75


def test_a_sweep_needs_no_gpu_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", "--params", "7e9", "--tokens", "1e9", "--sweep", "gpu=H100 SXM,H200,gpus=8"]) == 0
    assert "H200" in capsys.readouterr().out
    assert run([*ASKED, "--sweep", "gpus=8,16", "--json"]) == 0
    assert [row["swept"] for row in json.loads(capsys.readouterr().out)] == [{"gpus": "8"}, {"gpus": "16"}]


def test_a_node_type_names_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", "--params", "7e9", "--tokens", "1e9", "--node", "dgx-h100", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hardware"]["gpu"] == "NVIDIA H100 80GB HBM3"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--params", "7e9", "--tokens", "1e9"], "--gpu: the GPU is not given"),
        (["--params", "7e9", "--tokens", "1e9", "--gpu", "H100"], "ambiguous"),
        (["--params", "7e9", "--gpu", "H200"], "--tokens: the amount of training is not known"),
        (["--model", "lama2-7b", "--gpu", "H200"], "llama2-7b"),
        ([*ASKED[1:], "--region", "aws:eu-nroth-1"], "aws:eu-north-1"),
        ([*ASKED[1:], "--mfu", "40"], "did you mean 0.4"),
        ([*ASKED[1:], "--sweep", "color=red"], "cannot sweep"),
        (["--params", "7e9", "--tokens", "1e9", "--gpu", "V100-SXM2-16GB"], "no dense peak in bf16"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(asked: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", *asked]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_itself_imports_nothing_heavy() -> None:
    code = (
        "import sys, ecoaudit.estimate.cli; "
        "print(sorted({'numpy', 'pandas', 'matplotlib', 'ecoaudit.reference'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
