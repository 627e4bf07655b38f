"""`ecoaudit calibrate` as a person meets it: tables, files, one line per mistake."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from calibrate.mlperf_checkout import START_MS, Checkout
from ecoaudit.cli import main, run


def call(*args: object) -> Result:
    return CliRunner().invoke(main, ["calibrate", *map(str, args)])


@pytest.fixture
def site(tmp_path: Path) -> Checkout:
    """Four runs of one system, the last with a drop-out; the third is the slowest."""
    site = Checkout(tmp_path / "training_results_v4.1")
    for i, seconds in enumerate((400, 410, 420)):
        site.run(f"result_{i}", seconds=seconds, start_ms=START_MS + i * 10**6, efficiency=None)
    site.run("result_3", start_ms=START_MS + 10**7, drop_out=slice(100, 150), efficiency=None)
    site.scaling(1.25)
    return site


def test_one_system_is_enough_for_a_table(site: Checkout) -> None:
    found = call(site.root)
    assert found.exit_code == 0, found.output
    assert "Maker BOX-8xH100-SXM-80GB llama2_70b_lora 2n" in found.output
    assert "official_energy_j" in found.output
    assert "v4.1+" in found.output
    assert "not verified by MLCommons Association" in found.output


def test_exclusions_are_printed_run_by_run_with_the_reason(site: Checkout) -> None:
    assert "result_3 [AC]: sensor drop-outs over" in call(site.root).output


def test_a_held_out_test_without_a_partner_says_so(site: Checkout) -> None:
    found = call(site.root, "--evaluate")
    assert found.exit_code == 0
    assert "no partner" in found.output


def test_the_csv_carries_official_energy_in_whole_joules_and_its_rule(site: Checkout, tmp_path: Path) -> None:
    out = tmp_path / "out" / "coefficients.csv"
    assert call(site.root, "-o", out).exit_code == 0
    (row,) = csv.DictReader(io.StringIO(out.read_text()))
    assert row["official_energy_j"].isdigit()
    assert row["official_rule"] == "v4.1+"
    assert row["official_results"] == "4"
    assert row["runs"] == "3"
    assert float(row["alpha_u_one"]) == pytest.approx((5470 - 2600) / 5600, abs=0.02)
    assert float(row["alpha_u_one_sd"]) > 0
    assert row["static_w"] == "2600.0"
    # Each reading counts for the second before it: 59 stalled, the rest loaded; two nodes, the second 10 W above.
    # Of 400, 400, 410 and 420 s the first and the last are dropped; the drop-out's 50 readings of -40 W do count.
    ran_400, ran_410 = (2 * 59 * 2600 + (seconds - 59) * 12_010 for seconds in (400, 410))
    dropped_out = ran_400 - 50 * (12_010 + 80)
    assert int(row["official_energy_j"]) == round(1.25 * (dropped_out + ran_410) / 2)


def test_a_run_that_broke_off_is_a_slowest(tmp_path: Path) -> None:
    site = Checkout(tmp_path / "training_results_v4.1")
    for i in range(3):
        site.run(f"result_{i}", seconds=400 + i, start_ms=START_MS + i * 10**6, efficiency=None)
    site.run("result_3", seconds=300, start_ms=START_MS + 10**7, efficiency=None, broken_off=True)
    (pair,) = json.loads(call(site.root, "--json").output)["pairs"]
    assert (pair["runs"], pair["official_results"]) == (3, 4)
    energies = [2 * 59 * 2600 + (seconds - 59) * 12_010 for seconds in (401, 402)]
    assert pair["official_energy_j"] == round(sum(energies) / 2)


def test_without_a_round_both_rules_are_given(tmp_path: Path) -> None:
    site = Checkout(tmp_path / "results_of_some_year")
    for i in range(3):
        site.run(f"result_{i}", start_ms=START_MS + i * 10**6)
    plain = call(site.root).output
    assert "v4.0 (round not known)" in plain
    assert "v4.1+ (round not known)" in plain
    told = call(site.root, "--round", "v4.0").output
    assert "round not known" not in told


def test_json_is_one_document(site: Checkout) -> None:
    document = json.loads(call(site.root, "--evaluate", "--json").output)
    assert document["schema"] == "ecoaudit.coefficients/1"
    assert document["pairs"][0]["official_rule"] == "v4.1+"
    assert [r["used"] for r in document["runs"]] == [True, True, True, False]
    assert document["evaluation"]["without_partner"]


def test_evaluate_without_path_uses_the_bundled_runs_and_writes_the_report(tmp_path: Path) -> None:
    found = call("--evaluate", "--report", tmp_path / "fidelity.md")
    assert found.exit_code == 0
    assert "Leave one operator out" in found.output
    assert "L3 pooled" in found.output
    page = (tmp_path / "fidelity.md").read_text()
    assert "(fidelity.svg)" in page
    chart = (tmp_path / "fidelity.svg").read_text()
    assert chart.startswith("<?xml")
    assert "Dell XE9680x8H100-SXM-80GB llama2_70b_lora 8n" in chart


def test_the_chart_is_the_same_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert call("--evaluate", "--report", tmp_path / name / "f.md").exit_code == 0
    assert (tmp_path / "a" / "f.svg").read_bytes() == (tmp_path / "b" / "f.svg").read_bytes()


def test_tables_written_from_a_checkout_are_read_again(site: Checkout, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    assert call(site.root, "--tables", tables).exit_code == 0
    assert {path.name for path in tables.iterdir()} == {"mlperf_runs.csv", "coefficients.csv", "mlperf_pairs.csv"}
    again = call(tables / "mlperf_runs.csv")
    assert again.exit_code == 0
    assert "Maker BOX-8xH100-SXM-80GB" in again.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "nothing to calibrate"),
        (["/no/such/folder"], "not a folder"),
        (["--report", "x.md"], "--report needs --evaluate"),
        (["--meter", "m.csv"], "--telemetry is missing"),
        (["--telemetry", "t", "--meter", "m", "--evaluate"], "do not go with"),
        (["--evaluate", "--round", "five"], "'five' is not a round"),
    ],
)
def test_mistakes_are_one_line_and_exit_two(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", *args]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_a_folder_without_power_submissions_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", str(tmp_path)]) == 2
    assert "no power submission that can be used" in capsys.readouterr().err


def test_when_every_run_is_excluded_the_reasons_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Checkout(tmp_path / "training_results_v5.0")
    site.run(status="aborted")
    assert run(["calibrate", str(site.root)]) == 2
    assert "status is aborted" in capsys.readouterr().err
