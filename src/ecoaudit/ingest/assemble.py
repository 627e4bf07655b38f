"""Reads all files of a run and hands on one `RunLogs`; each file is read once, whatever its names."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import ahead, discover, registry, systems
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.own_gpus import OwnGpus
from ecoaudit.ingest.prefix import Stripped
from ecoaudit.ingest.records import (
    MeterLog,
    ReadOptions,
    Record,
    ReportedEnergy,
    RunLogs,
    Source,
    SystemDescription,
    Telemetry,
    TrainingLog,
)
from ecoaudit.ingest.telemetry.joined import joined
from ecoaudit.ingest.tracked import check_one_run, without_totals


@dataclass
class _Collected:
    telemetry: list[Telemetry] = field(default_factory=list)
    meters: list[MeterLog] = field(default_factory=list)
    training: list[TrainingLog] = field(default_factory=list)
    systems: list[SystemDescription] = field(default_factory=list)
    reported: list[ReportedEnergy] = field(default_factory=list)
    ignored: list[Source] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    covered: list[Path] = field(default_factory=list)

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, Telemetry):
                self.telemetry.append(record)
            elif isinstance(record, MeterLog):
                self.meters.append(record)
            elif isinstance(record, TrainingLog):
                self.training.append(record)
            else:
                self.reported.append(record)


def read(
    inputs: Sequence[str], options: ReadOptions, across: ahead.Across | None = None, own_gpus: OwnGpus | None = None
) -> RunLogs:
    """Read the files that `inputs` mean; see `ecoaudit.ingest.read`."""
    out = _Collected()
    heads: dict[bytes, list[str]] = {}
    files = discover.files(inputs)
    read_ahead = ahead.heads(files, options, across, own_gpus) if across is not None else {}
    for found in files:
        file = LogFile(found.path)
        match, views = registry.recognise(file)
        if match is None:
            _unknown(file, found, out)
            continue
        alike = heads.setdefault(hashlib.blake2b(file.head.raw, digest_size=16).digest(), [])
        if _may_repeat(match) and (twin := _twin(file, alike)) is not None:
            out.warnings.append(f"{found.path} has the same content as {twin}; counted once")
            continue
        alike.append(found.path)
        if match.entry.folder:
            out.covered.append(Path(found.path).parent)
        try:
            known = read_ahead.pop(found.path, None)
            if isinstance(known, EcoauditError):
                raise known
            out.add([_dated(r, file) for r in known or records(match, views, options)])
        except EcoauditError as error:
            if found.named:
                raise
            out.ignored.append(Source(found.path, "unreadable"))
            out.warnings.append(error.line())
    _without_summaries(out)
    check_one_run(out.telemetry, out.training)
    _describe(out)
    if not (out.telemetry or out.meters or out.training or out.reported):
        where = inputs[0] if len(inputs) == 1 else f"{len(inputs)} inputs"
        raise EcoauditError(
            f"no log found among {len(out.ignored)} files", where=where, fix="see `ecoaudit formats` for what is read"
        )
    return RunLogs(
        telemetry=tuple(joined(without_totals(out.telemetry))),
        meters=tuple(out.meters),
        training=tuple(out.training),
        systems=tuple(out.systems),
        reported=tuple(out.reported),
        ignored=tuple(out.ignored),
        warnings=tuple(dict.fromkeys(out.warnings)),
    )


def records(match: registry.Match, views: Sequence[LogFile], options: ReadOptions) -> list[Record]:
    """Return what a file's views hold; telemetry of one task of several is that of a node named by the task."""
    out: list[Record] = []
    for view in views:
        for record in registry.load(match.entry).read(view, options):
            task = view.task if isinstance(view, Stripped) else None
            if task is not None and isinstance(record, Telemetry) and record.host is None:
                record = replace(record, host=f"task {task.decode()}")  # noqa: PLW2901
            elif task is not None and isinstance(record, MeterLog):
                record = replace(record, label=f"{record.label} task {task.decode()}")  # noqa: PLW2901
            out.append(record)
    return out


def _dated(record: Record, file: LogFile) -> Record:
    """Return a training log without a clock with the time its file was last written: the one hint at when it ended."""
    if not isinstance(record, TrainingLog) or record.clock != "none" or file.is_url:
        return record
    return replace(record, source=replace(record.source, modified_s=Path(file.path).stat().st_mtime))


def _unknown(file: LogFile, found: discover.Found, out: _Collected) -> None:
    if systems.is_system(file.head.text) and not file.is_url:
        out.ignored.append(Source(found.path, systems.FORMAT_NAME))
    elif found.named:
        # A run without its training log still has energy, carbon and cost: what is no log need not stop it.
        raise not_a_log(file, "leave it out, or see `ecoaudit formats` for what is read")
    else:
        out.ignored.append(Source(found.path, "unknown"))
        if file.head.damaged:
            out.warnings.append(f"{found.path} is left out: it looks like {registry.looks_like(file.head)}")


def not_a_log(file: LogFile, fix: str = "see `ecoaudit formats` for what is read") -> EcoauditError:
    return EcoauditError(
        f"not a log that is understood: it looks like {registry.looks_like(file.head)}",
        where=file.path,
        fix=fix,
    )


def _without_summaries(out: _Collected) -> None:
    """Leave out a log without steps that lies below a folder whose own log of the same framework has them."""
    whole = [
        (log.framework, folder)
        for log in out.training
        if log.steps is not None and (folder := Path(log.source.path).parent) in out.covered
    ]
    out.training = [
        log
        for log in out.training
        if log.steps is not None
        or not any(name == log.framework and Path(log.source.path).is_relative_to(folder) for name, folder in whole)
    ]


def _covered(source: Source, out: _Collected) -> bool:
    return any(Path(source.path).is_relative_to(folder) for folder in out.covered)


def _describe(out: _Collected) -> None:
    named = [systems.read(Path(s.path)) for s in out.ignored if s.format == systems.FORMAT_NAME]
    out.systems += [d for d in named if d is not None] or systems.describe(out.training, out.meters)
    out.ignored = [s for s in out.ignored if s.format != systems.FORMAT_NAME and not _covered(s, out)]
    for description in out.systems:
        if description.basis == "assumed":
            out.warnings.append(
                f"the hardware is read from the name {description.name!r} only; no system description was found"
            )


def _may_repeat(match: registry.Match) -> bool:
    """Two nodes behind one meter channel log the same content; both count, and the model says so."""
    return match.entry.module != "meters.mlperf_power"


def _twin(file: LogFile, alike: Sequence[str]) -> str | None:
    """Return which of the files that begin alike has the same content; only those are read to the end for it."""
    if not alike:
        return None
    digest = _digest(file)
    return next((path for path in alike if _digest(LogFile(path)) == digest), None)


def _digest(file: LogFile) -> tuple[int, bytes]:
    """Return size and digest of the decompressed content, so that a file and its compressed copy are one."""
    size, total = 0, hashlib.blake2b(digest_size=16)
    for block in file.blocks():
        size += len(block)
        total.update(block)
    return size, total.digest()
