"""W&B logs all GPUs of a node: those of other tenants are not charged to the run where the log tells them apart."""

import json
from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import Telemetry


def read(tmp_path: Path, own: list[int], util: list[float]) -> Telemetry:
    rows = []
    for tick in range(4):
        row: dict[str, float] = {"_ts": 1764000000.0 + 15 * tick}
        for gpu, percent in enumerate(util):
            row |= {f"gpu.{gpu}.powerWatts": 400.0 + gpu, f"gpu.{gpu}.gpu": percent}
        row |= {f"gpu.process.{gpu}.powerWatts": 400.0 for gpu in own}
        rows.append(json.dumps(row))
    path = tmp_path / "system.jsonl"
    path.write_text("\n".join(rows) + "\n")
    (one,) = ingest.read([str(path)]).telemetry
    return one


def indices(one: Telemetry) -> list[int | None]:
    return [gpu.index for gpu in one.gpus]


def test_four_of_eight_busy_gpus_are_the_runs(tmp_path: Path) -> None:
    one = read(tmp_path, own=[2, 3, 4, 5], util=[99.0] * 8)
    assert indices(one) == [2, 3, 4, 5]
    assert one.power_w[0].tolist() == [402.0, 403.0, 404.0, 405.0]
    assert one.node_gpu_count == 8  # the host's power is shared, too
    assert any("4 are left out" in text for text in one.quality.warnings)


def test_one_gpu_beside_idle_ones_is_the_runs(tmp_path: Path) -> None:
    assert indices(read(tmp_path, own=[1], util=[0.0, 99.0, 1.0, 0.0])) == [1]


def test_one_gpu_beside_busy_ones_may_be_a_rank_of_several_and_all_count(tmp_path: Path) -> None:
    one = read(tmp_path, own=[0], util=[99.0] * 4)
    assert indices(one) == [0, 1, 2, 3]
    assert any("too high" in text for text in one.quality.warnings)


@pytest.mark.parametrize("own", [[], [0, 1, 2, 3]])
def test_without_a_difference_all_count(tmp_path: Path, own: list[int]) -> None:
    assert indices(read(tmp_path, own=own, util=[99.0] * 4)) == [0, 1, 2, 3]
