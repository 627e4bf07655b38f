"""CodeCarbon `emissions.csv`: every generation of columns, cumulative flushes, several trackers on one machine."""

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import (
    NO_ZONE,
    FloatArray,
    FormatInfo,
    GpuInfo,
    ReadOptions,
    Record,
    ReportedEnergy,
    Source,
    Telemetry,
)

FORMAT = FormatInfo(
    format="codecarbon",
    kind="telemetry",
    title="CodeCarbon emissions.csv",
    reads="energy and emissions as the tool reported them; GPU energy as a counter from start to end of a tracker and "
    "at its flushes between; the tasks of a tracker (emissions_*_<run id>.csv), once beside its totals",
    seen="CodeCarbon 1 to 3.3: 12, 29, 31, 32 and 38 columns, old rows below a newer header, torn rows; task mode",
    cannot_tell="power over time, the time zone, the host, which GPUs of the node a tracker was given; CPU and memory "
    "energy are models of the tool, not readings",
)

_WIDTHS = {"timestamp", "duration", "emissions", "energy_consumed"}
_J_PER_KWH = 3.6e6
_LONGER, _SLACK_S = 1.1, 1.0
"""The energy of a tracker's memory tells its time closer than by this factor and so many seconds."""


def sniff(head: Head) -> str | None:
    """Recognise the columns that every generation has."""
    for text in head.text.splitlines()[:10]:
        names = {c.strip() for c in text.split(",")}
        if names >= _WIDTHS:
            return f"CSV header with {len(names)} columns of CodeCarbon"
    return None


@dataclass(frozen=True)
class _Row:
    """What a tracker, or one of its tasks, used from start to end."""

    run: str
    task: str | None
    start_s: float
    end_s: float
    energy: float
    gpu: float
    cpu: float
    ram: float
    emissions: float
    gpus: int
    model: str | None
    machine: bool


@dataclass(frozen=True)
class _Tracker:
    """One tracker's rows, sorted by time: its totals so far at each flush, or its tasks one after another."""

    rows: tuple[_Row, ...]

    @property
    def total(self) -> _Row:
        """The last flush, or the sum of the tasks."""
        if self.rows[0].task is None:
            return self.rows[-1]
        return replace(
            self.rows[-1],
            start_s=min(row.start_s for row in self.rows),
            energy=math.fsum(row.energy for row in self.rows),
            gpu=math.fsum(row.gpu for row in self.rows),
            cpu=math.fsum(row.cpu for row in self.rows),
            ram=math.fsum(row.ram for row in self.rows),
            emissions=math.fsum(row.emissions for row in self.rows),
        )

    @property
    def counter(self) -> list[tuple[float, float]]:
        """The GPUs' energy as `(time, kWh)`, which rises from 0 to the total; flushes that go back are left out."""
        total = self.total
        points = [(total.start_s, 0.0)]
        for row in self.rows:
            if row.task is not None:
                start_s, kwh = max(row.start_s, points[-1][0]), points[-1][1]
                points += [(start_s, kwh), (max(row.end_s, start_s), kwh + row.gpu)]
            elif points[-1][1] <= row.gpu <= total.gpu and row.end_s >= total.start_s:
                points[len(points) - (row.end_s == points[-1][0]) :] = [(row.end_s, row.gpu)]
        return points


