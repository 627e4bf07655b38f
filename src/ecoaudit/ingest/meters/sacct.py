"""Slurm accounting: `sacct` tables with ConsumedEnergy, which repeat one energy over several rows."""

import math
import re
from dataclasses import dataclass

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.meters.side import declared_side
from ecoaudit.ingest.records import FormatInfo, MeterLog, ReadOptions, Source

FORMAT = FormatInfo(
    format="sacct",
    kind="meter",
    title="Slurm sacct with ConsumedEnergy",
    reads="node energy of a job over its time, shared equally over its nodes; repeated rows counted once",
    seen="-P and -p tables, padded and Markdown tables, K/M/G joules, blank job rows",
    cannot_tell="power over time, node by node; other jobs on a shared node; the side of the meter",
)

_NEEDED = ("ConsumedEnergyRaw", "ConsumedEnergy")
_NO_VALUE = 1e18  # Slurm's NO_VAL64 and what is near it: 18446744073709551614 J


def sniff(head: Head) -> str | None:
    """Recognise the header."""
    for line in head.text.splitlines()[:50]:
        if re.match(r"[A-Za-z|,;*\s]*JobID", line) and "ConsumedEnergy" in line:
            return "sacct header with JobID and ConsumedEnergy"
    return None


@dataclass(frozen=True)
class _Row:
    job: str
    step: str
    energy_j: float
    start_s: float
    elapsed_s: float
    nodes: int


def read(file: LogFile, options: ReadOptions) -> list[MeterLog]:
    """Return one meter log a node of each job; raises `EcoauditError` when no row has energy and time."""
    account = Account()
    names: list[str] = []
    rows: list[_Row] = []
    delimiter: str | None = "|"
    for number, text in file.lines():
        account.lines += 1
        if "JobID" in text and "ConsumedEnergy" in text:
            delimiter = "|" if "|" in text else tables.delimiter_of(text) if "," in text else None
            names = _cells(text, delimiter)
            continue
        if not names or not text.strip() or not re.search(r"\w", text):
            continue
        cells = _cells(text, delimiter)
        if len(cells) != len(names):
            account.bad(number, text, f"{len(cells)} of {len(names)} columns")
            continue
        try:
            row = _row(dict(zip(names, cells, strict=True)))
        except (ValueError, KeyError) as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        rows.append(row)
    jobs = list(dict.fromkeys(r.job for r in rows))
    if len(jobs) > 1:
        account.warn(f"{len(jobs)} jobs in one table: all are read")
    out = [log for job in jobs for log in _logs(file, [r for r in rows if r.job == job], options, account)]
    if not out:
        raise EcoauditError(
            "no job with energy, start and elapsed time",
            where=file.path,
            fix="use sacct -P -o JobID,ConsumedEnergyRaw,ElapsedRaw,Start,End,NNodes,State",
        )
    return out


def _cells(text: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return text.split()
    body = text.strip()
    if body.startswith("|"):  # a Markdown table frames its rows
        body = body.strip("|")
    return [c.strip() for c in body.rstrip("\r").split(delimiter)]


def _row(row: dict[str, str]) -> _Row:
    job, _, step = (row.get("JobID") or row["JobIDRaw"]).partition(".")
    if not re.match(r"\d", job):
        raise ValueError("not a job id")
    energy = math.nan
    for name in _NEEDED:
        if row.get(name):
            energy = values.scaled(row[name])
            energy = energy if energy < _NO_VALUE else math.nan
            break
    elapsed = values.number(row["ElapsedRaw"]) if row.get("ElapsedRaw") else _elapsed(row.get("Elapsed", ""))
    start = values.parse_time(row["Start"])[0] if row.get("Start") else math.nan
    if math.isnan(start) and row.get("End"):
        start = values.parse_time(row["End"])[0] - elapsed
    nodes = row.get("NNodes") or row.get("AllocNodes") or ""
    if not nodes.isdigit():
        match = re.search(r"\bnode=(\d+)", row.get("AllocTRES", ""))
        nodes = match[1] if match else "0"
    if len(nodes) > 6:
        raise ValueError("not a number of nodes")
    return _Row(job, step, energy, start, elapsed, int(nodes))


def _elapsed(text: str) -> float:
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?", text.strip())
    if match is None:
        raise ValueError("no elapsed time")
    return int(match[1] or 0) * 86400.0 + int(match[2] or 0) * 3600.0 + int(match[3]) * 60.0 + int(match[4])


def _logs(file: LogFile, rows: list[_Row], options: ReadOptions, account: Account) -> list[MeterLog]:
    """Return the job's energy, from the job row, else the extern row, else the sum of its numbered steps."""
    known = [r for r in rows if r.energy_j > 0 and r.elapsed_s > 0]
    whole = [r for r in known if r.step == ""] or [r for r in known if r.step == "extern"]
    steps = [r for r in known if r.step.isdigit()] or [r for r in known if r.step == "batch"]
    if whole:
        best = max(whole, key=lambda r: r.energy_j)
        energy = best.energy_j
    elif steps:
        best = max(steps, key=lambda r: r.elapsed_s)
        energy = sum(r.energy_j for r in steps)
        account.warn("the job row has no energy: its steps are added up; time between them is missing")
    else:
        return []
    if len(known) > 1:
        account.warn(f"{len(known)} rows of job {best.job} repeat its energy; it is counted once")
    nodes = best.nodes or 1
    if nodes > 1:
        account.warn(f"sacct gives the sum over {nodes} nodes: it is shared equally over them")
    account.warn("Slurm's energy is of whole nodes: it is this job's only where the nodes are its own")
    starts = [r.start_s for r in (best, *rows) if not math.isnan(r.start_s)]
    if not starts:
        raise EcoauditError("no row of the job has a start or an end", where=file.path)
    start = float(values.localise(np.array(starts[:1]), options.zone)[0])
    power = energy / best.elapsed_s / nodes
    side = declared_side(None, file.path, options, account)
    return [
        MeterLog(
            source=Source(file.path, FORMAT.format),
            kind="node",
            label=f"{best.job} node {i}",
            time_s=np.array([start, start + best.elapsed_s]),
            power_w=np.array([power, power]),
            clock="utc" if options.zone is not None else "naive",
            boundary=side,
            quality=account.quality(file),
            started_at_s=start,
            stopped_at_s=start + best.elapsed_s,
        )
        for i in range(nodes)
    ]
