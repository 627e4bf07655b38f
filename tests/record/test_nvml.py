"""The driver's faults become states and events, never exceptions; what is unsupported is asked once."""

from pathlib import Path
from typing import Any

import pytest

from ecoaudit.record.nvml import Nvml
from record.machine import Machine
from record.simulation import simulate

FOREVER = "0 1e9"


def samples_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == "sample"]


def events_of(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == "event" and line["name"] == name]


def test_both_power_fields_are_kept_apart(stub: Any, tmp_path: Path) -> None:
    stub.configure("gpus 1\ntrace 0 0 100000 10\ntrace 0 5 700000 99\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 6.5, 0.5)
    assert lines[0]["sources"] == ["nvml.energy", "nvml.power.average", "nvml.power.instant"]
    (after,) = [s for s in samples_of(lines) if s["m"] == 5.5]
    assert after["power_instant_w"] == [700.0]
    assert after["power_w"] == [400.0]  # the mean of the last second


def test_two_driver_calls_a_gpu_and_tick(stub: Any) -> None:
    nvml = Nvml()
    nvml.open(None, {})
    before = stub.calls()
    nvml.read(0.0)
    per_gpu = (stub.calls() - before) / 8
    nvml.close()
    assert per_gpu == 2 + 3  # the stub counts the three fields of the batch as well


@pytest.mark.parametrize(
    ("faults", "expected", "source"),
    [
        (["field.185.0", "field.185.1"], {"power_w": [500.0]}, "nvml.power.usage"),
        (["field.185.0", "field.185.1", "nvmlDeviceGetPowerUsage"], {"power_w": [None]}, "nvml.power.instant"),
        (["field.83.0"], {"energy_j": [0.0]}, "nvml.energy"),
        (["field.83.0", "nvmlDeviceGetTotalEnergyConsumption"], {"energy_j": [None]}, "nvml.power.average"),
        (["nvmlDeviceGetUtilizationRates"], {"util": [None]}, "nvml.energy"),
        (["nvmlDeviceGetTemperature"], {"temperature_c": [None]}, "nvml.energy"),
        (["nvmlDeviceGetMemoryInfo"], {"memory_used_mib": [None]}, "nvml.energy"),
        (["nvmlDeviceGetEnforcedPowerLimit"], {"power_limit_w": [None]}, "nvml.energy"),
        (["nvmlDeviceGetFieldValues"], {"power_w": [500.0], "energy_j": [0.0]}, "nvml.power.usage"),
    ],
)
@pytest.mark.parametrize("code", [3, 4, 13])
def test_an_unsupported_measure_is_null_after_one_probe(
    stub: Any, tmp_path: Path, faults: list[str], expected: dict[str, Any], source: str, code: int
) -> None:
    text = "\n".join(f"fail {call} * {code} {FOREVER}" for call in faults)
    stub.configure(f"gpus 1\ntrace 0 0 500000 90\n{text}\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 12.0)
    first = samples_of(lines)[0]
    assert {key: first[key] for key in expected} == expected
    assert source in lines[0]["sources"]
    assert [line for line in lines if line["type"] == "event"] == []
    assert lines[-1]["nvml_errors"] == 0


def test_without_a_counter_the_last_line_integrates_power(stub: Any, tmp_path: Path) -> None:
    stub.configure(
        f"gpus 1\ntrace 0 0 500000 90\nfail field.83.0 * 3 {FOREVER}\n"
        f"fail nvmlDeviceGetTotalEnergyConsumption * 3 {FOREVER}\n"
    )
    lines = simulate(stub, tmp_path / "run.jsonl", 60.0)
    assert lines[-1]["energy_j"] == [pytest.approx(30_000, rel=1e-6)]


def test_an_old_driver_without_field_values(tmp_path: Path, old_stub_folder: Path) -> None:
    machine = Machine(tmp_path, old_stub_folder)
    code, _, err = machine.run("-o", "run.jsonl", "--interval", "0.1", "--", "sleep", "0.25")
    assert code == 0, err
    records = machine.read()
    assert records.header["sources"] == ["nvml.energy", "nvml.power.usage"]
    assert records.samples[1]["power_w"] == [500.0] * 8
    assert records.samples[0]["throttle_reasons"] == [0] * 8  # by the name the older driver has
    assert "power_instant_w" not in records.samples[0]
    assert None not in records.samples[0]["energy_j"]


def test_an_error_in_mid_run_is_null_for_its_ticks_only(stub: Any, tmp_path: Path) -> None:
    stub.configure("gpus 2\ntrace * 0 500000 90\nfail field.185.0 1 999 4.5 7.5\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 10.0)
    power = {s["m"]: s["power_w"] for s in samples_of(lines)}
    assert power[4.0] == [500.0, 500.0]
    assert power[5.0] == power[7.0] == [500.0, None]
    assert power[8.0] == [500.0, 500.0]
    (event,) = events_of(lines, "nvml_error")  # three failures, told once
    assert event["value"] == "average"
    assert event["attributes"] == {"gpu": 1, "error": "NVML error 999: Unknown Error"}
    assert lines[-1]["nvml_errors"] == 3
    assert lines[-1]["energy_j"] == pytest.approx([5000.0, 5000.0])


def test_a_gpu_that_falls_off_the_bus(stub: Any, tmp_path: Path) -> None:
    """Its values are null from then on, it is asked again every half minute only, the others go on."""
    stub.configure("gpus 2\ntrace * 0 500000 90\nfail * 1 15 10.5 75\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 120.0)
    power = {s["m"]: s["power_w"] for s in samples_of(lines)}
    assert power[10.0] == [500.0, 500.0]
    assert power[11.0] == power[60.0] == [500.0, None]
    assert power[119.0] == [500.0, 500.0]
    (lost,) = events_of(lines, "gpu_lost")
    assert lost["value"] == 1
    assert "GPU is lost" in lost["attributes"]["error"]
    assert [e["value"] for e in events_of(lines, "gpu_back")] == [1]
    assert lines[-1]["nvml_errors"] < 20
    assert lines[-1]["energy_j"] == pytest.approx([60_000, 60_000], rel=0.001)  # its counter ran on


def test_a_driver_reload(stub: Any, tmp_path: Path) -> None:
    """While the driver is away everything is null; back again, a new header, counters from 0, nothing negative."""
    stub.configure("gpus 2\ntrace * 0 500000 90\ncounter * 9000000\ndriver_off 20.5 45\nreset * 45\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 90.0)
    energy = {s["m"]: s["energy_j"] for s in samples_of(lines)}
    assert energy[20.0][0] == pytest.approx(19_000)
    assert energy[30.0] == [None, None]
    assert energy[60.0][0] == pytest.approx(500 * 15, abs=51)
    assert len(events_of(lines, "driver_lost")) == 1
    assert len(events_of(lines, "driver_back")) == 1
    headers = [line for line in lines if line["type"] == "header"]
    assert len(headers) == 2
    assert headers[1]["gpus"] == headers[0]["gpus"]
    assert [e["value"] for e in events_of(lines, "counter_reset")] == [0, 1]
    after = samples_of(lines[lines.index(headers[1]) :])[0]
    assert "temperature_c" in after  # a header is followed by all values anew
    known = 500 * 20 + 500 * (90 - 51)
    assert lines[-1]["energy_j"][0] == pytest.approx(known, rel=0.05)


def test_a_driver_that_never_comes_back(stub: Any, tmp_path: Path) -> None:
    stub.configure("gpus 1\ntrace * 0 500000 90\ndriver_off 5.5 1e9\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 60.0)
    assert samples_of(lines)[-1]["power_w"] == [None]
    assert lines[-1]["type"] == "footer"
    assert lines[-1]["samples"] == 61


def test_a_counter_that_jumps_back(stub: Any, tmp_path: Path) -> None:
    stub.configure("gpus 1\ntrace * 0 500000 90\ncounter 0 5000000\nreset 0 30.4\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 60.0)
    (event,) = events_of(lines, "counter_reset")
    assert event["value"] == 0
    assert lines[-1]["energy_j"][0] == pytest.approx(30_000, rel=0.001)


def test_the_scope_that_a_board_offers_is_used_and_named(stub: Any, tmp_path: Path) -> None:
    """Boards with a CPU on the module may offer module power alone."""
    stub.configure("gpus 2\ntrace * 0 500000 90\nscope 1 1\n")
    lines = simulate(stub, tmp_path / "run.jsonl", 2.0)
    assert [gpu["power_scope"] for gpu in lines[0]["gpus"]] == ["gpu", "module"]
    assert samples_of(lines)[0]["power_w"] == [500.0, 500.0]
