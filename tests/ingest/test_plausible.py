"""Power readings that no board can have drawn become missing and are counted; meters of nodes read as logged."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import Telemetry

Write = Callable[[str, str | bytes], str]


def smi(cells: list[str]) -> str:
    rows = (f"2026/11/23 10:00:{i:02d}.000, 0, NVIDIA A100-SXM4-80GB, {cell}, 90 %\n" for i, cell in enumerate(cells))
    return "timestamp, index, name, power.draw [W], utilization.gpu [%]\n" + "".join(rows)


def wandb(cells: list[float]) -> str:
    return "".join(
        json.dumps({"_timestamp": 1.7e9 + i, "_runtime": i, "gpu.0.powerWatts": cell, "gpu.0.gpu": 99}) + "\n"
        for i, cell in enumerate(cells)
    )


def dmon(cells: list[str]) -> str:
    rows = (f" 20261123 10:00:{i:02d}    0  {cell}     50\n" for i, cell in enumerate(cells))
    return "#Date       Time        gpu    pwr  gtemp\n#YYYYMMDD   HH:MM:SS    Idx      W      C\n" + "".join(rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("smi.csv", smi(["300.00 W", "-5.00 W", "300.00 W", "-5.00 W"])),
        ("system.jsonl", wandb([300.0, -5.0, 300.0, -5.0])),
        ("dmon.txt", dmon(["300", "-5", "300", "-5"])),
    ],
)
def test_a_board_cannot_draw_less_than_nothing(write: Write, name: str, content: str) -> None:
    telemetry = one(write(name, content))
    np.testing.assert_array_equal(telemetry.power_w[:, 0], [300.0, np.nan, 300.0, np.nan])
    assert "2 power readings below 0 W are treated as missing" in telemetry.quality.warnings


@pytest.mark.parametrize("impossible", [2e6, 1e300, float("inf")])
def test_a_board_cannot_draw_megawatts(write: Write, impossible: float) -> None:
    telemetry = one(write("system.jsonl", wandb([300.0, impossible, 300.0])))
    np.testing.assert_array_equal(telemetry.power_w[:, 0], [300.0, np.nan, 300.0])
    assert "1 power readings above 1 MW are treated as missing" in telemetry.quality.warnings


def test_readings_that_the_log_leaves_out_are_counted(write: Write) -> None:
    telemetry = one(write("smi.csv", smi(["[Unknown Error]", "300.00 W", "300.00 W", "[N/A]"])))
    assert "2 of 4 power readings are missing" in telemetry.quality.warnings


def test_a_log_without_holes_has_no_warning_of_them(write: Write) -> None:
    telemetry = one(write("smi.csv", smi(["0.00 W", "300.00 W"])))
    assert not any("missing" in warning for warning in telemetry.quality.warnings)


def test_a_meter_of_a_node_reads_as_logged(write: Write) -> None:
    (meter,) = ingest.read([write("watts.csv", "timestamp,watts\n1795428000,2000\n1795428001,-100\n")]).meters
    assert meter.power_w.tolist() == [2000.0, -100.0]


def one(path: str) -> Telemetry:
    (telemetry,) = ingest.read([path]).telemetry
    return telemetry
