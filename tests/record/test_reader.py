"""What the recorder writes is what the audit reads: no bad line, the schema holds, the energy is right."""

import gzip
import json
import signal
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ecoaudit import ingest, pipeline
from ecoaudit.config import Config, HardwareShape
from ecoaudit.ingest.records import Telemetry
from record.machine import ROOT, Machine, lines_in, wait_for
from record.simulation import SimulatedClock, simulate

SCHEMA = ROOT / "src" / "ecoaudit" / "ingest" / "telemetry" / "telemetry.schema.json"
NO_COUNTER = "fail field.83.0 * 3 0 1e9\nfail nvmlDeviceGetTotalEnergyConsumption * 3 0 1e9\n"
FAST = ("-o", "run.jsonl", "--interval", "0.05")


@cache
def strict_schema() -> jsonschema.Draft202012Validator:
    """Return the format's schema, made to refuse keys that it does not name."""
    schema = json.loads(SCHEMA.read_text())
    for kind in ("header", "sample", "event", "footer"):
        schema["$defs"][kind]["additionalProperties"] = False
    schema["$defs"]["header"]["properties"]["gpus"]["items"]["additionalProperties"] = False
    return jsonschema.Draft202012Validator(schema)


def check_lines(path: Path) -> None:
    """Hold every line against the schema; a line that was cut by a kill is not one of the recorder's."""
    for line in path.read_text().splitlines():
        errors = [error.message for error in strict_schema().iter_errors(json.loads(line))]
        assert errors == [], line


def read(path: Path) -> Telemetry:
    (telemetry,) = ingest.read([str(path)]).telemetry
    assert telemetry.quality.bad_lines == 0
    return telemetry


def joules(telemetry: Telemetry) -> list[float]:
    assert telemetry.energy_j is not None
    return [float(j) for j in telemetry.energy_j[-1] - telemetry.energy_j[0]]


def inspect(machine: Machine, *arguments: str) -> Any:
    command = [sys.executable, "-m", "ecoaudit", "inspect", *arguments, "--json"]
    with machine.popen(command, env={"PYTHONWARNINGS": "default"}) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return json.loads(out)


def test_a_plain_recording_with_markers(machine: Machine) -> None:
    script = (
        "import ecoaudit, time\n"
        "ecoaudit.phase('train')\n"
        "for n in range(1, 4):\n    time.sleep(0.15); ecoaudit.step(n, tokens=1000, loss=2.5, note='a')\n"
        "with ecoaudit.phase('eval'):\n    time.sleep(0.1)\n"
    )
    code, _, err = machine.run(*FAST, "--", sys.executable, "-c", script)
    assert code == 0, err
    path = machine.folder / "run.jsonl"
    check_lines(path)
    telemetry = read(path)
    assert [(e.name, e.value) for e in telemetry.events] == [
        ("phase", "train"), ("step", 1), ("step", 2), ("step", 3), ("phase", "eval"), ("phase", "train"),
        ("phase", "idle"),
    ]  # fmt: skip
    assert telemetry.events[3].attributes == {"loss": 2.5, "note": "a", "tokens": 3000}
    assert telemetry.power_field == "average"
    assert telemetry.node_gpu_count == 8
    assert len(telemetry.gpus) == 8
    seconds = float(telemetry.time_s[-1] - telemetry.time_s[0])
    assert joules(telemetry) == pytest.approx([500 * seconds] * 8, abs=110)


def test_a_recording_killed_with_9_and_begun_anew(machine: Machine) -> None:
    path = machine.folder / "run.jsonl"
    with machine.start(*FAST) as process:
        wait_for(lambda: lines_in(path) > 6)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    check_lines(path)
    before = len(read(path).time_s)
    machine.run(*FAST, "--", "sleep", "0.3")
    check_lines(path)
    telemetry = read(path)
    assert len(telemetry.time_s) > before + 4
    assert (telemetry.time_s[1:] > telemetry.time_s[:-1]).all()


def test_a_line_cut_by_a_power_failure_is_one_bad_line(machine: Machine) -> None:
    machine.run(*FAST, "--", "sleep", "0.2")
    path = machine.folder / "run.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1])[:-30])
    machine.run(*FAST, "--", "sleep", "0.2")
    (telemetry,) = ingest.read([str(path)]).telemetry
    assert telemetry.quality.bad_lines == 1


