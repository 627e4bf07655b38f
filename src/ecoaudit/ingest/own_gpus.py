"""The run's own GPUs out of telemetry of whole nodes, where the user names them: others' are not its energy."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray, GpuInfo, IntArray, RunLogs, Telemetry

_INDICES = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")
_UUID = re.compile(r"(?:GPU|MIG)-[0-9a-f-]{4,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OwnGpus:
    """GPUs by nvidia-smi's index, the same on every node, and by UUID or its beginning."""

    text: str
    indices: frozenset[int]
    uuids: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "OwnGpus":
        """Return the GPUs that `0-3,6` or `GPU-8f1c…` name; raises `EcoauditError` for anything else."""
        indices: set[int] = set()
        uuids: list[str] = []
        for part in (p.strip() for p in text.split(",")):
            if (match := _INDICES.fullmatch(part)) and int(match[1]) <= int(match[2] or match[1]):
                indices.update(range(int(match[1]), int(match[2] or match[1]) + 1))
            elif _UUID.fullmatch(part):
                uuids.append(part.lower())
            else:
                raise EcoauditError(
                    f"{part!r} names no GPU", where="own_gpus", fix="give indices (0-3,6) or UUIDs (GPU-8f1c…)"
                )
        return cls(text, frozenset(indices), tuple(uuids))

    def columns(self, gpus: Sequence[GpuInfo]) -> IntArray:
        """Return the positions of the named GPUs; where a log gives no index, its order is the index."""
        found = [
            column
            for column, gpu in enumerate(gpus)
            if _name(gpu, column) in self.indices or (gpu.uuid is not None and gpu.uuid.lower().startswith(self.uuids))
        ]
        return np.array(found, dtype=np.int64)

    def of(self, logs: RunLogs) -> RunLogs:
        """Return the logs with the telemetry of the named GPUs alone; a node without any of them is left out.

        Raises `EcoauditError` when there is telemetry and none of it is theirs.
        """
        kept = [_only(file, self.columns(file.gpus)) for file in logs.telemetry]
        found = tuple(file for file in kept if file is not None)
        if logs.telemetry and not found:
            held = sorted({str(_name(gpu, i)) for file in logs.telemetry for i, gpu in enumerate(file.gpus)})
            raise EcoauditError(
                f"no telemetry of GPU {self.text}; the logs hold {', '.join(held[:16])}",
                where=logs.telemetry[0].source.path,
                fix="name the run's GPUs with --own-gpus as the logs do",
            )
        lost = len(kept) - len(found)
        without = f"{lost} of {len(kept)} telemetry logs hold none of the GPUs {self.text} and are left out"
        return replace(logs, telemetry=found, warnings=(*logs.warnings, without) if lost else logs.warnings)


def _name(gpu: GpuInfo, position: int) -> int:
    return gpu.index if gpu.index is not None else position


def _only(file: Telemetry, columns: IntArray) -> Telemetry | None:
    """Return the telemetry of these GPUs, with the number of all in the node; None without any."""
    if not columns.size:
        return None
    if columns.size == len(file.gpus):
        return file

    def cut(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[:, columns]

    return replace(
        file,
        gpus=tuple(file.gpus[column] for column in columns),
        power_w=file.power_w[:, columns],
        energy_j=cut(file.energy_j),
        util_percent=cut(file.util_percent),
        node_gpu_count=max(file.node_gpu_count or 0, len(file.gpus)),
    )
