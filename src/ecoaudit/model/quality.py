"""How good the logs were: samples, gaps, bad lines, and every warning."""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Literal

from ecoaudit.ingest.records import UNSAID_SIDE, ReadQuality, RunLogs
from ecoaudit.model.audit import Gap, LevelName, Quality
from ecoaudit.model.boards import BoardEnergy, filling_range_w, filling_w
from ecoaudit.model.clock import iso
from ecoaudit.model.inputs import Tables
from ecoaudit.model.levels import J_PER_KWH
from ecoaudit.model.meters import NodeMeters
from ecoaudit.model.nodes import GpuReading
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Basis, Quantity

_NUMBER = re.compile(r"\d[\d.,]*")
MAX_GAPS = 50
"""Gaps listed one by one; `gap_count` counts all."""


def quality(
    logs: RunLogs,
    gpus: Sequence[GpuReading],
    window_s: float | None,
    boards: BoardEnergy | None,
    meters: NodeMeters | None,
    notes: Notes,
    headline: LevelName | None,
    tables: Tables,
    *,
    fit: bool | None,
) -> Quality:
    """Return the counts of what was read and missed; the readers' own warnings join the model's, which
    stand in the order of their consequence for the headline. `fit`: whether a node line may be fitted on the run.
    """
    read = [
        *(log.quality for log in logs.telemetry),
        *(log.quality for log in logs.meters),
        *(log.quality for log in logs.training),
    ]
    told = {UNSAID_SIDE} if meters is not None else set()  # the model tells which side it assumed
    for kind in (logs.telemetry, logs.meters, logs.training):
        for text in _warnings([log.quality for log in kind], told):
            notes.warn(text)
    of_file: dict[str, int] = {}  # the records of one file share its count
    paths = [log.source.path for kind in (logs.telemetry, logs.meters, logs.training) for log in kind]
    for path, each in zip(paths, read, strict=True):
        of_file[path] = max(of_file.get(path, 0), each.bad_lines)
    bad = sum(of_file.values())
    if bad:
        notes.warn(f"{bad} line{'s' * (bad > 1)} could not be read and {'are' if bad > 1 else 'is'} left out")
    node_meters = meters.meters if meters is not None else ()
    gaps = _gaps(gpus, meters, tables)
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
        fit_for_calibration=fit,
        warnings=notes.by_consequence(headline),
        unknown=notes.unknown,
    )


def _warnings(read: Sequence[ReadQuality], told: Set[str]) -> Iterator[str]:
    """Yield the readers' warnings of several logs but those `told`; of those that differ in numbers alone the first.

    A log is named by its place among the inputs: a file's name may be that of a host.
    """
    alike: dict[str, list[tuple[int, str]]] = {}
    for place, text in ((place, text) for place, each in enumerate(read, 1) for text in each.warnings):
        if text not in told:
            alike.setdefault(_NUMBER.sub("#", text), []).append((place, text))
    for found in alike.values():
        place, text = found[0]
        if [each for _, each in found] == [text] * len(read):
            yield text
        else:
            more = f", and {len(found) - 1} more likewise" if len(found) > 1 else ""
            yield f"{text} (log {place} of {len(read)}{more})"


_Held = tuple[float, float, float]
"""Energy of a gap in J with the ends of what it could be."""


def _gaps(gpus: Sequence[GpuReading], meters: NodeMeters | None, tables: Tables) -> list[Gap]:
    """Return the gaps in the order of time; one that all boards of a node share is one gap."""
    holes: dict[tuple[int, float, float, Literal["counter", "mean power"]], list[tuple[GpuReading, _Held | None]]] = {}
    powers: Sequence[float | None] = filling_w(gpus) or [None] * len(gpus)
    for gpu, mean_w in zip(gpus, powers, strict=True):
        for gap in gpu.energy.gaps:
            held: _Held | None = None
            if gap.energy_j is not None:
                held = (gap.energy_j, gap.energy_j, gap.energy_j)
            elif mean_w is not None:
                known = tables.find_gpu(gpu.info.name) if gpu.info.name else None
                low_w, high_w = filling_range_w(gpu, mean_w, known)
                seconds = gap.end_s - gap.start_s
                held = (mean_w * seconds, low_w * seconds, high_w * seconds)
            holes.setdefault((gpu.node, gap.start_s, gap.end_s, gap.filled_by), []).append((gpu, held))
    found = []
    for (node, start, end, filled_by), members in holes.items():
        boards = f"GPU {members[0][0].info.index}" if len(members) == 1 else f"{len(members)} GPUs"
        by_counter = filled_by == "counter"
        joules = [each for _, each in members if each is not None]
        never_read = any(gpu.energy.mean_power_w() is None for gpu, _ in members)
        whose = "of the boards that were read" if never_read else "of the board's own run"
        value, low, high = (sum(each[i] for each in joules) / J_PER_KWH for i in range(3))
        energy = Quantity(
            value=value,
            low=min(low, value),
            high=max(high, value),
            unit="kWh",
            basis=Basis.MEASURED if by_counter else Basis.MODELLED,
            source="energy counter" if by_counter else f"mean power {whose}",
        )
        found.append(
            (
                start,
                Gap(
                    where=f"node {node}, {boards}",
                    start=iso(start),
                    duration_s=end - start,
                    filled_by=filled_by,
                    energy=energy if len(joules) == len(members) else None,
                ),
            )
        )
    for meter in meters.meters if meters else ():
        for hole in meter.gaps:
            energy = Quantity.exact(
                hole.energy_j / J_PER_KWH, "kWh", Basis.MODELLED, "line between the readings around the gap"
            )
            found.append(
                (
                    hole.start_s,
                    Gap(
                        where=f"meter {hole.label}",
                        start=iso(hole.start_s),
                        duration_s=hole.end_s - hole.start_s,
                        filled_by="bridged linearly",
                        energy=energy,
                    ),
                )
            )
    return [gap for _, gap in sorted(found, key=lambda item: item[0])]
