"""A telemetry file of any length, as the recorder writes it: eight boards, noisy power, missed ticks, a hole."""

import json
from pathlib import Path

import numpy as np

GPUS = 8
START_S = 1_764_000_000.0


def write(path: Path, ticks: int, host: str = "n01", seed: int = 7) -> None:
    """Write `ticks` seconds of `ecoaudit.telemetry/1` at 1 Hz to `path`; one tick in 500 is missed, and 30 in a row.

    Clocks and temperatures change every five seconds and everything is restated every minute.
    """
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
        "host": host,
        "run_id": "bench",
        "started_at": "2025-11-24T16:00:00.000Z",
        "interval_s": 1.0,
        "driver": "570.86.15",
        "gpus": [{"index": index, "uuid": f"GPU-{host}-{index:024x}", **gpu} for index in range(GPUS)],
        "sources": ["nvml.energy", "nvml.power.average"],
    }
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(header, separators=(",", ":")) + "\n")
        for tick in np.flatnonzero(kept).tolist():
            sample = {
                "type": "sample",
                "t": round(START_S + tick + 0.001 * (tick % 3), 3),
                "m": round(42 + tick + 0.001 * (tick % 3), 3),
                "power_w": power[tick].round(1).tolist(),
                "energy_j": energy[tick].round(3).tolist(),
                "util": util[tick].tolist(),
            }
            if tick % 5 == 0:
                sample["sm_clock_mhz"] = (1700 + 15 * (util[tick] % 5)).tolist()
                sample["temperature_c"] = (util[tick] - 40).tolist()
            if tick % 60 == 0:
                sample["power_limit_w"] = [700.0] * GPUS
                sample["memory_used_mib"] = [71234] * GPUS
                sample["memory_clock_mhz"] = [2619] * GPUS
                sample["throttle_reasons"] = [0] * GPUS
            sample["sample_us"] = 812
            file.write(json.dumps(sample, separators=(",", ":")) + "\n")
