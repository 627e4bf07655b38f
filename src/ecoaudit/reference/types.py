"""What the tables answer with. Each record carries where its figure comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ecoaudit.ingest.records import FloatArray
from ecoaudit.quantity import Basis

GridBasis = Literal["lifecycle", "direct", "marginal", "as given"]
Cooling = Literal["air", "liquid", "immersion"]


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a figure comes from: source as printed, year or date of the figure, licence of the data."""

    source: str
    year: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One row of the GPU table: board power in W, dense peaks in TFLOP/s by number format, embodied kgCO2e a GPU."""

    name: str
    architecture: str
    form_factor: str
    tdp_w: float
    memory_gib: float | None
    idle_w: float | None
    dense_tflops: Mapping[str, float]
    citation: Citation
    embodied_kgco2e: float | None = None
    embodied_citation: Citation | None = None
    idle_citation: Citation | None = None
    default_limit_w: float | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A cloud region: `key` is `provider:region`, `zone` the grid zone it buys from (a country or a part of one).

    `market_based_g_per_kwh` is what the provider claims after its certificates (annual matching: 0);
    `cfe_share` the carbon-free share of `cfe_kind` (hourly or annual matching: two different claims).
    """

    key: str
    provider: str
    name: str
    location: str
    country: str
    zone: str
    citation: Citation
    market_based_g_per_kwh: float | None = None
    cfe_share: float | None = None
    cfe_kind: Literal["hourly matching", "annual matching"] | None = None
    cfe_citation: Citation | None = None


@dataclass(frozen=True, slots=True)
class GridFactor:
    """Annual average intensity of a zone in gCO2e/kWh with its 90 % interval.

    `basis` is lifecycle, direct or marginal: three quantities that are never mixed. `stand_in` is true where a country
    (`name`) stands in for one of its zones (`zone`); the interval is wider there.
    """

    zone: str
    name: str
    g_per_kwh: float
    low: float
    high: float
    basis: GridBasis
    citation: Citation
    stand_in: bool = False
    alternatives: tuple["GridFactor", ...] = ()


@dataclass(frozen=True, slots=True)
class IntensitySeries:
    """Grid intensity over time: `g_per_kwh[i]` holds from `time_s[i]` (Unix s) to the next entry, shape (n,) each.

    NaN marks a hole that no entry covers; `end_s` closes the last interval. `basis` is one of the three quantities that
    are never mixed.
    """

    time_s: FloatArray
    g_per_kwh: FloatArray
    end_s: float
    basis: GridBasis
    zone: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class PueFactor:
    """PUE with its 90 % interval; `scope` says whose: the site, the provider (average), a survey, or the user."""

    value: float
    low: float
    high: float
    scope: Literal["site", "provider", "survey", "user", "unknown"]
    basis: Basis
    citation: Citation


@dataclass(frozen=True, slots=True)
class GpuPrice:
    """On-demand price of one GPU for one hour; `as_of` is in the citation's year."""

    provider: str
    instance: str
    gpu: str
    region: str | None
    usd_per_gpu_hour: float
    low: float
    high: float
    citation: Citation


@dataclass(frozen=True, slots=True)
class Node:
    """A server, rack or cloud instance: its GPUs and, where published, its maximum power in W.

    `measured` is true where that power is the highest reading of a published meter log, not a name plate.
    `like` names the server that an instance is taken to be.
    """

    name: str
    kind: Literal["system", "rack", "instance"]
    provider: str
    gpu: str
    gpu_count: int
    cooling: Cooling | None
    max_power_w: float | None
    measured: bool
    like: str | None
    citation: Citation


@dataclass(frozen=True, slots=True)
class PowerLine:
    """The line `P_node = host_w + alpha x (sum of GPU power)` of a node class, AC, with its 90 % prior.

    `host_w` excludes the GPUs' resident power. `host_alpha_correlation` is negative: more of the same wall power
    explained by the slope leaves less for the intercept; both are sampled jointly.
    """

    id: str
    gpu: str | None
    gpus_per_node: int
    cooling: Cooling | None
    host_w: tuple[float, float, float]
    alpha: tuple[float, float, float]
    host_alpha_correlation: float
    basis: Basis
    citation: Citation