def test_daily_segments_of_which_one_is_packed(stub: Any, tmp_path: Path) -> None:
    from ecoaudit.record.sink import daily_segments

    folder = tmp_path / "telemetry"

    def plan(clock: SimulatedClock) -> None:
        clock.wall_offset = 1_764_028_800.0 - 30

    simulate(stub, daily_segments(folder, "n01", "r7"), 60.0, prepare=plan, compress="gzip")
    wait_for(lambda: not (folder / "n01-r7-20251124.jsonl").exists())
    for path in folder.iterdir():
        if path.suffix == ".gz":
            (tmp_path / "plain.jsonl").write_bytes(gzip.decompress(path.read_bytes()))
        check_lines(tmp_path / "plain.jsonl" if path.suffix == ".gz" else path)
    found = ingest.read([str(folder)])
    assert sum(len(t.time_s) for t in found.telemetry) == 61
    assert [t.quality.bad_lines for t in found.telemetry] == [0] * len(found.telemetry)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("gpus 2\ntrace * 0 500000 90\nfail * 1 15 10.5 75\n", "gpu_lost"),
        ("gpus 2\ntrace * 0 500000 90\ndriver_off 20.5 45\nreset * 45\n", "driver_lost"),
        ("gpus 2\ntrace * 0 500000 90\nfail field.185.0 1 999 4.5 7.5\n", "nvml_error"),
        ("gpus 2\ntrace * 0 500000 90\ncounter * 5000000\nreset * 30\n", "counter_reset"),
        ("gpus 1\ntrace * 0 500000 90\n" + NO_COUNTER, None),
    ],
)
def test_incidents_are_read(stub: Any, tmp_path: Path, config: str, name: str | None) -> None:
    stub.configure(config)
    path = tmp_path / "run.jsonl"
    simulate(stub, path, 120.0)
    check_lines(path)
    telemetry = read(path)
    assert len(telemetry.time_s) == 121
    assert name is None or name in {event.name for event in telemetry.events}


def test_clocks_that_step_and_sleep_are_put_right(stub: Any, tmp_path: Path) -> None:
    def plan(clock: SimulatedClock) -> None:
        clock.at(5.5, lambda: clock.step_wall(-7200.0))
        clock.at(60.5, lambda: clock.suspend(300.0))

    path = tmp_path / "run.jsonl"
    simulate(stub, path, 400.0, prepare=plan)
    check_lines(path)
    telemetry = read(path)
    assert (telemetry.time_s[1:] > telemetry.time_s[:-1]).all()
    assert float(telemetry.time_s[-1] - telemetry.time_s[0]) == pytest.approx(400, abs=1)
    assert joules(telemetry)[0] == pytest.approx(500 * 400, rel=0.001)


def test_a_mig_slice(machine: Machine) -> None:
    machine.configure("gpus 1\ntrace * 0 500000 90\nmig 0 MIG-0a1b0000-1111-2222-3333-444444444444 1 0 3\n")
    machine.run(*FAST, "--", "sleep", "0.1", env={"CUDA_VISIBLE_DEVICES": "MIG-0a1b"})
    check_lines(machine.folder / "run.jsonl")
    [gpu] = read(machine.folder / "run.jsonl").gpus
    assert (gpu.mig, gpu.share) == (True, pytest.approx(3 / 7, abs=1e-4))


def test_a_file_without_gpus(bare_machine: Machine) -> None:
    bare_machine.run(*FAST, "--", "true")
    path = bare_machine.folder / "run.jsonl"
    check_lines(path)
    ingested = ingest.read([str(path)])
    assert [t.gpus for t in ingested.telemetry] in ([], [()])


def test_a_node_without_gpus_keeps_its_phases_and_steps(bare_machine: Machine) -> None:
    script = (
        "import ecoaudit, time\n"
        "with ecoaudit.phase('train'):\n"
        "    for n in range(3):\n"
        "        time.sleep(0.12); ecoaudit.step(n, tokens=1000)\n"
    )
    bare_machine.run(*FAST, "--", sys.executable, "-c", script)
    path = bare_machine.folder / "run.jsonl"
    check_lines(path)
    [telemetry] = ingest.read([str(path)]).telemetry
    assert telemetry.gpus == () and telemetry.time_s.size >= 2, "the first and the last moment at least"
    steps = [event for event in telemetry.events if event.name == "step"]
    assert [event.value for event in steps] == [0, 1, 2]
    assert all(telemetry.time_s[0] - 0.2 <= event.time_s <= telemetry.time_s[-1] + 0.2 for event in steps)
    hardware = HardwareShape(gpu="H100 SXM", gpus=8, nodes=1)
    found = pipeline.audit_inputs([str(path)], Config(hardware=hardware))
    assert found.training.tokens == 3000 and found.training.steps == 3
    assert found.energy.headline is not None and found.energy.headline.level == "L3"


def test_inspect_and_audit(machine: Machine) -> None:
    """The two commands on a recorder's file: what it is, and the energy of the counter."""
    machine.run("-o", "telemetry/", "--interval", "0.05", "--", "sleep", "1.2", env={"CUDA_VISIBLE_DEVICES": "0,1"})
    (path,) = (machine.folder / "telemetry").iterdir()
    described = json.dumps(inspect(machine, str(path)))
    assert '"ecoaudit"' in described
    footer = json.loads(path.read_text().splitlines()[-1])
    command = [sys.executable, "-m", "ecoaudit", "audit", "telemetry/", "--zone", "SE", "-o", "report", "--json"]
    with machine.popen(command, env={"PYTHONWARNINGS": "default", "MPLBACKEND": "agg"}) as process:
        out, err = process.communicate(timeout=25)
    assert process.returncode == 0, err
    audit = json.loads(out)
    assert audit["quality"]["bad_lines"] == 0
    assert audit["hardware"]["gpu_count"] == 2
    level = audit["energy"]["levels"]["L2"]["gpu"]
    assert level["value"] * 3.6e6 == pytest.approx(sum(footer["energy_j"]), rel=0.001)
    assert (machine.folder / "report" / "report.md").exists()
