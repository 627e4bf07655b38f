"""Job and training window: what was paid for, and the training inside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import NO_ZONE, MeterLog, Phase, TrainingLog
from ecoaudit.model.audit import Window, Windows
from ecoaudit.model.load_curve import boards_kwh, load_curve
from ecoaudit.model.nodes import Stream
from ecoaudit.model.notes import Notes
from ecoaudit.model.placing import on_clock, on_markers
from ecoaudit.model.span import Span, span_of, training_span
from ecoaudit.model.steps import StepSpan, step_spans
from ecoaudit.model.without_clock import LEFT_OUT, by_edges, by_run_time

ACTIVE_SHARE = 0.25
"""Boards together below this share of their own highest power are idle."""
UNREAD_S = 60.0
"""Without a reading for longer than this, or than two points of a coarse profile, what the GPUs did is unknown."""


@dataclass(frozen=True, slots=True)
class RunTime:
    """The run's windows, phases and steps on one clock; a window without a place on the clock has only a duration.

    `clock_offset_s` was added to the training log's times, None where it has none.
    """

    job: Span | None
    training: Span | None
    duration_s: float | None
    training_duration_s: float | None
    phases: tuple[Phase, ...] = ()
    steps: tuple[StepSpan, ...] = ()
    clock_offset_s: float | None = None

    def windows(self) -> Windows:
        """Return both windows for the audit."""

        def window(span: Span | None, duration_s: float | None) -> Window | None:
            if span is not None:
                return span.window()
            return Window(duration_s=duration_s, source="run time in the training log") if duration_s else None

        return Windows(
            job=window(self.job, self.duration_s),
            training=window(self.training, self.training_duration_s),
            clock_offset_s=self.clock_offset_s,
        )


def run_time(
    found: Sequence[Stream],
    meters: Sequence[MeterLog],
    training: TrainingLog | None,
    marked: TrainingLog | None,
    notes: Notes,
) -> tuple[RunTime, TrainingLog | None]:
    """Return the windows and the training log, moved to the telemetry's clock where that was needed.

    `marked` is the training as step markers in the telemetry tell it.
    """
    recorded = recorded_span(found, meters)
    moved_s = None
    if training is not None and recorded is not None and found:
        clocks = {file.clock for s in found for file in s.files} | {training.clock}
        placed = on_markers(training, marked, notes) if marked is not None else None
        if placed is None:
            placed = on_clock(training, load_curve(found), recorded, clocks, notes)
        training, moved_s = placed.log, placed.moved_s
    job, window = _windows(found, recorded, training, notes)
    told = {file.clock for s in found for file in s.files} or {training.clock if training is not None else "none"}
    if job is not None and told == {"naive"}:
        notes.warn(NO_ZONE)
    if job is None:
        runtime = training.runtime_s if training else None
        return RunTime(None, None, runtime, runtime), training
    steps = step_spans(training, window) if training is not None and window is not None else ()
    phases = _phases(found, training, job)
    seconds = window.duration_s if window is not None else None
    return RunTime(job, window, job.duration_s, seconds, phases, steps, moved_s), training


def _windows(
    found: Sequence[Stream], recorded: Span | None, training: TrainingLog | None, notes: Notes
) -> tuple[Span | None, Span | None]:
    """Return the job and the training window, None each where nothing places it on a clock."""
    if training is not None and training.benchmark is not None:
        span = span_of(training.train_start_s, training.train_end_s, "run_start to run_stop")
        if span is not None:
            return span, span  # an MLPerf run has only this window
    logged = training_span(training) if training else None
    process = span_of(training.job_start_s, training.job_end_s, "training log") if training else None
    if recorded is None or (not found and (process or logged)):
        # A meter on the wall knows nothing of the job; the training log's own times do.
        return process or logged, logged
    whole = training is not None and training.train_end_s is not None  # else it may have gone on
    job = _job(found, recorded, process or (logged if whole else None), notes)
    if logged is None and training is not None:
        logged = _placed(found, job, training, notes)
    if logged is not None:
        logged = span_of(max(logged.start_s, job.start_s), min(logged.end_s, job.end_s), logged.source)
    if logged is None:
        _warn_idle_ends(found, job, notes)
    return job, logged or job


def recorded_span(found: Sequence[Stream], meters: Sequence[MeterLog] = ()) -> Span | None:
    """Return the time from the first to the last sample, without telemetry what all node meters cover; None without."""
    if found:
        return span_of(min(s.start_s for s in found), max(s.end_s for s in found), "telemetry, first to last sample")
    logs = [m for m in meters if m.kind == "node" and m.time_s.size > 1]
    if not logs:
        return None
    return span_of(
        max(float(m.time_s[0]) for m in logs),
        min(float(m.time_s[-1]) for m in logs),
        "node meters, the time that all of them cover",
    )


def _job(found: Sequence[Stream], recorded: Span, process: Span | None, notes: Notes) -> Span:
    """Return the recording's span, or the process's where a recording not made for the run goes on much longer."""
    own = bool(found) and all(f.source.format.startswith("ecoaudit") for s in found for f in s.files)
    if process is None or own:
        return recorded
    lead, tail = max(0.0, process.start_s - recorded.start_s), max(0.0, recorded.end_s - process.end_s)
    if lead + tail <= LEFT_OUT * recorded.duration_s:
        return recorded
    start, end = max(process.start_s, recorded.start_s), min(process.end_s, recorded.end_s)
    if end <= start:
        return recorded
    notes.warn(
        f"the recording is longer than the run in the training log: {lead:.0f} s before it (the boards took about "
        f"{boards_kwh(found, recorded.start_s, start):.3g} kWh) and {tail:.0f} s after it "
        f"({boards_kwh(found, end, recorded.end_s):.3g} kWh) are left out of the job"
    )
    return Span(start, end, process.source)


def _placed(found: Sequence[Stream], job: Span, training: TrainingLog, notes: Notes) -> Span | None:
    """Find the training window of a log without a clock: by the recorder's phases, else by the power of the GPUs."""
    train = [p for p in _event_phases(found, job) if p.name == "train"]
    if train:
        return Span(train[0].start_s, train[-1].end_s, "phase events in the telemetry")
    if not found:
        return None
    if not training.runtime_s:
        return by_edges(load_curve(found), job, notes)
    if training.runtime_s >= (1 - LEFT_OUT) * job.duration_s:
        return None
    return by_run_time(load_curve(found), job, training, notes)