def read(file: LogFile, options: ReadOptions) -> list[Record]:
    """Return what the tool reported and, where it split the energy, the GPUs' share as telemetry."""
    account = Account()
    found: dict[str, list[_Row]] = {}
    names: list[str] = []
    for number, cells, text in tables.rows(file.lines()):
        account.lines += 1
        if "timestamp" in cells and "energy_consumed" in cells:
            names = cells
            continue
        if not text.strip():
            continue
        try:
            row = _row(_columns(names, cells), options)
        except (ValueError, KeyError) as error:
            account.bad(number, text, str(error))
            continue
        account.records += 1
        found.setdefault(row.run, []).append(row)
    if not found:
        raise EcoauditError("no whole row in emissions.csv", where=file.path)
    trackers = [_Tracker(tuple(sorted(rows, key=lambda r: r.end_s))) for rows in found.values()]
    flushes = sum(len(t.rows) - 1 for t in trackers if t.rows[0].task is None)
    if flushes:
        account.warn(f"{flushes} rows repeat a run with a higher total: only the last row of a run counts")
    if len(tasks := [row for t in trackers for row in t.rows if row.task is not None]) > 1:
        account.warn(f"{len(tasks)} tasks are added up: energy between them was not measured")
    kept = _once(sorted(trackers, key=lambda t: (t.total.start_s, -t.total.end_s)), account)
    if len(kept) > 1:
        account.warn(f"{len(kept)} runs in one file are added up; keep one file a run to audit them apart")
    if options.zone is None:
        account.warn(NO_ZONE)
    account.warn("CodeCarbon's CPU and memory energy is modelled by the tool; it is shown, not used")
    measured = [t for t in kept if t.total.gpus and not math.isnan(t.total.gpu)]
    out: list[Record] = [_reported(file, account, [t.total for t in kept])]
    return [*out, _telemetry(file, account, measured, options)] if measured else out


# Columns that the tool appended over time, in order of appearance; rows of an older generation below a newer header
# are told by their count.
_OLD_12 = (
    *("timestamp", "experiment_id", "project_name", "duration", "emissions", "energy_consumed"),
    *("country_name", "country_iso_code", "region", "on_cloud", "cloud_provider", "cloud_region"),
)


def _columns(names: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) == len(names):
        return dict(zip(names, cells, strict=True))
    if len(cells) == len(_OLD_12):
        return dict(zip(_OLD_12, cells, strict=True))
    late = ("pue", "experiment_id", "wue", "water_consumed", "cpu_utilization_percent", "gpu_utilization_percent")
    older = [n for n in names if n not in (*late, "ram_utilization_percent", "ram_used_gb")]
    for extra in ((), ("pue",), ("pue", "experiment_id")):
        shape = [n for n in names if n in older or n in extra]
        if len(shape) == len(cells):
            return dict(zip(shape, cells, strict=True))
    raise ValueError(f"{len(cells)} of {len(names)} columns")


def _row(row: dict[str, str], options: ReadOptions) -> _Row:
    end, naive = values.parse_time(row["timestamp"])
    if naive:
        end = float(values.localise(np.array([end]), options.zone)[0])
    duration, energy = values.number(row["duration"]), values.number(row["energy_consumed"])
    if not (math.isfinite(duration) and math.isfinite(energy) and duration >= 0 and energy >= 0):
        raise ValueError("no duration or energy")
    identity = row.get("run_id") or row.get("experiment_id") or ""
    if len(identity) < 8:
        raise ValueError("no valid run id")
    count = values.number(row.get("gpu_count", ""))
    task, machine, ram = (
        row.get("task_name"),
        row.get("tracking_mode") == "machine",
        values.number(row.get("ram_energy", "")),
    )
    if task is None and machine:
        duration = _tracked_s(duration, ram, values.number(row.get("ram_power", "")))
    return _Row(
        run=identity,
        task=task,
        start_s=end - duration,
        end_s=end,
        energy=energy,
        gpu=values.number(row.get("gpu_energy", "")),
        cpu=values.number(row.get("cpu_energy", "")),
        ram=ram,
        emissions=values.number(row["emissions"]),
        gpus=values.gpu_index(values.whole(count) or 0),
        model=row.get("gpu_model") or None,
        machine=machine,
    )


def _tracked_s(duration_s: float, ram_kwh: float, ram_w: float) -> float:
    """Return how long a tracker measured; of one that ran tasks the row's duration is the last task's alone.

    The tool takes a machine's memory for a constant load, so its energy tells the time.
    """
    tracked_s = ram_kwh * _J_PER_KWH / ram_w if ram_w > 0 else math.nan
    return tracked_s if tracked_s > _LONGER * duration_s + _SLACK_S else duration_s


