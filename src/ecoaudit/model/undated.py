"""Recordings without a clock (dmon's and rocm-smi's default) brought onto the training log's."""

from collections.abc import Sequence
from dataclasses import replace

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import Telemetry, TrainingLog
from ecoaudit.model.load_curve import load_curve
from ecoaudit.model.nodes import streams
from ecoaudit.model.notes import Notes
from ecoaudit.model.span import Span, training_span
from ecoaudit.model.without_clock import start_in_recording


def dated(telemetry: Sequence[Telemetry], training: TrainingLog | None, notes: Notes) -> Sequence[Telemetry]:
    """Return the recordings; those without a clock on the training log's, where that has one.

    They are taken to have begun together, and the training to have run where their GPUs worked. Raises `EcoauditError`
    where other recordings have a clock and nothing tells how the two belong together.
    """
    undated = [file for file in telemetry if file.clock == "none"]
    if not undated:
        return telemetry
    ran = training_span(training) if training is not None and training.clock != "none" else None
    if ran is None or training is None:
        if len(undated) < len(telemetry):
            other = next(file for file in telemetry if file.clock != "none")
            raise EcoauditError(
                f"the recording has no clock, but {other.source.path} has: which of their times are the same is not "
                "known",
                where=undated[0].source.path,
                fix="audit them apart, add the training log, or record with times (nvidia-smi dmon -o DT)",
            )
        return telemetry
    found = streams(undated, Notes())
    recorded = Span(min(s.start_s for s in found), max(s.end_s for s in found), "telemetry, first to last sample")
    move = ran.start_s - start_in_recording(load_curve(found), recorded, ran, notes)
    return [
        replace(file, time_s=file.time_s + move, clock=training.clock) if file.clock == "none" else file
        for file in telemetry
    ]
