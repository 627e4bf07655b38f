"""The training logs of a run as one: attempts added up, what one log lacks taken from the others."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import StepSeries, TrainingLog
from ecoaudit.model.inputs import StatedModel
from ecoaudit.model.notes import Notes
from ecoaudit.model.span import training_span
from ecoaudit.model.steps import steps_a_line

_TIMES = ("job_start_s", "job_end_s", "train_start_s", "train_end_s")
_COUNTS = ("tokens", "samples", "flops", "params", "tokens_per_sample", "runtime_s", "tflops_per_gpu")
_OF_THE_MODEL = (
    "tokens_per_sample",
    "params",
    "embedding_params",
    "sequence_length",
    "global_batch_size",
    "precision",
    "layers",
    "hidden_size",
    "world_size",
    "attention",
)
"""What a log prints once at its beginning: true of the parts that it was cut into and of its restarts."""
_OWN = frozenset({"source", "framework", "quality", "clock", "steps", "phases", "rework_steps", *_TIMES})


def combine(logs: Sequence[TrainingLog], notes: Notes) -> TrainingLog | None:
    """Return one log for the run, None without any.

    Logs of one framework at different times, or without a clock each beginning at a later step and ending at a later
    one than the last, are attempts: they are added up, and steps that a later attempt repeats count once (the rest is
    rework). Otherwise the logs describe the same work, and the one that tells most is used,
    with the others filling what it does not say. Several MLPerf results are several runs: `EcoauditError`.
    """
    placed = sorted((_possible(_without_nan(log), notes) for log in logs), key=_telling, reverse=True)
    if not placed:
        return None
    results = [log for log in placed if log.benchmark is not None and log.train_start_s is not None]
    if len({log.train_start_s for log in results}) > 1:
        raise EcoauditError(
            f"{len(results)} MLPerf results among the inputs, each a run of its own",
            where=results[0].source.path,
            fix="audit one result file with its own power folder at a time",
        )
    if any(log.status == "aborted" for log in placed):
        notes.warn("the training log says that the run was aborted: its energy is real, its result is not")
    best = placed[0]
    attempts = [log for log in placed if log.framework == best.framework]
    attempts = [_completed(log, attempts) for log in attempts]
    attempts.sort(key=lambda log: (log.train_start_s or 0.0, log.first_step or 0))
    if len(attempts) > 1 and (_apart(attempts) or _resumed(attempts)):
        best = _added(attempts)
        others = [log for log in placed if log.framework != best.framework]
    else:
        others = placed[1:]
    if others:
        names = ", ".join(f"{log.framework} ({log.source.path})" for log in others[:3])
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        notes.warn(f"several training logs of one run: {best.source.path} is used; {names}{more} fill what it lacks")
    for log in others:
        best = filled(best, log)
    return best


def filled(best: TrainingLog, other: TrainingLog) -> TrainingLog:
    """Return `best` with what it does not tell taken from another log of the same work, times and phases included."""
    missing = {
        f.name: getattr(other, f.name)
        for f in fields(other)
        if f.name not in _OWN and getattr(best, f.name) is None and getattr(other, f.name) is not None
    }
    if best.clock == "none" and other.clock != "none":
        missing |= {name: getattr(other, name) for name in _TIMES} | {"clock": other.clock}
        if not _placed_steps(best) and _placed_steps(other):
            missing |= {name: getattr(other, name) for name in ("steps", "rework_steps", "rework_tokens")}
    known = {phase.name for phase in best.phases}
    more = [phase for phase in other.phases if phase.name not in known]
    if more and other.clock == missing.get("clock", best.clock):
        missing["phases"] = tuple(sorted([*best.phases, *more], key=lambda phase: phase.start_s))
    return replace(best, **missing)


def _placed_steps(log: TrainingLog) -> bool:
    """Return whether the log tells when its steps ran, by times or durations."""
    known = log.steps
    return known is not None and bool(np.isfinite(known.time_s).all() or np.isfinite(known.duration_s).all())


def restated(log: TrainingLog, stated: StatedModel | None) -> TrainingLog:
    """Return the log with what the user states of the model in the place of what it tells or lacks."""
    if stated is None:
        return log
    return replace(
        log,
        params=stated.params or stated.active_params or log.params,
        sequence_length=stated.sequence_length or log.sequence_length,
        precision=stated.precision or log.precision,
    )


def _without_nan(log: TrainingLog) -> TrainingLog:
    """Return the log with None in the place of NaN: both mean that it does not tell."""
    values = {f.name: getattr(log, f.name) for f in fields(log)}
    unknown: dict[str, Any] = {name: None for name, v in values.items() if isinstance(v, float) and math.isnan(v)}
    return replace(log, **unknown) if unknown else log


def _possible(log: TrainingLog, notes: Notes) -> TrainingLog:
    """Return the log without counts below zero, which no run has."""
    wrong: dict[str, Any] = {name: None for name in _COUNTS if (getattr(log, name) or 0) < 0}
    for name in wrong:
        what = name.replace("_", " ")
        notes.warn(f"{log.source.path} gives {getattr(log, name):,.6g} {what}: taken as unknown", grave=True)
    return replace(log, **wrong) if wrong else log


def _completed(log: TrainingLog, attempts: Sequence[TrainingLog]) -> TrainingLog:
    """Return an attempt with what only another one's beginning prints of the model, and its tokens counted by it."""
    told = {
        name: next((getattr(a, name) for a in attempts if getattr(a, name) is not None), None)
        for name in _OF_THE_MODEL
        if getattr(log, name) is None
    }
    known = replace(log, **{name: value for name, value in told.items() if value is not None})
    each = known.tokens_per_sample
    if known.tokens is not None or known.samples is None or each is None or log.tokens_per_sample == each:
        return known
    steps = known.steps
    return replace(
        known,
        tokens=known.samples * each,
        steps=replace(steps, tokens=steps.samples * each) if steps is not None else None,
    )


