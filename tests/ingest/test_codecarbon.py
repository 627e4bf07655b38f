"""CodeCarbon's task mode: windows of one tracker, whose row in emissions.csv has the last one's duration."""

from collections.abc import Callable

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import Telemetry

Write = Callable[[str, str | bytes], str]
RUN = "3b0c1a52-run"
COLUMNS = (
    *("timestamp", "project_name", "run_id", "duration", "emissions", "cpu_energy", "gpu_energy", "ram_energy"),
    *("energy_consumed", "ram_power", "gpu_count", "gpu_model", "tracking_mode"),
)


def row(clock: str, tracked_s: float, run: str = RUN, duration_s: float | None = None, task: str = "") -> str:
    """A row of two boards of 500 W each and 20 W of memory, measured for so long."""
    gpu, ram = 1000 * tracked_s / 3.6e6, 20 * tracked_s / 3.6e6
    duration_s = tracked_s if duration_s is None else duration_s
    cells = [f"2025-11-24T{clock}", "p", run, duration_s, 0.4 * (gpu + ram), 0.0, gpu, ram, gpu + ram, 20.0, 2]
    return ",".join(str(c) for c in (*([task] if task else []), *cells, "2 x NVIDIA H100", "machine"))


def table(*rows: str, tasks: bool = False) -> str:
    return "\n".join([",".join((*(["task_name"] if tasks else []), *COLUMNS)), *rows, ""])


def joules(one: Telemetry) -> float:
    assert one.energy_j is not None
    return float((one.energy_j[-1] - one.energy_j[0]).sum())


TOTALS = table(row("10:20:00", 700.0, duration_s=100.0))
TASKS = table(row("10:10:00", 600.0, task="train"), row("10:20:00", 100.0, task="eval"), tasks=True)


def test_a_row_whose_duration_is_the_last_tasks_lasts_as_long_as_its_memory_says(write: Write) -> None:
    (one,) = ingest.read([write("emissions.csv", TOTALS)]).telemetry
    assert np.ptp(one.time_s) == pytest.approx(700.0)
    assert joules(one) / np.ptp(one.time_s) == pytest.approx(1000.0)  # W, not seven times as much


def test_tasks_are_windows_of_one_counter(write: Write) -> None:
    found = ingest.read([write("emissions_base_x.csv", TASKS)])
    (one,) = found.telemetry
    assert np.diff(one.time_s).tolist() == [0.0, 600.0, 500.0, 100.0]
    assert one.energy_j is not None
    assert np.diff(one.energy_j.sum(axis=1)) == pytest.approx([0.0, 6e5, 0.0, 1e5])
    assert found.reported[0].energy_kwh == pytest.approx(1020 * 700 / 3.6e6)
    assert "2 tasks are added up: energy between them was not measured" in one.quality.warnings


@pytest.mark.parametrize("names", [("emissions.csv", "emissions_base_x.csv"), ("b.csv", "a.csv")])
def test_a_tracker_counts_once_beside_its_tasks(write: Write, names: tuple[str, str]) -> None:
    paths = [write(names[0], TOTALS), write(names[1], TASKS)]
    for order in (paths, paths[::-1]):
        (one,) = ingest.read(order).telemetry
        assert joules(one) == pytest.approx(7e5)
        assert one.time_s[1] - one.time_s[0] == 0.0  # the tasks' windows, which tell more


def test_runs_after_one_another_add_up_though_their_stamps_are_whole_seconds(write: Write) -> None:
    rows = [row("10:00:10", 10.4), row("10:00:20", 10.4, run="another-run")]
    (one,) = ingest.read([write("emissions.csv", table(*rows))]).telemetry
    assert (np.diff(one.time_s) >= 0).all() and np.ptp(one.time_s) == pytest.approx(20.4)
    assert joules(one) == pytest.approx(2 * 10400)
