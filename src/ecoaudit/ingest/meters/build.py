"""From time stamps and watts to `MeterLog`: the last step that the meter readers share."""

import math

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.meters.side import declared_side
from ecoaudit.ingest.records import Clock, MeterLog, ReadOptions, Source
from ecoaudit.ingest.stamps import in_utc


def meter(
    file: LogFile,
    name: str,
    account: Account,
    readings: list[tuple[float, float]],
    options: ReadOptions,
    *,
    label: str,
    clock: Clock,
) -> MeterLog:
    """Return readings `(time, watts)` sorted stably. Raises `EcoauditError` when there is none, or none with a time."""
    if not readings:
        raise EcoauditError("no power reading in this log", where=file.path)
    stamped = [(t, w) for t, w in readings if not math.isnan(t)]
    if len(stamped) < 2:
        raise EcoauditError(
            "the readings carry no times, so they give no energy",
            where=file.path,
            fix="print a time stamp (date +%s) before each reading",
        )
    account.bad_lines += len(readings) - len(stamped)
    time, power = (np.array(column, dtype=np.float64) for column in zip(*stamped, strict=True))
    if clock == "naive":
        time, clock = in_utc(time, options.zone, account)
    order = np.argsort(time, kind="stable")
    side = declared_side(None, file.path, options, account)
    return MeterLog(
        source=Source(file.path, name),
        kind="node",
        label=label,
        time_s=time[order],
        power_w=power[order],
        quality=account.quality(file),
        clock=clock,
        boundary=side,
    )
