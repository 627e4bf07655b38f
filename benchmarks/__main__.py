"""Print how long the program takes to start, to audit the sample run, and to read telemetry beside pandas."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import reading

REPEATS = 5


def timed(arguments: list[str], folder: Path, repeats: int = REPEATS) -> float:
    """Return the median wall seconds of `ecoaudit` with `arguments`, a new process each time."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "ecoaudit", *arguments], cwd=folder, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    """Measure and print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"medians of {REPEATS} runs on this machine\n")
        print(f"  ecoaudit --version   {timed(['--version'], folder):6.2f} s")
        print(f"  ecoaudit demo        {timed(['demo'], folder):6.2f} s   an hour of 8 GPUs, with charts\n")
    reading.main()


if __name__ == "__main__":
    main()
