"""gpustat lists processes with their owners: GPUs of others are told apart, and nobody is named."""

import json
from collections.abc import Callable

from ecoaudit import ingest
from ecoaudit.ingest.records import Telemetry

Write = Callable[[str, str | bytes], str]


def read(write: Write, processes: list[list[tuple[str, str]]]) -> Telemetry:
    """Read a log of GPUs whose processes are given as (owner, command)."""
    samples = []
    for tick in range(3):
        gpus = [
            {
                "index": index,
                "uuid": f"GPU-{index}",
                "power.draw": 300 + index,
                "utilization.gpu": 90,
                "processes": [{"username": u, "command": c, "pid": 1, "gpu_memory_usage": 9} for u, c in own],
            }
            for index, own in enumerate(processes)
        ]
        samples.append({"hostname": "n01", "query_time": f"2025-01-01T10:00:0{tick}", "gpus": gpus})
    (one,) = ingest.read([write("log.json", "\n".join(json.dumps(s) for s in samples))]).telemetry
    return one


def test_unused_gpus_beside_one_users_are_left_out(write: Write) -> None:
    one = read(write, [[("zoe", "python")], [("zoe", "python")], [], [("root", "Xorg")]])
    assert [gpu.index for gpu in one.gpus] == [0, 1]
    assert one.node_gpu_count == 4
    assert any("2 of the node's 4 GPUs" in w for w in one.quality.warnings)


def test_gpus_of_several_users_are_counted_and_told_apart_without_names(write: Write) -> None:
    one = read(write, [[("zoe", "python")], [("zoe", "python")], [("max", "python3")], []])
    assert len(one.gpus) == 4
    (warning,) = [w for w in one.quality.warnings if "2 users" in w]
    assert "user 1: GPU 2; user 2: GPU 0, 1" in warning
    assert "zoe" not in warning and "max" not in warning


def test_without_processes_all_gpus_count(write: Write) -> None:
    one = read(write, [[], [("gdm", "gnome-shell")]])
    assert len(one.gpus) == 2 and one.node_gpu_count is None
