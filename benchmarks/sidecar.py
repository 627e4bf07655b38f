"""What recorders cost, side by side in one run: ecoaudit, CodeCarbon, Zeus, and a loop like `nvidia-smi -lms`.

All read the same stand-in for NVML (tests/nvml_stub), so that no time of a real driver is in these figures. Reports
only, as Markdown:

    python -m benchmarks.sidecar [--peers PYTHON] [--seconds 20] [--repeats 3]

PYTHON is an interpreter of an environment that has codecarbon and zeus; without it they are left out.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "tests" / "nvml_stub" / "nvml_stub.c"
GPUS = 8

# Ready when it has printed a line or its file has a sample; measured while it does nothing but record.
CODECARBON = """
import logging, sys, time
logging.disable(logging.CRITICAL)
from codecarbon import OfflineEmissionsTracker
tracker = OfflineEmissionsTracker(measure_power_secs=float(sys.argv[1]), country_iso_code="SWE", log_level="critical",
                                  output_dir=".", allow_multiple_runs=True)
tracker.start()
print("ready", flush=True)
time.sleep(3600)
"""
ZEUS = """
import sys, time
from zeus.monitor.power import PowerMonitor
if __name__ == "__main__":
    monitor = PowerMonitor(update_period=float(sys.argv[1]))
    print("ready", flush=True)
    time.sleep(3600)
"""
NVIDIA_SMI = """
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int nvmlInit_v2(void), nvmlDeviceGetCount_v2(unsigned *), nvmlDeviceGetHandleByIndex_v2(unsigned, void **),
    nvmlDeviceGetUUID(void *, char *, unsigned), nvmlDeviceGetPowerUsage(void *, unsigned *),
    nvmlDeviceGetUtilizationRates(void *, unsigned *), nvmlDeviceGetTemperature(void *, int, unsigned *),
    nvmlDeviceGetMemoryInfo(void *, unsigned long long *);
int main(int argc, char **argv) {
    unsigned count, power, load[2], heat;
    unsigned long long memory[3];
    void *gpu;
    char uuid[96], now[64];
    double interval = argc > 1 ? atof(argv[1]) : 1;
    struct timespec pause = {(long)interval, (long)((interval - (long)interval) * 1e9)};
    nvmlInit_v2();
    nvmlDeviceGetCount_v2(&count);
    for (;; nanosleep(&pause, NULL)) {
        time_t seconds = time(NULL);
        strftime(now, sizeof now, "%Y/%m/%d %H:%M:%S.000", localtime(&seconds));
        for (unsigned i = 0; i < count; i++) {
            nvmlDeviceGetHandleByIndex_v2(i, &gpu);
            nvmlDeviceGetUUID(gpu, uuid, sizeof uuid);
            nvmlDeviceGetPowerUsage(gpu, &power);
            nvmlDeviceGetUtilizationRates(gpu, load);
            nvmlDeviceGetTemperature(gpu, 0, &heat);
            nvmlDeviceGetMemoryInfo(gpu, memory);
            printf("%s, %u, %s, %.2f W, %u %%, %u, %llu MiB\\n",
                   now, i, uuid, power / 1e3, load[0], heat, memory[2] >> 20);
        }
        fflush(stdout);
    }
}
"""


@dataclass
class Monitor:
    """A recorder to measure: how to start it, what importing it takes, where its samples go."""

    name: str
    command: Callable[[float], list[str]]
    imports: list[str] | None
    output: str | None = None
    sign: bytes = b"ready"  # in its output, once it samples
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> None:
        self.figures.setdefault(what, []).append(value)


def tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in (task / "children").read_text().split():
            yield from tree(int(child))


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process tree so far, ended threads included, to the nanosecond.

    A process's CPU clock has the number that clock_getcpuclockid(3) makes of its id: ~pid << 3, and 2 for the clock.
    """
    return sum(time.clock_gettime(~p << 3 | 2) for p in tree(pid))


def memory_mb(pid: int) -> tuple[float, float]:
    """Return the largest RSS of one process, and what the tree occupies with shared pages divided (PSS), in MB."""
    rss = pss = 0.0
    for p in tree(pid):
        status = Path(f"/proc/{p}/status").read_text().split("VmRSS:")[1].split()
        rss = max(rss, int(status[0]) * 1024 / 1e6)
        pss += int(Path(f"/proc/{p}/smaps_rollup").read_text().split("Pss:")[1].split()[0]) * 1024 / 1e6
    return rss, pss


