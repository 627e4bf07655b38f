"""Recordings that lie far apart are several runs: what nobody recorded between them is not filled, nor billed."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray, Telemetry, TrainingLog
from ecoaudit.model.clock import iso
from ecoaudit.model.integrate import GAP_FACTOR
from ecoaudit.model.nodes import Stream
from ecoaudit.model.span import Span
from ecoaudit.quantity import percent

HOLE_S = 3600.0
"""Holes up to this long are gaps of one recording, however short that is."""
COVERED = 0.5
"""Below this share of the job's time that any node recorded, its recordings are several runs."""


def check_one_run(found: Sequence[Stream], job: Span) -> None:
    """Raise `EcoauditError` where the recordings are those of several runs.

    They are when no node recorded for over an hour and for more than half of the job, or when of several nodes no two
    recorded at the same time and a node lacks more than an hour. A node that starts late or stops early is a gap.
    """
    mixed = len({file.clock for stream in found for file in stream.files}) > 1
    nodes = [_covered(stream, job) for stream in found]
    spans = sorted(span for node in nodes for span in node)
    together = _union(spans)
    if not together:
        return
    covered_s = _length(together)
    holes = [(end, start) for (_, end), (start, _) in pairwise(together)]
    hole = max(holes, key=lambda h: h[1] - h[0], default=None)
    if hole is not None and hole[1] - hole[0] > HOLE_S and covered_s < COVERED * job.duration_s:
        raise _several("recordings", _before(found, hole[0]), hole, covered_s, job, mixed=mixed)
    ends = [(node[0][0], node[-1][1]) for node in nodes if node]
    ends.sort()
    in_turn = len(ends) > 1 and all(a[1] <= b[0] for a, b in pairwise(ends))
    if in_turn and min(job.duration_s - _length(node) for node in nodes) > HOLE_S:
        hole = ends[0][1], ends[1][0]
        raise _several("recordings", _before(found, hole[0]), hole, covered_s / len(nodes), job, mixed=mixed)


def check_one_log(training: TrainingLog, job: Span) -> None:
    """Raise `EcoauditError` where the steps of a training log without any recording are those of several runs."""
    if training.steps is None:
        return
    times = training.steps.time_s[np.isfinite(training.steps.time_s)]
    spans = _unbroken(np.maximum.accumulate(times)) if times.size else []
    hole = max(((a[1], b[0]) for a, b in pairwise(spans)), key=lambda h: h[1] - h[0], default=None)
    if hole is not None and job.duration_s - _length(spans) > (1.0 - COVERED) * job.duration_s:
        raise _several("steps", training.source.path, hole, _length(spans), job)


def _several(
    what: str, where: str | None, hole: tuple[float, float], covered_s: float, job: Span, *, mixed: bool = False
) -> EcoauditError:
    zone = "; one of their clocks is local time: if they are of one run, give --timezone" if mixed else ""
    return EcoauditError(
        f"the {what} are of several runs: one ends at {iso(hole[0])}, the next starts at {iso(hole[1])}, and they "
        f"cover {percent(covered_s / job.duration_s, 1)} of the time from {iso(job.start_s)} to {iso(job.end_s)}",
        where=where,
        fix=f"audit them apart; what was not recorded between them is neither energy nor GPU-hours of a run{zone}",
    )


def _before(found: Sequence[Stream], time_s: float) -> str | None:
    return next((f.source.path for s in found for f in s.files if f.time_s[0] < time_s), None)


def _recorded(file: Telemetry) -> list[tuple[float, float]]:
    """Return the spans that a file recorded without a hole of over an hour."""
    if file.head is None:
        return _unbroken(file.time_s)
    start, end = float(file.time_s[0]), float(file.time_s[-1])
    long_s = file.head.long_s
    holes = long_s[long_s[:, 1] - long_s[:, 0] > max(HOLE_S, GAP_FACTOR * (file.head.step_s or 0.0))]
    inside = holes[(holes[:, 1] > start) & (holes[:, 0] < end)]
    return list(zip([start, *inside[:, 1].tolist()], [*np.maximum(inside[:, 0], start).tolist(), end], strict=True))


def _unbroken(times: FloatArray) -> list[tuple[float, float]]:
    """Return the spans of sorted times, cut at holes of over an hour; some log once an hour."""
    steps = np.diff(times)
    usual = float(np.median(steps)) if steps.size else 0.0
    cuts = np.flatnonzero(steps > max(HOLE_S, GAP_FACTOR * usual))
    starts, ends = np.append(times[0], times[cuts + 1]), np.append(times[cuts], times[-1])
    return [(float(start), float(end)) for start, end in zip(starts, ends, strict=True)]


def _covered(stream: Stream, job: Span) -> list[tuple[float, float]]:
    """Return the spans of a node's samples inside the job, cut at holes of over an hour, sorted and apart."""
    spans = []
    for file in stream.files:
        spans += [
            (max(start, job.start_s), min(end, job.end_s))
            for start, end in _recorded(file)
            if start < job.end_s and end > job.start_s
        ]
    return _union(sorted(spans))


def _union(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return sorted spans joined where they overlap."""
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _length(spans: Sequence[tuple[float, float]]) -> float:
    return sum(end - start for start, end in spans)
