"""Job and training window: what was paid for, and the training inside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecoaudit.ingest.records import FloatArray, MeterLog, Phase, TrainingLog
from ecoaudit.model.audit import Window, Windows
from ecoaudit.model.clock import fitting_offsets, iso
from ecoaudit.model.intervals import split, trapezoid_j
from ecoaudit.model.nodes import Stream
from ecoaudit.model.notes import Notes

LEFT_OUT = 0.05
"""Idle or foreign time at the ends above this share of a recording is worth a warning."""
SAME_ENERGY = 0.05
"""Two stretches whose energies differ by less cannot be told apart by energy."""
PLACES, MOST_PLACES = 512, 65_536
"""Places tried for a run without a clock."""
ACTIVE_SHARE = 0.25
"""Boards together below this share of their own highest power are idle."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window in Unix seconds and what it was taken from."""

    start_s: float
    end_s: float
    source: str

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def window(self) -> Window:
        """Return the window as the audit prints it."""
        return Window(start=iso(self.start_s), end=iso(self.end_s), duration_s=self.duration_s, source=self.source)


@dataclass(frozen=True, slots=True)
class RunTime:
    """The run's windows and its phases on one clock; a window without a place on the clock has only a duration."""

    job: Span | None
    training: Span | None
    duration_s: float | None
    training_duration_s: float | None
    phases: tuple[Phase, ...]

    def windows(self) -> Windows:
        """Return both windows for the audit."""

        def window(span: Span | None, duration_s: float | None) -> Window | None:
            if span is not None:
                return span.window()
            return Window(duration_s=duration_s, source="run time in the training log") if duration_s else None

        return Windows(job=window(self.job, self.duration_s), training=window(self.training, self.training_duration_s))


def run_time(
    found: Sequence[Stream], meters: Sequence[MeterLog], training: TrainingLog | None, notes: Notes
) -> tuple[RunTime, TrainingLog | None]:
    """Return the windows and the training log, moved to the telemetry's clock where that was needed."""
    recorded = recorded_span(found, meters)
    if training is not None and recorded is not None and found:
        training = _aligned(training, found, recorded, notes)
    if training is not None and training.benchmark is not None and training.train_start_s is not None:
        span = _span(training.train_start_s, training.train_end_s, "run_start to run_stop")
        if span is not None:  # an MLPerf run has only this window
            return RunTime(span, span, span.duration_s, span.duration_s, training.phases), training
    logged = _span(training.train_start_s, training.train_end_s, "first to last logged step") if training else None
    process = _span(training.job_start_s, training.job_end_s, "training log") if training else None
    if recorded is None or (not found and (process or logged)):
        # A meter on the wall knows nothing of the job; the training log's own times do.
        job = process or logged
        if job is None:
            runtime = training.runtime_s if training else None
            return RunTime(None, None, runtime, runtime, ()), training
        return RunTime(
            job, logged, job.duration_s, logged.duration_s if logged else None, _phases(found, training, job)
        ), training
    job = _job(found, recorded, process or logged, notes)
    if logged is None and training is not None:
        logged = _placed(found, job, training, notes)
    if logged is not None:
        logged = _span(max(logged.start_s, job.start_s), min(logged.end_s, job.end_s), logged.source)
    if training is None:
        _warn_idle_ends(found, job, notes)
    window = logged or job
    return RunTime(job, window, job.duration_s, window.duration_s, _phases(found, training, job)), training


def _span(start_s: float | None, end_s: float | None, source: str) -> Span | None:
    if start_s is None or end_s is None or end_s <= start_s:
        return None
    return Span(start_s, end_s, source)


def recorded_span(found: Sequence[Stream], meters: Sequence[MeterLog] = ()) -> Span | None:
    """Return the time from the first to the last sample, without telemetry what all node meters cover; None without."""
    if found:
        return _span(min(s.start_s for s in found), max(s.end_s for s in found), "telemetry, first to last sample")
    logs = [m for m in meters if m.kind == "node" and m.time_s.size > 1]
    if not logs:
        return None
    return _span(
        max(float(m.time_s[0]) for m in logs),
        min(float(m.time_s[-1]) for m in logs),
        "node meters, the time that all of them cover",
    )


def _aligned(training: TrainingLog, found: Sequence[Stream], recorded: Span, notes: Notes) -> TrainingLog:
    """Return the training log on the recording's clock, or without its times when they cannot be the same run's."""
    start, end = training.train_start_s, training.train_end_s
    if start is None or end is None:
        return training
    meets = start < recorded.end_s and end > recorded.start_s
    clocks = {file.clock for s in found for file in s.files} | {training.clock}
    mixed = clocks == {"utc", "naive"}
    fitting = fitting_offsets(recorded.start_s, recorded.end_s, (start, end)) if mixed or not meets else [0.0]
    if fitting == [0.0] or (meets and len(fitting) != 1):
        if fitting != [0.0]:
            notes.warn("one log gives UTC, the other local time without a zone: taken as the same; set timezone")
        return training
    offset = fitting[0] if len(fitting) == 1 and "naive" in clocks else None
    if offset is None:
        notes.warn(
            f"the training log ({iso(start)} to {iso(end)}) and the recording ({iso(recorded.start_s)} to "
            f"{iso(recorded.end_s)}) do not meet: its times are not used; check that they are one run, or set timezone"
        )
        return replace(
            training, clock="none", job_start_s=None, job_end_s=None, train_start_s=None, train_end_s=None, phases=()
        )
    notes.warn(
        f"the training log's clock is moved by {-offset / 3600:+g} h onto the recording's; set timezone to be sure"
    )
    steps = training.steps
    return replace(
        training,
        steps=replace(steps, time_s=steps.time_s - offset) if steps is not None else None,
        phases=tuple(Phase(p.name, p.start_s - offset, p.end_s - offset) for p in training.phases),
        job_start_s=None if training.job_start_s is None else training.job_start_s - offset,
        job_end_s=None if training.job_end_s is None else training.job_end_s - offset,
        train_start_s=start - offset,
        train_end_s=end - offset,
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
        f"the recording is longer than the run in the training log: {lead:.0f} s before and {tail:.0f} s after it are "
        "left out of the job"
    )
    return Span(start, end, process.source)


