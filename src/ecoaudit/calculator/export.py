"""Everything the page calculates with, as one JSON value: tables resolved by `reference`, constants of the engine.

Look-ups that the reference tables resolve (a region's grid zone, the price of a GPU there, the fitted line of a node)
are resolved here, so that the page holds their answers and not their rules. Every record names its citation by index
into `citations`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ecoaudit import __version__
from ecoaudit.calculator.constants import constants
from ecoaudit.estimate import paper
from ecoaudit.estimate.drivers import GROUPS, NODE_LINE
from ecoaudit.estimate.mfu import LIKE_H100, default_model
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.estimate.site import resolve_site
from ecoaudit.model.hardware import Boards, System, usual_gpus_per_node
from ecoaudit.model.utilisation import choose_line, seen
from ecoaudit.reference import Tables
from ecoaudit.reference.types import Citation, Cooling, Gpu, GpuPrice, GridFactor, ModelPreset, Node, PueFactor, Region

Record = dict[str, Any]
COOLINGS: tuple[Cooling | None, ...] = (None, "air", "liquid", "immersion")
"""The order in which `lines` of a GPU or a node are listed."""
HGX_GPUS = 8


class _Pool:
    """Distinct records in the order first seen; `add` gives a record's index."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self._index: dict[str, int] = {}

    def add(self, record: Any) -> int:
        key = repr(record)
        if key not in self._index:
            self._index[key] = len(self.records)
            self.records.append(record)
        return self._index[key]


