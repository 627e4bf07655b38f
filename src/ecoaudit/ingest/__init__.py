"""Bytes to typed records: one reader per telemetry format, one parser per framework, chosen by content."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the command line's help must not wait for numpy
    from ecoaudit.ingest.ahead import Across
    from ecoaudit.ingest.inspection import Inspection
    from ecoaudit.ingest.records import FormatInfo, RunLogs

__all__ = ["formats", "inspect", "read"]


def read(
    inputs: Sequence[str],
    *,
    timezone: str | None = None,
    meter_boundary: Literal["ac", "dc"] | None = None,
    own_gpus: str | None = None,
    across: "Across | None" = None,
) -> "RunLogs":
    """Read everything that `inputs` (files, folders, globs, URLs) hold of one run.

    `timezone` is the IANA zone of clocks that name none; `meter_boundary` the side on which meters read where their
    log does not say; `own_gpus` names the run's GPUs where telemetry holds others' too. With `across`, the project's
    own telemetry that does not fit in memory is read as heads (`records.Head`), through that map. Raises
    `EcoauditError` for a missing path, an empty folder, a glob without a match, and for a file that was named and is no
    log; files of a folder that are no logs are listed in `RunLogs.ignored`.
    """
    from ecoaudit.ingest import assemble, values
    from ecoaudit.ingest.own_gpus import OwnGpus
    from ecoaudit.ingest.records import ReadOptions

    own = OwnGpus.parse(own_gpus) if own_gpus is not None else None
    logs = assemble.read(inputs, ReadOptions(values.zone(timezone), meter_boundary), across, own)
    return logs if own is None else own.of(logs)


def inspect(path: str, *, timezone: str | None = None) -> "Inspection":
    """Say what one file is taken for, why, and what is in it; raises `EcoauditError` when it is no log."""
    from ecoaudit.errors import EcoauditError
    from ecoaudit.ingest import discover, inspection, values
    from ecoaudit.ingest.records import ReadOptions

    found = discover.files([path])[0]
    if not found.named:
        raise EcoauditError("this is a folder or a pattern, not one file", where=path)
    return inspection.inspect(found.path, ReadOptions(values.zone(timezone), None))


def formats() -> "tuple[FormatInfo, ...]":
    """Return every format that is understood, in the order in which they are tried."""
    from ecoaudit.ingest import registry

    return tuple(registry.load(entry).FORMAT for entry in registry.ENTRIES)
