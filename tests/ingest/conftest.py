"""Fixtures of the ingest tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import TrainingLog

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    """Return a function that writes a file below tmp_path and gives its path."""

    def put(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return str(path)

    return put


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of small files in each format, written for these tests."""
    return FIXTURES


@pytest.fixture
def run_of(fixtures: Path) -> Callable[[str], TrainingLog]:
    """Return a function that reads the one training log of a file, given below the fixtures or absolutely, in UTC."""

    def read(name: str) -> TrainingLog:
        (log,) = ingest.read([str(fixtures / name)], timezone="UTC").training
        return log

    return read


@pytest.fixture
def spans() -> Callable[[TrainingLog], list[tuple[str, str, Any]]]:
    """Return a function that gives a log's phases as `(name, HH:MM:SS of the begin, seconds)`."""

    def told(log: TrainingLog) -> list[tuple[str, str, Any]]:
        starts = (datetime.fromtimestamp(p.start_s, UTC).strftime("%H:%M:%S") for p in log.phases)
        lengths = (pytest.approx(p.end_s - p.start_s, abs=1e-3) for p in log.phases)
        return list(zip((p.name for p in log.phases), starts, lengths, strict=True))

    return told