def _once(trackers: list[_Tracker], account: Account) -> list[_Tracker]:
    """Leave out trackers that ran beside another on the same machine: each of them saw the whole machine."""
    kept: list[_Tracker] = []
    for tracker in trackers:
        row = tracker.total
        twin = next((k for k in kept if _twins(k.total, row)), None)
        if twin is None:
            kept.append(tracker)
        elif row.energy > twin.total.energy:
            kept[kept.index(twin)] = tracker
    if len(kept) < len(trackers):
        account.warn(
            f"{len(trackers) - len(kept)} trackers ran at the same time on the machine; it is counted once "
            "(trackers of several nodes belong into a file each)"
        )
    return kept


def _twins(one: _Row, other: _Row) -> bool:
    return one.machine and other.machine and one.model == other.model and _overlap(one, other)


def _overlap(one: _Row, other: _Row) -> bool:
    shared = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return shared > 0.5 * min(one.end_s - one.start_s, other.end_s - other.start_s) > 0


def _reported(file: LogFile, account: Account, rows: list[_Row]) -> ReportedEnergy:
    def total(numbers: list[float]) -> float | None:
        return None if any(math.isnan(n) for n in numbers) else math.fsum(numbers)

    return ReportedEnergy(
        source=Source(file.path, FORMAT.format),
        tool="CodeCarbon",
        energy_kwh=math.fsum(r.energy for r in rows),
        quality=account.quality(file),
        gpu_kwh=total([r.gpu for r in rows]),
        cpu_kwh=total([r.cpu for r in rows]),
        ram_kwh=total([r.ram for r in rows]),
        emissions_kg=total([r.emissions for r in rows]),
        start_s=min(r.start_s for r in rows),
        end_s=max(r.end_s for r in rows),
        runs=len(rows),
    )


def _names(models: str | None, gpus: int) -> list[str | None]:
    """Return the name of each GPU from `4 x NVIDIA A100`; kinds are glued: `1 x RTX 40601 x RTX 3080 Ti`."""
    if models is None or " x " not in models:
        return [models] * gpus
    kinds = re.findall(r"(\d+) x (.+?)(?=\d x |$)", models)
    names: list[str | None] = [name.strip() for count, name in kinds for _ in range(min(int(count), gpus))]
    return names if len(names) == gpus else [kinds[0][1].strip() if len(kinds) == 1 else None] * gpus


def _telemetry(file: LogFile, account: Account, trackers: list[_Tracker], options: ReadOptions) -> Telemetry:
    """Return the trackers' counters, one after another, as one."""
    gpus = max(t.total.gpus for t in trackers)
    if gpus > 1:
        account.warn(f"the tool gives one GPU energy: it is shared equally over {gpus} GPUs")
    times: list[float] = []
    kwh: list[float] = []
    for tracker in trackers:
        before_s, before_kwh = (times[-1], kwh[-1]) if times else (-math.inf, 0.0)
        times += [max(time_s, before_s) for time_s, _ in tracker.counter]
        kwh += [before_kwh + so_far for _, so_far in tracker.counter]
    energy: FloatArray = np.repeat(np.array(kwh)[:, None] * _J_PER_KWH / gpus, gpus, axis=1)
    names = _names(next((t.total.model for t in trackers if t.total.model), None), gpus)
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=None,
        gpus=tuple(GpuInfo(index=i, name=name) for i, name in enumerate(names)),
        time_s=np.array(times),
        power_w=np.full(energy.shape, np.nan),
        energy_j=energy,
        util_percent=None,
        quality=account.quality(file),
        clock="utc" if options.zone is not None else "naive",
        run_id=trackers[0].total.run if len(trackers) == 1 else None,
    )
