"""Print how long the program takes to start, to audit the sample run, and to read telemetry beside pandas."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import telemetry
from benchmarks.engines import ENGINES

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 5
TICKS = 100_000


def timed(arguments: list[str], folder: Path, repeats: int = REPEATS) -> float:
    """Return the median wall seconds of `ecoaudit` with `arguments`, a new process each time."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "ecoaudit", *arguments], cwd=folder, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def raced(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Run the engines in turn on the same file, `REPEATS` times."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ENGINES}
    for _ in range(REPEATS):
        for name, answers in found.items():
            command = [sys.executable, "-m", "benchmarks.engines", name, str(path)]
            answers.append(json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout))
    return found


def main() -> None:
    """Measure and print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"medians of {REPEATS} runs on this machine\n")
        print(f"  ecoaudit --version   {timed(['--version'], folder):6.2f} s")
        print(f"  ecoaudit demo        {timed(['demo'], folder):6.2f} s   an hour of 8 GPUs, with charts\n")

        path = folder / "telemetry.jsonl"
        telemetry.write(path, TICKS)
        samples = TICKS * telemetry.GPUS
        size_mb = path.stat().st_size / 1e6
        print(f"telemetry to joules: {samples:,} GPU-samples, {size_mb:.0f} MB, one process, imports apart\n")
        print("  engine      seconds   M samples/s   peak MB   joules")
        found = raced(path)
        for engine, answers in found.items():
            seconds = statistics.median(answer["seconds"] for answer in answers)
            peak_mb = max(answer["peak_mb"] for answer in answers)
            rate = samples / seconds / 1e6
            print(f"  {engine:10}  {seconds:7.2f}   {rate:11.2f}   {peak_mb:7.0f}   {answers[0]['joules']:.1f}")
        pairs = zip(found["pandas"], found["ecoaudit"], strict=True)
        ratio = statistics.median(slow["seconds"] / fast["seconds"] for slow, fast in pairs)
        print(f"\n  ecoaudit takes {1 / ratio:.2f} of the time of pandas.read_json(chunksize=20000)")


if __name__ == "__main__":
    main()
