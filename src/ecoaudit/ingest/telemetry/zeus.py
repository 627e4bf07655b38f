"""Zeus measurement logs: `start_time,window_name,elapsed_time,gpu0_energy,...`."""

import math
import re

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import tables, values
from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, Event, FormatInfo, GpuInfo, ReadOptions, Source, Telemetry

FORMAT = FormatInfo(
    format="zeus",
    kind="telemetry",
    title="Zeus measurement log (CSV)",
    reads="energy of each window a GPU, as a counter that rises in the windows; windows inside others counted once",
    seen="Zeus 0.2 to 0.16: monotonic and epoch start times",
    cannot_tell="power over time, energy between the windows, host energy, the clock of old versions",
)

_GPU = re.compile(r"gpu(\d{1,3})_energy")


def sniff(head: Head) -> str | None:
    """Recognise the header."""
    for text in head.text.splitlines()[:10]:
        cells = tables.cells_of(text)
        if {"start_time", "window_name"} <= set(cells) and any(_GPU.fullmatch(c) for c in cells):
            return "CSV header with window_name and gpuN_energy"
    return None


def read(file: LogFile, options: ReadOptions) -> list[Telemetry]:  # noqa: ARG001 - epoch or monotonic
    """Return the windows as a counter; raises `EcoauditError` without one."""
    account = Account()
    names: list[str] = []
    gpus: list[int] = []
    windows: list[tuple[float, float, str, list[float]]] = []
    for number, cells, text in tables.rows(file.lines()):
        account.lines += 1
        if "window_name" in cells:
            names = cells
            gpus = sorted(int(m[1]) for c in cells if (m := _GPU.fullmatch(c)))
            continue
        if not text.strip():
            continue
        if len(cells) != len(names):
            account.bad(number, text, f"{len(cells)} of {len(names)} columns")
            continue
        row = dict(zip(names, cells, strict=True))
        try:
            start, elapsed = values.number(row["start_time"]), values.number(row["elapsed_time"])
            energy = [values.number(row[f"gpu{g}_energy"]) for g in gpus]
        except (ValueError, KeyError) as error:
            account.bad(number, text, str(error))
            continue
        if not (math.isfinite(start) and elapsed >= 0):
            account.bad(number, text, "no start or a negative duration")
            continue
        account.records += 1
        windows.append((start, start + elapsed, row["window_name"], energy))
    if not windows:
        raise EcoauditError("no measurement window in the Zeus log", where=file.path)
    return [_telemetry(file, account, gpus, windows)]


def _telemetry(
    file: LogFile, account: Account, gpus: list[int], windows: list[tuple[float, float, str, list[float]]]
) -> Telemetry:
    outer = _outermost(windows)
    if len(outer) < len(windows):
        account.warn(f"{len(windows) - len(outer)} windows lie inside others and are not counted again")
    times: list[float] = []
    counter: list[list[float]] = []
    total = [0.0] * len(gpus)
    for start, end, _, energy in outer:
        times += [start, end]
        counter.append(list(total))
        total = [t + (0.0 if math.isnan(e) else e) for t, e in zip(total, energy, strict=True)]
        counter.append(list(total))
    clock: Clock = "utc" if windows[0][0] > 6.3e8 else "none"
    if clock == "none":
        account.warn("start times are of a monotonic clock: the log cannot be placed in time")
    account.warn("energy between the windows was not measured")
    energy_j = np.array(counter, dtype=np.float64)
    return Telemetry(
        source=Source(file.path, FORMAT.format),
        host=None,
        gpus=tuple(GpuInfo(index=g) for g in gpus),
        time_s=np.array(times, dtype=np.float64),
        power_w=np.full(energy_j.shape, np.nan),
        energy_j=energy_j,
        util_percent=None,
        quality=account.quality(file),
        clock=clock,
        events=tuple(Event(start, "phase", name) for start, _, name, _ in outer),
    )


def _outermost(windows: list[tuple[float, float, str, list[float]]]) -> list[tuple[float, float, str, list[float]]]:
    """Return the windows that lie in no other, in order of time; of overlapping ones the first."""
    out: list[tuple[float, float, str, list[float]]] = []
    for window in sorted(windows, key=lambda w: (w[0], -w[1])):
        if not out or window[0] >= out[-1][1] - 1e-3:
            out.append(window)
    return [(max(s, out[i - 1][1]) if i else s, e, n, j) for i, (s, e, n, j) in enumerate(out)]
