"""Others' GPUs on the node are not the run's energy: the user names the run's."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ecoaudit import ingest
from ecoaudit.cli import main
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.own_gpus import OwnGpus
from ecoaudit.ingest.records import GpuInfo
from ecoaudit.model.audit_json import decode

H100 = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def node_csv(tmp_path: Path) -> Path:
    """An hour of eight boards: the first four at 600 W, another job's at 500 W."""
    path = tmp_path / "smi.csv"
    rows = [
        f"2026/03/01 10:{s // 60:02d}:{s % 60:02d}.000, {g}, GPU-0000{g}-aaaa, {H100}, {500 if g > 3 else 600} W"
        for s in range(0, 3600, 10)
        for g in range(8)
    ]
    path.write_text("timestamp, index, uuid, name, power.draw [W]\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("named", ["0-3", "0,1, 2-3", "GPU-00000,gpu-00001-aaaa,GPU-00002,GPU-00003"])
def test_only_the_named_boards_count_with_their_share_of_the_host(node_csv: Path, tmp_path: Path, named: str) -> None:
    out = tmp_path / "out"
    arguments = ["audit", str(node_csv), "--own-gpus", named, "--timezone", "UTC", "-o", str(out)]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 0, answer.output
    found = decode((out / "audit.json").read_bytes())
    assert found.hardware.gpu_count == 4
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(4 * 0.6 * 3590 / 3600)
    assert found.energy.levels.L3 and found.energy.levels.L3.node and found.calibration
    assert found.calibration.alpha and found.calibration.host_w
    host_w, alpha = found.calibration.host_w.value, found.calibration.alpha.value
    node_w = 0.5 * host_w + alpha * 4 * 600.0
    assert found.energy.levels.L3.node.value == pytest.approx(node_w * 3590 / 3.6e6, rel=0.01)


def test_gpus_that_no_log_holds_are_an_error_that_lists_what_they_hold(node_csv: Path) -> None:
    with pytest.raises(EcoauditError, match="no telemetry of GPU 8-15; the logs hold 0, 1, 2, 3, 4, 5, 6, 7"):
        ingest.read([str(node_csv)], own_gpus="8-15")


@pytest.mark.parametrize("text", ["", "3-0", "a", "0;1", "GPU-", "-1", "0-"])
def test_what_names_no_gpu_is_refused(text: str) -> None:
    with pytest.raises(EcoauditError, match="names no GPU"):
        OwnGpus.parse(text)


def test_without_an_index_the_order_is_the_index() -> None:
    boards = [GpuInfo(uuid="GPU-aa00"), GpuInfo(uuid="GPU-bb00"), GpuInfo(index=7)]
    assert np.array_equal(OwnGpus.parse("0,7,GPU-bb00").columns(boards), [0, 1, 2])
