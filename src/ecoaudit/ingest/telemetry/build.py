"""From readings to `Telemetry`: the last step that the readers of GPU logs share."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, FloatArray, GpuInfo, ReadOptions, Source, Telemetry
from ecoaudit.ingest.stamps import in_utc
from ecoaudit.ingest.telemetry.frame import Frame, Readings, frame
from ecoaudit.ingest.telemetry.plausible import board_power, warn_of_holes

USUAL_W = 3e3
"""The largest boards are rated below it: readings beyond are most likely of another unit."""
STUCK_SAMPLES, STUCK_S = 100, 60.0
"""So many readings over so long differ on any board, idle or not, where the log has fractions of a watt."""
NO_POWER = "the log has neither power nor energy readings"


def telemetry(
    file: LogFile,
    name: str,
    account: Account,
    readings: Readings,
    options: ReadOptions,
    *,
    clock: Clock = "utc",
    host: str | None = None,
    same_tick_s: float | None = None,
    power_field: Literal["average", "instant", "unspecified"] = "unspecified",
    host_energy_j: Mapping[str, FloatArray] | None = None,
    node_gpu_count: int | None = None,
) -> Telemetry:
    """Return the readings as arrays; naive times are put into the given zone. Raises `EcoauditError` without any."""
    if not readings.time_s:
        raise EcoauditError("no reading of a GPU in this log", where=file.path)
    if clock == "naive":
        local = np.array(readings.time_s, dtype=np.float64)
        in_zone, clock = in_utc(local, options.zone, account)
        readings.time_s = in_zone.tolist()
    power_w = board_power(np.array(readings.power_w), account)
    warn_of_holes(power_w, account, np.array(readings.energy_j))
    known = power_w[~np.isnan(power_w)]
    if known.size and float(np.median(known)) > USUAL_W:
        account.warn(f"no board draws {float(np.median(known)):,.0f} W: are the readings in milliwatts?")
    readings.power_w = power_w.tolist()
    table = frame(readings, same_tick_s=same_tick_s)
    _warn_of_stuck(table, account)
    if np.isnan(table.power_w).all() and table.energy_j is None:
        account.warn(NO_POWER)
    return Telemetry(
        source=Source(file.path, name),
        host=host,
        gpus=tuple(readings.info.get(key) or _named(key) for key in table.keys),
        time_s=table.time_s,
        power_w=table.power_w,
        energy_j=table.energy_j,
        util_percent=table.util_percent,
        quality=account.quality(file),
        clock=clock,
        interval_s=float(np.median(np.diff(table.time_s))) if len(table.time_s) > 1 else None,
        power_field=power_field,
        host_energy_j=dict(host_energy_j or {}),
        node_gpu_count=node_gpu_count,
    )


def _warn_of_stuck(table: Frame, account: Account) -> None:
    """Warn of boards whose power has the same fraction of a watt for minutes: a query that failed repeats itself."""
    if len(table.time_s) < STUCK_SAMPLES or table.time_s[-1] - table.time_s[0] < STUCK_S:
        return
    for power_w in table.power_w.T:
        known = power_w[~np.isnan(power_w)]
        if len(known) >= STUCK_SAMPLES and known.min() == known.max() and known[0] % 1:
            account.warn(
                f"a GPU's power never changes ({known[0]:g} W, {len(known)} readings): the reading may be stuck"
            )


def _named(key: object) -> GpuInfo:
    if isinstance(key, int):
        return GpuInfo(index=key)
    return GpuInfo(uuid=str(key)) if key is not None else GpuInfo()
