"""The official MLPerf Training energy of a submission, as MLCommons' result summarizer computes it.

Rule: training_policies, power_measurement.adoc; code: mlcommons/logging, result_summarizer.py (`_compute_power_node`,
`_compute_power_sw`, `_compute_total_power`, `_index_olympic_average`). Two versions were in force:

- `v4.0` (commit a9f4839, 2024-05): readings in file order, the mean taken over max(stop, last reading) - start;
- `v4.1+` (commit c401ff0, 2024-09): readings sorted, only those between start and stop, the mean over stop - start.

Both hold each reading back to the one before it, take the mean over the power log's own window (not over the run) and
multiply by the run's duration. The figure therefore is not the energy that the run used; it is reproduced here because
published results carry it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Rule = Literal["v4.0", "v4.1+"]

FIRST_POWER_ROUND = (4, 0)


@dataclass(frozen=True, slots=True)
class PowerLog:
    """One node's or switch's power log as logged: `readings` are (time in ms, W) in file order."""

    readings: tuple[tuple[float, float], ...]
    start_ms: float | None = None
    stop_ms: float | None = None
    conversion_efficiency: float | None = None
    stated_w: float | None = None
    """Power that is only stated (`interconnect_power_est`), the first one in the file."""


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A run as the scoring sees it: duration in s (infinite for a failed run) and energy in J."""

    duration_s: float
    energy_j: float | None


def rule_of_round(name: str | None) -> Rule | None:
    """Return the rule in force for a round such as `v5.0` or `training_results_v4.0`; None when it tells no round."""
    digits = (name or "").rsplit("v", 1)[-1].split(".")
    if len(digits) != 2 or not all(part.isdigit() for part in digits):
        return None
    return "v4.0" if (int(digits[0]), int(digits[1])) <= FIRST_POWER_ROUND else "v4.1+"


def node_energy_j(log: PowerLog, duration_s: float, rule: Rule) -> float | None:
    """Return a node's official energy in J; None where the rule divides by zero (stop logged equal to start)."""
    if log.start_ms is None or log.stop_ms is None:
        return None
    readings = list(log.readings)
    stop = log.stop_ms
    if rule == "v4.0":
        stop = max([stop, *(time for time, _ in readings[-1:])])
    else:
        readings = sorted((r for r in readings if log.start_ms <= r[0] <= stop), key=lambda r: r[0])
    if stop <= log.start_ms:
        return None
    total = 0.0
    before = log.start_ms
    for time, power in readings:
        total += power * (time - before)
        before = time
    return _efficiency(log) * total * duration_s / (stop - log.start_ms)


def switch_energy_j(log: PowerLog, duration_s: float) -> float:
    """Return a switch's official energy in J: its stated power alone; metered readings of a switch count nothing."""
    return _efficiency(log) * (log.stated_w or 0.0) * duration_s


def run_energy_j(
    nodes: Sequence[PowerLog], switches: Sequence[PowerLog], duration_s: float, rule: Rule
) -> float | None:
    """Return the official energy of one run in J, None where one of its nodes has none."""
    parts = [node_energy_j(log, duration_s, rule) for log in nodes]
    known = [part for part in parts if part is not None]
    if not parts or len(known) != len(parts):
        return None
    return math.fsum(known) + math.fsum(switch_energy_j(log, duration_s) for log in switches)


def olympic_drop(workload: str) -> int:
    """Return how many runs the Olympic mean drops at each end: 4 of unet3d's 40 runs, else 1."""
    return 4 if workload == "unet3d" else 1


def score_j(runs: Sequence[ScoredRun], workload: str, scaling_factor: float = 1.0) -> float | None:
    """Return the official energy of a submission in J.

    Runs are ordered by duration (a failed run is a slowest), the fastest and slowest are dropped, the mean of the rest
    is multiplied by the RCP scaling factor of `scaling.json` (1 without one). None where too few runs remain, or one of
    those that remain failed or has no energy.
    """
    drop = olympic_drop(workload)
    kept = sorted(runs, key=lambda run: run.duration_s)[drop : len(runs) - drop]
    energies = [run.energy_j for run in kept if run.energy_j is not None and math.isfinite(run.duration_s)]
    if not kept or len(energies) != len(kept):
        return None
    return math.fsum(energies) / len(energies) * scaling_factor


def _efficiency(log: PowerLog) -> float:
    return 1.0 if log.conversion_efficiency is None else log.conversion_efficiency