@dataclass(frozen=True, slots=True)
class UtilisationLine:
    """The line `P_node = static_w + alpha x N x TDP x u ** u_exponent`, AC, fitted on metered nodes.

    `u_definition`, `number_format` and `workload` belong to the coefficient's key: it is never used with another u.
    `*_se` are standard errors; `transfer_error` is the relative error (90 %) on systems the fit has not seen.
    `fitted_on` names the systems. `u_exponent` is 1 for a straight line; `pooled` marks a line over all metered systems
    (the default where the run's own system was never metered), else the line is that of one system.
    """

    id: str
    gpu: str
    gpus_per_node: int
    cooling: Cooling | None
    static_w: float
    static_w_se: float
    alpha: float
    alpha_se: float
    u_definition: Literal["one", "mfu", "relative_throughput"]
    number_format: str | None
    workload: str | None
    transfer_error: float
    fitted_on: tuple[str, ...]
    runs: int
    citation: Citation
    u_exponent: float = 1.0
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """Metered facts of one published (system, workload, node count): for residuals and efficiency references.

    `pj_per_flop` is joules per model FLOP at the AC node boundary without network; None where FLOPs are not known.
    `u` is throughput relative to one saturated node. `held_out_percent` is the signed residual of the pooled line with
    every run of this operator left out of its fit, `held_out_static_known_percent` the same with its P_static given.
    `saturated_samples_per_s` is the throughput that u is relative to: one node of this GPU on this workload, other
    submitters' median (the smallest published system's, a node, where none fits in a node).
    """

    system: str
    operator: str
    gpu: str
    gpus_per_node: int
    nodes: int
    cooling: Cooling | None
    workload: str
    number_format: str | None
    runs: int
    mean_node_w: float
    mean_node_w_cv: float
    static_w: float
    j_per_sample: float | None
    j_per_token: float | None
    pj_per_flop: float | None
    mfu: float | None
    citation: Citation
    u: float | None = None
    held_out_percent: float | None = None
    held_out_static_known_percent: float | None = None
    saturated_samples_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Throughput:
    """The fastest published training result on so many GPUs: samples/s of all, model TFLOP/s of one (no recompute).

    Number formats are not in the results; most compute in FP8, some of 2025 partly in FP4.
    """

    gpu: str
    workload: str
    gpu_count: int
    nodes: int
    round: str
    submitter: str
    samples_per_s: float
    sequence_length: int
    tflops_per_gpu: float
    citation: Citation


@dataclass(frozen=True, slots=True)
class ModelPreset:
    """A known model: what an estimate needs of its shape.

    `params` counts every weight; `active_params` those that one token passes through, without the look-up of the input
    embedding. `tokens` is what it was trained on, where published.
    """

    id: str
    name: str
    family: str
    architecture: Literal["dense", "moe"]
    params: float
    active_params: float
    layers: int
    hidden_size: int
    sequence_length: int
    tokens: float | None
    number_format: str
    citation: Citation
    note: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A published training run as its authors report it; units: hours of one GPU, MWh, W, tCO2e.

    `time_evidence` says whether its GPU-hours may judge an estimate of time (a restated or bounded figure, a mixture of
    experts or a TPU may not), `energy_evidence` whether its energy may judge a power model: hours x TDP never may.
    `copy_of` names the run that this row repeats. `primary_read` is false where the figures are known from quotations
    in public repositories and the cited source itself was not opened.
    """

    id: str
    model: str | None
    gpu: str
    gpu_count: int | None
    gpu_hours: float | None
    hours_kind: str | None
    tokens: float | None
    time_evidence: bool
    energy_evidence: bool
    energy_mwh: float | None
    energy_boundary: Literal["gpu", "facility"] | None
    energy_basis: str | None
    power_w_per_gpu: float | None
    pue: float | None
    tco2e_reported: float | None
    copy_of: str | None
    primary_read: bool
    citation: Citation
    note: str | None = None


@dataclass(frozen=True, slots=True)
class MfuBenchmark:
    """Throughput of one software on one configuration; MFU on the dense peak, causal attention, no recompute."""

    gpu: str
    model: str
    params: float
    sequence_length: int
    gpu_count: int
    number_format: str
    tflops_per_gpu: float
    mfu: float
    citation: Citation
