"""Power, energy and utilisation of the same GPUs that were queried apart, each into a file of its own."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ecoaudit.ingest.records import FloatArray, GpuInfo, ReadQuality, Telemetry
from ecoaudit.ingest.telemetry.build import NO_POWER
from ecoaudit.ingest.telemetry.prometheus_nodes import snapped

_APART = "prometheus"
"""The format whose queries give one metric each; recordings of other formats hold all metrics of a sample."""


def joined(found: Iterable[Telemetry]) -> list[Telemetry]:
    """Return telemetry with files that hold different metrics of the same GPUs at the same time made one.

    A GPU that its UUID tells is of the node that was first named: queries name it by host, instance or pod.
    """
    out: list[Telemetry] = []
    homes: dict[str, str] = {}
    holders: dict[object, set[int]] = {}  # of each GPU, where in `out` it is: parts of one have a GPU in common
    for each in found:
        if each.source.format != _APART:
            out.append(each)
            continue
        one = _at_home(each, homes)
        candidates = sorted(set[int]().union(*(holders.get(key, ()) for key in _columns(one))))
        position = next((at for at in candidates if _parts_of_one(out[at], one)), None)
        if position is None:
            position = len(out)
            out.append(one)
        else:
            out[position] = _join(out[position], one)
        for key in _columns(out[position]):
            holders.setdefault(key, set()).add(position)
    return out


def _at_home(one: Telemetry, homes: dict[str, str]) -> Telemetry:
    uuids = [gpu.uuid for gpu in one.gpus if gpu.uuid]
    home = next((homes[uuid] for uuid in uuids if uuid in homes), one.host)
    if home is not None:
        homes.update(dict.fromkeys(uuids, home))
    return replace(one, host=home)


def _parts_of_one(a: Telemetry, b: Telemetry) -> bool:
    if not (a.time_s.size and b.time_s.size):
        return False
    together = a.time_s[0] <= b.time_s[-1] and b.time_s[0] <= a.time_s[-1]
    if not together or (a.host and b.host and a.host != b.host):
        return False
    shared = set(_columns(a)) & set(_columns(b))
    twice = any(_has(a, key, metric) and _has(b, key, metric) for key in shared for metric in ("power_w", "energy_j"))
    return bool(shared) and not twice


def _columns(one: Telemetry) -> dict[object, int]:
    """Return the column of each GPU: by UUID, or on a named host by index."""
    keys = [gpu.uuid or ((one.host, gpu.index) if one.host and gpu.index is not None else None) for gpu in one.gpus]
    return {key: column for column, key in enumerate(keys) if key is not None}


def _has(one: Telemetry, key: object, metric: str) -> bool:
    values: FloatArray | None = getattr(one, metric)
    return values is not None and not bool(np.isnan(values[:, _columns(one)[key]]).all())


def _join(a: Telemetry, b: Telemetry) -> Telemetry:
    moved = snapped(b.time_s, a.time_s)
    times = np.unique(np.concatenate([a.time_s, moved]))
    into_a, into_b = _columns(a), _columns(b)
    keys = [*into_a, *(key for key in into_b if key not in into_a)]
    gpus = tuple(_described(_of(a, into_a.get(k)), _of(b, into_b.get(k))) for k in keys)

    def spread(metric: str) -> FloatArray:
        out = np.full((len(times), len(keys)), np.nan)
        for one, columns, at in ((b, into_b, moved), (a, into_a, a.time_s)):
            values: FloatArray | None = getattr(one, metric)
            if values is None:
                continue
            rows = np.searchsorted(times, at)
            for place, key in enumerate(keys):
                if key in columns:
                    known = ~np.isnan(values[:, columns[key]])
                    out[rows[known], place] = values[known, columns[key]]
        return out

    energy, util = spread("energy_j"), spread("util_percent")
    return replace(
        a,
        host=a.host or b.host,
        gpus=gpus,
        time_s=times,
        power_w=spread("power_w"),
        energy_j=None if np.isnan(energy).all() else energy,
        util_percent=None if np.isnan(util).all() else util,
        quality=_quality(a.quality, b.quality),
        node_gpu_count=max(a.node_gpu_count or 0, b.node_gpu_count or 0) or None,
    )


def _of(one: Telemetry, column: int | None) -> GpuInfo:
    return GpuInfo() if column is None else one.gpus[column]


def _described(a: GpuInfo, b: GpuInfo) -> GpuInfo:
    return GpuInfo(
        index=a.index if a.index is not None else b.index,
        uuid=a.uuid or b.uuid,
        name=a.name or b.name,
        power_limit_w=a.power_limit_w or b.power_limit_w,
        memory_mib=a.memory_mib or b.memory_mib,
        mig=a.mig if a.mig is not None else b.mig,
    )


def _quality(a: ReadQuality, b: ReadQuality) -> ReadQuality:
    """Add up what the readers saw; that a file alone lacks a metric is no fault of both together."""
    warnings = [w for w in dict.fromkeys((*a.warnings, *b.warnings)) if w != NO_POWER]
    return ReadQuality(
        lines=a.lines + b.lines,
        records=a.records + b.records,
        bad_lines=a.bad_lines + b.bad_lines,
        examples=(*a.examples, *b.examples)[:5],
        clock_steps=a.clock_steps + b.clock_steps,
        warnings=tuple(warnings),
    )