def _placed(found: Sequence[Stream], job: Span, training: TrainingLog, notes: Notes) -> Span | None:
    """Find the training window of a log without a clock: by the recorder's phases, else where the GPUs drew most."""
    train = [p for p in _event_phases(found, job) if p.name == "train"]
    if train:
        return Span(train[0].start_s, train[-1].end_s, "phase events in the telemetry")
    runtime = training.runtime_s
    if not runtime or runtime >= (1 - LEFT_OUT) * job.duration_s or not found:
        return None
    start, alone = _busiest(found[0], job, runtime)
    notes.warn(
        f"the training log has no clock: its {runtime:.0f} s are placed where the GPUs drew most ({iso(start)} on)"
    )
    if not alone:
        notes.warn(
            "the GPUs drew as much elsewhere in the recording: which of these times was this run is not known; their "
            f"energies differ by less than {SAME_ENERGY:.0%}"
        )
    return Span(start, start + runtime, "run time in the training log, placed where the GPUs drew most")


def _busiest(stream: Stream, job: Span, runtime_s: float) -> tuple[float, bool]:
    """Return the start of the stretch of `runtime_s` in which the first node's boards took the most energy.

    Beside it, whether no other stretch that does not meet this one took nearly as much. A coarse search, a quarter of
    the stretch apart at most, is followed by a fine one.
    """
    first = stream.files[0]
    profiles = [profile for file, profile in zip(stream.files, stream.profiles, strict=True) if file.gpus == first.gpus]
    times = np.concatenate([profile.time_s for profile in profiles])
    power = np.concatenate([profile.power_w for profile in profiles])
    last = job.end_s - runtime_s
    count = int(min(MOST_PLACES, max(PLACES, 4.0 * job.duration_s / runtime_s)))
    coarse = np.linspace(job.start_s, last, count)
    energy = _energies(coarse, runtime_s, times, power)
    best = float(coarse[int(np.argmax(energy))])
    others = energy[np.abs(coarse - best) >= runtime_s]
    alone = not others.size or float(others.max()) < (1.0 - SAME_ENERGY) * float(energy.max())
    near = (last - job.start_s) / (count - 1)
    fine = np.linspace(max(job.start_s, best - near), min(last, best + near), PLACES)
    return float(fine[int(np.argmax(_energies(fine, runtime_s, times, power)))]), alone


def _energies(starts: FloatArray, runtime_s: float, times: FloatArray, power: FloatArray) -> FloatArray:
    """Return the energy of the stretch of `runtime_s` from each of `starts`, shape (starts,)."""
    edges = np.unique(np.concatenate((starts, starts + runtime_s)))
    t0, t1 = times[:-1], times[1:]
    parts = split(edges, t0, t1, trapezoid_j(t0, t1, power[:-1], power[1:]), power[:-1], power[1:])
    before = np.concatenate(([0.0], np.cumsum(parts)))
    energy: FloatArray = before[np.searchsorted(edges, starts + runtime_s)] - before[np.searchsorted(edges, starts)]
    return energy


def idle_ends(found: Sequence[Stream], job: Span) -> tuple[float, float]:
    """Return how long the GPUs of all nodes were idle at the start and at the end of the job, in s."""
    first = last = None
    for stream in found:
        profiles = stream.profiles
        limit = ACTIVE_SHARE * max((float(p.power_w.max(initial=0.0)) for p in profiles), default=0.0)
        for p in profiles:
            active = p.time_s[(p.power_w > limit) & (p.time_s >= job.start_s) & (p.time_s <= job.end_s)]
            if active.size:
                first = float(active[0]) if first is None else min(first, float(active[0]))
                last = float(active[-1]) if last is None else max(last, float(active[-1]))
    if first is None or last is None:
        return 0.0, 0.0
    return first - job.start_s, job.end_s - last


def _warn_idle_ends(found: Sequence[Stream], job: Span, notes: Notes) -> None:
    lead, tail = idle_ends(found, job)
    if lead > LEFT_OUT * job.duration_s or tail > LEFT_OUT * job.duration_s:
        notes.warn(
            f"without a training log the whole recording counts as the run, but the GPUs idle for {lead:.0f} s at its "
            f"start and {tail:.0f} s at its end"
        )


def _event_phases(found: Sequence[Stream], job: Span) -> list[Phase]:
    """Return the phases between the phase events of the first node that has any; the last one ends with the job."""
    for stream in found:
        marks = sorted((e.time_s, str(e.value)) for e in stream.events if e.name == "phase" and e.value is not None)
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
