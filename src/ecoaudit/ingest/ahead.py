"""Telemetry too large for memory, read before all other logs: heads in place of samples, many files at a time."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.discover import Found
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.own_gpus import OwnGpus
from ecoaudit.ingest.records import ReadOptions, Telemetry

Across = Callable[[Callable[[Any], Any], Sequence[Any], str], Iterable[Any]]
"""Maps a function over items in their order, perhaps in other processes (`jobs.Jobs.map`); last, what is being done."""
IN_MEMORY_BYTES = 128 * 1024 * 1024
"""Logs up to this size, decompressed, are kept in memory: three million samples of a GPU in about 100 MB."""


def heads(
    found: Sequence[Found], options: ReadOptions, across: Across, own_gpus: OwnGpus | None = None
) -> dict[str, list[Telemetry] | EcoauditError]:
    """Return the heads of the project's own telemetry among files by path, or why one cannot be read.

    Empty where all of it fits in memory. With `own_gpus` heads are those of the run's GPUs alone.
    """
    sizes = {each.path: LogFile(each.path).plain_bytes() for each in found}
    if sum(sizes.values()) <= IN_MEMORY_BYTES:
        return {}
    from ecoaudit.ingest.telemetry import ecoaudit_jsonl

    own = [path for path in sizes if ecoaudit_jsonl.sniff(LogFile(path).head) is not None]
    if sum(sizes[path] for path in own) <= IN_MEMORY_BYTES:
        return {}
    tasks = [(path, options, own_gpus) for path in own]
    return dict(zip(own, across(_head, tasks, "reading"), strict=True))


def _head(task: tuple[str, ReadOptions, OwnGpus | None]) -> list[Telemetry] | EcoauditError:
    from ecoaudit.ingest.telemetry import ecoaudit_heads

    path, options, own_gpus = task
    try:
        return ecoaudit_heads.heads(LogFile(path), options, own_gpus)
    except EcoauditError as error:
        return error
