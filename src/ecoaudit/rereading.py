"""Telemetry of which only heads are in memory: read again, and reduced on the way, many files at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ecoaudit.ingest.ahead import Across
from ecoaudit.ingest.records import FloatArray, Telemetry
from ecoaudit.ingest.telemetry.ecoaudit_heads import samples
from ecoaudit.model.reduction import FileSums, Reducer, reduce_blocks, reduce_file

_Task = tuple[Telemetry, FloatArray, tuple[float, float]]


def reducer(across: Across) -> Reducer:
    """Return a reducer of files in memory, and through the map `across` of those that are heads."""

    def reduce(files: Sequence[Telemetry], edges: FloatArray, focus: tuple[float, float]) -> Iterator[FileSums]:
        tasks = [(_without_profile(file), edges, focus) for file in files if file.head is not None]
        reduced = iter(across(_reduce_again, tasks, "integrating"))
        for file in files:
            yield next(reduced) if file.head is not None else reduce_file(file, edges, focus)

    return reduce


def _without_profile(file: Telemetry) -> Telemetry:
    """Return a head without what only the windows need: it goes to another process."""
    if file.head is None:
        return file
    nothing = file.head.profile_s[:0]
    return replace(file, events=(), head=replace(file.head, profile_s=nothing, profile_w=nothing))


def _reduce_again(task: _Task) -> FileSums:
    file, edges, focus = task
    return reduce_blocks(file, samples(file), edges, focus)
