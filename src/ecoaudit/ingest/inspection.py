"""What single files were taken for, and why: the answer to "does it read my log?"."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import assemble, discover, registry
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.records import Clock, ReadOptions, Record, ReportedEnergy, Telemetry, TrainingLog


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one file was taken for and why; `None` where the format does not tell.

    `start` and `end` are ISO 8601 in UTC; with the clock `naive` they are local time that no zone was given for.
    `phases` are seconds by name.
    """

    path: str
    format: str
    why: str
    records: int
    bad_lines: int
    first_step: int | None = None
    last_step: int | None = None
    tokens: float | None = None
    samples: float | None = None
    start: str | None = None
    end: str | None = None
    clock: Clock | None = None
    duration_s: float | None = None
    gpus: int | None = None
    params: float | None = None
    sequence_length: int | None = None
    global_batch_size: int | None = None
    precision: str | None = None
    attention: str | None = None
    phases: dict[str, float] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotRead:
    """A file that is no log, or a log that cannot be read."""

    path: str
    why: str


def inspect(path: str, options: ReadOptions) -> Inspection:
    """Read one file and sum up what is in it; see `ecoaudit.ingest.inspect`."""
    file = LogFile(path)
    match, views = registry.recognise(file)
    if match is None:
        raise assemble.not_a_log(file)
    records = assemble.records(match, views, options)
    log = next((r for r in records if isinstance(r, TrainingLog)), None)
    telemetry = [r for r in records if isinstance(r, Telemetry)]
    clocked = [r for r in records if getattr(r, "clock", "utc") != "none"]
    times = [t for r in clocked for t in _span(r)]
    seconds = [log.runtime_s] if log and log.runtime_s else []
    seconds += [max(times) - min(times)] if times else []
    clocks: set[Clock] = {r.clock for r in records if not isinstance(r, ReportedEnergy)}
    return Inspection(
        path=path,
        format=registry.load(match.entry).FORMAT.format,
        why=match.why,
        # Records of one file share one account, so the file's counts are the largest, not the sum.
        records=max((r.quality.records for r in records), default=0),
        bad_lines=max((r.quality.bad_lines for r in records), default=0),
        first_step=log.first_step if log else None,
        last_step=log.last_step if log else None,
        tokens=log.tokens if log else None,
        samples=log.samples if log else None,
        start=_iso(min(times)) if times else None,
        end=_iso(max(times)) if times else None,
        clock=clocks.pop() if len(clocks) == 1 else None,
        duration_s=max(seconds, default=None),
        gpus=sum(len(t.gpus) for t in telemetry) if telemetry else (log.world_size if log else None),
        params=log.params if log else None,
        sequence_length=log.sequence_length if log else None,
        global_batch_size=log.global_batch_size if log else None,
        precision=log.precision if log else None,
        attention=log.attention if log else None,
        phases=_phases(log) if log and log.phases else None,
        warnings=tuple(dict.fromkeys(w for r in records for w in r.quality.warnings)),
    )


def inspect_all(files: Iterable[discover.Found], options: ReadOptions) -> Iterator[Inspection | NotRead]:
    """Yield what each of the files is, as it is read."""
    for found in files:
        try:
            yield inspect(found.path, options)
        except EcoauditError as error:
            yield NotRead(found.path, error.what)


def _phases(log: TrainingLog) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for phase in log.phases:
        seconds[phase.name] = seconds.get(phase.name, 0.0) + phase.end_s - phase.start_s
    return seconds


def _span(record: Record) -> list[float]:
    if isinstance(record, TrainingLog):
        times = (record.job_start_s, record.train_start_s, record.train_end_s, record.job_end_s)
        return [t for t in times if t is not None]
    if isinstance(record, ReportedEnergy):
        return [t for t in (record.start_s, record.end_s) if t is not None]
    return [float(record.time_s[0]), float(record.time_s[-1])] if len(record.time_s) else []


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
