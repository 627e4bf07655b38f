"""What the training log tells of the work, with its rates over the training window."""

from collections import Counter

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model import audit as a
from ecoaudit.model.efficiency import hfu, mfu
from ecoaudit.model.flops import Work
from ecoaudit.model.hardware import System
from ecoaudit.model.notes import Notes
from ecoaudit.model.windows import RunTime
from ecoaudit.quantity import Basis, Quantity


def training_figures(
    log: TrainingLog | None,
    work: Work | None,
    time: RunTime,
    system: System,
    mismatch: str | None,
    notes: Notes,
) -> a.Training:
    """Return what the training log tells; rates and utilisation are null where its work is not the recording's."""
    if log is None or work is None:
        notes.null("training", "no training log among the inputs")
        return a.Training()
    seconds = None if mismatch else time.training_duration_s or time.duration_s
    if mismatch:
        for key in ("mfu", "hfu", "tokens_per_s", "samples_per_s"):
            notes.null(f"training.{key}", mismatch)

    def rate(count: float | None, unit: str) -> Quantity | None:
        if not count or not seconds:
            return None
        return Quantity.exact(count / seconds, unit, Basis.MEASURED, "training log, over the training window")

    durations: dict[str, float] = {}
    for phase in time.phases:
        durations[phase.name] = durations.get(phase.name, 0.0) + phase.end_s - phase.start_s
    counts = Counter(phase.name for phase in time.phases)
    return a.Training(
        framework=log.framework,
        benchmark=log.benchmark,
        steps=log.step_count,
        samples=log.samples,
        tokens=work.tokens,
        params=log.params,
        flops=work.flops.quantity("FLOP", Basis.MODELLED, work.source) if work.flops else None,
        mfu=mfu(log, work, system, seconds, notes),
        hfu=hfu(log, system, seconds, notes),
        tokens_per_s=rate(work.tokens, "tokens/s"),
        samples_per_s=rate(log.samples, "samples/s"),
        precision=log.precision,
        sequence_length=log.sequence_length,
        global_batch_size=log.global_batch_size,
        status=log.status,
        rework_steps=log.rework_steps or None,
        rework_tokens=log.rework_tokens,
        phases=[a.TrainingPhase(name=n, duration_s=s, count=counts[n]) for n, s in durations.items()],
    )
