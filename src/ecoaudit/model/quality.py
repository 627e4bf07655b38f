"""How good the logs were: samples, gaps, bad lines, and every warning."""

from collections.abc import Sequence

from ecoaudit.ingest.records import RunLogs
from ecoaudit.model.audit import Gap, Quality
from ecoaudit.model.boards import BoardEnergy
from ecoaudit.model.clock import iso
from ecoaudit.model.levels import J_PER_KWH
from ecoaudit.model.meters import NodeMeters
from ecoaudit.model.nodes import GpuReading
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Basis, Quantity

MAX_GAPS = 50
"""Gaps listed one by one; `gap_count` counts all."""


def quality(
    logs: RunLogs,
    gpus: Sequence[GpuReading],
    window_s: float | None,
    boards: BoardEnergy | None,
    meters: NodeMeters | None,
    notes: Notes,
) -> Quality:
    """Return the counts of what was read and missed; the readers' own warnings join the model's."""
    read = [
        *(log.quality for log in logs.telemetry),
        *(log.quality for log in logs.meters),
        *(log.quality for log in logs.training),
    ]
    for text in (text for each in read for text in each.warnings):
        notes.warn(text)
    bad = sum(each.bad_lines for each in read)
    if bad:
        notes.warn(f"{bad} line{'s' * (bad > 1)} could not be read and are left out")
    node_meters = meters.meters if meters is not None else ()
    gaps = _gaps(gpus, meters)
    samples = sum(g.energy.samples for g in gpus) + sum(m.readings for m in node_meters)
    expected = sum(g.energy.expected_samples for g in gpus)
    if window_s is not None:
        expected += sum(round(window_s / m.step_s) + 1 for m in node_meters if m.step_s)
    coverage = boards.coverage if boards is not None else meters.coverage if meters is not None else None
    return Quality(
        samples=samples or None,
        expected_samples=expected or None,
        coverage=coverage,
        gaps=gaps[:MAX_GAPS],
        gap_count=len(gaps),
        bad_lines=bad,
        counter_resets=sum(g.energy.resets for g in gpus),
        clock_steps=sum(each.clock_steps for each in read),
        fit_for_calibration=meters.fit_for_calibration if meters is not None else None,
        warnings=notes.warnings,
        unknown=notes.unknown,
    )


def _gaps(gpus: Sequence[GpuReading], meters: NodeMeters | None) -> list[Gap]:
    gaps = []
    for gpu in gpus:
        mean = gpu.energy.mean_power_w()
        for gap in gpu.energy.gaps:
            joules = gap.energy_j if gap.energy_j is not None else (mean or 0.0) * (gap.end_s - gap.start_s)
            by_counter = gap.filled_by == "counter"
            gaps.append(
                Gap(
                    where=f"node {gpu.node} GPU {gpu.info.index}",
                    start=iso(gap.start_s),
                    duration_s=gap.end_s - gap.start_s,
                    filled_by=gap.filled_by,
                    energy=Quantity.exact(
                        joules / J_PER_KWH,
                        "kWh",
                        Basis.MEASURED if by_counter else Basis.MODELLED,
                        "energy counter" if by_counter else "mean power of the board's own run",
                    ),
                )
            )
    for meter in meters.meters if meters else ():
        for hole in meter.gaps:
            gaps.append(
                Gap(
                    where=f"meter {hole.label}",
                    start=iso(hole.start_s),
                    duration_s=hole.end_s - hole.start_s,
                    filled_by="bridged linearly",
                    energy=Quantity.exact(
                        hole.energy_j / J_PER_KWH, "kWh", Basis.MODELLED, "line between the readings around the gap"
                    ),
                )
            )
    return gaps