def idle_ends(found: Sequence[Stream], job: Span) -> tuple[float, float]:
    """Return how long the GPUs of all nodes were idle at the start and at the end of the job, in s.

    What was not read at an end (`UNREAD_S`) is not idle but unknown.
    """
    first = last = begin = end = None
    coarse_s = UNREAD_S
    for stream in found:
        profiles = stream.profiles
        limit = ACTIVE_SHARE * max((float(p.power_w.max(initial=0.0)) for p in profiles), default=0.0)
        for p in profiles:
            inside = (p.time_s >= job.start_s) & (p.time_s <= job.end_s)
            read, active = p.time_s[inside & (p.power_w > 0)], p.time_s[inside & (p.power_w > limit)]
            if read.size:
                coarse_s = max(coarse_s, 2.0 * float(np.median(np.diff(read))) if read.size > 1 else 0.0)
                begin = float(read[0]) if begin is None else min(begin, float(read[0]))
                end = float(read[-1]) if end is None else max(end, float(read[-1]))
            if active.size:
                first = float(active[0]) if first is None else min(first, float(active[0]))
                last = float(active[-1]) if last is None else max(last, float(active[-1]))
    if first is None or last is None or begin is None or end is None:
        return 0.0, 0.0
    known = (
        job.start_s if begin - job.start_s <= coarse_s else begin,
        job.end_s if job.end_s - end <= coarse_s else end,
    )
    return first - known[0], known[1] - last


def _warn_idle_ends(found: Sequence[Stream], job: Span, notes: Notes) -> None:
    lead, tail = idle_ends(found, job)
    if lead > LEFT_OUT * job.duration_s or tail > LEFT_OUT * job.duration_s:
        notes.warn(
            "nothing tells when training began and ended, so the whole recording counts as the run, but the GPUs idle "
            f"for {lead:.0f} s at its start and {tail:.0f} s at its end"
        )


def _event_phases(found: Sequence[Stream], job: Span) -> list[Phase]:
    """Return the phases between the phase events of the first node that has any; the last one ends with the job."""
    for stream in found:
        events = sorted(stream.events, key=lambda e: e.time_s)  # of two in one millisecond the later one counts
        marks = [(e.time_s, str(e.value)) for e in events if e.name == "phase" and e.value is not None]
        if marks:
            ends = [time for time, _ in marks[1:]] + [job.end_s]
            spans = zip(marks, ends, strict=True)
            return [
                Phase(name, max(time, job.start_s), min(end, job.end_s))
                for (time, name), end in spans
                if min(end, job.end_s) > max(time, job.start_s)
            ]
    return []


def _phases(found: Sequence[Stream], training: TrainingLog | None, job: Span) -> tuple[Phase, ...]:
    """Return the recorder's phases, else the log's, cut to the job, sorted, without overlap."""
    phases = _event_phases(found, job) or sorted(training.phases if training else (), key=lambda p: p.start_s)
    kept: list[Phase] = []
    for phase in phases:
        start = max(phase.start_s, kept[-1].end_s if kept else job.start_s)
        end = min(phase.end_s, job.end_s)
        if end > start:
            kept.append(Phase(phase.name, start, end))
    return tuple(kept)
