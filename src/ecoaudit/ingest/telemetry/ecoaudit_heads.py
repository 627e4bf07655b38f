"""Files too large for memory: read once for their heads, and again for their samples, block by block."""

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from msgspec.structs import replace

from ecoaudit.counts import median, merged
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.own_gpus import OwnGpus
from ecoaudit.ingest.records import FloatArray, GpuInfo, Head, IntArray, ReadOptions, Replayed, Source, Telemetry
from ecoaudit.ingest.telemetry import ecoaudit_jsonl
from ecoaudit.ingest.telemetry.ecoaudit_recordings import (
    Recording,
    Rows,
    boards,
    grouped,
    power_field,
    recordings,
    warn_of_no_gpu,
)
from ecoaudit.ingest.telemetry.ecoaudit_summary import Summary
from ecoaudit.ingest.telemetry.plausible import PowerFaults
from ecoaudit.ingest.telemetry.rapl import Unwrapped

_UNREAD = frozenset({"energy_j", "util"})
"""Metrics of which a head only tells whether there are any."""


def heads(file: LogFile, options: ReadOptions, own_gpus: OwnGpus | None = None) -> list[Telemetry]:
    """Return what `ecoaudit_jsonl.read` does, with heads in place of the samples: little memory, whatever the size.

    A file of which only all samples together tell the times (no monotonic clock, recordings that overlap) is read
    whole. With `own_gpus` heads are those of these GPUs alone, where a recording has any of them. Raises
    `EcoauditError` when no line is whole.
    """
    account = Account()
    read: list[Summary] = []
    columns: IntArray | None = None
    for recording, part in recordings(file, account, _UNREAD):
        if part is None:
            own = own_gpus.columns(boards(recording.header)) if own_gpus is not None else None
            columns = own if own is not None and own.size else None
            read.append(Summary(recording if columns is None else _only(recording, columns)))
        elif isinstance(part, Rows):
            read[-1].add(_of(part, columns))
        else:
            read[-1].mark(part)
        if not read[-1].in_order:
            return ecoaudit_jsonl.read(file, options)
    for summary in read:
        warn_of_no_gpu(summary.recording, account)
    groups = [[(number, read[number]) for number in numbers] for numbers in grouped([each.recording for each in read])]
    for group in groups:
        ends = [(s.first_s + s.offset_s, s.last_s + s.offset_s) for _, s in group if s.samples]
        if any(after[0] < before[1] for before, after in pairwise(ends)):
            return ecoaudit_jsonl.read(file, options)
    return [_head(file, group, account) for group in groups]


def _only(recording: Recording, columns: IntArray) -> Recording:
    """Return a recording of some of its GPUs, which keep the index that they have among all."""
    header = recording.header
    gpus = [replace(header.gpus[i], index=i if header.gpus[i].index is None else header.gpus[i].index) for i in columns]
    return Recording(replace(header, gpus=gpus, node_gpu_count=max(header.node_gpu_count or 0, len(header.gpus))))


def _of(rows: Rows, columns: IntArray | None) -> Rows:
    if columns is None:
        return rows
    chosen = {name: None if values is None else values[:, columns] for name, values in rows.metrics.items()}
    return Rows(rows.wall, rows.mono, chosen, rows.zones, rows.node_w)


