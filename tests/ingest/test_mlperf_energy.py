"""The meter logs and windows of published MLPerf runs give the published runs' energies."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import MeterLog

PACKAGES = {
    "dell_v4.1_8n_h100_llama2_70b_lora": (8, 64, 25165824.0 / 3072),
    "smc_ac_v4.0_1n_h100_bert": (1, 8, None),
    "lenovo_v5.0_1n_b200_llama2_70b_lora": (1, 8, 25165824.0 / 3072),
    "edge_smc_ac_v4.0_8n_h100_ssd_sensor_dropout": (8, 64, None),
}


def window_energy_j(meter: MeterLog, start_s: float, end_s: float) -> float:
    """Trapezoid over the window, the values at its ends interpolated: written here anew, not taken from the model."""
    inside = (meter.time_s > start_s) & (meter.time_s < end_s)
    ends = np.interp([start_s, end_s], meter.time_s, meter.power_w)
    time = np.concatenate(([start_s], meter.time_s[inside], [end_s]))
    power = np.concatenate((ends[:1], meter.power_w[inside], ends[1:]))
    return float(np.trapezoid(power, time))


@pytest.fixture(scope="module", params=PACKAGES)
def package(request: pytest.FixtureRequest, shared_dir: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("raw")
    with tarfile.open(shared_dir / "mlperf" / "raw" / f"{request.param}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    expected = json.loads((shared_dir / "mlperf" / "raw" / "expected.json").read_text())[request.param]["runs"]
    benchmark = next(folder.rglob("power")).parent
    return request.param, benchmark, expected


def test_every_run_of_a_package_gives_its_window_energy_samples_and_hardware(package) -> None:
    name, benchmark, expected = package
    nodes, gpus, tokens_per_sample = PACKAGES[name]
    for run, figures in expected.items():
        logs = ingest.read([str(benchmark / f"{run}.txt"), str(benchmark / "power" / run)])
        (training,) = logs.training
        meters = [m for m in logs.meters if m.kind == "node"]
        assert len(meters) == nodes
        assert training.train_start_s is not None and training.train_end_s is not None
        energy = sum(window_energy_j(m, training.train_start_s, training.train_end_s) for m in meters)
        assert energy == pytest.approx(figures["e_nodes_window_raw_trapz_j"], rel=1e-6)
        assert training.runtime_s == pytest.approx(figures["duration_s"], abs=1e-3)
        assert training.samples == figures["samples"]
        assert training.status == "success"
        assert (training.tokens is None) == (tokens_per_sample is None)
        if tokens_per_sample:
            assert training.tokens == figures["samples"] * tokens_per_sample
        (system,) = logs.systems
        assert system.basis == "stated"
        assert (system.nodes or 0) * (system.gpus_per_node or 0) == gpus
        assert {m.boundary for m in meters} == {"ac"}
        assert all(m.quality.bad_lines == 0 for m in logs.meters)


def test_switches_are_network_never_node(package) -> None:
    name, benchmark, expected = package
    run = next(iter(expected))
    switches = [m for m in ingest.read([str(benchmark / "power" / run)]).meters if m.kind == "network"]
    if name.startswith("dell"):
        (switch,) = switches
        assert not switch.stated and len(switch.time_s) > 100
        assert 600 < switch.power_w.mean() < 800
    elif name.startswith("edge"):
        (switch,) = switches
        assert switch.stated and switch.power_w.tolist() == [16100.0]
    else:
        assert switches == []
