"""The result log of an MLPerf run: its window, status and work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ecoaudit.calibrate.mllog import Event, events
from ecoaudit.calibrate.workloads import RESULT_KEYS, samples, workload_name


@dataclass(frozen=True, slots=True)
class ResultLog:
    """What a result log says: the window in ms, status, samples and how it names itself."""

    start_ms: int
    stop_ms: int
    status: str
    workload: str
    samples: float | None

    @property
    def duration_s(self) -> float:
        """Seconds from run_start to run_stop."""
        return (self.stop_ms - self.start_ms) / 1000.0


def read_result(path: Path, folder_name: str) -> ResultLog | str:
    """Return what the result log says, or why it is of no use; lines that every rank logs count once.

    A run that broke off has status `no run_stop` and ends with its last event.
    """
    found = list(events(path, RESULT_KEYS))
    starts = [e.time_ms for e in found if e.key == "run_start"]
    stops = [e for e in found if e.key == "run_stop"]
    if not starts:
        return "the result log has no run_start"
    start, stop = min(starts), max(e.time_ms for e in stops or found)
    if stop <= start:
        return "the result log ends at run_start"
    workload = workload_name(_text(found, "submission_benchmark") or folder_name)
    return ResultLog(int(start), int(stop), _status(stops), workload, samples(workload, found))


def _status(stops: Sequence[Event]) -> str:
    if not stops:
        return "no run_stop"
    stated = [str(s) for e in stops if (s := e.detail("status")) is not None]
    return stated[-1] if stated else "not stated"


def _text(found: Sequence[Event], key: str) -> str | None:
    return next((str(e.value) for e in found if e.key == key and e.value), None)
