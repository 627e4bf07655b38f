"""Whether a training log's work is that of the recorded GPUs: only then may one be divided by the other."""

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model.clock import iso
from ecoaudit.model.span import Span

TOLERANCE = 0.05
"""A log may be longer than the recording, or lie outside of it, by this share: recorders start and stop by hand."""
SLACK_S = 5.0
"""And by this much, whatever the share: a few sampling intervals of a short run."""


def mismatch(
    recorded: Span | None, logged: TrainingLog | None, placed: TrainingLog | None, gpu_count: int | None
) -> str | None:
    """Return why the work in a training log is not the recording's, None where it may be.

    `recorded` is the telemetry's span (None without any: then nothing was read of other GPUs or another time), `logged`
    the log as read, `placed` the same on the recording's clock, its times gone where no clock makes the two meet.
    """
    if recorded is None or logged is None or placed is None:
        return None
    if logged.train_start_s is not None and placed.train_start_s is None:
        at = f" ({iso(logged.train_start_s)} on)" if logged.clock != "none" else ""
        return f"the training log{at} and the recording ({iso(recorded.start_s)} on) do not meet: they are not one run"
    spare_s = TOLERANCE * recorded.duration_s + SLACK_S
    start, end = placed.train_start_s, placed.train_end_s
    span_s = end - start if start is not None and end is not None else 0.0
    runtime_s = max(placed.runtime_s or 0.0, span_s)
    if runtime_s > recorded.duration_s + spare_s:
        return (
            f"the training log tells of {runtime_s:,.0f} s of work, the recording covers {recorded.duration_s:,.0f} s: "
            "the work of the one cannot be divided by the energy of the other"
        )
    if start is not None and end is not None:
        outside_s = max(0.0, recorded.start_s - start) + max(0.0, end - recorded.end_s)
        if outside_s > TOLERANCE * span_s + SLACK_S:
            return f"{min(outside_s, span_s):,.0f} of the training log's {span_s:,.0f} s lie outside the recording"
    if gpu_count is not None and placed.world_size is not None and placed.world_size > gpu_count:
        return f"the training log's work is that of {placed.world_size} GPUs, the energy that of {gpu_count}"
    return None
