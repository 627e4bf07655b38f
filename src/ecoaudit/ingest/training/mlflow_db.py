"""MLflow's SQLite store, `mlflow.db`, the default place of runs since MLflow 3.7."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FormatInfo, ReadOptions, Record
from ecoaudit.ingest.training import mlflow
from ecoaudit.ingest.values import epoch

FORMAT = FormatInfo(
    format="mlflow_db",
    kind="training",
    title="MLflow database (SQLite store), mlflow.db",
    reads=mlflow.FORMAT.reads,
    seen="MLflow 3.17; deleted runs are left out",
    cannot_tell="which of several runs is meant: one after the other, they are refused; else as of the folder",
)

_MAGIC = b"SQLite format 3\0"
_RUNS = "SELECT run_uuid, status, start_time, end_time FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time"
_METRICS = "SELECT key, timestamp, value, is_nan, step FROM metrics WHERE run_uuid = ? ORDER BY key, timestamp, step"
_PARAMS = "SELECT key, value FROM params WHERE run_uuid = ?"


def sniff(head: Head) -> str | None:
    """Recognise MLflow's tables, which may stand far behind a database's first bytes, or its file's name."""
    if head.raw.startswith(_MAGIC) and (b"lifecycle_stage" in head.raw or head.name == "mlflow.db"):
        return "SQLite database with MLflow's tables or name"
    return None


def read(file: LogFile, options: ReadOptions) -> list[Record]:  # noqa: ARG001 - MLflow times are UTC
    """Return the logs and telemetry of the runs that have metrics.

    Raises `EcoauditError` when the file is no readable MLflow database or holds no such run.
    """
    if file.is_url:
        raise EcoauditError("a database must be a local file", where=file.path, fix="download it first")
    out: list[Record] = []
    try:
        with closing(sqlite3.connect(f"{Path(file.path).resolve().as_uri()}?mode=ro", uri=True)) as store:
            for run_id, status, start, end in store.execute(_RUNS).fetchall():
                meta: Mapping[str, Any] = {
                    "run_id": run_id,
                    "status": status,
                    "start_time": start,
                    "end_time": end,
                }
                account = Account()
                rows = list(_metrics(store, run_id, account))
                if rows:
                    params = {str(key): str(value) for key, value in store.execute(_PARAMS, (run_id,))}
                    out += mlflow.records_of(file, FORMAT.format, account, meta, rows, params)
    except sqlite3.Error as error:
        raise EcoauditError(f"not a readable MLflow database: {error}", where=file.path) from error
    if not out:
        raise EcoauditError("the MLflow database holds no run with metrics", where=file.path)
    return out


def _metrics(store: sqlite3.Connection, run_id: str, account: Account) -> Iterator[tuple[str, float, float, int]]:
    for key, stamp, value, is_nan, step in store.execute(_METRICS, (run_id,)):
        account.lines += 1
        try:
            row = (str(key), epoch(float(stamp)), float("nan") if is_nan else float(value), int(step))
        except (TypeError, ValueError, OverflowError):
            account.bad(account.lines, f"{key}: {stamp} {value} {step}", "not a metric's row")
            continue
        account.records += 1
        yield row
