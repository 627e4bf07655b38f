"""The MFU to expect: fitted on published training runs, with its spread; never on MLPerf's FP8 results.

    ln MFU = level + g(GPU) + f(size) + p(format)

The level and its spread come from whole published BF16 and FP16 runs of dense models (model FLOPs over all their
GPU-hours, so restarts, evaluation and checkpoints are inside), every model family weighing the same. g, f and p are
ratios measured with one software on two GPUs, over model sizes, and in two number formats (llm-foundry's benchmarks):
whole runs cannot tell them apart, as each family used one GPU and its own software.
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecoaudit.errors import EcoauditError
from ecoaudit.model.flops import Architecture
from ecoaudit.model.uncertainty import Z90
from ecoaudit.reference import Tables
from ecoaudit.reference.types import Gpu, MfuBenchmark, TrainingRun

SMALL_MODEL = 1.3e9
"""Below this many parameters MFU falls with size; above it the benchmarks show no trend."""
UNSEEN_GPU_SD = 0.25
"""Extra spread of ln MFU on a GPU or in a format without a published run (judgement: the gap from A100 to H100, 0.37,
is what a generation can make)."""

LIKE_H100 = frozenset({"Ada Lovelace", "Hopper", "Blackwell", "Blackwell Ultra", "CDNA3", "CDNA4"})
_SIXTEEN_BIT = ("bf16", "fp16")
LOWEST_MFU, HIGHEST_MFU = 0.005, 0.95


@dataclass(frozen=True, slots=True)
class RunMfu:
    """A published run with its MFU over all GPU-hours."""

    run: TrainingRun
    family: str
    gpu: Gpu
    active_params: float
    flops: float
    mfu: float


@dataclass(frozen=True, slots=True)
class MfuDefault:
    """The MFU to expect with its 90 % interval; `extrapolated` says what no published run covers."""

    value: float
    low: float
    high: float
    source: str
    extrapolated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MfuModel:
    """The fit. `level` is ln MFU of an A100 run of 1.3B parameters and more, `sd` the spread of a new family's run."""

    level: float
    sd: float
    families: int
    runs: int
    h100: float
    size_slope: float
    fp8: float
    fp8_sd: float
    seen: frozenset[str]

    def expect(self, gpu: Gpu, number_format: str, active_params: float) -> MfuDefault:
        """Return the MFU to expect; raises `EcoauditError` for a format of which nothing is published."""
        variance, extrapolated = self.sd**2, []
        shift = self.size_slope * min(0.0, math.log(active_params / SMALL_MODEL))
        shift += self.h100 if gpu.architecture in LIKE_H100 else 0.0
        if gpu.name not in self.seen:
            extrapolated.append(f"no published run on {gpu.name}: MFU is carried over from its nearest generation")
            variance += UNSEEN_GPU_SD**2
        if number_format == "fp8":
            shift += self.fp8 + math.log(peak(gpu, "bf16") / peak(gpu, "fp8"))
            variance += self.fp8_sd**2
            extrapolated.append("no published dense run in FP8: MFU is BF16's times the speed-up of a benchmark")
        elif number_format not in _SIXTEEN_BIT:
            if number_format == "fp4":
                raise EcoauditError("no training run in FP4 is published", where="--precision", fix="give --mfu")
            extrapolated.append(f"no published run in {number_format}: MFU is that of BF16")
            variance += UNSEEN_GPU_SD**2
        centre, spread = self.level + shift, Z90 * math.sqrt(variance)
        low, high = math.exp(centre - spread), min(HIGHEST_MFU, math.exp(centre + spread))
        value = min(max(math.exp(centre), LOWEST_MFU), high)
        return MfuDefault(
            value=value,
            low=min(low, value),
            high=high,
            source=f"{self.runs} published runs of {self.families} model families, all GPU-hours counted",
            extrapolated=tuple(extrapolated),
        )


def peak(gpu: Gpu, number_format: str) -> float:
    """Return the dense peak in TFLOP/s; raises `EcoauditError` naming the formats that the table knows."""
    found = gpu.dense_tflops.get(number_format)
    if found is None:
        known = ", ".join(gpu.dense_tflops) or "none"
        raise EcoauditError(
            f"{gpu.name} has no dense peak in {number_format}", where="--precision", fix=f"known formats are: {known}"
        )
    return found


