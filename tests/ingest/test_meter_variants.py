"""What BMCs, Slurm, dmon and CodeCarbon print beside their usual forms, as seen in real logs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest

Write = Callable[[str, str | bytes], str]


@pytest.mark.parametrize(
    "line",
    [
        "Pwr Consumption  | 126.000    | Watts      | ok    | na        | na",  # ipmitool sensor
        "Pwr Consumption  | 126 Watts         | ok",  # ipmitool sdr
        "Pwr Consumption  | 76h | ok  |  7.1 | 126 Watts",  # ipmitool sdr elist
        "Total_Power      | 126.000    | Watts      | ok",  # OpenBMC
    ],
)
def test_sensor_rows_in_all_forms_of_ipmitool(write: Write, line: str) -> None:
    (one,) = ingest.read([write("bmc.log", f"1764000000\n{line}\n1764000010\n{line}\n")]).meters
    assert one.power_w.tolist() == [126.0, 126.0]
    assert np.diff(one.time_s).tolist() == [10.0]


def test_reading_and_time_on_one_line(write: Write) -> None:
    line = "Instantaneous power reading:   {} Watts\t    IPMI timestamp:   Wed Feb 15 12:49:5{} 2017\n"
    (one,) = ingest.read([write("bmc.log", line.format(200, 1) + line.format(201, 2))]).meters
    assert one.power_w.tolist() == [200.0, 201.0] and np.diff(one.time_s).tolist() == [1.0]


def test_slurms_word_for_no_value_is_no_energy(write: Write) -> None:
    rows = ["7|18446744073709551614|100|2025-01-01T10:00:00|1", "7.0|50000|100|2025-01-01T10:00:00|1"]
    text = "JobID|ConsumedEnergyRaw|ElapsedRaw|Start|NNodes\n" + "\n".join(rows)
    (one,) = ingest.read([write("sacct.txt", text)]).meters
    assert one.power_w.tolist() == [500.0, 500.0]


def test_raw_job_ids(write: Write) -> None:
    text = "JobIDRaw|State|ElapsedRaw|ConsumedEnergyRaw|Start|End|\n7|COMPLETED|100|50000|2025-01-01T10:00:00||\n"
    (one,) = ingest.read([write("sacct.txt", text)]).meters
    assert one.power_w.tolist() == [500.0, 500.0]


def test_dmons_command_in_the_log_gives_its_interval(write: Write) -> None:
    rows = "".join(f"    0    {29 + k}    64     -    96\n" for k in range(3))
    text = f"$ nvidia-smi dmon -i 0 -d 15\n# gpu   pwr gtemp mtemp    sm\n# Idx     W     C     C     %\n{rows}"
    (one,) = ingest.read([write("dmon.log", text)]).telemetry
    assert np.diff(one.time_s).tolist() == [15.0, 15.0]


def test_dcgmis_command_in_the_log_gives_its_interval(fixtures: Path, write: Write) -> None:
    text = (fixtures / "dcgmi_dmon" / "dmon.txt").read_text()
    (one,) = ingest.read([write("dcgmi.log", f"+ dcgmi dmon -e 155,156,203 -d 500\n{text}")]).telemetry
    assert np.diff(one.time_s).tolist() == [0.5, 0.5, 0.5]


def test_ipmitool_puts_the_sampling_period_behind_the_time(write: Write) -> None:
    """Since 1.8.19 the time has a zone and no line of its own."""
    block = (
        "    Instantaneous power reading:                   {} Watts\n"
        "    IPMI timestamp:                   11/24/26 07:35:{} CET    Sampling period:       00000060 Seconds.\n"
        "    Power reading state is:                   activated\n\n"
    )
    (one,) = ingest.read([write("dcmi.txt", "".join(block.format(500 + s, s) for s in (14, 16)))]).meters
    assert (one.power_w.tolist(), one.clock) == ([514.0, 516.0], "utc")
    assert one.time_s.tolist() == [1795502114.0, 1795502116.0]  # 06:35:14 UTC


def test_kinds_of_gpus_that_codecarbon_glues_together(fixtures: Path, write: Write) -> None:
    text = (fixtures / "codecarbon" / "emissions.csv").read_text()
    (one,) = ingest.read([str(fixtures / "codecarbon" / "emissions.csv")]).telemetry
    glued = text.replace(f"2 x {one.gpus[0].name}", "1 x NVIDIA GeForce RTX 40601 x NVIDIA GeForce RTX 3080 Ti")
    (two,) = ingest.read([write("emissions.csv", glued)]).telemetry
    assert [gpu.name for gpu in two.gpus] == ["NVIDIA GeForce RTX 4060", "NVIDIA GeForce RTX 3080 Ti"]


def test_a_time_before_every_line_of_dcgmi_the_header_too(write: Write) -> None:
    lines = ["#Entity   POWER   TOTEC", "ID        W       J"]
    lines += [f"GPU 0     {300 + k}.5   {1000 + 301 * k}" for k in range(3)]
    text = "".join(f"{1777708107.135 + k} {line}\n" for k, line in enumerate(lines))
    (one,) = ingest.read([write("dcgmi.log", text)]).telemetry
    assert one.time_s.tolist() == pytest.approx([1777708109.135, 1777708110.135, 1777708111.135])
    assert one.energy_j is not None and np.diff(one.energy_j[:, 0]).tolist() == [301.0, 301.0]


def test_codecarbons_flushes_are_readings_of_a_counter(fixtures: Path) -> None:
    (one,) = ingest.read([str(fixtures / "codecarbon" / "emissions.csv")]).telemetry
    assert one.energy_j is not None
    assert np.diff(one.time_s[:3]).tolist() == [600.0, 600.0]
    assert np.diff(one.energy_j[:3].sum(axis=1)) == pytest.approx([0.1 * 3.6e6] * 2)
