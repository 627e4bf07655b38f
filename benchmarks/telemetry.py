"""A telemetry file of any length: eight boards, noisy power, an energy counter, missed ticks, a hole."""

import json
from pathlib import Path

import numpy as np

GPUS = 8
START_S = 1_764_000_000.0


def write(path: Path, ticks: int, seed: int = 7) -> None:
    """Write `ticks` seconds of `ecoaudit.telemetry/1` at 1 Hz to `path`; one tick in 500 is missed, and 30 in a row."""
    random = np.random.default_rng(seed)
    power = np.clip(600 + np.cumsum(random.normal(0, 4, (ticks, GPUS)), axis=0) % 80 - 40, 70, 700)
    energy = 1e6 + np.cumsum(power, axis=0)
    util = random.integers(90, 100, (ticks, GPUS))
    kept = random.random(ticks) > 1 / 500
    kept[ticks // 2 : ticks // 2 + 30] = False
    gpu = {"name": "NVIDIA H100 80GB HBM3", "power_limit_w": 700.0, "memory_mib": 81559, "mig": False}
    header = {
        "type": "header",
        "schema": "ecoaudit.telemetry/1",
        "host": "n01",
        "run_id": "bench",
        "started_at": "2025-11-24T16:00:00.000Z",
        "interval_s": 1.0,
        "driver": "570.86.15",
        "gpus": [{"index": index, "uuid": f"GPU-{index:032x}", **gpu} for index in range(GPUS)],
        "sources": ["nvml.energy", "nvml.power.average"],
    }
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(header, separators=(",", ":")) + "\n")
        for tick in np.flatnonzero(kept).tolist():
            sample = {
                "type": "sample",
                "t": round(START_S + tick + 0.001 * (tick % 3), 3),
                "m": round(42 + tick + 0.001 * (tick % 3), 3),
                "power_w": power[tick].round(3).tolist(),
                "energy_j": energy[tick].round(3).tolist(),
                "util": util[tick].tolist(),
                "sample_us": 812,
            }
            file.write(json.dumps(sample, separators=(",", ":")) + "\n")
