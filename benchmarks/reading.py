"""How fast telemetry becomes joules, beside `pandas.read_json(chunksize=20000)` on the same file in the same run.

python -m benchmarks.reading
"""

import gzip
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import zstandard

from benchmarks import telemetry
from benchmarks.engines import ENGINES

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
TICKS = 100_000
LONGER = 6


def run(engine: str, path: Path) -> dict[str, Any]:
    """Return what one engine says of a file, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.engines", engine, str(path)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return answer


def race(path: Path, samples: int) -> None:
    """Print a row for each engine on one file."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ENGINES}
    for _ in range(REPEATS):
        for name, answers in found.items():
            answers.append(run(name, path))
    for name, answers in found.items():
        seconds = statistics.median(answer["seconds"] for answer in answers)
        rate = samples / seconds / 1e6
        pairs = zip(found["pandas"], answers, strict=True)
        ratio = statistics.median(slow["seconds"] / fast["seconds"] for slow, fast in pairs)
        peak_mb = max(answer["peak_mb"] for answer in answers)
        off = answers[0]["joules"] / found["pandas"][0]["joules"] - 1.0
        print(f"  {path.suffix:7} {name:8} {seconds:7.3f} {rate:10.2f} {ratio:9.1f} {peak_mb:8.0f}   {off:+.0e}")


def main() -> None:
    """Measure and print the tables."""
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "telemetry.jsonl"
        telemetry.write(plain, TICKS)
        samples = TICKS * telemetry.GPUS
        packed = [plain.with_name("telemetry.jsonl.gz"), plain.with_name("telemetry.jsonl.zst")]
        packed[0].write_bytes(gzip.compress(plain.read_bytes(), 6))
        packed[1].write_bytes(zstandard.ZstdCompressor(level=3).compress(plain.read_bytes()))
        print(f"telemetry to joules: {samples:,} GPU-samples, {plain.stat().st_size / 1e6:.0f} MB plain, one process,")
        print(f"CPU time without imports, medians of {REPEATS}; `off` is the difference of the joules to pandas\n")
        print("  file    engine   seconds  M samples/s  x pandas  peak MB   off")
        for path in (plain, *packed):
            race(path, samples)

        longer = Path(name) / "longer.jsonl"
        telemetry.write(longer, LONGER * TICKS)
        print(f"\n  a file {LONGER} times as long, too large for memory, which is read twice")
        race(longer, LONGER * samples)


if __name__ == "__main__":
    main()
