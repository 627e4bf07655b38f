"""What a run marked in its own recording: steps with their tokens, and what went wrong while recording."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ecoaudit.ingest.records import Event, ReadQuality, TrainingLog
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

    A marker stands at the end of its step and carries the running total of tokens, so training begins one step before
    the first. Steps that come again after a restart count once, with their tokens; the rest is rework.
    """
    for stream in found:
        marks = [e for e in sorted(stream.events, key=lambda e: e.time_s) if e.name == "step" and _is_number(e.value)]
        if len(marks) > 1:
            return _training(stream, marks)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _training(stream: Stream, marks: Sequence[Event]) -> TrainingLog:
    steps = [int(float(mark.value or 0)) for mark in marks]
    times = [mark.time_s for mark in marks]
    each = [(t1 - t0) / (s1 - s0) for (t0, s0), (t1, s1) in pairwise(zip(times, steps, strict=True)) if s1 > s0]
    step_s = float(np.median(each)) if each else 0.0
    again = sum(max(0, before - after + 1) for before, after in pairwise(steps))
    count = max(steps) - min(steps) + 1
    totals = [_number(mark.attributes.get("tokens")) for mark in marks]
    tokens = rework_tokens = None
    if all(total is not None for total in totals):
        known = [total or 0.0 for total in totals]
        computed = known[-1] + sum(before for before, after in pairwise(known) if after < before)
        rework_tokens = computed * again / (count + again)
        tokens = computed - rework_tokens
    return TrainingLog(
        source=stream.files[0].source,
        framework="step markers in the recording",
        quality=ReadQuality(),
        clock="utc",
        first_step=min(steps),
        last_step=max(steps),
        step_count=count,
        train_start_s=times[0] - step_s,
        train_end_s=times[-1],
        tokens=tokens,
        rework_steps=again,
        rework_tokens=rework_tokens if again else None,
    )


def _number(value: str | float | int | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None