def _head(file: LogFile, group: Sequence[tuple[int, Summary]], account: Account) -> Telemetry:
    header = group[0][1].recording.header
    parts = [summary for _, summary in group]
    clock_steps = sum(part.clock_steps for part in parts)
    if clock_steps:
        account.warn(f"the wall clock was stepped {clock_steps} time(s); the monotonic clock gives the times")
    found = {name for part in parts for name in part.found}
    instant = "power_w" not in found and "power_instant_w" in found
    faults = PowerFaults()
    for part in parts:
        faults.add(part.faults["power_instant_w" if instant else "power_w"])
    faults.warn(account)
    filled = [part for part in parts if part.samples]
    joints = [(before.last_s + before.offset_s, after.first_s + after.offset_s) for before, after in pairwise(filled)]
    long_s = [(a + part.offset_s, b + part.offset_s) for part in filled for a, b in part.long_s]
    times = [t for part in filled for t in (part.first_s + part.offset_s, part.last_s + part.offset_s)]
    ends = np.array([times[0], times[-1]] if times else [])
    profile = [(time_s + part.offset_s, watts) for part in filled for time_s, watts in part.profile]
    zones = {zone for part in parts for zone in part.zones}
    nothing = np.full((ends.size, len(header.gpus)), np.nan)
    return Telemetry(
        source=Source(file.path, ecoaudit_jsonl.FORMAT.format),
        host=header.host,
        gpus=boards(header),
        time_s=ends,
        power_w=nothing,
        energy_j=nothing if "energy_j" in found else None,
        util_percent=None,
        quality=dataclasses.replace(account.quality(file), clock_steps=clock_steps),
        run_id=header.run_id,
        interval_s=header.interval_s,
        power_field="instant" if instant else power_field(header.sources),
        node_power_source=header.node_power_source,
        node_gpu_count=header.node_gpu_count,
        events=tuple(sorted((e for part in parts for e in part.events()), key=lambda e: e.time_s)),
        head=Head(
            replayed=tuple(part.replayed(number, zones, instant=instant) for number, part in group),
            samples=sum(part.samples for part in parts),
            readings=sum(part.readings for part in parts),
            step_s=median(merged(part.steps.table() for part in parts)),
            long_s=np.array(sorted([*long_s, *joints])).reshape(-1, 2),
            profile_s=_joined([time_s for time_s, _ in profile]),
            profile_w=_joined([watts for _, watts in profile]),
            node_w_counts=merged(part.node_w.table() for part in parts),
            node_step_counts=merged(part.node_steps.table() for part in parts),
        ),
    )


def _joined(parts: list[FloatArray]) -> FloatArray:
    return np.concatenate(parts) if parts else np.empty(0)


def samples(head: Telemetry) -> Iterator[Telemetry]:
    """Yield the samples of a head's file block by block, each block as telemetry of its own.

    Raises `EcoauditError` when the file cannot be read again.
    """
    if head.head is None:
        raise ValueError("telemetry that is in memory has no head")
    replayed = {how.number: how for how in head.head.replayed}
    counters = {zone: Unwrapped() for how in head.head.replayed for zone in how.rapl_range_j}
    number = -1
    columns: IntArray | None = None
    for recording, part in recordings(LogFile(head.source.path), Account()):
        if part is None:
            number += 1
            columns = _places(head.gpus, boards(recording.header)) if number in replayed else None
            for counter in counters.values():
                counter.restart()
        elif isinstance(part, Rows) and number in replayed:
            yield _block(head, _of(part, columns), replayed[number], counters)


def _places(some: Sequence[GpuInfo], gpus: Sequence[GpuInfo]) -> IntArray | None:
    """Return where among a recording's GPUs a head's are; None for all of them."""
    if len(some) == len(gpus):
        return None
    names: list[object] = [gpu.uuid or (i if gpu.index is None else gpu.index) for i, gpu in enumerate(gpus)]
    return np.array([names.index(gpu.uuid or gpu.index) for gpu in some])


def _block(head: Telemetry, rows: Rows, how: Replayed, counters: dict[str, Unwrapped]) -> Telemetry:
    power = rows.metrics["power_instant_w" if how.instant else "power_w"]
    unread = np.full(len(rows), np.nan)
    return Telemetry(
        source=head.source,
        host=head.host,
        gpus=head.gpus,
        time_s=rows.mono + how.offset_s,
        power_w=np.full((len(rows), len(head.gpus)), np.nan) if power is None else PowerFaults().cleaned(power),
        energy_j=rows.metrics["energy_j"],
        util_percent=rows.metrics["util"],
        quality=head.quality,
        host_energy_j={
            zone: counters[zone].add(rows.zones.get(zone, unread), range_j)
            for zone, range_j in how.rapl_range_j.items()
        },
        node_power_w=rows.node_w,
    )
