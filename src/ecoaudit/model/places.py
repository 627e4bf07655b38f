"""Boards that took the place of others in a node, after a repair or a restart elsewhere under the same name.

At no time had the run both: counted as two, each would be filled with power for the time in which the other ran.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import replace

from ecoaudit.ingest.records import GpuInfo, Telemetry


def board_key(gpu: GpuInfo, column: int) -> object:
    """Return what tells a node's boards apart: the place, the UUID, the index, else the column of the log."""
    return gpu.place or gpu.uuid or (gpu.index if gpu.index is not None else column)


def in_places(files: Sequence[Telemetry]) -> tuple[Telemetry, ...]:
    """Return a node's files with the place of each board that has another's: its index, once that one was gone."""
    spans: dict[str, tuple[int, float, float]] = {}
    for file in files:
        first, last = float(file.time_s[0]), float(file.time_s[-1])
        for gpu in file.gpus:
            if gpu.uuid and gpu.index is not None:
                index, start, end = spans.get(gpu.uuid, (gpu.index, first, last))
                spans[gpu.uuid] = index, min(start, first), max(end, last)
    places: dict[str, str] = {}
    free: dict[int, list[tuple[float, str]]] = {}
    for uuid, (index, start, end) in sorted(spans.items(), key=lambda board: board[1][1]):
        gone = free.setdefault(index, [])
        at = bisect_right(gone, start, key=lambda each: each[0]) - 1
        place = gone.pop(at)[1] if at >= 0 else uuid
        if place != uuid:
            places[uuid] = place
        insort(gone, (end, place))
    if not places:
        return tuple(files)
    return tuple(
        replace(file, gpus=tuple(replace(gpu, place=places.get(gpu.uuid or "")) for gpu in file.gpus)) for file in files
    )