def _telling(log: TrainingLog) -> tuple[bool, int, int]:
    told = sum(getattr(log, f.name) is not None for f in fields(log))
    return log.train_start_s is not None, told, log.last_step or 0


def _apart(attempts: Sequence[TrainingLog]) -> bool:
    spans = [training_span(log) for log in attempts]
    return all(a is not None and b is not None and a.end_s <= b.start_s for a, b in pairwise(spans))


def _resumed(attempts: Sequence[TrainingLog]) -> bool:
    """Whether logs without a clock each go on from a later step than the last; one that begins anew does not."""
    if any(log.clock != "none" for log in attempts):
        return False
    steps = [(log.first_step, log.last_step) for log in attempts if log.first_step is not None and log.last_step]
    return len(steps) == len(attempts) and all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(steps))


def _added(attempts: Sequence[TrainingLog]) -> TrainingLog:
    """Add up attempts in the order of time; steps that a later attempt repeats are rework of the earlier one."""
    first, last = attempts[0], attempts[-1]
    repeated = 0
    repeated_tokens = 0.0
    tokens_known = True
    for a, b in pairwise(attempts):
        if a.last_step is None or b.first_step is None:
            continue
        again = max(0, a.last_step - _first_trained(b, b.first_step) + 1)
        repeated += again
        if again and a.tokens is not None and a.step_count:
            repeated_tokens += again * a.tokens / a.step_count
        elif again:
            tokens_known = False

    def added(name: str, less: float) -> float | None:
        values = [getattr(log, name) for log in attempts]
        return None if any(v is None for v in values) else sum(values) - less

    per_step = {
        name: (getattr(first, name) or 0.0) / first.step_count if first.step_count else 0.0
        for name in ("samples", "flops")
    }
    steps = [log.step_count for log in attempts]
    ran = training_span(last)
    return replace(
        last,
        steps=_one_series(attempts),
        job_start_s=first.job_start_s,
        train_start_s=first.train_start_s,
        train_end_s=ran.end_s if ran is not None else None,
        first_step=first.first_step,
        step_count=None if any(s is None for s in steps) else sum(s or 0 for s in steps) - repeated,
        tokens=added("tokens", repeated_tokens) if tokens_known else None,
        samples=added("samples", repeated * per_step["samples"]),
        flops=added("flops", repeated * per_step["flops"]),
        runtime_s=added("runtime_s", 0.0),
        rework_steps=sum(log.rework_steps for log in attempts) + repeated,
        rework_tokens=sum(log.rework_tokens or 0.0 for log in attempts) + repeated_tokens if tokens_known else None,
        phases=tuple(phase for log in attempts for phase in log.phases),
    )


def _first_trained(log: TrainingLog, first_line: int) -> int:
    """Return the first step that an attempt trained: its first line stands for as many as the others."""
    return first_line if log.steps is None else max(first_line - steps_a_line(log.steps.step) + 1, min(first_line, 1))


def _one_series(attempts: Sequence[TrainingLog]) -> StepSeries | None:
    """Return the attempts' lines one after the other, None where one of them has none."""
    series = [log.steps for log in attempts if log.steps is not None]
    if len(series) < len(attempts):
        return None
    return StepSeries(**{f.name: np.concatenate([getattr(s, f.name) for s in series]) for f in fields(StepSeries)})
