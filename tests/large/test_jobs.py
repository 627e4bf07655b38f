"""Files shared among processes give what one process gives, and their errors and interrupts arrive as its own."""

import os
import sys
import types
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ecoaudit import pipeline
from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import ahead
from ecoaudit.jobs import Jobs, available_cpus
from ecoaudit.model.audit_json import encode
from large.test_heads import run
from worker_tasks import fail_at_two, vanish

SEED = 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of telemetry that counts as too large for memory."""
    monkeypatch.setattr(ahead, "IN_MEMORY_BYTES", 0)
    for name, data in run(SEED).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def audit(folder: Path, jobs: Jobs) -> bytes:
    with jobs:
        return encode(pipeline.audit_inputs([str(folder)], Config(region="aws:eu-north-1"), jobs=jobs))


def test_any_number_of_processes_gives_the_same_audit(folder: Path) -> None:
    assert len(list(folder.iterdir())) > 2
    told: list[tuple[str, int, int]] = []
    assert audit(folder, Jobs(2, progress=lambda *done: told.append(done))) == audit(folder, Jobs(1))
    files = len(list(folder.iterdir()))
    assert told == [(doing, n, files) for doing in ("reading", "integrating") for n in range(1, files + 1)]


def test_a_cluster_runs_what_a_pool_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Client:
        """Stands in for `distributed.Client`."""

        def __init__(self, address: str) -> None:
            asked.append(address)

        def get_executor(self) -> Executor:
            return ThreadPoolExecutor(2)

        def close(self) -> None:
            asked.append("closed")

    module: Any = types.ModuleType("distributed")
    module.Client = Client
    monkeypatch.setitem(sys.modules, "distributed", module)
    assert audit(folder, Jobs(dask="tcp://scheduler:8786")) == audit(folder, Jobs())
    assert asked == ["tcp://scheduler:8786", "closed"]


def test_a_scheduler_that_does_not_answer_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def client(address: str) -> None:
        raise OSError(f"Timed out trying to connect to {address}\n after 30 s")

    monkeypatch.setitem(sys.modules, "distributed", types.SimpleNamespace(Client=client))
    with pytest.raises(EcoauditError) as caught:
        audit(folder, Jobs(dask="tcp://nowhere:1"))
    assert caught.value.line().startswith("tcp://nowhere:1: cannot reach the Dask scheduler (Timed out")


def test_without_dask_the_error_names_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EcoauditError, match=r"ecoaudit\[dask\]"):
        audit(folder, Jobs(dask="tcp://scheduler:8786"))


def test_an_error_of_a_worker_arrives_as_the_same_line() -> None:
    lines = []
    for count in (1, 2):
        with pytest.raises(EcoauditError) as caught, Jobs(count) as jobs:
            list(jobs.map(fail_at_two, [0, 1, 2, 3], "reading"))
        lines.append(caught.value.line())
        assert (caught.value.what, caught.value.where, caught.value.fix) == (
            "the file is gone",
            "b.jsonl",
            "bring it back",
        )
    assert lines[0] == lines[1]


def test_a_worker_that_dies_is_an_error_not_a_hang() -> None:
    with pytest.raises(EcoauditError, match="a worker process ended"), Jobs(2) as jobs:
        list(jobs.map(vanish, [0, 1], "reading"))


def test_nothing_is_shared_that_is_but_one_file() -> None:
    with Jobs(8) as jobs:
        assert list(jobs.map(lambda n: n + 1, [1], "reading")) == [2]  # a lambda could not be pickled


def test_a_quota_of_the_container_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    for quota, expected in (("200000 100000", 2), ("max 100000", 64), ("10000 100000", 1)):
        monkeypatch.setattr(Path, "read_text", lambda *_, text=quota, **__: text)
        assert available_cpus() == expected
