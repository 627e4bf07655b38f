"""Runs that a tracker (W&B, MLflow) tells apart: several of them, one after the other, are not one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import Telemetry, TrainingLog


@dataclass
class _Run:
    folder: Path
    start_s: float
    end_s: float
    continues: bool = False

    def cover(self, start_s: float, end_s: float) -> None:
        self.start_s, self.end_s = min(self.start_s, start_s), max(self.end_s, end_s)


def check_one_run(telemetry: Sequence[Telemetry], training: Sequence[TrainingLog]) -> None:
    """Raise `EcoauditError` where the tracker's runs are several that do not belong together.

    Runs at the same time are ranks of one job; a run whose steps begin in the middle goes on with an earlier one. A
    run that begins anew after another has ended is one of its own. Exports without an identity are told by the folder.
    """
    runs: dict[str, _Run] = {}
    records: list[Telemetry | TrainingLog] = [*training, *telemetry]
    for record in records:
        span = _span(record)
        if span is None or not record.source.format.startswith(("wandb", "mlflow")):
            continue
        folder = Path(record.source.path).parent
        run = runs.setdefault(record.run_id or str(folder), _Run(folder, *span))
        run.cover(*span)
        run.continues |= isinstance(record, TrainingLog) and _continues(record)
    ordered = sorted(runs.values(), key=lambda run: run.start_s)
    end_s = -np.inf
    for run in ordered:
        if run.start_s >= end_s and not run.continues and run is not ordered[0]:
            raise EcoauditError(
                f"{len(runs)} runs of the tracker are among the inputs, one after the other",
                where=str(run.folder),
                fix="audit one run at a time: its folder, or its export from a database",
            )
        end_s = max(end_s, run.end_s)


def without_totals(telemetry: Sequence[Telemetry]) -> list[Telemetry]:
    """Return the telemetry without a CodeCarbon tracker's totals where the file of its tasks is among the inputs."""
    fullest: dict[str | None, Telemetry] = {}
    for one in telemetry:
        known = fullest.setdefault(one.run_id, one)
        if len(one.time_s) > len(known.time_s):
            fullest[one.run_id] = one
    return [
        one
        for one in telemetry
        if one.source.format != "codecarbon" or one.run_id is None or fullest[one.run_id] is one
    ]


def _span(record: Telemetry | TrainingLog) -> tuple[float, float] | None:
    if isinstance(record, Telemetry):
        return (float(record.time_s[0]), float(record.time_s[-1])) if len(record.time_s) else None
    times = [
        t for t in (record.job_start_s, record.train_start_s, record.train_end_s, record.job_end_s) if t is not None
    ]
    return (min(times), max(times)) if times else None


def _continues(log: TrainingLog) -> bool:
    """Return whether the log's steps begin in the middle of a run: further than one interval from the start."""
    if log.steps is None or not len(log.steps.step):
        return False
    ahead = np.diff(log.steps.step)
    ahead = ahead[ahead > 0]
    return bool(log.steps.step.min() > (np.median(ahead) if len(ahead) else log.steps.step.max()))
