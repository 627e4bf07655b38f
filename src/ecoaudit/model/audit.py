"""The audit: the one type between the model and everything after it (its JSON form: `audit_json.py`).

Units are fixed: energy kWh, carbon kgCO2e, power W, intensity gCO2e/kWh, money in `cost.currency`. A figure that is not
known is `None`; its reason is in `quality.warnings`.
"""

from typing import Literal

import msgspec

from ecoaudit.quantity import Boundary, Quantity

SCHEMA = "ecoaudit.audit/1"
MAX_TIMELINE_POINTS = 1000

LevelName = Literal["L1", "L2", "L3", "measured"]


class _Record(msgspec.Struct, frozen=True):
    """Base of every part of the audit: immutable; unknown keys of a newer writer are ignored."""


class Run(_Record, frozen=True, kw_only=True):
    id: str | None = None
    commit: str | None = None
    branch: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None


class GpuGroup(_Record, frozen=True, kw_only=True):
    """GPUs of one model; `tdp_w` from the table, `power_limit_w` as the telemetry read it, `share` the run's part of
    each where they are divided (MIG)."""

    model: str
    count: int
    tdp_w: Quantity | None = None
    power_limit_w: Quantity | None = None
    share: float | None = None


class Hardware(_Record, frozen=True, kw_only=True):
    """`hosts` are the nodes' own names in the order of their numbers; reports show the numbers alone unless asked."""

    nodes: int | None = None
    gpu_count: int | None = None
    gpus: list[GpuGroup] = []
    system: str | None = None
    cooling: str | None = None
    source: str | None = None
    hosts: list[str] = []


class Window(_Record, frozen=True, kw_only=True):
    """A span of wall clock: UTC in ISO 8601, milliseconds."""

    start: str | None = None
    end: str | None = None
    duration_s: float | None = None
    source: str


class Windows(_Record, frozen=True, kw_only=True):
    """The job (everything that was paid for) and the training inside it.

    `clock_offset_s` was added to the training log's times to bring them onto the recording's clock; null where that log
    has no times.
    """

    job: Window | None = None
    training: Window | None = None
    clock_offset_s: float | None = None


class TrainingPhase(_Record, frozen=True, kw_only=True):
    name: str
    duration_s: float
    count: int = 1


class Training(_Record, frozen=True, kw_only=True):
    """The training as its log tells it; `mfu` counts model FLOPs, `hfu` those with recomputation, where logged."""

    framework: str | None = None
    benchmark: str | None = None
    steps: int | None = None
    samples: float | None = None
    tokens: float | None = None
    params: float | None = None
    flops: Quantity | None = None
    mfu: Quantity | None = None
    hfu: Quantity | None = None
    tokens_per_s: Quantity | None = None
    samples_per_s: Quantity | None = None
    precision: str | None = None
    sequence_length: int | None = None
    global_batch_size: int | None = None
    status: str | None = None
    rework_steps: int | None = None
    rework_tokens: float | None = None
    phases: list[TrainingPhase] = []


class LevelEnergy(_Record, frozen=True, kw_only=True):
    """Energy of the job window at one level, by boundary."""

    gpu: Quantity | None = None
    node: Quantity | None = None
    facility: Quantity | None = None


class Levels(_Record, frozen=True, kw_only=True):
    L1: LevelEnergy | None = None
    L2: LevelEnergy | None = None
    L3: LevelEnergy | None = None


class MeasuredEnergy(_Record, frozen=True, kw_only=True):
    """What meters and counters read; `node` excludes `network`, `facility` is (node + network) x PUE."""

    gpu: Quantity | None = None
    node: Quantity | None = None
    network: Quantity | None = None
    facility: Quantity | None = None


class Headline(_Record, frozen=True, kw_only=True):
    level: LevelName
    boundary: Boundary
    value: Quantity
    label: str


class Residual(_Record, frozen=True, kw_only=True):
    """The difference of a modelled level to the meter at the node boundary, in percent of the meter.

    `coefficient_seen` says what the coefficient was fitted on: `this run`, `this system`, `nothing` (a prior).
    `held_out_percent` is the residual with this system left out of the fit; only that one is an accuracy.
    """

    level: LevelName
    percent: float
    coefficient_seen: str
    held_out_percent: float | None = None
    note: str | None = None


class PhaseEnergy(_Record, frozen=True, kw_only=True):
    name: str
    duration_s: float
    energy: Quantity
    boundary: Boundary


class StepEnergy(_Record, frozen=True, kw_only=True):
    """Energy of the steps from `first_step` to `last_step`, `t_s` seconds after the job's start.

    `rework` says that a restart made the run compute them again: their energy counts, their tokens do not.
    """

    first_step: int
    last_step: int
    t_s: float
    duration_s: float
    energy: Quantity
    boundary: Boundary
    tokens: float | None = None
    j_per_token: Quantity | None = None
    rework: bool = False


class Driver(_Record, frozen=True, kw_only=True):
    """One source of uncertainty and its share (0-1) of the headline interval's width."""

    name: str
    share: float
    source: str


