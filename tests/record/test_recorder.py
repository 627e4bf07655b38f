"""The file format and the loop: digits, what is restated when, ticks, clocks, segments."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ecoaudit.record.nodepower import CommandMeter, HwmonMeter
from ecoaudit.record.rapl import Rapl
from ecoaudit.record.recorder import Meters
from ecoaudit.record.sink import daily_segments
from record.machine import wait_for
from record.simulation import START, SimulatedClock, simulate

SLOW = ("power_limit_w", "memory_used_mib", "sm_clock_mhz", "memory_clock_mhz", "temperature_c", "throttle_reasons")


def samples_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == "sample"]


def events_of(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == "event" and line["name"] == name]


def unpack_zstd(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data) as reader:
        return reader.read()


def test_a_header_samples_a_footer(stub: Any, tmp_path: Path) -> None:
    stub.configure("gpus 1\ntrace 0 0 123456 42\n")
    path = tmp_path / "run.jsonl"
    lines = simulate(stub, path, 3.0)
    assert [line["type"] for line in lines] == ["header", *["sample"] * 4, "footer"]
    header, sample, footer = lines[0], lines[2], lines[-1]
    assert header["schema"] == "ecoaudit.telemetry/1"
    assert header["started_at"] == "2025-11-24T16:00:00.000Z"
    assert header["host"] == "n01"
    assert header["interval_s"] == 1.0
    assert header["driver"] == "580.95.05"
    assert header["gpus"] == [
        {
            "index": 0,
            "uuid": "GPU-00000000-1111-2222-3333-444444444444",
            "name": "NVIDIA H100 80GB HBM3",
            "pci_bus_id": "00000000:08:00.0",
            "power_limit_w": 700.0,
            "memory_mib": 81559,
            "mig": False,
            "power_source": "average",
            "power_scope": "gpu",
        }
    ]
    assert sample.pop("sample_us") >= 0
    assert sample == {
        "type": "sample",
        "t": START + 1,
        "m": 1.0,
        "power_w": [123.5],
        "power_instant_w": [123.5],
        "energy_j": [123.456],
        "util": [42],
    }
    assert footer["samples"] == 4
    assert footer["missed"] == footer["dropped"] == footer["nvml_errors"] == 0
    assert footer["reason"] == "exit"
    assert footer["cpu_s"] > 0
    text = path.read_text()
    assert text.endswith("}\n")
    assert re.fullmatch(r"[\x20-\x7e\n]*", text)
    assert " " not in text.splitlines()[1]


def test_slow_measures_are_written_on_change_and_once_a_minute(stub: Any, tmp_path: Path) -> None:
    stub.configure("gpus 1\ntrace 0 0 500000 90\ntrace 0 22 700000 99\n")
    samples = samples_of(simulate(stub, tmp_path / "run.jsonl", 130.0))
    assert all(name in samples[0] for name in SLOW)
    with_limit = [s["m"] for s in samples if "power_limit_w" in s]
    assert with_limit == [0.0, 60.0, 120.0]
    assert [s["m"] for s in samples if "temperature_c" in s] == [0.0, 25.0, 60.0, 120.0]
    assert [s["throttle_reasons"] for s in samples if "throttle_reasons" in s] == [[0], [4], [4], [4]]


def test_lateness_does_not_add_up(stub: Any, tmp_path: Path) -> None:
    """Every pause takes 30 ms too long; the hundredth tick is as late as the first."""
    stub.configure("gpus 1\ntrace 0 0 500000 90\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 100.0, late_s=0.03)
    times = [s["m"] for s in samples_of(lines)]
    assert times[1] == pytest.approx(1.03, abs=0.002)
    assert times[99] == pytest.approx(99.03, abs=0.002)
    assert lines[-1]["missed"] == 0


def test_ticks_that_could_not_be_taken_are_counted_not_made_up(stub: Any, tmp_path: Path) -> None:
    lines = simulate(stub, tmp_path / "run.jsonl", 20.0, prepare=lambda c: c.at(5.5, lambda: setattr(c, "now", 9.2)))
    times = [s["m"] for s in samples_of(lines)]
    assert times[5:8] == [5.0, 9.2, 10.0]
    assert lines[-1]["missed"] == 3  # 7, 8 and 9: the tick of 6 was taken late


def test_the_wall_clock_stepped_by_hours(stub: Any, tmp_path: Path) -> None:
    def plan(clock: SimulatedClock) -> None:
        clock.at(5.5, lambda: clock.step_wall(-7200.0))
        clock.at(9.5, lambda: clock.step_wall(+10800.0))

    lines = simulate(stub, tmp_path / "run.jsonl", 15.0, prepare=plan)
    assert [e["value"] for e in events_of(lines, "clock_step")] == [-7200.0, 10800.0]
    samples = samples_of(lines)
    assert [s["m"] for s in samples] == [float(i) for i in range(16)]
    assert samples[6]["t"] - samples[5]["t"] == -7199
    assert lines[-1]["missed"] == 0


def test_a_suspended_machine(stub: Any, tmp_path: Path) -> None:
    lines = simulate(stub, tmp_path / "run.jsonl", 700.0, prepare=lambda c: c.at(50.5, lambda: c.suspend(600.0)))
    (event,) = events_of(lines, "suspended")
    assert event["value"] == 600.0
    assert events_of(lines, "clock_step") == []
    gaps = [b["m"] - a["m"] for a, b in zip(samples_of(lines), samples_of(lines)[1:], strict=False)]
    assert max(gaps) == pytest.approx(601, abs=1)
    assert lines[-1]["missed"] == pytest.approx(600, abs=1)


def test_one_segment_per_host_run_and_day(stub: Any, tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"

    def plan(clock: SimulatedClock) -> None:
        clock.wall_offset = 1_764_028_800.0 - 5  # five seconds before midnight UTC

    simulate(stub, daily_segments(folder, "n01", "r7"), 10.0, prepare=plan)
    first, second = sorted(folder.iterdir())
    assert [first.name, second.name] == ["n01-r7-20251124.jsonl", "n01-r7-20251125.jsonl"]
    a, b = ([json.loads(line) for line in path.read_text().splitlines()] for path in (first, second))
    assert len(samples_of(a)) == 5
    assert b[0]["type"] == "header"
    assert samples_of(b)[0]["m"] == 5.0  # the monotonic time runs on
    assert all(name in samples_of(b)[0] for name in SLOW)
    assert b[-1]["type"] == "footer"


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_a_closed_segment_is_packed(stub: Any, tmp_path: Path, method: str) -> None:
    folder = tmp_path / "telemetry"

    def plan(clock: SimulatedClock) -> None:
        clock.wall_offset = 1_764_028_800.0 - 5

    simulate(stub, daily_segments(folder, "n01", "r7"), 10.0, prepare=plan, compress=method)
    wait_for(lambda: not (folder / "n01-r7-20251124.jsonl").exists())  # the plain one goes last
    (packed,) = folder.glob("n01-r7-20251124.jsonl.*")
    assert packed.suffix in ({".gz"} if method == "gzip" else {".zst", ".gz"})  # gzip where zstd is not at hand
    unpack = gzip.decompress if packed.suffix == ".gz" else unpack_zstd
    assert len(samples_of([json.loads(line) for line in unpack(packed.read_bytes()).splitlines()])) == 5
    assert (folder / "n01-r7-20251125.jsonl").exists()


def test_host_meters_stand_beside_the_gpus(stub: Any, tmp_path: Path) -> None:
    zone = tmp_path / "powercap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "energy_uj").write_text("250000000\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    meter = CommandMeter("echo 812.5 watts", "command", re.compile(rb"[\d.]+"), 10.0)
    meters = Meters(None, rapl=Rapl(tmp_path / "powercap"), node=meter, absent={"node_power": "none"})

    def plan(clock: SimulatedClock) -> None:
        import time

        # The command runs in real time: give it a moment between two simulated ticks.
        clock.at(0.5, lambda: time.sleep(0.1))

    lines = simulate(stub, tmp_path / "run.jsonl", 7.0, prepare=plan, meters=meters)
    assert lines[0]["rapl_max_j"] == {"package-0": 262143.32885}
    assert lines[0]["node_power_source"] == "command"
    assert lines[0]["sources"][-2:] == ["rapl", "command"]
    with_rapl = [s["m"] for s in samples_of(lines) if "rapl_j" in s]
    assert with_rapl == [0.0, 5.0, 7.0]  # every five seconds, and at the end
    assert samples_of(lines)[0]["rapl_j"] == {"package-0": 250.0}
    assert [s["node_w"] for s in samples_of(lines) if "node_w" in s] == [812.5]


def test_a_node_meter_that_stops_answering_is_written_as_unknown(stub: Any, tmp_path: Path) -> None:
    reading = tmp_path / "power1_average"
    reading.write_text("812500000")

    def silent() -> None:
        reading.write_text("")

    meters = Meters(None, node=HwmonMeter(reading, 10.0))
    lines = simulate(
        stub,
        tmp_path / "run.jsonl",
        35.0,
        prepare=lambda clock: clock.at(15.0, silent),
        meters=meters,
    )
    read = [(s["m"], s["node_w"]) for s in samples_of(lines) if "node_w" in s]
    assert read == [(0.0, 812.5), (10.0, 812.5), (20.0, None), (30.0, None)]
