"""What is recorded against the exact integral of the power trace."""

import math
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from record.simulation import simulate

TRAINING = "\n".join(
    f"trace {gpu} {second:.3f} {milliwatts} {load}"
    for gpu in range(8)
    for second, milliwatts, load in [
        (0.0, 90_000 + gpu * 1000, 0),
        *((1.7 + k * 0.731, random.Random(1000 * gpu + k).randrange(350_000, 700_000), 99) for k in range(90)),
    ]
)


def joules_by_counter(samples: list[dict[str, Any]], gpu: int) -> float:
    return samples[-1]["energy_j"][gpu] - samples[0]["energy_j"][gpu]


def joules_by_power(samples: list[dict[str, Any]], gpu: int, key: str = "power_w") -> float:
    return sum((a[key][gpu] + b[key][gpu]) / 2 * (b["m"] - a["m"]) for a, b in pairwise(samples))


@pytest.mark.parametrize("interval_s", [1.0, 0.1])
def test_a_minute_of_uneven_load(stub: Any, tmp_path: Path, interval_s: float) -> None:
    stub.configure(f"gpus 8\n{TRAINING}\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 60.0, interval_s)
    samples = [line for line in lines if line["type"] == "sample"]
    footer = lines[-1]
    assert len(samples) == round(60 / interval_s) + 1
    for gpu in range(8):
        truth = stub.integral_j(gpu, 60.0)
        assert joules_by_counter(samples, gpu) == pytest.approx(truth, rel=0.001)
        assert joules_by_power(samples, gpu) == pytest.approx(truth, rel=0.01)
        assert footer["energy_j"][gpu] == pytest.approx(truth, rel=0.001)


def test_the_counter_survives_missed_ticks(stub: Any, tmp_path: Path) -> None:
    """Half of the minute is lost to a stopped machine; the counter's difference loses nothing."""
    stub.configure(f"gpus 8\n{TRAINING}\n")
    lines = simulate(
        stub, tmp_path / "run.jsonl", 60.0, prepare=lambda clock: clock.at(10.2, lambda: setattr(clock, "now", 40.0))
    )
    samples = [line for line in lines if line["type"] == "sample"]
    assert lines[-1]["missed"] == 29
    for gpu in range(8):
        assert joules_by_counter(samples, gpu) == pytest.approx(stub.integral_j(gpu, 60.0), rel=0.001)


def test_differences_stay_exact_after_weeks_of_uptime(stub: Any, tmp_path: Path) -> None:
    """A counter of 30 days at 700 W is 1.8e12 mJ: each millijoule of a difference must still be there."""
    stub.configure("gpus 1\ntrace * 0 123457 9\ncounter * 1814400000123\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 10.0)
    samples = [line for line in lines if line["type"] == "sample"]
    for sample in samples:
        exact_mj = 1814400000123 + round(123457 * math.floor(sample["m"] * 10 + 1e-6) / 10)
        assert round(sample["energy_j"][0] * 1000) == exact_mj


def test_fifty_five_bytes_a_gpu_sample(stub: Any, tmp_path: Path) -> None:
    """An hour of eight GPUs under uneven load with a counter of thirteen digits, all lines counted."""
    loads = "\n".join(
        f"trace {gpu} {second} {random.Random(gpu * 9999 + second).randrange(350_000, 700_000)} 99"
        for gpu in range(8)
        for second in range(0, 3600, 7)
    )
    stub.configure(f"gpus 8\ncounter * 1814400000123\n{loads}\n")
    path = tmp_path / "run.jsonl"
    lines = simulate(stub, path, 3600.0)
    samples = sum(line["type"] == "sample" for line in lines)
    assert path.stat().st_size / (samples * 8) <= 55


def test_a_real_run(machine: Any) -> None:
    """A real clock, through the command line."""
    code, _, err = machine.run("-o", "run.jsonl", "--interval", "0.1", "--", "sleep", "1.2")
    assert code == 0, err
    records = machine.read()
    samples = records.samples
    seconds = samples[-1]["m"] - samples[0]["m"]
    for gpu in range(8):
        # The counter is brought up to date every 100 ms, so both ends may be off by that.
        assert joules_by_counter(samples, gpu) == pytest.approx(500 * seconds, abs=2 * 0.1 * 500)
        assert joules_by_power(samples, gpu) == pytest.approx(500 * seconds, rel=0.01)
