"""What a job pays for the container action, besides its work: the size to pull and the time to start.

python -m benchmarks.image NAME
"""

import statistics
import subprocess
import sys
import time

REPEATS = 5


def started(image: str, *arguments: str) -> float:
    """Return the median wall seconds of `ecoaudit` with `arguments` in a new container without a network."""
    command = ["docker", "run", "--rm", "--network", "none", "--workdir", "/tmp", "--entrypoint", "ecoaudit", image]
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        subprocess.run([*command, *arguments], check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def compressed_bytes(image: str) -> int:
    """Return the size of the saved image under gzip at its default level."""
    line = subprocess.run(f"docker save {image!r} | gzip | wc -c", shell=True, check=True, capture_output=True)
    return int(line.stdout)


def main(image: str) -> None:
    """Print the three figures of `image`."""
    print(f"  compressed           {compressed_bytes(image) / 1e6:6.0f} MB")
    print(f"  ecoaudit --version   {started(image, '--version'):6.2f} s   container included")
    print(f"  ecoaudit demo        {started(image, 'demo'):6.2f} s   an hour of 8 GPUs, with charts")


if __name__ == "__main__":
    main(sys.argv[1])
