"""What others say a run used: set beside the audit's own figure, never used as one."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from ecoaudit import reference
from ecoaudit.cli import main
from ecoaudit.ingest.records import ReadQuality, ReportedEnergy, RunLogs, Source, Telemetry, TrainingLog
from ecoaudit.model.audit import Audit, Finding
from ecoaudit.model.build import build_audit
from ecoaudit.model.inputs import Identity, ModelOptions
from model.runs import START, constant, site, telemetry, training

T = np.arange(0.0, 3601.0)


def claim(energy_kwh: float, **known: Any) -> ReportedEnergy:
    return ReportedEnergy(Source("runs/emissions.csv", "codecarbon"), "CodeCarbon", energy_kwh, ReadQuality(), **known)


def audit(
    *claims: ReportedEnergy, recorded: tuple[Telemetry, ...] = (), trained: tuple[TrainingLog, ...] = ()
) -> Audit:
    logs = RunLogs(telemetry=recorded, training=trained, reported=claims)
    return build_audit(logs, site(), reference.load(), ModelOptions(), Identity(tool="test"))


def finding(found: Audit, name: str) -> Finding:
    (one,) = [f for f in found.findings if f.id == name]
    return one


def test_alone_it_is_told_beside_a_null_and_never_becomes_the_headline() -> None:
    found = audit(claim(1.5))
    assert (found.energy.headline, found.energy.levels.L2, found.carbon.operational) == (None, None, None)
    assert "energy.headline" in found.quality.unknown
    assert any("CodeCarbon reported 1.5 kWh" in text for text in found.quality.warnings)
    assert finding(found, "reported-energy").saving_kwh is None


def test_beside_telemetry_the_boards_are_compared_with_its_gpu_figure() -> None:
    recorded = telemetry([constant(600.0)] * 2, T)  # 1.2 kWh in an hour
    found = audit(claim(2.0, gpu_kwh=1.0, start_s=START, end_s=START + 3600.0), recorded=(recorded,))
    evidence = finding(found, "reported-energy").evidence
    assert "L2 (GPU boards) is 1.2 kWh, 1.2 times the tool's GPU figure" in evidence
    assert "covers" not in evidence
    alone = audit(recorded=(recorded,))
    assert found.energy == alone.energy
    assert not any("CodeCarbon" in text for text in found.quality.warnings)


def test_another_span_is_said() -> None:
    recorded = telemetry([constant(600.0)], T)
    found = audit(claim(2.0, start_s=START, end_s=START + 1800.0), recorded=(recorded,))
    assert "it covers 1800 s, this audit's job 3600 s" in finding(found, "reported-energy").evidence


def test_a_small_claim_is_told_in_a_unit_of_its_size() -> None:
    found = finding(audit(claim(3.558e-6, gpu_kwh=9.5e-7)), "reported-energy")
    assert found.title == "CodeCarbon reported 3.558 mWh" and "GPU 0.95 mWh" in found.evidence
    assert "e-0" not in found.title + found.evidence


def test_a_tools_own_gpu_energy_is_not_compared_with_itself() -> None:
    recorded = telemetry([constant(600.0)], T, path="runs/emissions.csv", log_format="codecarbon")
    found = audit(claim(2.0, gpu_kwh=0.6), recorded=(recorded,))
    evidence = finding(found, "reported-energy").evidence
    assert "would prove nothing" in evidence
    assert "times the tool's GPU figure" not in evidence


HEADER = (
    "timestamp,project_name,run_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,"
    "gpu_energy,ram_energy,energy_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,"
    "python_version,codecarbon_version,cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,"
    "tracking_mode,on_cloud,pue"
)


def row(clock: str, run: str, seconds: int, kwh: float) -> str:
    cells = [f"2026-02-06T{clock}", "x", run, str(seconds), str(0.4 * kwh), "0", "0", "0", "0", "0", "", "0", str(kwh)]
    cells += ["Germany", "DEU", "", "", "", "Linux", "3.11", "2.8", "8", "cpu", "0", "", "0", "0", "64", "process", "N"]
    return ",".join([*cells, "1.0"])


def test_cumulative_rows_are_not_summed_end_to_end(tmp_path: Path) -> None:
    """Three flushes of one run, then another run: 0.3 + 0.5 kWh, not the 1.1 that the column adds up to."""
    flushes = [row(f"10:{m}0:00", "11111111-aaaa", 600 * m, 0.1 * m) for m in (1, 2, 3)]
    path = tmp_path / "emissions.csv"
    path.write_text("\n".join([HEADER, *flushes, row("12:00:00", "22222222-bbbb", 1800, 0.5)]) + "\n")
    result = CliRunner().invoke(main, ["audit", str(path), "--zone", "DE", "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    found = msgspec.json.decode((tmp_path / "out" / "audit.json").read_bytes(), type=Audit)
    assert finding(found, "reported-energy").title == "CodeCarbon reported 0.8 kWh in 2 runs"
    assert any("only the last row of a run counts" in text for text in found.quality.warnings)
    assert found.energy.headline is None


def logged(joules: float, **known: Any) -> TrainingLog:
    fields = {"step_count": 3600, "gpu_energy_j_per_step": np.full(360, joules), "world_size": 2, **known}
    return training(0.0, 3600.0, **fields)


def test_joules_a_step_in_the_log_check_the_telemetry() -> None:
    recorded = telemetry([constant(600.0)] * 2, T)
    found = finding(audit(recorded=(recorded,), trained=(logged(595.0),)), "logged-energy")
    assert found.severity == "info"
    assert "600 J in the training window, +0.8 %" in found.evidence


def test_more_than_three_percent_apart_is_a_warning() -> None:
    recorded = telemetry([constant(600.0)] * 2, T)
    found = audit(recorded=(recorded,), trained=(logged(560.0),))
    assert finding(found, "logged-energy").severity == "warning"
    assert any("more than 3 % apart" in text for text in found.quality.warnings)


def test_steps_trained_twice_take_energy_twice() -> None:
    recorded = telemetry([constant(600.0)] * 2, T)
    found = audit(recorded=(recorded,), trained=(logged(600.0, step_count=3000, rework_steps=600),))
    assert "+0.0 %" in finding(found, "logged-energy").evidence


def test_without_telemetry_the_logs_joules_are_told_and_stay_out_of_the_levels() -> None:
    found = audit(trained=(logged(600.0),))
    assert "times 3600 steps and 2 GPUs 1.2 kWh" in finding(found, "logged-energy").evidence
    assert found.energy.levels.L2 is None
    assert found.energy.headline is None


@pytest.mark.parametrize("joules", [np.nan, 0.0])
def test_joules_that_say_nothing_end_no_audit(joules: float) -> None:
    audit(recorded=(telemetry([constant(600.0)] * 2, T),), trained=(logged(joules),))
