"""From a checkout of MLPerf Training results to metered runs: reads the logs, handles their defects, says which.

AC and DC logs of one run become two rows with the same start; what was wrong with a run's logs stands in its `notes`
where it was handled, and in `excluded` where the run cannot take part in a fit.
"""

import math
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from ecoaudit.calibrate import checkout, official, window
from ecoaudit.calibrate.mllog import events
from ecoaudit.calibrate.resultlog import ResultLog, read_result
from ecoaudit.calibrate.runs import MeterBoundary, MeteredRun, citation
from ecoaudit.calibrate.saturated import Rate, serves, with_saturated
from ecoaudit.calibrate.workloads import LANGUAGE_MODELS, flops_per_sample, workload_name
from ecoaudit.ingest.records import FloatArray
from ecoaudit.reference.types import Gpu

POWER_KEYS = (
    "power_measurement_start",
    "power_measurement_stop",
    "power_reading",
    "conversion_eff",
    "interconnect_power_est",
)
MAX_DROPOUT_SHARE = 0.005
MAX_GAP_SHARE = 0.25
_DEFAULT_GPUS_PER_NODE = 8

FindGpu = Callable[[str], Gpu | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What was read: the metered runs, and what could not be read at all with the reason."""

    runs: tuple[MeteredRun, ...]
    skipped: tuple[str, ...]


def extract(
    paths: Sequence[Path],
    find_gpu: FindGpu,
    *,
    round_name: str | None = None,
    boundary: MeterBoundary | None = None,
    known: Sequence[MeteredRun] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Found:
    """Return the metered runs at or below `paths`; `find_gpu` resolves an accelerator's name.

    `boundary` is used where the logs do not tell AC from DC; `known` are other runs that lend the throughput of a
    saturated node where no submission at `paths` shows it. Raises `EcoauditError` for a path that cannot be read.
    """
    benchmarks = checkout.find_benchmarks(paths, round_name)
    runs: list[MeteredRun] = []
    skipped: list[str] = []
    rates: list[Rate] = []
    commits: dict[Path, str | None] = {}
    for benchmark in benchmarks:
        sheet = checkout.system_sheet(benchmark)
        gpu = find_gpu(sheet.gpu) if sheet.gpu else None
        pairs = checkout.run_folders(benchmark)
        if pairs and gpu is None:
            skipped.append(f"{benchmark.source(benchmark.folder)}: accelerator {sheet.gpu!r} is not in the GPU table")
        if gpu is None:
            continue
        if pairs:
            progress(benchmark.source(benchmark.folder))
            if benchmark.root not in commits:
                commits[benchmark.root] = checkout.commit_of(benchmark.root)
            reader = _Reader(benchmark, sheet, gpu, commits[benchmark.root], boundary)
            for result, folder in pairs:
                run = reader.read(result, folder)
                if isinstance(run, str):
                    skipped.append(run)
                else:
                    runs.append(run)
        rates.extend(_rates(benchmark, sheet, gpu))
    marked = _without_repeats(runs)
    return Found(runs=tuple(with_saturated(run, rates, known) for run in marked), skipped=tuple(skipped))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the runs of one benchmark folder."""

    benchmark: checkout.Benchmark
    sheet: checkout.SystemSheet
    gpu: Gpu
    commit: str | None
    boundary: MeterBoundary | None

    def read(self, result: Path, folder: Path) -> MeteredRun | str:
        """Return the metered run, or why it cannot be read at all."""
        source = self.benchmark.source(folder)
        log = read_result(result, self.benchmark.folder.name)
        if isinstance(log, str):
            return f"{source}: {log}"
        node_files = sorted(folder.glob("node_*.txt"), key=_trailing_number)
        if not node_files:
            return f"{source}: no node_*.txt in the power folder"
        nodes = [power_log(path) for path in node_files]
        switches = [power_log(path) for path in sorted(folder.glob("sw_*.txt"), key=_trailing_number)]
        notes: list[str] = []
        excluded: list[str] = []
        if log.status != "success":
            excluded.append(f"status is {log.status}")
        count = self.sheet.nodes or len(node_files)
        if len(node_files) != count:
            excluded.append(f"{len(node_files)} of {count} nodes have a power log")
        readings = _node_readings(nodes, log, notes, excluded)
        network_w, network_kind = _network(switches, log, notes)
        per_node = self.sheet.gpus_per_node
        if per_node is None:
            per_node = _DEFAULT_GPUS_PER_NODE
            notes.append("GPUs per node assumed: 8")
        flops = flops_per_sample(log.workload)
        peak = self.gpu.dense_tflops.get("bf16")
        mfu = None
        if flops and peak and log.samples:
            mfu = flops * log.samples / log.duration_s / (count * per_node * peak * 1e12)
        model = LANGUAGE_MODELS.get(log.workload)
        operator = self.sheet.submitter or self.benchmark.submitter
        return MeteredRun(
            round=self.benchmark.round or "unknown",
            operator=operator,
            system=checkout.machine_name(self.benchmark.system),
            gpu=self.gpu.name,
            gpus_per_node=per_node,
            gpu_tdp_w=self.gpu.tdp_w,
            nodes=count,
            cooling=self.sheet.cooling,
            workload=log.workload,
            number_format=model.number_format if model else None,
            boundary=self._boundary(folder, notes),
            result=result.stem,
            start_ms=log.start_ms,
            duration_s=log.duration_s,
            status=log.status,
            mean_node_w=readings.mean_w,
            network_w=network_w,
            network_kind=network_kind,
            resident_w=readings.resident_w,
            samples=log.samples,
            mfu=mfu,
            saturated_samples_per_s=None,
            saturated_source=None,
            gap_share=readings.gap_share,
            official_v40_j=official.run_energy_j(nodes, switches, log.duration_s, "v4.0"),
            official_v41_j=official.run_energy_j(nodes, switches, log.duration_s, "v4.1+"),
            scaling_factor=checkout.scaling_factor(self.benchmark),
            excluded="; ".join(excluded),
            notes="; ".join(notes),
            path=source,
            commit=self.commit,
            year=checkout.year_of(self.benchmark.round),
            source=citation(self.benchmark.round, operator),
            licence=checkout.licence_of(self.benchmark.round),
        )

    def _boundary(self, folder: Path, notes: list[str]) -> MeterBoundary:
        """Return AC or DC: the log's metadata, then the caller, then the folders' names, else AC with a note."""
        for event in events(next(iter(sorted(folder.glob("node_*.txt")))), POWER_KEYS):
            kind = str(event.detail("measurement_type") or "").lower()
            if kind in ("ac", "dc"):
                return "ac" if kind == "ac" else "dc"
            if event.key == "conversion_eff":
                return "ac"
        if self.boundary is not None:
            return self.boundary
        words = set(re.split(r"[-_/]", f"{self.benchmark.submitter}/{self.benchmark.system}".lower()))
        if ("ac" in words) != ("dc" in words):
            return "ac" if "ac" in words else "dc"
        notes.append("the logs do not tell AC from DC: taken as AC")
        return "ac"


@dataclass(frozen=True, slots=True)
class _Readings:
    mean_w: float | None
    resident_w: float | None
    gap_share: float


def power_log(path: Path) -> official.PowerLog:
    """Read one power log in file order, nothing corrected."""
    readings: list[tuple[float, float]] = []
    start = stop = efficiency = stated = None
    for event in events(path, POWER_KEYS):
        if event.key == "power_measurement_start":
            start = event.time_ms
        elif event.key == "power_measurement_stop":
            stop = event.time_ms
        elif isinstance(event.value, int | float) and math.isfinite(event.value):
            if event.key == "power_reading":
                readings.append((event.time_ms, float(event.value)))
            elif event.key == "conversion_eff":
                efficiency = float(event.value)
            elif stated is None:
                stated = float(event.value)
    return official.PowerLog(tuple(readings), start, stop, efficiency, stated)


def _node_readings(
    nodes: Sequence[official.PowerLog], log: ResultLog, notes: list[str], excluded: list[str]
) -> _Readings:
    """Integrate every node over the run's window; what is odd goes to `notes`, what forbids a fit to `excluded`."""
    start_s, stop_s = log.start_ms / 1000.0, log.stop_ms / 1000.0
    traces: list[window.Trace] = []
    inside: list[FloatArray] = []
    distinct: set[tuple[tuple[float, float], ...]] = set()
    missing = 0
    for node in nodes:
        if not node.readings:
            missing += 1
            continue
        time = np.array([r[0] for r in node.readings]) / 1000.0
        power = np.array([r[1] for r in node.readings])
        trace = window.integrate(time, power, start_s, stop_s)
        if trace.readings == 0:
            missing += 1
            continue
        distinct.add(node.readings)
        shifted = time + trace.clock_offset_s
        inside.append(power[(shifted >= start_s) & (shifted <= stop_s)])
        traces.append(trace)
    if missing or not traces:
        excluded.append(f"{missing} of {len(nodes)} node logs have no reading during the run")
        return _Readings(None, None, 1.0)
    node_time = log.duration_s * len(nodes)
    gap_share = math.fsum(t.gap_s for t in traces) / node_time
    dropout_share = math.fsum(t.dropout_s for t in traces) / node_time
    if dropout_share > MAX_DROPOUT_SHARE:
        lowest = min(float(part.min()) for part in inside)
        excluded.append(f"sensor drop-outs over {100 * dropout_share:.1f} % of node-time (down to {lowest:.0f} W)")
    if gap_share > MAX_GAP_SHARE:
        excluded.append(f"no readings over {100 * gap_share:.0f} % of node-time")
    notes.extend(_observations(nodes, traces, len(distinct), gap_share))
    resident_w, _ = window.stalled_w(np.concatenate(inside))
    mean_w = math.fsum(t.energy_j for t in traces) / node_time
    return _Readings(mean_w, None if math.isnan(resident_w) else resident_w, gap_share)


def _observations(
    nodes: Sequence[official.PowerLog], traces: Sequence[window.Trace], distinct: int, gap_share: float
) -> Iterable[str]:
    """Yield what is odd about the logs but was handled."""
    if any(n.start_ms is not None and n.start_ms == n.stop_ms for n in nodes):
        yield "power_measurement_stop has the stamp of start (padded log): integrated over the run's own window"
    if distinct < len(nodes):
        yield f"{len(nodes)} node logs hold {distinct} distinct traces (shared rack channels): no spread between nodes"
    longest = max(t.max_gap_s for t in traces)
    if gap_share > 0:
        yield f"gaps up to {longest:.0f} s, {100 * gap_share:.1f} % of node-time, bridged linearly"
    repeated = sum(t.repeated_stamps for t in traces)
    total = sum(t.readings for t in traces)
    if total and repeated / total > 0.01:
        yield f"{100 * repeated / total:.0f} % of stamps repeated"
    offsets = {t.clock_offset_s for t in traces} - {0.0}
    if offsets:
        yield f"node clocks moved by {', '.join(f'{offset / 3600:+.1f} h' for offset in sorted(offsets))}"


def _network(
    switches: Sequence[official.PowerLog], log: ResultLog, notes: list[str]
) -> tuple[float | None, str | None]:
    """Return the switches' power in W over the run and how it is known, (None, None) without switch logs."""
    start_s, stop_s = log.start_ms / 1000.0, log.stop_ms / 1000.0
    total, kinds = 0.0, set()
    for switch in switches:
        if switch.readings:
            time = np.array([r[0] for r in switch.readings]) / 1000.0
            trace = window.integrate(time, np.array([r[1] for r in switch.readings]), start_s, stop_s)
            if trace.clock_offset_s:
                notes.append(f"switch clock moved by {trace.clock_offset_s / 3600:+.1f} h")
            total += trace.energy_j / log.duration_s
            kinds.add("measured")
        elif switch.stated_w is not None:
            total += switch.stated_w
            kinds.add("stated")
    return (total, "+".join(sorted(kinds))) if kinds else (None, None)


def _rates(benchmark: checkout.Benchmark, sheet: checkout.SystemSheet, gpu: Gpu) -> Iterable[Rate]:
    """Yield the submission's median throughput a node, where it can serve as the rate of a saturated node."""
    workload = workload_name(benchmark.folder.name)
    if sheet.nodes is None or sheet.gpus_per_node != _DEFAULT_GPUS_PER_NODE or not serves(workload, sheet.nodes):
        return
    per_node = []
    for path in benchmark.results:
        log = read_result(path, benchmark.folder.name)
        if isinstance(log, ResultLog) and log.status == "success" and log.samples:
            workload = log.workload
            per_node.append(log.samples / log.duration_s / sheet.nodes)
    if per_node:
        submitter = sheet.submitter or benchmark.submitter
        yield Rate(gpu.name, workload, submitter, benchmark.round, sheet.nodes, statistics.median(per_node))


def _without_repeats(runs: Sequence[MeteredRun]) -> list[MeteredRun]:
    """Exclude results that are one run under two names (same start, same boundary): the first name counts."""
    first: dict[tuple[str | int, ...], str] = {}
    marked = []
    for run in sorted(runs, key=lambda run: (len(run.result), run.path)):
        key = (run.round, run.operator, run.system, run.workload, run.nodes, run.boundary, run.start_ms)
        seen = first.setdefault(key, run.result)
        if seen != run.result:
            reason = f"the same run as {seen} under another name"
            marked.append(replace(run, excluded="; ".join(filter(None, (run.excluded, reason)))))
        else:
            marked.append(run)
    return marked


def _trailing_number(path: Path) -> tuple[int, str]:
    found = re.search(r"(\d+)$", path.stem)
    return (int(found[1]) if found else -1, path.name)
