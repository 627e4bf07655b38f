"""What the model is given besides the logs: where the run took place, what the user says of it, and the tables.

The pipeline resolves these from configuration and tables, so that the model itself touches no file and no network.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ecoaudit.model.calibration import CalibratedLine
from ecoaudit.reference.types import (
    Cooling,
    Gpu,
    GpuPrice,
    GridFactor,
    IntensitySeries,
    MeasuredPair,
    PowerLine,
    PueFactor,
    Region,
    Throughput,
    UtilisationLine,
)


class Tables(Protocol):
    """The part of the reference tables that the model asks; `ecoaudit.reference.load()` returns one."""

    def find_gpu(self, name: str | None) -> Gpu | None:
        """Return the GPU that a name from a log or a person means, None if there is none."""
        ...

    def gpu_candidates(self, name: str) -> Sequence[Gpu]:
        """Return every GPU that a name can mean; several where it leaves the variant open."""
        ...

    def power_line(self, gpu: Gpu | str, gpus_per_node: int, cooling: Cooling | None) -> PowerLine | None:
        """Return the prior of node power over GPU power for a node class, None for a node unlike the metered ones."""
        ...

    def utilisation_lines(self) -> Sequence[UtilisationLine]:
        """Return every fitted line of node power over utilisation."""
        ...

    def measured_pairs(self) -> Sequence[MeasuredPair]:
        """Return the published metered (system, workload, nodes) facts."""
        ...

    def throughputs(self) -> Sequence[Throughput]:
        """Return the fastest published training results by GPU, workload and number of GPUs."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """Where the run took place, resolved: grid, PUE and price with their intervals and sources.

    `market` is a contractual (market-based) factor, shown beside the location-based one. `warnings` tell what was
    assumed in resolving; they go into the audit, `pue_warning` only where a facility figure is computed with it.
    """

    grid: GridFactor | None
    pue: PueFactor
    price: GpuPrice | None
    region: Region | None = None
    market: GridFactor | None = None
    series: IntensitySeries | None = None
    warnings: tuple[str, ...] = ()
    pue_warning: str | None = None


@dataclass(frozen=True, slots=True)
class StatedModel:
    """The trained model as stated: `params` all weights, `active_params` those that one token passes through.

    None where not stated; `lora` where the base is frozen. `sequence_length` is this run's, `preset_sequence_length`
    what a known model was published with: the last resort. `source` says where the figures come from.
    """

    source: str
    params: float | None = None
    active_params: float | None = None
    layers: int | None = None
    hidden_size: int | None = None
    sequence_length: int | None = None
    preset_sequence_length: int | None = None
    lora: bool = False
    precision: str | None = None


GIVEN = "given by the user"


@dataclass(frozen=True, slots=True)
class StatedHardware:
    """The run's hardware as stated: the GPU, how many of them the run had in all, and on how many nodes."""

    gpu: Gpu | None = None
    gpus: int | None = None
    nodes: int | None = None


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the user says of the hardware and the meters; None means: what the logs say, else the stated default.

    `host_power_w` is a node's power at the wall (AC) without its GPUs. `node_gpu_count` is the number of GPUs in a node
    when the logs show only this run's share. `network_power_w` is the switches' total.
    """

    host_power_w: float | None = None
    cooling: Cooling | None = None
    meter_boundary: Literal["ac", "dc"] | None = None
    network_power_w: float | None = None
    calibration: CalibratedLine | None = None
    node_gpu_count: int | None = None
    hardware: StatedHardware | None = None
    model: StatedModel | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the run is: names only, nothing that changes a figure. `tool` is this program with its version."""

    tool: str
    project: str | None = None
    run_id: str | None = None
    commit: str | None = None
    branch: str | None = None