def run_mfus(tables: Tables) -> tuple[RunMfu, ...]:
    """Return the published runs that are evidence for time, with their MFU on the dense 16-bit peak."""
    found = []
    for run in tables.training_runs():
        gpu = tables.find_gpu(run.gpu)
        if not run.time_evidence or gpu is None or run.model is None or not run.tokens or not run.gpu_hours:
            continue
        model = tables.model(run.model)
        shape = Architecture(model.active_params, model.layers, model.hidden_size, model.sequence_length)
        flops = shape.flops_per_token() * run.tokens
        mfu = flops / (run.gpu_hours * 3600.0 * peak(gpu, "bf16") * 1e12)
        found.append(RunMfu(run, model.family, gpu, model.active_params, flops, mfu))
    return tuple(found)


def fit(runs: Sequence[RunMfu], benchmarks: Sequence[MfuBenchmark], *, without: str | None = None) -> MfuModel:
    """Fit the model on all families but `without`; the spread is between runs, predictive for one of a new family."""
    h100 = _paired(benchmarks, "H100", "A100", _SIXTEEN_BIT)
    slope = _size_slope(benchmarks)
    fp8 = _format_ratios(benchmarks)
    used = [run for run in runs if run.family != without]
    per_family = Counter(run.family for run in used)
    weights = [1.0 / per_family[run.family] for run in used]
    levels = [
        math.log(run.mfu)
        - (h100 if run.gpu.architecture in LIKE_H100 else 0.0)
        - slope * min(0.0, math.log(run.active_params / SMALL_MODEL))
        for run in used
    ]
    families = len(per_family)
    level = _weighted_mean(levels, weights)
    variance = _weighted_mean([(x - level) ** 2 for x in levels], weights) * families / (families - 1)
    return MfuModel(
        level=level,
        sd=math.sqrt(variance * (1.0 + 1.0 / families)),
        families=families,
        runs=len(used),
        h100=h100,
        size_slope=slope,
        fp8=statistics.fmean(fp8),
        fp8_sd=statistics.stdev(fp8),
        seen=frozenset(run.gpu.name for run in runs),
    )


def default_model(tables: Tables) -> MfuModel:
    """Return the model fitted on every published run of the tables."""
    return fit(run_mfus(tables), tables.mfu_benchmarks())


def _weighted_mean(values: Iterable[float], weights: Sequence[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _paired(benchmarks: Sequence[MfuBenchmark], upper: str, lower: str, formats: tuple[str, ...]) -> float:
    """Return the mean of ln(MFU on `upper` / MFU on `lower`) over configurations measured on both GPUs."""
    found: dict[tuple[float, int, int], dict[str, float]] = {}
    for one in benchmarks:
        if one.number_format in formats:
            for name in (upper, lower):
                if name in one.gpu:
                    found.setdefault((one.params, one.sequence_length, one.gpu_count), {})[name] = one.mfu
    return statistics.fmean(math.log(both[upper] / both[lower]) for both in found.values() if len(both) == 2)


def _size_slope(benchmarks: Sequence[MfuBenchmark]) -> float:
    """Return d ln MFU / d ln N below `SMALL_MODEL` by least squares: A100, one node, sequences of 2,048 tokens."""
    points = [
        (min(0.0, math.log(one.params / SMALL_MODEL)), math.log(one.mfu))
        for one in benchmarks
        if "A100" in one.gpu and one.gpu_count == 8 and one.sequence_length == 2048 and one.params < 2.1 * SMALL_MODEL
    ]
    fitted = statistics.linear_regression([x for x, _ in points], [y for _, y in points])
    return fitted.slope


def _format_ratios(benchmarks: Sequence[MfuBenchmark]) -> list[float]:
    """Return ln(TFLOP/s in FP8 / TFLOP/s in BF16) of every configuration measured in both on one GPU."""
    bf16 = {
        (one.gpu, one.params, one.sequence_length, one.gpu_count): one.tflops_per_gpu
        for one in benchmarks
        if one.number_format == "bf16"
    }
    return [
        math.log(one.tflops_per_gpu / bf16[key])
        for one in benchmarks
        if one.number_format == "fp8" and (key := (one.gpu, one.params, one.sequence_length, one.gpu_count)) in bf16
    ]
