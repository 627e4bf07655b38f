"""MLflow's SQLite store: the runs of a database as those of run folders."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError

START = 1764000000.0
SCHEMA = """
CREATE TABLE runs (run_uuid TEXT, status TEXT, start_time BIGINT, end_time BIGINT, lifecycle_stage TEXT);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
"""


def database(path: Path, runs: list[tuple[str, str, float]]) -> str:
    """Write a database of runs (id, lifecycle stage, start) of 60 s with six steps and one GPU each."""
    with closing(sqlite3.connect(path)) as store:
        store.executescript(SCHEMA)
        for run_id, stage, start in runs:
            begin = int(start * 1000)
            store.execute("INSERT INTO runs VALUES (?, 'FINISHED', ?, ?, ?)", (run_id, begin, begin + 60_000, stage))
            store.execute("INSERT INTO params VALUES ('bf16', 'True', ?)", (run_id,))
            for step in range(1, 7):
                stamp = begin + 10_000 * step
                rows = [("loss", 3.0 - step / 10, step == 6), ("system/gpu_0_power_usage_watts", 300.0 + step, False)]
                for key, value, is_nan in rows:
                    store.execute(
                        "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", (key, value, stamp, run_id, step, is_nan)
                    )
        store.commit()
    return str(path)


def test_a_database_of_one_run_is_read_like_its_folder(tmp_path: Path) -> None:
    found = ingest.read([database(tmp_path / "mlflow.db", [("r0", "active", START), ("r1", "deleted", START + 500)])])
    (log,), (one,) = found.training, found.telemetry
    assert (log.run_id, log.status, log.precision) == ("r0", "success", "bf16")
    assert (log.first_step, log.last_step, log.job_start_s, log.job_end_s) == (1, 6, START, START + 60)
    assert log.steps is not None and str(log.steps.loss[-1]) == "nan"
    assert one.power_w[:, 0].tolist() == [301.0, 302.0, 303.0, 304.0, 305.0, 306.0]


def test_runs_one_after_the_other_are_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "mlflow.db", [("r0", "active", START), ("r1", "active", START + 500)])
    with pytest.raises(EcoauditError, match="2 runs of the tracker"):
        ingest.read([path])


def test_a_database_without_runs_or_of_others_says_so(tmp_path: Path) -> None:
    with pytest.raises(EcoauditError, match="no run with metrics"):
        ingest.read([database(tmp_path / "mlflow.db", [])])
    with closing(sqlite3.connect(tmp_path / "other.db")) as store:
        store.execute("CREATE TABLE songs (title TEXT)")
        store.commit()
    with pytest.raises(EcoauditError, match="an SQLite database"):
        ingest.read([str(tmp_path / "other.db")])


def test_a_cut_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = Path(database(tmp_path / "mlflow.db", [("r0", "active", START)]))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(EcoauditError, match="not a readable MLflow database"):
        ingest.read([str(path)])
