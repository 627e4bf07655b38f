"""What a run marked in its own recording: steps with their tokens, and what went wrong while recording."""

import math
from collections.abc import Sequence

import numpy as np

from ecoaudit.ingest.records import Event, ReadQuality, StepSeries, TrainingLog
from ecoaudit.model.nodes import Stream
from ecoaudit.model.notes import Notes

_INCIDENTS = {
    "gpu_lost": "a GPU stopped answering: from then on its energy is filled, not read",
    "driver_lost": "the driver stopped answering: until it came back the boards' energy is filled or bridged",
    "suspended": "the machine was suspended",
    "dropped": "the recorder could not write some of its lines",
}


def note_incidents(found: Sequence[Stream], notes: Notes) -> None:
    """Warn of incidents that the recorders noted, once for each node and kind."""
    for stream in found:
        names = [event.name for event in stream.events]
        for name, text in _INCIDENTS.items():
            if name in names:
                notes.warn(f"{stream.label}: {text} ({names.count(name)} times)")


def marked_training(found: Sequence[Stream]) -> TrainingLog | None:
    """Return the training as step markers tell it, None without two of them.

    A marker stands at the end of its steps and carries the running total of tokens, so training begins as many steps
    before the first as a marker stands for. Steps that come again after a restart count once, with their tokens; the
    rest is rework.
    """
    for stream in found:
        marks = [e for e in sorted(stream.events, key=lambda e: e.time_s) if e.name == "step" and _is_number(e.value)]
        if len(marks) > 1:
            return _training(stream, marks)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _training(stream: Stream, marks: Sequence[Event]) -> TrainingLog:
    step = np.array([int(float(mark.value or 0)) for mark in marks])
    times = np.array([mark.time_s for mark in marks])
    ahead, spent = np.diff(step), np.diff(times)
    each = int(np.median(ahead[ahead > 0])) if (ahead > 0).any() else 1
    step_s = float(np.median(spent[ahead > 0] / ahead[ahead > 0])) if (ahead > 0).any() else 0.0
    again = int((each - ahead[ahead < 0]).sum()) + each * int((ahead == 0).sum())
    first_line = max(1, min(int(step[0]), each))
    count = int(step.max() - step.min()) + first_line
    running = np.array([_number(mark.attributes.get("tokens")) for mark in marks])
    tokens = rework_tokens = None
    if np.isfinite(running).all():
        computed = float(running[-1] + running[:-1][np.diff(running) < 0].sum())
        rework_tokens = computed * again / (count + again)
        tokens = computed - rework_tokens
    unknown = np.full(step.size, np.nan)
    return TrainingLog(
        source=stream.files[0].source,
        framework="step markers in the recording",
        quality=ReadQuality(),
        clock="utc",
        steps=StepSeries(step, times, unknown, running, unknown, unknown),
        first_step=int(step.min()),
        last_step=int(step.max()),
        step_count=count,
        train_start_s=float(times[0]) - first_line * step_s,
        train_end_s=float(times[-1]),
        tokens=tokens,
        rework_steps=again,
        rework_tokens=rework_tokens if again else None,
    )


def _number(value: str | float | int | None) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
