"""Series of Prometheus brought together by node and GPU, with the pods that held the GPUs."""

import math
import re
from dataclasses import dataclass, field, replace

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.records import FloatArray, GpuInfo
from ecoaudit.ingest.telemetry.frame import Readings
from ecoaudit.ingest.telemetry.tenants import job_of

# Metric names of dcgm-exporter (new and old), nvidia_gpu_exporter (two projects) and AMD's device metrics exporter.
METRICS = {
    "DCGM_FI_DEV_POWER_USAGE": "power",
    "DCGM_FI_DEV_BOARD_POWER_WATTS": "power",
    "dcgm_power_usage": "power",
    "nvidia_smi_power_draw_watts": "power",
    "nvidia_smi_power_draw_average_watts": "power",
    "nvidia_gpu_power_usage_milliwatts": "milliwatts",
    "gpu_average_package_power": "power",
    "gpu_package_power": "power",
    "DCGM_FI_DEV_POWER_USAGE_INSTANT": "instant",
    "nvidia_smi_power_draw_instant_watts": "instant",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": "energy",
    "dcgm_total_energy_consumption": "energy",
    "DCGM_FI_DEV_GPU_UTIL": "util",
    "dcgm_gpu_utilization": "util",
    "nvidia_gpu_duty_cycle": "util",
    "gpu_gfx_activity": "util",
    "nvidia_smi_utilization_gpu_ratio": "ratio",
    "nvidia_smi_gpu_info": "info",
}
# What exporters of BMCs (ipmi_exporter, idrac_exporter, redfish_exporter) call a whole node's power.
NODE_METERS = {
    "ipmi_dcmi_power_consumption_watts",
    "idrac_power_control_consumed_watts",
    "redfish_chassis_power_average_consumed_watts",
}
_FACTOR = {"milliwatts": ("power", 1e-3), "ratio": ("util", 100.0), "energy": ("energy", 1e-3)}
_BLANK = 1e15  # DCGM's sentinel for "no value" lies near 2**63
_NODE_LABELS = ("node", "kubernetes_node", "nodename", "node_name", "host")
_SHORTEST_S, _LONGEST_S = 0.1, 3600.0  # intervals at which anybody scrapes
_BARE_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOST_LABELS = ("Hostname", "hostname", *_NODE_LABELS, "instance")


@dataclass
class Board:
    """One GPU: what its labels say, the jobs whose pods held it, and values by kind and time."""

    info: GpuInfo
    jobs: set[str] = field(default_factory=set)
    kinds: dict[str, dict[float, float]] = field(default_factory=dict)
    instances: dict[str, dict[float, float]] = field(default_factory=dict)

    @property
    def split(self) -> bool:
        """Whether the GPU's power and energy are told by its MIG instances' series only."""
        return bool(self.instances) and not {"power", "instant", "energy"} & set(self.kinds)


@dataclass
class Nodes:
    """GPUs by node. A GPU that its UUID tells is of one node, whatever instance or pod its series name."""

    boards: dict[str | None, dict[str, Board]] = field(default_factory=dict)
    meters: dict[str | None, dict[float, float]] = field(default_factory=dict)
    _home: dict[str, str | None] = field(default_factory=dict)

    def put(self, kind: str, labels: dict[str, str], samples: list[tuple[float, float]]) -> None:
        """Add values of one kind (a value of `METRICS`) of one GPU.

        The exporter gives each MIG instance the power and energy of the whole GPU, and may give the GPU none itself:
        instances' values are kept apart, and are one another's repetition.
        """
        board = self._board(labels)
        pod = pod_of(labels)
        if pod:
            board.jobs.add(job_of(pod))
        kind, factor = _FACTOR.get(kind, (kind, 1.0))
        if labels.get("GPU_I_ID") and kind in ("util", "ratio"):
            return  # 0 for instances, whatever they do
        cells = (board.instances if labels.get("GPU_I_ID") else board.kinds).setdefault(kind, {})
        cells.update((t, v * factor if abs(v) < _BLANK else math.nan) for t, v in samples)

    def describe(self, labels: dict[str, str]) -> None:
        """Take from a series that only describes a GPU what its labels say."""
        self._board(labels)

    def put_meter(self, labels: dict[str, str], samples: list[tuple[float, float]]) -> None:
        """Add readings of a node's own meter, W."""
        self.meters.setdefault(host_of(labels), {}).update(samples)

    @property
    def scrapes(self) -> int:
        """How many moments the GPUs' values are of."""
        return len({t for board in self._all() for cells in board.kinds.values() for t in cells})

    def stretch(self, factor: float) -> None:
        """Multiply all times, which count from 0."""
        for board in self._all():
            board.kinds = {k: {t * factor: v for t, v in cells.items()} for k, cells in board.kinds.items()}
            board.instances = {k: {t * factor: v for t, v in cells.items()} for k, cells in board.instances.items()}
        self.meters = {host: {t * factor: w for t, w in cells.items()} for host, cells in self.meters.items()}

    def _all(self) -> list[Board]:
        return [board for of_node in self.boards.values() for board in of_node.values()]

    def _board(self, labels: dict[str, str]) -> Board:
        """Return the GPU of a series; its name is that of the first series with one."""
        host, uuid = host_of(labels), _uuid_of(labels)
        index = next((labels[k] for k in ("gpu", "gpu_id", "minor_number", "index") if labels.get(k)), "")
        name = labels.get("modelName") or labels.get("name") or labels.get("card_model")
        if uuid is not None:
            host = self._at_home(uuid, host)
        node = self.boards.setdefault(host, {})
        key = uuid or self._same_index(node, index) or index or "0"
        number = int(index) if values.is_index(index) else None
        board = node.setdefault(key, Board(GpuInfo(index=number, uuid=uuid, name=name)))
        if board.info.name is None and name:
            board.info = replace(board.info, name=name)
        return board

    def _at_home(self, uuid: str, host: str | None) -> str | None:
        """Return the node on which a GPU was first seen; one that was seen without a node moves to the named one."""
        home = self._home.setdefault(uuid, host)
        if home is None and host is not None:
            self._home[uuid] = host
            self.boards.setdefault(host, {})[uuid] = self.boards[None].pop(uuid)
            return host
        return home

    @staticmethod
    def _same_index(node: dict[str, Board], index: str) -> str | None:
        """Return the GPU of a node that has this index, where the series at hand carries no UUID."""
        return next((k for k, b in node.items() if values.is_index(index) and b.info.index == int(index)), None)