class Energy(_Record, frozen=True, kw_only=True):
    """`levels` and `headline` are of the job window, `training_levels` and `training` of the training window."""

    levels: Levels
    headline: Headline | None = None
    training: Headline | None = None
    training_levels: Levels | None = None
    measured: MeasuredEnergy | None = None
    residual: Residual | None = None
    phases: list[PhaseEnergy] = []
    steps: list[StepEnergy] = []
    pue: Quantity | None = None
    drivers: list[Driver] = []


class Carbon(_Record, frozen=True, kw_only=True):
    """`intensity_basis` is lifecycle, direct, marginal or as given; `operational` is location-based."""

    intensity: Quantity | None = None
    intensity_basis: str | None = None
    zone: str | None = None
    region: str | None = None
    operational: Quantity | None = None
    market_based: Quantity | None = None
    embodied: Quantity | None = None
    total: Quantity | None = None
    total_label: str | None = None
    sci: Quantity | None = None


class Cost(_Record, frozen=True, kw_only=True):
    total: Quantity | None = None
    per_gpu_hour: Quantity | None = None
    gpu_hours: Quantity | None = None
    currency: str = "USD"


class EfficiencyReference(_Record, frozen=True, kw_only=True):
    """A metered published run, at the node boundary; `energy` is what this run's model FLOPs would have taken there."""

    name: str
    format: str
    pj_per_flop: Quantity
    j_per_token: Quantity | None = None
    energy: Quantity | None = None
    mfu: Quantity | None = None


class ThroughputReference(_Record, frozen=True, kw_only=True):
    """The fastest published training on the same GPU at the nearest size, without power: shown, never ranked."""

    name: str
    format: str
    tflops_per_gpu: Quantity
    mfu: Quantity | None = None


class Efficiency(_Record, frozen=True, kw_only=True):
    """Training-window energy per unit of work, at `boundary`; a ratio to a reference only at the node boundary."""

    boundary: Boundary | None = None
    j_per_token: Quantity | None = None
    j_per_sample: Quantity | None = None
    j_per_step: Quantity | None = None
    pj_per_flop: Quantity | None = None
    reference: EfficiencyReference | None = None
    ratio_to_reference: Quantity | None = None
    throughput_reference: ThroughputReference | None = None


class Gap(_Record, frozen=True, kw_only=True):
    """A hole in the telemetry of one GPU or node meter, and how its energy was found."""

    where: str
    start: str
    duration_s: float
    filled_by: Literal["counter", "mean power", "bridged linearly"]
    energy: Quantity | None = None


class Quality(_Record, frozen=True, kw_only=True):
    """`coverage` is the share of GPU-time (or node-time) with readings, single missed ones counted as missing; an unfit
    meter log must not calibrate.

    `unknown` gives the reason of a figure that is null, by its key in this audit (`energy.levels.L3`, `cost.total`).
    """

    samples: int | None = None
    expected_samples: int | None = None
    coverage: float | None = None
    gaps: list[Gap] = []
    gap_count: int = 0
    bad_lines: int = 0
    counter_resets: int = 0
    clock_steps: int = 0
    fit_for_calibration: bool | None = None
    warnings: list[str] = []
    unknown: dict[str, str] = {}


class Finding(_Record, frozen=True, kw_only=True):
    id: str
    title: str
    severity: Literal["info", "warning", "critical"]
    evidence: str
    saving_kwh: Quantity | None = None
    saving_kgco2e: Quantity | None = None
    saving_usd: Quantity | None = None
    advice: str


class TimelinePoint(_Record, frozen=True, kw_only=True):
    """Mean power in `[t, t + step)`, seconds since the job's start; `gpu_w` sums the GPUs, `node_w` the nodes."""

    t_s: float
    gpu_w: float | None = None
    gpu_min_w: float | None = None
    gpu_max_w: float | None = None
    node_w: float | None = None
    phase: str | None = None


class Provenance(_Record, frozen=True, kw_only=True):
    what: str
    value: str
    source: str
    year: str | None = None
    licence: str | None = None


class Calibration(_Record, frozen=True, kw_only=True):
    """The line P_node = host_w + alpha x sum of GPU power that L3 used, and where it comes from."""

    id: str
    driver: str
    alpha: Quantity | None = None
    host_w: Quantity | None = None
    static_w: Quantity | None = None
    u: Quantity | None = None
    source: str


class Audit(_Record, frozen=True, kw_only=True):
    """One run's energy, carbon, cost and efficiency, with how each figure was found.

    `options` are those of the command line that say what the logs do not, from wherever they were configured.
    """

    schema: str = SCHEMA
    tool: str
    project: str | None = None
    run: Run
    hardware: Hardware
    training: Training
    windows: Windows
    energy: Energy
    carbon: Carbon
    cost: Cost
    efficiency: Efficiency
    quality: Quality
    findings: list[Finding] = []
    timeline: list[TimelinePoint] = []
    provenance: list[Provenance] = []
    calibration: Calibration | None = None
    options: list[str] = []
