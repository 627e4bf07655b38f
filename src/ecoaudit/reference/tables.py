"""The tables as one object: what the model, the estimator and the command line ask."""

import difflib
import functools
from typing import TypeVar

from ecoaudit.errors import EcoauditError
from ecoaudit.reference import power, rows, runs
from ecoaudit.reference.gpus import GpuTable
from ecoaudit.reference.grid import GridTable, PueTable, RegionTable
from ecoaudit.reference.prices import PriceTable
from ecoaudit.reference.types import (
    Cooling,
    Gpu,
    GpuPrice,
    GridFactor,
    MeasuredPair,
    MfuBenchmark,
    ModelPreset,
    Node,
    PowerLine,
    PueFactor,
    Region,
    Throughput,
    TrainingRun,
    UtilisationLine,
)

T = TypeVar("T")


class Tables:
    """The bundled reference tables; `load()` gives the one instance."""

    def __init__(self) -> None:
        self._gpus = GpuTable(rows.read("gpus"))
        self._regions = RegionTable(rows.read("regions"))
        self._grid = GridTable(rows.read("grid"), self._regions.all)
        self._pue = PueTable(rows.read("pue"))
        self._prices = PriceTable(rows.read("gpu_prices"), self._regions.all)
        self._power_priors = rows.read("power_priors")

    def gpu(self, name: str) -> Gpu:
        """Return the GPU called `name`; raises `EcoauditError` listing candidates (ambiguous) or nearest (unknown)."""
        return self._gpus.get(name)

    def find_gpu(self, name: str | None) -> Gpu | None:
        """Return the GPU that a log calls `name`; None when it is unknown, ambiguous or not given."""
        return self._gpus.find(name)

    def gpu_candidates(self, name: str) -> tuple[Gpu, ...]:
        """Return every GPU that `name` can mean; several where it leaves form factor or memory open."""
        return self._gpus.candidates(name)

    def gpus(self) -> tuple[Gpu, ...]:
        """Return every GPU of the table."""
        return self._gpus.all

    def region(self, key: str) -> Region:
        """Return a cloud region such as `aws:us-east-1`; raises `EcoauditError` with the nearest keys."""
        return self._regions.get(key)

    def regions(self) -> tuple[Region, ...]:
        """Return every cloud region of the table."""
        return self._regions.all

    def grid(self, region: str | None = None, zone: str | None = None) -> GridFactor:
        """Return the annual intensity of a zone, or of a region's zone, with other figures as alternatives.

        `zone` is an ISO country code (two or three letters), a part such as `US-TX` or `SE-SE3`, `EU` or `WORLD`. It
        goes before `region`. Lifecycle, direct and marginal figures are different quantities: look at `basis`. Raises
        `EcoauditError` for an unknown place, or when neither is given.
        """
        if zone is not None:
            return self._grid.of_zone(zone)
        if region is None:
            raise EcoauditError("no place given for the grid intensity", fix="give a region, a zone or an intensity")
        return self._grid.of_region(self._regions.get(region))

    def pue(self, region: str | None = None) -> PueFactor:
        """Return the PUE of the site, else of the provider, else of a survey of data centres (1.1 to 1.8)."""
        return self._pue.of(self._regions.get(region) if region is not None else None)

    def price(self, gpu_name: str, region: str | None = None) -> GpuPrice | None:
        """Return the on-demand price of one GPU for one hour, or None where no provider's price is known.

        With a region: that provider's price there, in the same country, or its median. Else the median over providers,
        whose range is the interval.
        """
        gpu = self._gpus.get(gpu_name)
        return self._prices.of(gpu.name, self._regions.get(region) if region is not None else None)

    def countries(self) -> tuple[GridFactor, ...]:
        """Return the countries' annual intensities."""
        return self._grid.countries

    def zones(self) -> tuple[GridFactor, ...]:
        """Return the annual intensity of every zone: countries, parts, the EU and the world."""
        return self._grid.zones

    def prices(self) -> tuple[GpuPrice, ...]:
        """Return every price of the table."""
        return self._prices.all

    def nodes(self) -> tuple[Node, ...]:
        """Return the servers, racks and cloud instances of the table."""
        return _nodes()

    def node(self, name: str) -> Node:
        """Return a node such as `dgx-h100` or `aws:p5.48xlarge`; raises `EcoauditError` with the nearest names."""
        return _named("node type", name, {node.name.lower(): node for node in _nodes()})

    def models(self) -> tuple[ModelPreset, ...]:
        """Return the known models."""
        return _models()

    def model(self, name: str) -> ModelPreset:
        """Return a known model such as `llama2-7b`; raises `EcoauditError` with the nearest names."""
        return _named("model", name.replace("_", "-").replace(" ", "-"), {model.id: model for model in _models()})

    def training_runs(self) -> tuple[TrainingRun, ...]:
        """Return the published training runs, evidence or not."""
        return _training_runs()

    def mfu_benchmarks(self) -> tuple[MfuBenchmark, ...]:
        """Return throughput of one software over GPUs, model sizes and number formats."""
        return _mfu_benchmarks()

    def throughputs(self) -> tuple[Throughput, ...]:
        """Return the fastest published training results of language models by GPU, workload and number of GPUs."""
        return _throughputs()

    def power_line(self, gpu: Gpu | str, gpus_per_node: int, cooling: Cooling | None) -> PowerLine | None:
        """Return the prior of `P_node = host_w + alpha x sum(P_gpu)` for nodes like the metered ones, else None."""
        board = self._gpus.get(gpu) if isinstance(gpu, str) else gpu
        return power.power_line(self._power_priors, board, gpus_per_node, cooling)

    def utilisation_lines(self) -> tuple[UtilisationLine, ...]:
        """Return the lines `P_node = static_w + alpha x N x TDP x u` fitted on published meter logs."""
        return _utilisation_lines()

    def measured_pairs(self) -> tuple[MeasuredPair, ...]:
        """Return mean power and efficiency of the published (system, workload, nodes) groups."""
        return _measured_pairs()


def _named(what: str, name: str, by_name: dict[str, T]) -> T:
    """Return the entry called `name`, case aside; raises `EcoauditError` with the nearest names."""
    wanted = name.strip().lower()
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=3)
    fix = f"did you mean {' or '.join(near)}?" if near else f"some are {', '.join(list(by_name)[:8])}"
    raise EcoauditError(f"unknown {what} {name!r}", fix=fix)


@functools.cache
def load() -> Tables:
    """Return the bundled tables; the files are read once."""
    return Tables()


@functools.cache
def _nodes() -> tuple[Node, ...]:
    return tuple(power.node(row) for row in rows.read("nodes"))


@functools.cache
def _utilisation_lines() -> tuple[UtilisationLine, ...]:
    return tuple(power.utilisation_line(row) for row in rows.read("coefficients"))


@functools.cache
def _measured_pairs() -> tuple[MeasuredPair, ...]:
    return tuple(power.measured_pair(row) for row in rows.read("mlperf_pairs"))


@functools.cache
def _models() -> tuple[ModelPreset, ...]:
    return tuple(runs.preset(row) for row in rows.read("models"))


@functools.cache
def _training_runs() -> tuple[TrainingRun, ...]:
    return tuple(runs.training_run(row) for row in rows.read("training_runs"))


@functools.cache
def _mfu_benchmarks() -> tuple[MfuBenchmark, ...]:
    return tuple(runs.mfu_benchmark(row) for row in rows.read("mfu_benchmarks"))


@functools.cache
def _throughputs() -> tuple[Throughput, ...]:
    return tuple(runs.throughput(row) for row in rows.read("mlperf_throughput"))