def _uuid_of(labels: dict[str, str]) -> str | None:
    """Return a GPU's UUID as NVML writes it: nvidia_gpu_exporter leaves its `GPU-` out."""
    bare = labels.get("uuid")
    if bare and _BARE_UUID.fullmatch(bare):
        return f"GPU-{bare}"
    return labels.get("UUID") or bare or labels.get("gpu_uuid")


def scrape_interval_s(nodes: Nodes, assumed_s: float) -> float | None:
    """Return the interval of scrapes without times by which the GPUs' power, integrated over it, gives what their
    energy counters rose by; the median GPU's, None where none tells. Their times count in steps of `assumed_s`."""
    found = []
    for of_node in nodes.boards.values():
        for board in of_node.values():
            power, energy = (_array(board.kinds.get(kind, {})) for kind in ("power", "energy"))
            if len(power[0]) > 1 and np.array_equal(power[0], energy[0]):
                assumed_j, rise_j = float(np.trapezoid(power[1], power[0])), float(energy[1][-1] - energy[1][0])
                if assumed_j > 0 and rise_j > 0 and bool((np.diff(energy[1]) >= 0).all()):
                    found.append(assumed_s * rise_j / assumed_j)
    interval_s = float(np.median(found)) if found else math.nan
    return interval_s if _SHORTEST_S <= interval_s <= _LONGEST_S else None


def host_of(labels: dict[str, str]) -> str | None:
    """Return the node that labels name. In a pod, the exporter's `Hostname` is its pod's, which changes when it
    restarts."""
    host = next((labels[k] for k in _HOST_LABELS if labels.get(k)), None)
    if host is not None and "exporter" in host:
        return next((labels[k] for k in _NODE_LABELS if labels.get(k)), host)
    return host


def pod_of(labels: dict[str, str]) -> str | None:
    """Return the pod that held the GPU. Without honour for the exporter's labels, `pod` is the exporter's own and
    `exported_pod` the holder."""
    if "exported_pod" in labels:
        return labels["exported_pod"] or None
    pod = labels.get("pod") or labels.get("pod_name")
    return None if not pod or "exporter" in pod or "dcgm" in pod else pod


def readings_of(boards: dict[str, Board]) -> Readings:
    """Return the values of a node's GPUs as readings: values of several queries a little apart are one reading."""
    readings = Readings()
    rows: list[tuple[float, str, float, float, float]] = []
    for key, board in boards.items():
        readings.info[key] = board.info
        of_gpu = {**board.kinds, **board.instances} if board.split else board.kinds
        kinds = {k: _array(v) for k, v in of_gpu.items() if v}
        base = next((kinds[k][0] for k in ("power", "instant", "energy", "util") if k in kinds), np.empty(0))
        times = {k: snapped(t, base) for k, (t, _) in kinds.items()}
        found = {k: dict(zip(times[k].tolist(), kinds[k][1].tolist(), strict=True)) for k in kinds}
        for time_s in set(np.concatenate([*times.values(), np.empty(0)]).tolist()):
            power = found.get("power", {}).get(time_s, math.nan)
            if math.isnan(power):
                power = found.get("instant", {}).get(time_s, math.nan)
            util, energy = (found.get(k, {}).get(time_s, math.nan) for k in ("util", "energy"))
            rows.append((time_s, key, power, util, energy))
    for row in sorted(rows, key=lambda r: r[:2]):
        readings.add(*row)
    return readings


def _array(cells: dict[float, float]) -> tuple[FloatArray, FloatArray]:
    order = sorted(cells)
    return np.array(order, dtype=np.float64), np.array([cells[t] for t in order], dtype=np.float64)


def snapped(times: FloatArray, base: FloatArray) -> FloatArray:
    """Return times with those within half a step of a time of `base` moved onto it."""
    if len(base) < 2 or not len(times):
        return times
    reach = 0.5 * float(np.median(np.diff(base)))
    after = np.clip(np.searchsorted(base, times), 1, len(base) - 1)
    nearest = np.where(times - base[after - 1] <= base[after] - times, base[after - 1], base[after])
    snapped: FloatArray = np.where(np.abs(nearest - times) <= reach, nearest, times)
    return snapped
