"""GPU metrics as W&B logs them: every GPU of the node, and which of them the logging process used."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import FloatArray, GpuInfo, Source, Telemetry
from ecoaudit.ingest.telemetry.frame import Readings, frame
from ecoaudit.ingest.telemetry.plausible import board_power

_GPU = re.compile(r"(?:system[./])?gpu\.(\d{1,3})\.(powerWatts|gpu|enforcedPowerLimitWatts)")
_PROCESS = re.compile(r"(?:system[./])?gpu\.process\.(\d{1,3})\.")
IDLE_PERCENT = 5.0
"""A GPU that never gets above this utilisation did no work of anybody's."""


@dataclass
class GpuMetrics:
    """Collects system rows; `own` are the GPUs of the logging process."""

    readings: Readings = field(default_factory=Readings)
    limits: dict[int, float] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)

    def has_gpus(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row holds GPU metrics."""
        return any(_GPU.fullmatch(key) for key in row)

    def add(self, time_s: float, row: Mapping[str, Any]) -> None:
        """Take the GPU metrics of one row."""
        by_gpu: dict[int, dict[str, float]] = {}
        for key, value in row.items():
            if match := _GPU.fullmatch(key):
                by_gpu.setdefault(int(match[1]), {})[match[2]] = values.real(value)
            elif match := _PROCESS.match(key):
                self.own.add(int(match[1]))
        for index, found in sorted(by_gpu.items()):
            limit = found.get("enforcedPowerLimitWatts", math.nan)
            if not math.isnan(limit):
                self.limits[index] = limit
            if "powerWatts" in found or "gpu" in found:
                self.readings.add(time_s, index, found.get("powerWatts", math.nan), found.get("gpu", math.nan))

    def telemetry(
        self,
        file: LogFile,
        name: str,
        account: Account,
        boards: Sequence[GpuInfo] = (),
        world_size: int | None = None,
        host: object = None,
    ) -> Telemetry:
        """Return the telemetry of the run's GPUs; `boards` describes the node's GPUs in the order of their index.

        `world_size` is the number of GPUs that the run's configuration states, `host` what the log names as the node.
        """
        self.readings.power_w = board_power(np.array(self.readings.power_w), account).tolist()
        table = frame(self.readings)
        indices = [int(str(key)) for key in table.keys]
        kept = _of_the_run(indices, table.util_percent, self.own, account, alone=world_size == 1)
        return Telemetry(
            source=Source(file.path, name),
            host=host if isinstance(host, str) and host else None,
            gpus=tuple(self._info(indices[column], boards) for column in kept),
            time_s=table.time_s,
            power_w=table.power_w[:, kept],
            energy_j=None,
            util_percent=None if table.util_percent is None else table.util_percent[:, kept],
            quality=account.quality(file),
            interval_s=float(np.median(np.diff(table.time_s))) if len(table.time_s) > 1 else None,
            power_field="average",
            node_gpu_count=len(indices) if len(kept) < len(indices) else None,
        )

    def _info(self, index: int, boards: Sequence[GpuInfo]) -> GpuInfo:
        board = boards[index] if index < len(boards) else GpuInfo()
        return replace(board, index=index, power_limit_w=self.limits.get(index))


def boards_of(metadata: Mapping[str, Any]) -> tuple[GpuInfo, ...]:
    """Return the node's GPUs as `wandb-metadata.json` lists them, old and new SDKs."""
    listed = metadata.get("gpu_nvidia") or metadata.get("gpu_devices") or metadata.get("gpu_amd")
    boards = [_board(entry) for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    name, count = metadata.get("gpu"), metadata.get("gpu_count")
    if not boards and isinstance(name, str) and isinstance(count, int) and 0 < count <= 64:
        boards = [GpuInfo(name=name)] * count
    return tuple(boards)


def metadata_near(file: LogFile) -> Mapping[str, Any]:
    """Return the run's `wandb-metadata.json` (its GPUs, its host), empty where it is not beside the file.

    A run's folder keeps it in `files`; notebook services keep the run file one folder deeper, in `tmp`.
    """
    folder = Path(file.path).parent
    for beside in () if file.is_url else (folder, folder / "files", folder.parent / "files"):
        try:
            data = json.loads((beside / "wandb-metadata.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        return data if isinstance(data, dict) else {}
    return {}


def _board(entry: Mapping[str, Any]) -> GpuInfo:
    name, uuid = entry.get("name") or entry.get("series"), entry.get("uuid")
    try:
        size = values.number(str(entry.get("memoryTotal", entry.get("memory_total", ""))))
    except ValueError:
        size = math.nan
    return GpuInfo(
        name=name if isinstance(name, str) else None,
        uuid=uuid if isinstance(uuid, str) and uuid else None,
        memory_mib=size / 2**20 if size > 0 else None,
    )


def _of_the_run(
    indices: list[int], util: FloatArray | None, own: set[int], account: Account, *, alone: bool
) -> list[int]:
    """Return the columns of the GPUs that the logging process used (`gpu.process.N`), all where that is ambiguous.

    A process of one GPU beside busy ones is either a job of its own or one rank of several: nothing tells which,
    unless the run's configuration says that it was `alone`.
    """
    every = list(range(len(indices)))
    mine = [column for column in every if indices[column] in own]
    others = [column for column in every if column not in mine]
    if not mine or not others:
        account.warn("W&B logs every GPU of the node, other jobs' too; its rows are means over the interval")
        warn_of_idle(indices, util, account)
        return every
    known = util is not None and bool(np.isfinite(util[:, others]).any())
    busy = util is None or not known or float(np.nanmax(util[:, others])) > IDLE_PERCENT
    if len(mine) == 1 and busy and not alone:
        account.warn(
            f"W&B names one GPU of {len(indices)} as its process's, others were busy or not told: all are counted; if "
            "the run used one GPU, its energy is too high"
        )
        return every
    rest = "one is" if len(others) == 1 else f"{len(others)} are"
    account.warn(f"W&B names {len(mine)} of the node's {len(indices)} GPUs as its process's: {rest} left out")
    return mine


def warn_of_idle(indices: Sequence[int], util: FloatArray | None, account: Account) -> None:
    """Warn of GPUs that did nothing all the time beside others that worked: they may not be the run's."""
    if util is None or len(indices) < 2:
        return
    told = [np.isfinite(util[:, column]).any() for column in range(len(indices))]
    peaks = [float(np.nanmax(util[:, column])) if told[column] else math.nan for column in range(len(indices))]
    idle = [index for index, peak in zip(indices, peaks, strict=True) if peak <= IDLE_PERCENT]
    if idle and len(idle) < sum(told):
        which = f"GPU {idle[0]}" if len(idle) == 1 else f"GPUs {', '.join(map(str, idle))}"
        account.warn(
            f"{which} did no work in this log (utilisation never above {IDLE_PERCENT:g} %) while the others did: if "
            "the run did not reserve all of them, its energy is too high"
        )