def measure(monitor: Monitor, interval: float, seconds: float, folder: Path, env: dict[str, str]) -> None:
    """Start a monitor, wait until it samples, watch it for some seconds, end it."""
    output = folder / (monitor.output or "out")
    output.unlink(missing_ok=True)
    began = time.perf_counter()
    with (folder / "stdout").open("w") as stdout:
        process = subprocess.Popen(
            monitor.command(interval),
            cwd=folder,
            env=env,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        ready = output if monitor.output else folder / "stdout"
        sign = b'"type":"sample"' if monitor.output else monitor.sign
        while not (ready.exists() and sign in ready.read_bytes()):
            if process.poll() is not None or time.perf_counter() - began > 60:
                return
            time.sleep(0.001)
        if interval == 1:
            monitor.note("start", time.perf_counter() - began)
        time.sleep(3 * interval)
        cpu, size, at = cpu_s(process.pid), ready.stat().st_size, time.perf_counter()
        time.sleep(seconds)
        spent, took = cpu_s(process.pid) - cpu, time.perf_counter() - at
        monitor.note(f"share_{interval}", 100 * spent / took)
        monitor.note(f"sample_{interval}", spent / (took / interval))
        monitor.note("bytes", (ready.stat().st_size - size) / (took / interval) / GPUS)
        rss, pss = memory_mb(process.pid)
        monitor.note("rss", rss)
        monitor.note("pss", pss)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def import_s(command: list[str], env: dict[str, str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def prepare(folder: Path) -> dict[str, str]:
    """Build the stub and the C loop; return the environment in which the monitors find eight busy GPUs."""
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", "-o", str(library), str(STUB)], check=True
    )
    (folder / "loop.c").write_text(NVIDIA_SMI)
    subprocess.run(["gcc", "-O2", "-o", str(folder / "loop"), str(folder / "loop.c"), str(library)], check=True)
    steps = "\n".join(
        f"trace {g} {s} {400_000 + (g * 7919 + s * 104_729) % 290_000} 97" for g in range(GPUS) for s in range(500)
    )
    (folder / "gpus.conf").write_text(f"gpus {GPUS}\ncounter * 1814400000123\n{steps}\n")
    smi = folder / "nvidia-smi"  # CodeCarbon looks for GPUs only where it can run this
    smi.write_text("#!/bin/sh\nexit 0\n")
    smi.chmod(0o755)
    return os.environ | {
        "LD_LIBRARY_PATH": str(folder),
        "NVML_STUB_CONFIG": str(folder / "gpus.conf"),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "ECOAUDIT_RUNTIME_DIR": str(folder / "runtime"),
    }


def monitors(folder: Path, peers: str | None) -> list[Monitor]:
    python = sys.executable
    ours = [python, "-m", "ecoaudit", "record", "-o", "ours.jsonl", "--interval"]
    found = [
        Monitor(
            "ecoaudit record (daemon, --pid)",
            lambda s: [*ours, str(s)],
            [python, "-c", "import ecoaudit.record.session, ecoaudit.record.cli"],
            "ours.jsonl",
        ),
        Monitor(
            "ecoaudit record -- CMD (both processes)",
            lambda s: [*ours, str(s), "--", "sleep", "1000"],
            None,
            "ours.jsonl",
        ),
        Monitor("C loop like nvidia-smi -lms (CSV)", lambda s: [str(folder / "loop"), str(s)], None, sign=b"\n"),
    ]
    if peers is not None:
        found += [
            Monitor(
                "CodeCarbon OfflineEmissionsTracker",
                lambda s: [peers, "-c", CODECARBON, str(s)],
                [peers, "-c", "import codecarbon"],
            ),
            Monitor(
                "Zeus PowerMonitor (all processes)",
                lambda s: [peers, str(folder / "zeus_run.py"), str(s)],
                [peers, "-c", "from zeus.monitor.power import PowerMonitor"],
            ),
        ]
    return found


def cell(monitor: Monitor, what: str, form: str, scale: float = 1.0) -> str:
    values = monitor.figures.get(what)
    return form.format(statistics.median(values) * scale) if values else "–"


def main() -> None:
    """Measure all monitors in turn, several times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = prepare(folder)
        (folder / "zeus_run.py").write_text(ZEUS)
        found = monitors(folder, arguments.peers)
        for _ in range(arguments.repeats):
            for monitor in found:
                if monitor.imports is not None:
                    monitor.note("import", import_s(monitor.imports, env, folder))
                for interval in (1.0, 0.1):
                    measure(monitor, interval, arguments.seconds, folder, env)
    head = [
        "monitor",
        "% of a core, 1 Hz",
        "10 Hz",
        "µs CPU a sample, 1 Hz",
        "import s",
        "to first sample s",
        "RSS MB",
        "PSS MB, all processes",
        "bytes a GPU-sample",
    ]
    print("|", " | ".join(head), "|")
    print("|" + " --- |" * len(head))
    for m in found:
        cells = [
            m.name,
            cell(m, "share_1.0", "{:.3f}"),
            cell(m, "share_0.1", "{:.3f}"),
            cell(m, "sample_1.0", "{:.0f}", 1e6),
            cell(m, "import", "{:.2f}"),
            cell(m, "start", "{:.2f}"),
            cell(m, "rss", "{:.1f}"),
            cell(m, "pss", "{:.1f}"),
            cell(m, "bytes", "{:.0f}") if m.output or "CSV" in m.name else "keeps no samples",
        ]
        print("|", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
