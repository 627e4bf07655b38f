"""The throughput of one saturated node: what u = relative throughput is relative to."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from ecoaudit.calibrate.runs import MeteredRun

_NEVER_ON_ONE_NODE = {"gpt3"}
"""Workloads without any one-node submission: the smallest published system stands for the saturated node."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Samples a second and node (eight GPUs) of one submission, metered or not: the median over its runs."""

    gpu: str
    workload: str
    submitter: str
    round: str | None
    nodes: int
    per_node: float


def serves(workload: str, nodes: int) -> bool:
    """Return whether a submission of this size can stand for the saturated node."""
    return nodes == 1 or workload in _NEVER_ON_ONE_NODE


def with_saturated(run: MeteredRun, rates: Sequence[Rate], known: Sequence[MeteredRun] = ()) -> MeteredRun:
    """Return the run with the throughput of one saturated node: other submitters' median, the same round first.

    The run's own operator comes last, so that a test that holds this operator out does not look at its other runs.
    Where no rate fits, a run in `known` of the same GPU and workload lends its reference, the same round first.
    """
    fitting = [rate for rate in rates if rate.gpu == run.gpu and rate.workload == run.workload]
    fewest = min((rate.nodes for rate in fitting), default=run.nodes)
    if not fitting or fewest >= run.nodes > 1:
        return _lent(run, known)
    fitting = [rate for rate in fitting if rate.nodes == fewest]
    others = [rate for rate in fitting if rate.submitter != run.operator]
    chosen = [rate for rate in others if rate.round == run.round] or others or fitting
    rounds = ", ".join(sorted({rate.round or "unknown round" for rate in chosen}))
    names = ", ".join(sorted({rate.submitter for rate in chosen}))
    size = "one node" if fewest == 1 else f"{fewest} nodes"
    return replace(
        run,
        saturated_samples_per_s=statistics.median(rate.per_node for rate in chosen),
        saturated_source=f"{rounds} {size}: {names}",
    )


def _lent(run: MeteredRun, known: Sequence[MeteredRun]) -> MeteredRun:
    fitting = [
        other
        for other in known
        if other.gpu == run.gpu and other.workload == run.workload and other.saturated_samples_per_s
    ]
    if not fitting:
        return run
    lender = next((other for other in fitting if other.round == run.round), fitting[0])
    return replace(
        run, saturated_samples_per_s=lender.saturated_samples_per_s, saturated_source=lender.saturated_source
    )
