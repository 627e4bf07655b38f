"""RAPL and the node's own power meter: read where the machine has them, absent with a reason where not."""

import math
import os
import time
from pathlib import Path

import pytest

from ecoaudit.record import nodepower
from ecoaudit.record.nodepower import CommandMeter, HwmonMeter, find_meter
from ecoaudit.record.rapl import Rapl
from record.machine import Machine


def zone(root: Path, name: str, label: str, microjoules: int, limit: int | None = 262_143_328_850) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{label}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    if limit is not None:
        (folder / "max_energy_range_uj").write_text(f"{limit}\n")
    return folder


def test_packages_and_dram_of_two_sockets(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    zone(tmp_path, "intel-rapl:0:0", "dram", 2_000_000, 65_712_999_613)
    zone(tmp_path, "intel-rapl:0:1", "core", 9_000_000)
    zone(tmp_path, "intel-rapl:1", "package-1", 3_000_000)
    zone(tmp_path, "intel-rapl:1:0", "dram", 4_000_000, 65_712_999_613)
    zone(tmp_path, "intel-rapl:2", "psys", 9_000_000)  # contains the packages: would count them twice
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 9_000_000)  # the same package by another door
    rapl = Rapl(tmp_path)
    assert rapl.read() == {"package-0": 1.0, "dram-0": 2.0, "package-1": 3.0, "dram-1": 4.0}
    assert rapl.ranges_j()["dram-1"] == 65712.999613
    assert rapl.reason is None
    rapl.close()


def test_a_counter_that_wraps(tmp_path: Path) -> None:
    energy = zone(tmp_path, "intel-rapl:0", "package-0", 262_143_000_000) / "energy_uj"
    rapl = Rapl(tmp_path)
    assert rapl.read() == {"package-0": 262143.0}
    for raw, joules in [(262_143_328_849, 262143.329), (671_150, 262144.0), (1_671_150, 262145.0)]:
        energy.write_text(f"{raw}\n")
        assert rapl.read()["package-0"] == pytest.approx(joules, abs=1e-6)
    energy.write_text("100000\n")  # a second time around
    assert rapl.read()["package-0"] == pytest.approx(2 * 262143.32885 + 0.1, abs=1e-3)
    rapl.close()


def test_no_permission_is_absent_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 1)

    def denied(path: object, *_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    rapl = Rapl(tmp_path)
    assert rapl.zones() == []
    assert rapl.reason is not None
    assert "Permission denied; to allow it: chmod a+r /sys/class/powercap/" in rapl.reason


def test_a_machine_without_rapl(tmp_path: Path) -> None:
    rapl = Rapl(tmp_path / "absent")
    assert rapl.read() == {}
    assert rapl.reason is not None
    assert "no package zone" in rapl.reason


def test_a_zone_that_goes_away_is_null(tmp_path: Path) -> None:
    energy = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000) / "energy_uj"
    rapl = Rapl(tmp_path)
    energy.write_text("")
    assert rapl.read() == {"package-0": None}
    rapl.close()


def wait_reading(meter: CommandMeter, at_s: float) -> float:
    """Poll as the recorder does until the command has answered (or failed)."""
    if (watts := meter.poll(at_s)) is not None:
        return watts
    for _ in range(200):
        time.sleep(0.01)
        if (watts := meter.poll(at_s + 0.5)) is not None:
            return watts
    raise AssertionError("the command does not end")


@pytest.mark.parametrize(
    ("command", "watts"),
    [
        ("echo 812.5", 812.5),
        ("echo 'Power: 1.2e3 W'", 1200.0),
        ("printf no-number", math.nan),
        ("sh -c 'echo 5; exit 3'", math.nan),
        ("no-such-command", math.nan),
    ],
)
def test_a_command_that_prints_watts(command: str, watts: float) -> None:
    meter, reason = find_meter("auto", command)
    assert isinstance(meter, CommandMeter)
    assert reason is None
    assert wait_reading(meter, 0.0) == pytest.approx(watts, nan_ok=True)
    meter.close()


def test_polling_never_waits_and_a_hanging_command_is_ended() -> None:
    meter = CommandMeter("sleep 60", "command", nodepower._NUMBER, 10.0)
    started = time.monotonic()
    assert meter.poll(0.0) is None
    assert meter.poll(1.0) is None
    pid = meter._pid
    assert pid is not None
    assert math.isnan(meter.poll(nodepower.TIMEOUT_S + 1) or 0.0)
    assert time.monotonic() - started < 1
    assert not Path(f"/proc/{pid}").exists()
    assert meter._next_s == nodepower.TIMEOUT_S + 1 + 20  # and is asked less often
    meter.close()


def test_a_failing_command_is_asked_ever_more_seldom() -> None:
    meter = CommandMeter("no-such-command", "command", nodepower._NUMBER, 10.0)
    waits, now = [], 0.0
    for _ in range(9):
        meter.poll(now)
        waits.append(meter._next_s - now)
        now = meter._next_s
    assert waits == [20, 40, 80, 160, 320, 600, 600, 600, 600]


def test_the_acpi_power_meter(tmp_path: Path) -> None:
    for name, label in (("hwmon0", "coretemp"), ("hwmon1", "power_meter")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(f"{label}\n")
        (tmp_path / name / "power1_average").write_text("412300000\n")
    meter, reason = find_meter("auto", None, hwmon=tmp_path)
    assert isinstance(meter, HwmonMeter)
    assert (meter.source, reason) == ("hwmon.power_meter", None)
    assert [meter.poll(t) for t in (0.0, 1.0, 9.9, 10.0)] == [412.3, None, None, 412.3]
    (tmp_path / "hwmon1" / "power1_average").write_text("")
    assert math.isnan(meter.poll(20.0) or 0.0)
    meter.close()


def test_ipmi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "ipmitool"
    tool.write_text(
        "#!/bin/sh\ncat <<END\n\n    Instantaneous power reading:                   6213 Watts\n"
        "    Minimum during sampling period:                 98 Watts\nEND\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    meter, reason = find_meter("ipmi", None, hwmon=tmp_path)
    assert isinstance(meter, CommandMeter)
    assert (meter.source, reason) == ("ipmi.dcmi", None)
    assert wait_reading(meter, 0.0) == 6213.0
    meter.close()
    none, reason = find_meter("hwmon", None, hwmon=tmp_path)
    assert none is None
    assert reason is not None
    assert "no readable ACPI power meter" in reason


def test_no_meter_says_what_would_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    meter, reason = find_meter("auto", None, hwmon=tmp_path)
    assert meter is None
    assert reason is not None
    assert "--node-power-command" in reason
    assert find_meter("none", None, hwmon=tmp_path) == (None, "switched off")


def test_a_node_meter_through_the_command_line(machine: Machine) -> None:
    code, _, err = machine.run(
        "-o", "run.jsonl", "--interval", "0.05", "--node-power-command", "echo 5321", "--", "sleep", "0.4"
    )
    assert code == 0, err
    records = machine.read()
    assert records.header["node_power_source"] == "command"
    assert [s["node_w"] for s in records.samples if "node_w" in s] == [5321.0]
