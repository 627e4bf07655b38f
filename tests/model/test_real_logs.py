"""The model on public logs that no one here made up, against figures recomputed apart from this code."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecoaudit import ingest, reference
from ecoaudit.model.audit import Audit
from ecoaudit.model.build import build_audit
from ecoaudit.model.inputs import Identity, ModelOptions
from model.runs import audit as build
from model.runs import site

KWH = 3.6e6
GROUPS = {
    "dell_v4.1_8n_h100_llama2_70b_lora": 64,
    "smc_ac_v4.0_1n_h100_bert": 8,
    "lenovo_v5.0_1n_b200_llama2_70b_lora": 8,
    "edge_smc_ac_v4.0_8n_h100_ssd_sensor_dropout": 64,
}


@pytest.fixture(scope="module")
def packages(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlperf")
    for archive in sorted((shared_dir / "mlperf" / "raw").glob("*.tar.gz")):
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return folder


def expected(shared_dir: Path, group: str) -> dict[str, Any]:
    runs: dict[str, Any] = json.loads((shared_dir / "mlperf" / "raw" / "expected.json").read_text())[group]["runs"]
    return runs


def inputs(packages: Path, group: str, run: str) -> list[str]:
    """Return the run's result file and its power folder."""
    maker = {"dell": "Dell", "lenovo": "Lenovo"}.get(group.split("_", maxsplit=1)[0], "smc-ac-power")
    found = [p for p in packages.rglob(f"{run}*") if maker in p.parts and p.stem.removesuffix(".txt") == run]
    return [str(p) for p in found]


def audit_of(paths: list[str]) -> Audit:
    return build_audit(ingest.read(paths), site(), reference.load(), ModelOptions(), Identity(tool="test"))


@pytest.mark.parametrize("group", GROUPS)
def test_node_energy_is_the_raw_trapezoid_of_the_window(shared_dir: Path, packages: Path, group: str) -> None:
    for run, truth in expected(shared_dir, group).items():
        found = audit_of(inputs(packages, group, run))
        node = found.energy.measured and found.energy.measured.node
        assert node, run
        assert node.value * KWH == pytest.approx(truth["e_nodes_window_raw_trapz_j"], rel=1e-5), run
        assert found.run.duration_s == pytest.approx(truth["duration_s"])
        assert found.training.samples == truth["samples"]
        assert found.hardware.gpu_count == GROUPS[group]
        assert found.energy.levels.L1 and found.energy.levels.L3
        assert found.energy.levels.L2 is None and "energy.levels.L2" in found.quality.unknown


def first(shared_dir: Path, packages: Path, group: str) -> Audit:
    return audit_of(inputs(packages, group, next(iter(expected(shared_dir, group)))))


def test_dell_is_metered_its_line_has_not_seen_it_and_its_switch_is_moved(shared_dir: Path, packages: Path) -> None:
    found = first(shared_dir, packages, "dell_v4.1_8n_h100_llama2_70b_lora")
    assert found.energy.headline and found.energy.headline.level == "measured"
    assert found.energy.residual and found.energy.residual.held_out_percent is not None
    assert abs(found.energy.residual.held_out_percent) < 25
    network = found.energy.measured and found.energy.measured.network
    assert network and network.value * KWH == pytest.approx(691.4 * 293.927, rel=0.01)
    assert found.hardware.cooling == "air" and found.hardware.nodes == 8
    assert found.efficiency.j_per_token and found.efficiency.j_per_token.value == pytest.approx(0.671, rel=0.005)
    assert found.training.mfu and found.training.mfu.value == pytest.approx(0.4166, rel=0.01)
    assert found.quality.fit_for_calibration


@pytest.mark.parametrize("group", ["smc_ac_v4.0_1n_h100_bert", "lenovo_v5.0_1n_b200_llama2_70b_lora"])
def test_a_line_that_has_seen_the_system_says_so_and_shows_the_held_out_residual(
    shared_dir: Path, packages: Path, group: str
) -> None:
    residual = first(shared_dir, packages, group).energy.residual
    assert residual
    assert abs(residual.percent) < 6
    if residual.coefficient_seen.startswith("this"):
        assert residual.held_out_percent is not None and residual.held_out_percent != residual.percent


def test_the_drop_out_run_matches_the_raw_figure_and_is_unfit(shared_dir: Path, packages: Path) -> None:
    found = first(shared_dir, packages, "edge_smc_ac_v4.0_8n_h100_ssd_sensor_dropout")
    assert found.quality.fit_for_calibration is False
    assert any("5 of 8 node meters" in text and "drop-out" in text for text in found.quality.warnings)
    assert any("one rack channel" in text for text in found.quality.warnings)
    node = found.energy.measured and found.energy.measured.node
    assert node and node.high / node.value > 1.08


def test_a_real_nvidia_smi_log_gives_boards_alone(shared_dir: Path) -> None:
    path = next((shared_dir / "logs" / "samples" / "nvidia_smi").glob("*gpu_log.csv"))
    found = audit_of([str(path)])
    assert found.energy.headline and found.energy.headline.level == "L2"
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert 0.15 < found.energy.levels.L2.gpu.value < 0.36  # a 4090 for 48 minutes
    assert "--host-power-w" in found.quality.unknown["energy.levels.L3"]


@pytest.fixture(scope="module")
def sample() -> Iterator[Audit]:
    folder = Path(__file__).resolve().parents[2] / "fixtures" / "sample_logs" / "synthetic-8xh100"
    yield audit_of([str(folder / "telemetry.jsonl.gz"), str(folder / "megatron.log")])


def test_the_bundled_run_is_audited_to_its_known_truth(sample: Audit) -> None:
    folder = Path(__file__).resolve().parents[2] / "fixtures" / "sample_logs" / "synthetic-8xh100"
    truth = json.loads((folder / "truth.json").read_text())
    levels = sample.energy.levels
    assert levels.L2 and levels.L2.gpu and levels.L3 and levels.L3.node
    assert levels.L2.gpu.value == pytest.approx(truth["gpu_energy_kwh"], rel=1e-5)
    assert levels.L3.node.low < truth["node_energy_kwh"] < levels.L3.node.high
    parts = {phase.name: phase.duration_s for phase in sample.energy.phases}
    assert parts["eval"] == pytest.approx(truth["phases_s"]["eval"])
    assert parts["checkpoint"] == pytest.approx(truth["phases_s"]["checkpoint"])
    assert {"evaluation", "idle-ends", "stalls"} <= {finding.id for finding in sample.findings}


def test_the_same_logs_give_the_same_audit(sample: Audit) -> None:
    folder = Path(__file__).resolve().parents[2] / "fixtures" / "sample_logs" / "synthetic-8xh100"
    again = audit_of([str(folder / "telemetry.jsonl.gz"), str(folder / "megatron.log")])
    assert again == sample
    assert build().energy.headline is None
