"""Make the bundled synthetic sample run: 8 H100 on one node for an hour, with its true energy.

    python scripts/make_sample_run.py            writes fixtures/sample_logs/synthetic-8xh100/

The run is invented, and says so in its own files. Power is a known step function of time on a 0.1 s grid; the energy
counter is its exact integral, as the NVML counter would read; the recorded power is its mean over the last second, as
the averaged NVML field reports. `truth.json` holds the exact energies. The output is the same for the same seed.
"""

import argparse
import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

SEED = 20261120
START_S = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC).timestamp()
DURATION_S = 3600
GRID_S = 0.1
GPUS = 8
LIMIT_W = 700.0

SEQUENCE = 4096
GLOBAL_BATCH = 128
STEP_S = 7.2
LOG_EVERY = 4
HIDDEN, LAYERS, HEADS = 4096, 32, 32
PARAMS = 6_738_415_616

COLD_W, RESIDENT_W, COMPILE_W, TRAIN_W, SYNC_W, EVAL_W, CHECKPOINT_W = 70.0, 114.0, 210.0, 652.0, 415.0, 476.0, 141.0

# The node around the boards, for the truth at the wall: P_node = HOST_W + ALPHA x sum of GPU power.
HOST_W, ALPHA = 1830.0, 1.085

RECORDER_GAP = (1510.0, 1523.0)
MISSED_TICKS = (611, 612, 2203)


