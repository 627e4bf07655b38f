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
    """Return what the result log says, or why it is of no use; a rank's log lines of all ranks count once."""
    found = list(events(path, RESULT_KEYS))
    starts = [e.time_ms for e in found if e.key == "run_start"]
    stops = [e for e in found if e.key == "run_stop"]
    if not starts or not stops:
        return "the result log has no run_start or no run_stop"
    start, stop = min(starts), max(e.time_ms for e in stops)
    if stop <= start:
        return "run_stop is not after run_start"
    statuses = [str(s) for e in stops if (s := e.detail("status")) is not None]
    workload = workload_name(_text(found, "submission_benchmark") or folder_name)
    return ResultLog(
        int(start), int(stop), statuses[-1] if statuses else "not stated", workload, samples(workload, found)
    )


def _text(found: Sequence[Event], key: str) -> str | None:
    return next((str(e.value) for e in found if e.key == key and e.value), None)
