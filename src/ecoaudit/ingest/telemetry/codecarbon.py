"""CodeCarbon `emissions.csv`: every generation of columns, cumulative flushes, several trackers on one machine."""

import math
import re
from dataclasses import dataclass

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
    "at its flushes between",
    seen="12, 29, 31, 32 and 38 columns (2020 to 2025), old rows below a newer header, torn rows",
    cannot_tell="power over time, the time zone; CPU and memory energy are models of the tool, not readings",
)

_WIDTHS = {"timestamp", "duration", "emissions", "energy_consumed"}
_J_PER_KWH = 3.6e6


def sniff(head: Head) -> str | None:
    """Recognise the columns that every generation has."""
    for text in head.text.splitlines()[:10]:
        names = {c.strip() for c in text.split(",")}
        if names >= _WIDTHS:
            return f"CSV header with {len(names)} columns of CodeCarbon"
    return None


@dataclass(frozen=True)
class _Row:
    """One tracker's totals: the last row of its id."""

    run: str
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


def read(file: LogFile, options: ReadOptions) -> list[Record]:
    """Return what the tool reported and, where it split the energy, the GPUs' share as telemetry."""
    account = Account()
    runs: dict[str, _Row] = {}
    counters: dict[str, dict[float, float]] = {}
    names: list[str] = []
    flushes = 0
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
        before = runs.get(row.run)
        flushes += before is not None
        counters.setdefault(row.run, {})[row.end_s] = row.gpu
        if before is None or row.end_s >= before.end_s:
            runs[row.run] = row
    if not runs:
        raise EcoauditError("no whole row in emissions.csv", where=file.path)
    if flushes:
        account.warn(f"{flushes} rows repeat a run with a higher total: only the last row of a run counts")
    kept = _once(sorted(runs.values(), key=lambda r: (r.start_s, -r.end_s)), account)
    if len(kept) > 1:
        account.warn(f"{len(kept)} runs in one file are added up; keep one file a run to audit them apart")
    if options.zone is None:
        account.warn(NO_ZONE)
    account.warn("CodeCarbon's CPU and memory energy is modelled by the tool; it is shown, not used")
    out: list[Record] = [_reported(file, account, kept)]
    if any(not math.isnan(r.gpu) and r.gpus for r in kept):
        measured = [r for r in kept if not math.isnan(r.gpu) and r.gpus]
        out.append(_telemetry(file, account, measured, counters, options))
    return out


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
    return _Row(
        run=identity,
        start_s=end - duration,
        end_s=end,
        energy=energy,
        gpu=values.number(row.get("gpu_energy", "")),
        cpu=values.number(row.get("cpu_energy", "")),
        ram=values.number(row.get("ram_energy", "")),
        emissions=values.number(row["emissions"]),
        gpus=values.gpu_index(values.whole(count) or 0),
        model=row.get("gpu_model") or None,
        machine=row.get("tracking_mode") == "machine",
    )


def _once(rows: list[_Row], account: Account) -> list[_Row]:
    """Leave out trackers that ran beside another on the same machine: each of them saw the whole machine."""
    kept: list[_Row] = []
    for row in rows:
        twin = next((k for k in kept if k.machine and row.machine and k.model == row.model and _overlap(k, row)), None)
        if twin is None:
            kept.append(row)
        elif row.energy > twin.energy:
            kept[kept.index(twin)] = row
    if len(kept) < len(rows):
        account.warn(f"{len(rows) - len(kept)} trackers ran at the same time on the machine; it is counted once")
    return kept


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


def _rising(counter: dict[float, float], row: _Row) -> list[tuple[float, float]]:
    """Return a run's flushes as `(time, kWh)`, its last row among them; those that go back are left out."""
    out: list[tuple[float, float]] = []
    for end in sorted(counter):
        inside = row.start_s <= end <= row.end_s and counter[end] <= row.gpu
        if inside and (not out or counter[end] >= out[-1][1]):
            out.append((end, counter[end]))
    return out if out and out[-1] == (row.end_s, row.gpu) else [*out, (row.end_s, row.gpu)]


def _names(models: str | None, gpus: int) -> list[str | None]:
    """Return the name of each GPU from `4 x NVIDIA A100`; kinds are glued: `1 x RTX 40601 x RTX 3080 Ti`."""
    if models is None or " x " not in models:
        return [models] * gpus
    kinds = re.findall(r"(\d+) x (.+?)(?=\d x |$)", models)
    names: list[str | None] = [name.strip() for count, name in kinds for _ in range(min(int(count), gpus))]
    return names if len(names) == gpus else [kinds[0][1].strip() if len(kinds) == 1 else None] * gpus


def _telemetry(
    file: LogFile, account: Account, rows: list[_Row], counters: dict[str, dict[float, float]], options: ReadOptions
) -> Telemetry:
    gpus = max(r.gpus for r in rows)
    if gpus > 1:
        account.warn(f"the tool gives one GPU energy: it is shared equally over {gpus} GPUs")
    ordered = sorted(rows, key=lambda r: r.start_s)
    times: list[float] = []
    joules: list[float] = []
    total = 0.0
    for row in ordered:
        start = max(row.start_s, times[-1]) if times else row.start_s
        times.append(start)
        joules.append(total)
        for end, kwh in _rising(counters[row.run], row):
            times.append(max(end, times[-1]))
            joules.append(total + kwh * _J_PER_KWH)
        total = joules[-1]
    energy: FloatArray = np.repeat(np.array(joules, dtype=np.float64)[:, None] / gpus, gpus, axis=1)
    names = _names(next((r.model for r in rows if r.model), None), gpus)
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=None,
        gpus=tuple(GpuInfo(index=i, name=name) for i, name in enumerate(names)),
        time_s=np.array(times, dtype=np.float64),
        power_w=np.full(energy.shape, np.nan),
        energy_j=energy,
        util_percent=None,
        quality=account.quality(file),
        clock="utc" if options.zone is not None else "naive",
    )
