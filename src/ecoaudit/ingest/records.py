"""What ingest hands on: telemetry, meter logs and training logs, whatever file format they came from.

Times are Unix seconds in UTC. Arrays are float64; NaN marks "not in the log", never 0.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Clock = Literal["utc", "naive", "none"]
"""How a log tells the time: with a zone, in local time without one, or not at all."""

NO_ZONE = "times have no zone and are taken as UTC; give --timezone"
"""The warning of local times without a zone, the same from readers and model, so that it stands once."""
TOKENS_UNKNOWN = "tokens are unknown"
"""How a reader's warning ends that a stated sequence length answers."""
UNSAID_SIDE = "nothing says whether the meter reads AC or DC; name it with --meter-boundary"
"""The readers' warning of a meter without a known side; an audit tells instead which side it assumed."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line (or record) that could not be read: where, what it held (at most 120 characters) and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadQuality:
    """What the reader saw: counts are exact, `examples` holds the first few bad lines."""

    lines: int = 0
    records: int = 0
    bad_lines: int = 0
    examples: tuple[BadLine, ...] = ()
    clock_steps: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A file as given by the user and the format it was taken for; `modified_s` is when it was last written."""

    path: str
    format: str
    modified_s: float | None = None


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """One GPU as its log describes it; `share` is the job's part of one that is divided (MIG), by compute slices.

    `ceiling_w` is what the board can draw at most for as long as a sample, and `place` the UUID of the board that was
    where this one came later, as the model knows: no log tells.
    """

    index: int | None = None
    uuid: str | None = None
    name: str | None = None
    power_limit_w: float | None = None
    memory_mib: float | None = None
    mig: bool | None = None
    share: float | None = None
    ceiling_w: float | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A marker in the telemetry: `phase`, `step`, `gpu_lost` ... with its value."""

    time_s: float
    name: str
    value: str | float | int | None = None
    attributes: Mapping[str, str | float | int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replayed:
    """How to read one recording of a file again: its clock's offset, its power field, its RAPL counters' ranges."""

    number: int
    offset_s: float
    instant: bool
    rapl_range_j: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Sieve:
    """What the model leaves out of a file that is read again, and what it takes as missing.

    Samples up to `after_s` are another file's. Power above `most_w`, shape (gpus,), is no board's. Of the node's own
    meter readings up to `dead_w` are drop-outs, and intervals above `gap_s` are gaps.
    """

    after_s: float = -math.inf
    most_w: FloatArray | None = None
    dead_w: float = 0.0
    gap_s: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What a file too large for memory holds as a whole.

    `readings` counts samples with power or a counter of any GPU, `step_s` is the median interval between `samples`;
    `long_s` lists the intervals of more than ten minutes, shape (k, 2). `profile_w` is the boards' mean power around
    the times `profile_s`, coarse. `node_w_counts` and `node_step_counts` tell how often the node's own meter read a
    value (W) and took an interval (s), shape (k, 2).
    """

    replayed: tuple[Replayed, ...]
    samples: int
    readings: int
    step_s: float | None
    long_s: FloatArray
    profile_s: FloatArray
    profile_w: FloatArray
    node_w_counts: FloatArray
    node_step_counts: FloatArray
    sieve: Sieve = field(default_factory=Sieve)

    @property
    def zones(self) -> tuple[str, ...]:
        """The RAPL zones that the file has readings of."""
        return tuple(dict.fromkeys(zone for how in self.replayed for zone in how.rapl_range_j))


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Samples of the GPUs of one node from one file.

    `time_s` has shape (n,) and never decreases. `power_w`, `energy_j` (the counter as read, which may reset) and
    `util_percent` have shape (n, gpus). `host_energy_j` maps a RAPL zone such as `package-0` or `dram-0` to its
    counter of shape (n,), already unwrapped. `node_power_w`, shape (n,), is the node's own meter where the recorder
    could read one. With a `head` the arrays hold nothing but the first and the last time, and who needs the samples
    reads the file again.
    """

    source: Source
    host: str | None
    gpus: tuple[GpuInfo, ...]
    time_s: FloatArray
    power_w: FloatArray
    energy_j: FloatArray | None
    util_percent: FloatArray | None
    quality: ReadQuality
    clock: Clock = "utc"
    run_id: str | None = None
    interval_s: float | None = None
    power_field: Literal["average", "instant", "unspecified"] = "unspecified"
    host_energy_j: Mapping[str, FloatArray] = field(default_factory=dict)
    node_power_w: FloatArray | None = None
    node_power_source: str | None = None
    node_gpu_count: int | None = None
    events: tuple[Event, ...] = ()
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class MeterLog:
    """Power readings of a node or a switch at the wall; `time_s` is sorted stably, readings are as logged.

    A switch whose power is only stated has one reading and `stated` is true. `boundary` is what the log's own metadata
    says (AC or DC side of the power supplies), `conversion_efficiency` the AC-to-DC factor it declares.
    """

    source: Source
    kind: Literal["node", "network"]
    label: str
    time_s: FloatArray
    power_w: FloatArray
    quality: ReadQuality
    stated: bool = False
    clock: Clock = "utc"
    boundary: Literal["ac", "dc"] | None = None
    conversion_efficiency: float | None = None
    started_at_s: float | None = None
    stopped_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A span of the run: train, eval, checkpoint, compile or idle."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class StepSeries:
    """Logged steps in file order, shape (n,) each: `duration_s` is seconds a step, `tokens` and `samples` run up."""

    step: IntArray
    time_s: FloatArray
    duration_s: FloatArray
    tokens: FloatArray
    samples: FloatArray
    loss: FloatArray


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """What the framework says of the run. `None` and NaN mean the log does not tell.

    `first_step` and `last_step` are the first and the last line's, `step_count` the steps trained, each once.
    `job_start_s`/`job_end_s` bracket everything the process logged, `train_start_s`/`train_end_s` the training itself.
    `tokens`, `samples`, `flops` are totals of useful work; work repeated after a restart is in `rework_*`.
    `embedding_params` are those of `params` that are only looked up: an input embedding of its own.
    `lora`: an adapter is trained and the rest of `params` is frozen.
    `flops_kind` is `model` (no recompute) or `hardware` (with it). `throughput_tokens_per_s` is global.
    `gpu_energy_j_per_step` has the shape of `steps`: joules a step of one GPU, the mean over ranks.
    `run_id` is the tracker's (W&B, MLflow), which a resumed run keeps.
    """

    source: Source
    framework: str
    quality: ReadQuality
    clock: Clock = "none"
    steps: StepSeries | None = None
    first_step: int | None = None
    last_step: int | None = None
    step_count: int | None = None
    job_start_s: float | None = None
    job_end_s: float | None = None
    train_start_s: float | None = None
    train_end_s: float | None = None
    runtime_s: float | None = None
    samples: float | None = None
    tokens: float | None = None
    tokens_per_sample: float | None = None
    flops: float | None = None
    flops_kind: Literal["model", "hardware"] | None = None
    params: float | None = None
    embedding_params: float | None = None
    lora: bool = False
    sequence_length: int | None = None
    global_batch_size: int | None = None
    precision: str | None = None
    layers: int | None = None
    hidden_size: int | None = None
    mfu: float | None = None
    tflops_per_gpu: float | None = None
    throughput_tokens_per_s: float | None = None
    throughput_samples_per_s: float | None = None
    world_size: int | None = None
    phases: tuple[Phase, ...] = ()
    rework_steps: int = 0
    rework_tokens: float | None = None
    attention: str | None = None
    status: Literal["success", "aborted"] | None = None
    benchmark: str | None = None
    organisation: str | None = None
    platform: str | None = None
    gpu_energy_j_per_step: FloatArray | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReportedEnergy:
    """What another tool says a run used, in kWh and kg: a figure to compare with, never a measurement of ours."""

    source: Source
    tool: str
    energy_kwh: float
    quality: ReadQuality
    gpu_kwh: float | None = None
    cpu_kwh: float | None = None
    ram_kwh: float | None = None
    emissions_kg: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    runs: int = 1


@dataclass(frozen=True, slots=True)
class SystemDescription:
    """The hardware as a description says it (MLPerf `systems/*.json`, a platform string, a folder's name)."""

    source: Source
    basis: Literal["stated", "assumed"]
    name: str | None = None
    nodes: int | None = None
    gpus_per_node: int | None = None
    gpu_model: str | None = None
    cooling: str | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True)
class RunLogs:
    """Everything that was read for one run, and what went wrong while reading it."""

    telemetry: tuple[Telemetry, ...] = ()
    meters: tuple[MeterLog, ...] = ()
    training: tuple[TrainingLog, ...] = ()
    systems: tuple[SystemDescription, ...] = ()
    reported: tuple[ReportedEnergy, ...] = ()
    ignored: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """A format: what is read from it, which versions were seen, what it cannot tell."""

    format: str
    kind: Literal["telemetry", "meter", "training"]
    title: str
    reads: str
    seen: str
    cannot_tell: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says about the logs: the zone of clocks without one, and the side on which meters read."""

    zone: tzinfo | None = None
    meter_boundary: Literal["ac", "dc"] | None = None


Record = Telemetry | MeterLog | TrainingLog | ReportedEnergy
"""What a reader returns; one file may hold several."""