class _Export:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.citations, self.grids, self.pues, self.prices, self.lines = (_Pool() for _ in range(5))

    def cite(self, citation: Citation | None) -> int | None:
        if citation is None:
            return None
        return self.citations.add([citation.source, citation.year, citation.licence])

    def grid(self, grid: GridFactor) -> int:
        record = {
            "zone": grid.zone,
            "name": grid.name,
            "g": grid.g_per_kwh,
            "low": grid.low,
            "high": grid.high,
            "basis": grid.basis,
            "stand_in": grid.stand_in,
            "cite": self.cite(grid.citation),
        }
        return self.grids.add(record)

    def pue(self, pue: PueFactor) -> int:
        record = {
            "value": pue.value,
            "low": pue.low,
            "high": pue.high,
            "scope": pue.scope,
            "basis": pue.basis.value,
            "cite": self.cite(pue.citation),
        }
        return self.pues.add(record)

    def price(self, price: GpuPrice | None) -> int | None:
        if price is None:
            return None
        record = {
            "provider": price.provider,
            "instance": price.instance,
            "gpu": price.gpu,
            "usd": price.usd_per_gpu_hour,
            "low": price.low,
            "high": price.high,
            "cite": self.cite(price.citation),
        }
        return self.prices.add(record)

    def region(self, region: Region) -> Record:
        gpu = self.tables.gpus()[0]
        site = resolve_site(EstimateRequest(gpu=gpu.name, region=region.key), gpu, self.tables)
        assert site.grid is not None, "every region has a grid zone"
        return {
            "key": region.key,
            "provider": region.provider,
            "place": region.location,
            "country": region.country,
            "zone": region.zone,
            "grid": self.grid(site.grid),
            "pue": self.pue(site.pue),
            "market": self.grid(site.market) if site.market else None,
            "cite": self.cite(region.citation),
        }

    def gpu(self, gpu: Gpu) -> Record:
        default = self.price(self.tables.price(gpu.name))
        by_region = {
            index: found
            for index, region in enumerate(self.tables.regions())
            if (found := self.price(self.tables.price(gpu.name, region.key))) != default
        }
        return {
            "name": gpu.name,
            "architecture": gpu.architecture,
            "form": gpu.form_factor,
            "usual_node": usual_gpus_per_node(gpu),
            "tdp_w": gpu.tdp_w,
            "memory_gib": gpu.memory_gib,
            "peak": dict(gpu.dense_tflops),
            "embodied": gpu.embodied_kgco2e,
            "embodied_cite": self.cite(gpu.embodied_citation or gpu.citation),
            "cite": self.cite(gpu.citation),
            "price": default,
            "prices": by_region,
            "lines": self.lines_of(gpu, None),
            "metered_like": self.tables.power_line(gpu, HGX_GPUS, None) is not None,
        }

    def lines_of(self, gpu: Gpu, name: str | None) -> list[list[Any]]:
        """Return, for each cooling, the index of the node line and whether this very system was metered."""
        found = []
        for cooling in COOLINGS:
            system = System((Boards(gpu.name, gpu, 1, None),), 1, 1, 1, 1.0, cooling, name, None, None, ())
            line = choose_line(self.tables.utilisation_lines(), system, self.tables)
            if line is None:
                raise LookupError(f"no node line for {gpu.name}: the table of coefficients is not complete")
            record = {
                "id": line.id,
                "gpu": line.gpu,
                "tdp_w": self.tables.gpu(line.gpu).tdp_w,
                "gpus_per_node": line.gpus_per_node,
                "static_w": line.static_w,
                "alpha": line.alpha,
                "u_exponent": line.u_exponent,
                "transfer_error": line.transfer_error,
                "systems": len(line.fitted_on),
                "cite": self.cite(line.citation),
            }
            found.append([self.lines.add(record), seen(line.fitted_on, system)])
        return found

    def node(self, node: Node) -> Record:
        return {
            "name": node.name,
            "gpu": node.gpu,
            "gpu_count": node.gpu_count,
            "cooling": node.cooling,
            "lines": self.lines_of(self.tables.gpu(node.gpu), node.name),
            "cite": self.cite(node.citation),
        }

    def model(self, model: ModelPreset) -> Record:
        return {
            "id": model.id,
            "name": model.name,
            "moe": model.architecture == "moe",
            "params": model.params,
            "active_params": model.active_params,
            "layers": model.layers,
            "hidden_size": model.hidden_size,
            "sequence_length": model.sequence_length,
            "tokens": model.tokens,
            "note": model.note,
            "cite": self.cite(model.citation),
        }

    def priors(self) -> list[Record]:
        """Return the prior of host power and slope for each cooling; it holds for every `metered_like` GPU."""
        like = next(gpu for gpu in self.tables.gpus() if self.tables.power_line(gpu, HGX_GPUS, None))
        found = []
        for cooling in COOLINGS:
            line = self.tables.power_line(like, HGX_GPUS, cooling)
            assert line is not None
            correlation = line.host_alpha_correlation
            cite = self.cite(line.citation)
            found.append({"alpha": line.alpha, "host_w": line.host_w, "correlation": correlation, "cite": cite})
        return found

    def mfu(self) -> Record:
        fit = default_model(self.tables)
        return {
            "level": fit.level,
            "sd": fit.sd,
            "families": fit.families,
            "runs": fit.runs,
            "h100": fit.h100,
            "size_slope": fit.size_slope,
            "fp8": fit.fp8,
            "fp8_sd": fit.fp8_sd,
            "seen": sorted(fit.seen),
            "like_h100": sorted(LIKE_H100),
            "evidence": sorted({self.cite(run.citation) for run in self.tables.training_runs() if run.time_evidence}),
            "benchmarks": sorted({self.cite(one.citation) for one in self.tables.mfu_benchmarks()}),
        }

    def zones(self) -> Record:
        """Return every grid zone with its figure, and the regions' zones where a country stands in."""
        codes = [zone.zone for zone in self.tables.zones()] + [region.zone for region in self.tables.regions()]
        return {code: self.grid(self.tables.grid(zone=code)) for code in dict.fromkeys(codes)}


def data(tables: Tables) -> Record:
    """Return what the page needs to make every estimate that `estimate.engine` makes, ready for JSON."""
    out = _Export(tables)
    answer: Record = {
        "tool": f"ecoaudit {__version__}",
        "gpus": _all(out.gpu, tables.gpus()),
        "regions": _all(out.region, tables.regions()),
        "zones": out.zones(),
        "nodes": _all(out.node, tables.nodes()),
        "models": _all(out.model, tables.models()),
        "pue": out.pue(tables.pue()),
        "priors": out.priors(),
        "mfu": out.mfu(),
        "constants": constants(),
        "driver_groups": GROUPS,
        "driver_rest": NODE_LINE,
        "paper_gpu": tables.gpu(paper.GPU).name,
    }
    answer |= {"grids": out.grids.records, "pues": out.pues.records, "prices": out.prices.records}
    return {**answer, "lines": out.lines.records, "citations": out.citations.records}


def _all(export: Callable[[Any], Record], records: Sequence[Any]) -> list[Record]:
    return [export(record) for record in records]
