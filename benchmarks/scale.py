"""How long many files take: a part of 1,024 GPUs for 30 days, audited by the command's own way, with its memory.

python -m benchmarks.scale FOLDER [--nodes 128] [--days 1] [--ticks 86400] [--suffix .jsonl.zst] [--jobs 2]

The files are written into FOLDER (once; they stay), one a node and day as the recorder makes them in a folder. Every
file holds the same readings at another time and of other boards, so that the whole's joules are known from one.
"""

import argparse
import gzip
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import zstandard

from benchmarks import telemetry

ROOT = Path(__file__).resolve().parents[1]
LARGE = 1024 * 30 * 86_400  # GPU-samples: 1,024 GPUs for 30 days at 1 Hz
TIME_DIGITS = 10
PACK = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstandard.ZstdCompressor(level=3).compress}


def later(template: bytes, host: str, seconds: int) -> bytes:
    """Return a telemetry file with another host's name, so many whole seconds later."""
    header, samples = template.split(b"\n", 1)
    lines = np.frombuffer(samples, dtype=np.uint8).copy()
    starts = np.concatenate(([0], np.flatnonzero(lines == ord("\n"))[:-1] + 1))
    digits = starts[:, np.newaxis] + len('{"type":"sample","t":') + np.arange(TIME_DIGITS)
    powers = 10 ** np.arange(TIME_DIGITS - 1, -1, -1)
    moved = (lines[digits] - ord("0")).astype(np.int64) @ powers + seconds
    lines[digits] = moved[:, np.newaxis] // powers % 10 + ord("0")
    return header.replace(b"n01", host.encode()) + b"\n" + lines.tobytes()


def write(folder: Path, nodes: int, days: int, ticks: int, suffix: str) -> None:
    """Write the files that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    first = folder.with_name(f"{folder.name}-template.jsonl")
    telemetry.write(first, ticks)
    template = first.read_bytes()
    first.unlink()
    for node in range(nodes):
        for day in range(days):
            path = folder / f"n{node:03}-{day:02}{suffix}"
            if not path.exists():
                path.write_bytes(PACK[suffix](later(template, f"n{node:03}", day * ticks)))


def audit(folder: Path, jobs: int, report: Path) -> dict[str, float]:
    """Audit a folder by the command line, as a user does; returns what it took and the boards' kWh."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "ecoaudit", "audit", str(folder), "--jobs", str(jobs), "-o", str(report)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads((report / "audit.json").read_bytes())
    return {
        "wall_s": wall_s,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": after.ru_maxrss / 1024,
        "kwh": found["energy"]["levels"]["L2"]["gpu"]["value"],
        "samples": found["quality"]["samples"],
    }


def main() -> None:
    """Write the files, audit them, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=128)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--ticks", type=int, default=86_400)
    parser.add_argument("--suffix", choices=list(PACK), default=".jsonl.zst")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    folder = given.folder.resolve()
    write(folder / "all", given.nodes, given.days, given.ticks, given.suffix)
    write(folder / "one", 1, given.days, given.ticks, given.suffix)
    one, found = (audit(folder / name, given.jobs, folder / f"report-{name}") for name in ("one", "all"))
    rate = found["samples"] / found["wall_s"]
    files = given.nodes * given.days
    print(f"  {files} files, {found['samples']:,.0f} GPU-samples, {given.suffix}, {given.jobs} processes")
    print(f"  wall {found['wall_s']:.1f} s, CPU {found['cpu_s']:.1f} s, {rate / 1e6:.2f} M GPU-samples/s")
    print(
        f"  largest process {found['peak_mb']:.0f} MB; joules off by {found['kwh'] / one['kwh'] / given.nodes - 1:+.0e}"
    )
    print(f"  1,024 GPUs for 30 days at 1 Hz at this rate: {LARGE / rate / 60:.1f} minutes")


if __name__ == "__main__":
    main()
