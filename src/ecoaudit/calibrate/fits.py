"""P_static and alpha of each metered (system, workload, node count, boundary), for three definitions of u.

    P_node = P_static + alpha x N x TDP x u

P_static is a node's power with the job resident and its GPUs waiting. u is 1, or model FLOPs utilisation, or throughput
relative to one saturated node. alpha belongs to its u and to its P_static; it is never used with another.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ecoaudit.calibrate import official
from ecoaudit.calibrate.runs import MeterBoundary, MeteredRun, by_key, distinct_runs
from ecoaudit.calibrate.workloads import flops_per_sample
from ecoaudit.reference.types import Cooling

MIN_STATIC_SE_W = 150.0
"""What "waiting" means differs by about +-0.3 kW between stalls of one system (fans, clocks, which job)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over runs with its standard deviation over runs (0 for one run) and their number."""

    value: float
    sd: float
    runs: int


@dataclass(frozen=True, slots=True)
class StaticPower:
    """P_static of a system at a boundary in W with its standard error and the groups of runs that show it.

    `borrowed` says that it comes from other runs of the same system.
    """

    value_w: float
    se_w: float
    groups: int
    borrowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One (system, workload, nodes) at one boundary: what its used runs say together; powers in W a node."""

    round: str
    operator: str
    system: str
    gpu: str
    gpus_per_node: int
    gpu_tdp_w: float
    nodes: int
    cooling: Cooling | None
    workload: str
    number_format: str | None
    boundary: MeterBoundary
    runs: int
    mean_node_w: float
    run_sd_w: float
    duration_s: float
    u: float | None
    saturated_samples_per_s: float | None
    mfu: float | None
    static: StaticPower | None
    alpha_one: Estimate | None
    alpha_mfu: Estimate | None
    alpha_throughput: Estimate | None
    j_per_sample: float | None
    pj_per_flop: float | None
    official_v40_j: float | None
    official_v41_j: float | None
    official_runs: int
    scaling_factor: float
    path: str
    commit: str | None
    year: str | None
    licence: str

    @property
    def rated_w(self) -> float:
        """Rated GPU power of a node: GPUs x TDP."""
        return self.gpus_per_node * self.gpu_tdp_w

    @property
    def official_rule(self) -> official.Rule | None:
        """The official rule in force in this group's round, None where the round is not known."""
        return official.rule_of_round(self.round)

    @property
    def official_energy_j(self) -> float | None:
        """The official energy under the rule in force, None where there is none or the round is not known."""
        rule = self.official_rule
        return None if rule is None else self.official_v40_j if rule == "v4.0" else self.official_v41_j


def groups(runs: Iterable[MeteredRun], known: Sequence[MeteredRun] = ()) -> list[Group]:
    """Return one group for each (round, operator, system, workload, nodes, boundary) that has a used run.

    `known` are other runs: a system whose runs here never stall takes its P_static from them.
    """
    table = list(runs)
    borrowed = {key: replace(static, borrowed=True) for key, static in static_powers(known).items()}
    static = borrowed | static_powers(table)
    found = []
    for _, members in by_key(table, _group_key):
        used = [run for run in members if run.used and run.mean_node_w is not None]
        if used:
            found.append(_group(members, used, static.get(_system_key(members[0]))))
    return found


def at_ac(found: Iterable[Group]) -> list[Group]:
    """Return the groups metered at AC, the boundary that node power is defined at."""
    return [group for group in found if group.boundary == "ac"]


def static_powers(runs: Sequence[MeteredRun]) -> dict[tuple[str | int, ...], StaticPower]:
    """Return P_static by (operator, system, boundary).

    Within a group of runs it is the median of their waiting levels; over the groups of a system the lowest, since a
    group whose GPUs never wait for long shows a level that is too high. Its standard error is the spread of the groups,
    never below `MIN_STATIC_SE_W`. Systems whose runs never stall have none.
    """
    found = {}
    for key, members in by_key([run for run in runs if run.used], _system_key):
        levels = [
            statistics.median(shown)
            for _, group in by_key(members, _group_key)
            if len(shown := [run.resident_w for run in group if run.resident_w is not None]) * 2 > len(group)
        ]
        if levels:
            near = [level for level in levels if level <= 1.15 * min(levels)]
            spread = statistics.stdev(near) if len(near) > 1 else 0.0
            found[key] = StaticPower(min(levels), max(MIN_STATIC_SE_W, spread), len(near))
    return found


def _group_key(run: MeteredRun) -> tuple[str | int, ...]:
    return (run.round, run.operator, run.system, run.workload, run.nodes, run.boundary)


def _system_key(run: MeteredRun) -> tuple[str | int, ...]:
    return (run.operator, run.system, run.boundary)


def _group(members: Sequence[MeteredRun], used: Sequence[MeteredRun], static: StaticPower | None) -> Group:
    first = used[0]
    powers = [run.mean_node_w for run in used if run.mean_node_w is not None]
    joules = [
        run.mean_node_w * run.nodes * run.duration_s / run.samples
        for run in used
        if run.samples and run.mean_node_w is not None
    ]
    j_per_sample = _mean(joules)
    flops = flops_per_sample(first.workload)
    return Group(
        round=first.round,
        operator=first.operator,
        system=first.system,
        gpu=first.gpu,
        gpus_per_node=first.gpus_per_node,
        gpu_tdp_w=first.gpu_tdp_w,
        nodes=first.nodes,
        cooling=first.cooling,
        workload=first.workload,
        number_format=first.number_format,
        boundary=first.boundary,
        runs=distinct_runs(used),
        mean_node_w=statistics.fmean(powers),
        run_sd_w=_sd(powers),
        duration_s=statistics.fmean(run.duration_s for run in used),
        u=_mean([run.u for run in used if run.u is not None]),
        saturated_samples_per_s=first.saturated_samples_per_s,
        mfu=_mean([run.mfu for run in used if run.mfu is not None]),
        static=static,
        alpha_one=_alpha(used, static, lambda _: 1.0),
        alpha_mfu=_alpha(used, static, lambda run: run.mfu),
        alpha_throughput=_alpha(used, static, lambda run: run.u),
        j_per_sample=j_per_sample,
        pj_per_flop=1e12 * j_per_sample / flops if j_per_sample and flops else None,
        official_v40_j=_official(members, lambda run: run.official_v40_j),
        official_v41_j=_official(members, lambda run: run.official_v41_j),
        official_runs=len(members),
        scaling_factor=first.scaling_factor,
        path=first.path.rsplit("/power/", 1)[0] + "/",
        commit=first.commit,
        year=first.year,
        licence=first.licence,
    )


def _alpha(
    runs: Sequence[MeteredRun], static: StaticPower | None, u: Callable[[MeteredRun], float | None]
) -> Estimate | None:
    """Return alpha over the runs: (mean node power - P_static) / (N x TDP x u) of each; None where u is not known."""
    if static is None:
        return None
    values = [
        (run.mean_node_w - static.value_w) / (run.rated_w * value)
        for run in runs
        if run.mean_node_w is not None and (value := u(run))
    ]
    return Estimate(statistics.fmean(values), _sd(values), len(values)) if values else None


def _official(members: Sequence[MeteredRun], energy: Callable[[MeteredRun], float | None]) -> float | None:
    """Score all results of the submission, also those left out of the fits: the official rule knows no exclusions."""
    scored = [
        official.ScoredRun(run.duration_s if run.status == "success" else math.inf, energy(run)) for run in members
    ]
    return official.score_j(scored, members[0].workload, members[0].scaling_factor)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _sd(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
