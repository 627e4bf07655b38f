"""GPU and meter logs out of containers, CI runners and schedulers: what stands before the lines is not the log's."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest

Write = Callable[[str, str | bytes], str]

LOGS = (
    "codecarbon/emissions.csv",
    "cray/counters.txt",
    "dcgmi_dmon/dmon.txt",
    "gpustat/log.json",
    "nvidia_smi_csv/units.csv",
    "nvidia_smi_dmon/dates.txt",
    "nvidia_smi_query/power.txt",
    "nvidia_smi_table/loop.txt",
    "nvidia_smi_xml/log.xml",
    "powermetrics/log.txt",
    "prometheus/metrics.txt",
    "prometheus/range.json",
    "redfish/report.json",
    "rocm_smi_csv/amd.csv",
    "sacct/parsable.txt",
    "watts_csv/hioki.csv",
    "watts_csv/pdu.csv",
    "zeus/log.csv",
)


def before_each_line(prefix: str) -> Callable[[str], bytes]:
    return lambda text: "\n".join(prefix + line for line in text.removesuffix("\n").split("\n")).encode()


WRAPPERS: dict[str, Callable[[str], bytes]] = {
    "windows": lambda text: text.replace("\n", "\r\n").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "srun -l": before_each_line("3: "),
    "docker, GitHub Actions": before_each_line("2026-01-01T00:00:00.1234567Z "),
    "docker compose": before_each_line("smi-1  | "),
    "journal": before_each_line("Jan  1 00:00:00 n01 smi[77]: "),
    "srun -l in CI": before_each_line("2026-01-01T00:00:00.1234567Z 3: "),
}


def told(path: str) -> list[tuple[object, ...]]:
    logs = ingest.read([path])
    boards = [(t.source.format, t.power_w.shape, float(np.nansum(t.power_w))) for t in logs.telemetry]
    meters = [(m.source.format, len(m.time_s), float(m.power_w.sum())) for m in logs.meters]
    return [*boards, *meters, *((r.tool, r.energy_kwh) for r in logs.reported)]


@pytest.mark.parametrize("name", LOGS)
def test_the_same_readings_whatever_stands_before_them(fixtures: Path, write: Write, name: str) -> None:
    text = (fixtures / name).read_text()
    plain = told(str(fixtures / name))
    assert plain
    if "dmon" in name:  # a time before each line is dmon's own time then
        kinds = {k: w for k, w in WRAPPERS.items() if "CI" not in k and "docker" not in k and "GitHub" not in k}
    else:
        kinds = WRAPPERS
    for kind, wrap in kinds.items():
        assert told(write("log", wrap(text))) == plain, kind


def test_tasks_of_srun_are_nodes(write: Write) -> None:
    header = "timestamp, index, power.draw [W]"
    rows = [
        f"{task}: 2025/01/01 10:00:0{tick}.{task}00, 0, {100 * (task + 1)}.00 W" for tick in range(4) for task in (0, 1)
    ]
    found = ingest.read([write("smi.log", "\n".join([f"0: {header}", f"1: {header}", *rows]))]).telemetry
    assert [t.host for t in found] == ["task 0", "task 1"]
    assert [t.power_w[:, 0].tolist() for t in found] == [[100.0] * 4, [200.0] * 4]


def test_bmcs_of_several_tasks_are_several_meters(write: Write) -> None:
    reading = "Current Power                        : {} Watts"
    lines = [
        f"{task}: {line}" for k in range(3) for task in (0, 1) for line in (1764000000 + k, reading.format(500 + task))
    ]
    found = ingest.read([write("bmc.log", "\n".join(lines))]).meters
    assert [(m.label, m.power_w.tolist()) for m in found] == [
        ("bmc task 0", [500.0] * 3),
        ("bmc task 1", [501.0] * 3),
    ]


def test_dmon_takes_the_times_that_a_wrapper_puts_before_its_lines(write: Write) -> None:
    lines = ["# gpu    pwr     sm", "# Idx      W      %", *(f"    0    30{k}     99" for k in range(3))]
    text = "\n".join(f"{1764000000 + 5 * i} {line}" for i, line in enumerate(lines))
    (one,) = ingest.read([write("dmon.log", text)]).telemetry
    assert one.time_s.tolist() == [1764000010, 1764000015, 1764000020]
    assert one.clock == "utc"


def test_an_issue_around_a_table(fixtures: Path, write: Write) -> None:
    for name in ("nvidia_smi_csv/units.csv", "codecarbon/emissions.csv", "zeus/log.csv", "watts_csv/pdu.csv"):
        text = f"# Power\n\nMy log:\n\n```\n{(fixtures / name).read_text()}\n```\nthanks\n"
        assert told(write("issue.md", text)) == told(str(fixtures / name)), name
