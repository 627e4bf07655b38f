"""A synthetic metered node whose line is known: telemetry at 1 Hz, a wall meter with its own clock and step."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ecoaudit.calibrate.wall import Recording

T0 = 1_750_000_000.0


@dataclass(frozen=True)
class Node:
    """P_node = host_w + alpha x GPU power + bend x (GPU power / peak)^2 x peak; noise in W per reading."""

    host_w: float = 1900.0
    alpha: float = 1.10
    bend: float = 0.0
    noise_w: float = 30.0
    seconds: int = 1800
    meter_step_s: float = 10.0
    meter_behind_s: float = 0.0
    averaging: bool = True
    constant: bool = False
    periodic_s: float | None = None
    seed: int = 0
    start_s: float = T0

    def truth(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return time, GPU power and node power at 10 Hz, idle at both ends, load steps between."""
        rng = np.random.default_rng(self.seed)
        t = np.arange(0.0, self.seconds, 0.1)
        if self.periodic_s:
            load = ((t / self.periodic_s) % 1.0 < 0.5).astype(float)
        else:
            edges = np.cumsum(rng.uniform(15, 70, int(self.seconds / 10)))
            load = rng.uniform(0, 1, edges.size + 1)[np.searchsorted(edges, t)]
            load = np.where((t > 0.1 * self.seconds) & (t < 0.9 * self.seconds), load, 0.0)
        gpu = 8 * (100.0 + 600.0 * (0.5 + 0 * load if self.constant else load))
        return t, gpu, self.host_w + self.alpha * gpu + self.bend * (gpu / 5600) ** 2 * 5600

    def recording(self) -> Recording:
        rng = np.random.default_rng(self.seed + 1)
        t, gpu, wall = self.truth()
        gpu_t = np.arange(0.0, self.seconds, 1.0)
        gpu_w = np.interp(gpu_t, t, gpu) + rng.normal(0, 5, gpu_t.size)
        meter_t = np.arange(self.meter_step_s, self.seconds, self.meter_step_s)
        if self.averaging:
            joules = np.concatenate(([0.0], np.cumsum(wall) * 0.1))
            at = np.interp(np.stack([meter_t - self.meter_step_s, meter_t]), np.append(t, t[-1] + 0.1), joules)
            meter_w = (at[1] - at[0]) / self.meter_step_s
        else:
            meter_w = np.interp(meter_t, t, wall)
        meter_w = meter_w + rng.normal(0, self.noise_w, meter_t.size)
        return Recording(gpu_t + self.start_s, gpu_w, meter_t + self.start_s - self.meter_behind_s, meter_w)

    def again(self, **changes: object) -> "Node":
        return replace(self, **changes)  # type: ignore[arg-type]

    def write(self, folder: Path, name: str = "") -> tuple[Path, Path]:
        """Write telemetry (`ecoaudit.telemetry/1`) and a CSV of the meter; return their paths."""
        found = self.recording()
        gpus = [
            {"index": i, "uuid": f"GPU-{i}", "name": "NVIDIA H100 80GB HBM3", "power_limit_w": 700.0} for i in range(8)
        ]
        header = {
            "type": "header",
            "schema": "ecoaudit.telemetry/1",
            "host": "n01",
            "run_id": name or "r",
            "started_at": datetime.fromtimestamp(self.start_s, UTC).isoformat(timespec="milliseconds"),
            "interval_s": 1.0,
            "driver": "550",
            "gpus": gpus,
            "sources": ["nvml.power.average"],
        }
        lines = [json.dumps(header)]
        for t, w in zip(found.gpu_t, found.gpu_w, strict=True):
            sample = {
                "type": "sample",
                "t": round(t, 3),
                "m": round(t - self.start_s, 3),
                "power_w": [round(w / 8, 2)] * 8,
            }
            lines.append(json.dumps(sample | {"util": [90] * 8, "sample_us": 100}))
        telemetry = folder / f"telemetry{name}.jsonl"
        telemetry.write_text("\n".join(lines) + "\n")
        meter = folder / f"meter{name}.csv"
        rows = [f"{t:.3f},{w:.1f}" for t, w in zip(found.meter_t, found.meter_w, strict=True)]
        meter.write_text("\n".join(["time,power_w", *rows]) + "\n")
        return telemetry, meter