def phases() -> list[tuple[str, float, float]]:
    """Return (name, start, end) in seconds from the start; together they fill the hour."""
    spans = [("load", 0.0, 55.0), ("compile", 55.0, 128.0)]
    t = 128.0
    for stop in (("eval", 1000.0, 52.0), ("checkpoint", 1300.0, 24.0), ("eval", 2000.0, 52.0),
                 ("idle", 2330.0, 95.0), ("checkpoint", 2700.0, 24.0), ("eval", 3000.0, 52.0)):  # fmt: skip
        name, at, length = stop
        steps = int((at - t) // STEP_S)
        spans += [("train", t, t + steps * STEP_S), (name, t + steps * STEP_S, t + steps * STEP_S + length)]
        t = spans[-1][2]
    steps = int((DURATION_S - 62 - t) // STEP_S)
    spans += [("train", t, t + steps * STEP_S)]
    t = spans[-1][2]
    return [*spans, ("checkpoint", t, t + 22.0), ("exit", t + 22.0, float(DURATION_S))]


def true_power_w(rng: np.random.Generator) -> np.ndarray:
    """Return the boards' power, shape (grid points, gpus): each value holds for the GRID_S that follows."""
    t = np.arange(int(DURATION_S / GRID_S)) * GRID_S
    level = np.full((len(t), GPUS), RESIDENT_W)
    board = 1.0 + rng.normal(0.0, 0.011, GPUS)
    board[5] = 0.955  # one cooler, slower board, as real nodes have
    for name, start, end in phases():
        inside = (t >= start - 1e-9) & (t < end - 1e-9)
        if name == "load":
            level[inside] = COLD_W
        elif name == "compile":
            level[inside] = COMPILE_W
        elif name == "eval":
            level[inside] = EVAL_W * board
        elif name == "checkpoint":
            level[inside] = CHECKPOINT_W
        elif name == "train":
            in_step = np.mod(t[inside] - start, STEP_S)
            busy = np.where(in_step < STEP_S - 0.6, TRAIN_W, SYNC_W)
            level[inside] = busy[:, None] * board[None, :]
    noise = np.zeros_like(level)
    shocks = rng.normal(0.0, 1.0, level.shape)
    for i in range(1, len(t)):
        noise[i] = 0.9 * noise[i - 1] + shocks[i]
    level += noise * np.where(level > 300, 4.0, 0.4)
    return np.minimum(level, LIMIT_W)


def utilisation_percent(name: str) -> int:
    return {"train": 100, "eval": 97, "compile": 12}.get(name, 0)


def phase_at(second: float) -> str:
    return next((name for name, start, end in phases() if start <= second < end), "exit")


def telemetry_lines(power: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Return the telemetry as the recorder writes it, `ecoaudit.telemetry/1`, one tick a second."""
    counter_j = np.vstack([np.zeros(GPUS), np.cumsum(power, axis=0) * GRID_S]) + rng.uniform(1e6, 4e6, GPUS)
    per_second = round(1 / GRID_S)
    header = {
        "type": "header", "schema": "ecoaudit.telemetry/1", "host": "node-0", "run_id": "synthetic-8xh100",
        "started_at": "2026-11-20T10:00:00.000Z", "interval_s": 1.0, "driver": "synthetic",
        "note": "synthetic: made by scripts/make_sample_run.py, not recorded on hardware",
        "gpus": [
            {"index": i, "uuid": f"GPU-5e7e71c0-0000-4000-8000-00000000000{i}", "name": "NVIDIA H100 80GB HBM3",
             "power_limit_w": LIMIT_W, "memory_mib": 81559, "mig": False}
            for i in range(GPUS)
        ],
        "sources": ["nvml.energy", "nvml.power.average"], "node_gpu_count": GPUS,
    }  # fmt: skip
    lines = [json.dumps(header, separators=(",", ":"))]
    boundaries = {round(start): name for name, start, _ in phases()}
    samples = 0
    for tick in range(DURATION_S + 1):
        if tick in boundaries and tick < DURATION_S:
            name = {"load": "idle", "exit": "idle"}.get(boundaries[tick], boundaries[tick])
            lines.append(_line({"type": "event", "t": START_S + tick, "name": "phase", "value": name}))
        if tick in MISSED_TICKS or RECORDER_GAP[0] < tick < RECORDER_GAP[1]:
            continue
        grid = min(tick * per_second, len(power))
        jitter_s = round(float(rng.uniform(0.0, 0.004)), 3)
        window = power[max(0, grid - per_second) : max(grid, 1)]
        sample = {
            "type": "sample", "t": round(START_S + tick + jitter_s, 3), "m": round(84211.5 + tick + jitter_s, 3),
            "power_w": [round(float(p), 1) for p in window.mean(axis=0)],
            "energy_j": [round(float(c), 3) for c in counter_j[grid]],
            "util": [utilisation_percent(phase_at(tick))] * GPUS,
            "sample_us": int(rng.integers(520, 940)),
        }  # fmt: skip
        if tick % 60 == 0:
            sample["mem_mib"] = [1204 if tick < 55 else 71344] * GPUS
            sample["temp_c"] = [34 if tick < 55 else 62] * GPUS
        lines.append(_line(sample))
        samples += 1
    footer = {
        "type": "footer", "t": START_S + DURATION_S, "samples": samples,
        "missed": DURATION_S + 1 - samples, "cpu_s": 1.31, "reason": "exit",
    }  # fmt: skip
    return [*lines, _line(footer)]


def _line(record: dict[str, object]) -> str:
    return json.dumps(record, separators=(",", ":"))


def training_log(rng: np.random.Generator) -> tuple[list[str], int]:
    """Return Megatron-LM console lines for the run and the number of steps."""
    arguments = {
        "bf16": True, "global_batch_size": GLOBAL_BATCH, "hidden_size": HIDDEN, "num_attention_heads": HEADS,
        "num_layers": LAYERS, "padded_vocab_size": 32000, "seq_length": SEQUENCE, "train_iters": 20000,
        "untie_embeddings_and_output_weights": True,
        "world_size": GPUS,
    }  # fmt: skip
    lines = ["# synthetic: made by scripts/make_sample_run.py, not the log of a real run"]
    lines.append("------------------------ arguments ------------------------")
    lines += [f"  {name} {'.' * (48 - len(name))} {value}" for name, value in sorted(arguments.items())]
    lines.append("-------------------- end of arguments ---------------------")
    lines.append(f" > number of parameters on (tensor, pipeline) model parallel rank (0, 0): {PARAMS}")
    flops_per_step = GLOBAL_BATCH * SEQUENCE * (6 * PARAMS + 6 * LAYERS * HIDDEN * SEQUENCE)
    tflops = flops_per_step / STEP_S / GPUS / 1e12
    step = 0
    for name, start, end in phases():
        if name == "eval":
            stamp = datetime.fromtimestamp(START_S + end, UTC).strftime("%Y-%m-%d %H:%M:%S")
            loss = 1.75 + 8.4 / (1 + step) ** 0.42
            lines.append(f"[{stamp}] validation loss at iteration {step} | lm loss value: {loss:.6E} | ")
        if name != "train":
            continue
        for k in range(round((end - start) / STEP_S)):
            step += 1
            if step % LOG_EVERY:
                continue
            stamp = datetime.fromtimestamp(START_S + start + (k + 1) * STEP_S, UTC)
            ms = STEP_S * 1000 + float(rng.normal(0, 9))
            loss = 1.7 + 8.4 / (1 + step) ** 0.42 + float(rng.normal(0, 0.01))
            lines.append(
                f" [{stamp:%Y-%m-%d %H:%M:%S}.{stamp.microsecond:06d}] iteration {step:8d}/   20000 | "
                f"consumed samples: {step * GLOBAL_BATCH:12d} | elapsed time per iteration (ms): {ms:.1f} | "
                f"throughput per GPU (TFLOP/s/GPU): {tflops:.1f} | learning rate: 3.000000E-04 | "
                f"global batch size: {GLOBAL_BATCH:5d} | lm loss: {loss:.6E} | loss scale: 1.0 | grad norm: 0.412 | "
                f"number of skipped iterations:   0 | number of nan iterations:   0 |"
            )
    return lines, step


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(__file__).resolve().parents[1] / "fixtures" / "sample_logs" / "synthetic-8xh100"
    parser.add_argument("-o", "--output", type=Path, default=default)
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    power = true_power_w(rng)
    telemetry = "\n".join(telemetry_lines(power, rng)) + "\n"
    log, steps = training_log(rng)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=9) as stream:
        stream.write(telemetry.encode())
    (folder / "telemetry.jsonl.gz").write_bytes(buffer.getvalue())
    (folder / "megatron.log").write_text("\n".join(log) + "\n", encoding="utf-8")
    gpu_j = power.sum(axis=0) * GRID_S
    truth = {
        "synthetic": True,
        "made_by": "scripts/make_sample_run.py",
        "seed": SEED,
        "gpu_energy_j": [round(float(j), 3) for j in gpu_j],
        "gpu_energy_kwh": float(gpu_j.sum()) / 3.6e6,
        "node_energy_kwh": (HOST_W * DURATION_S + ALPHA * float(gpu_j.sum())) / 3.6e6,
        "node_line": {"host_w": HOST_W, "alpha": ALPHA},
        "duration_s": DURATION_S,
        "steps": steps,
        "tokens": steps * GLOBAL_BATCH * SEQUENCE,
        "params": PARAMS,
        "phases_s": {
            name: round(sum(e - s for n, s, e in phases() if n == name), 3) for name in sorted({p[0] for p in phases()})
        },
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
