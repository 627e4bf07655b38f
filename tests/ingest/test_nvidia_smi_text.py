"""`nvidia-smi -q` and the plain table, appended by a loop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import Telemetry

Write = Callable[[str, str | bytes], str]


def one(path: str | Path, **options: str) -> Telemetry:
    (telemetry,) = ingest.read([str(path)], **options).telemetry  # type: ignore[arg-type]
    return telemetry


def test_a_report_gives_the_boards_power_never_the_modules(fixtures: Path) -> None:
    telemetry = one(fixtures / "nvidia_smi_query" / "power.txt")
    assert telemetry.power_w[:2].tolist() == [[600.25, 610.25], [601.25, 611.25]]
    assert np.isnan(telemetry.power_w[2, 1])  # the last report is cut
    assert telemetry.power_field == "average"
    gpu = telemetry.gpus[1]
    assert (gpu.index, gpu.uuid, gpu.power_limit_w, gpu.memory_mib, gpu.mig) == (1, "GPU-1", 700.0, 81559.0, False)
    assert telemetry.util_percent is not None and telemetry.util_percent[0].tolist() == [97.0, 0.0]


OLD = """==============NVSMI LOG==============

Timestamp                           : Mon Apr  9 12:25:{second:02d} 2018
Driver Version                      : 390.30

Attached GPUs                       : 1
GPU 00000000:1E:00.0
    Power Readings
        Power Management            : Supported
        Power Draw                  : {watts}
        Power Limit                 : 149.00 W
        Enforced Power Limit        : 140.00 W
    Power Samples
        Duration                    : 2.36 sec
        Max                         : 500.00 W
        Avg                         : 1.00 W

"""


def test_old_drivers_and_power_only(write: Write) -> None:
    reports = [OLD.format(second=s, watts=w) for s, w in ((1, "60.00 W"), (2, "61.00 W"), (3, "N/A"))]
    telemetry = one(write("smi.txt", "".join(reports)))
    assert telemetry.power_w[:2, 0].tolist() == [60.0, 61.0] and np.isnan(telemetry.power_w[2, 0])
    assert (telemetry.power_field, telemetry.gpus[0].power_limit_w) == ("unspecified", 140.0)


def test_samples_faster_than_the_clock_are_spread_over_its_second(write: Write) -> None:
    reports = [OLD.format(second=n // 4, watts=f"{60 + n} W") for n in range(12)]
    telemetry = one(write("smi.txt", "".join(reports)))
    assert np.diff(telemetry.time_s) == pytest.approx([0.25] * 11)


def test_the_plain_table_gives_whole_watts_and_the_limit(fixtures: Path) -> None:
    telemetry = one(fixtures / "nvidia_smi_table" / "loop.txt", timezone="America/New_York")
    assert telemetry.power_w[:2].tolist() == [[300.0, 301.0], [301.0, 302.0]]
    assert [gpu.power_limit_w for gpu in telemetry.gpus] == [400.0, 400.0]
    assert telemetry.gpus[0].name == "NVIDIA A100-SXM4-80GB"
    assert telemetry.quality.bad_lines == 1


def test_one_table_is_a_moment_and_no_log(fixtures: Path, write: Write) -> None:
    text = (fixtures / "nvidia_smi_table" / "loop.txt").read_text().split("Thu Oct")[1]
    with pytest.raises(EcoauditError, match="not a log"):
        ingest.read([write("smi.txt", f"Thu Oct{text}")])


def test_xml_says_which_power_it_holds(write: Write) -> None:
    gpu = "<uuid>GPU-1</uuid><gpu_power_readings><{0}>270.10 W</{0}></gpu_power_readings>"
    for name, meaning in (("average_power_draw", "average"), ("power_draw", "unspecified")):
        report = f"<nvidia_smi_log><timestamp>Mon Aug  7 11:10:06 2023</timestamp><gpu>{gpu.format(name)}</gpu>"
        assert one(write("smi.xml", f"{report}</nvidia_smi_log>\n")).power_field == meaning
