"""Rules that look at how the boards were loaded in training, and at how the run stands beside a metered one."""

import numpy as np

from ecoaudit.model.efficiency import PJ
from ecoaudit.model.facts import Candidate, RunFacts
from ecoaudit.model.levels import J_PER_KWH
from ecoaudit.model.nodes import GpuReading
from ecoaudit.quantity import Boundary, percent

STRAGGLER = 0.10
UNUSED = 0.25
LOW_LOAD = 0.60


def _mean_powers(facts: RunFacts) -> dict[GpuReading, float]:
    """Return each board's mean power in training in W, of the time that was read."""
    mask = facts.cuts.in_training
    read = [(gpu, float(gpu.energy.read_s[mask].sum())) for gpu in facts.gpus]
    return {gpu: float(gpu.energy.read_j[mask].sum()) / seconds for gpu, seconds in read if seconds > 0}


def _name(gpu: GpuReading) -> str:
    return f"node {gpu.node} GPU {gpu.info.index}"


def unused(facts: RunFacts) -> Candidate | None:
    """Boards that stayed far below the others in training: allocated, paid for, not used."""
    means = _mean_powers(facts)
    middle = float(np.median(list(means.values()))) if len(means) > 1 else 0.0
    if middle <= 0:
        return None
    idle = [gpu for gpu, power in means.items() if power < UNUSED * middle]
    job = facts.energy(facts.ledger.everything)
    if not idle or job is None:
        return None
    of_boards = sum(float(g.energy.read_j.sum()) for g in idle) / sum(float(g.energy.read_j.sum()) for g in facts.gpus)
    names = ", ".join(_name(gpu) for gpu in idle[:4]) + (" and others" if len(idle) > 4 else "")
    return Candidate(
        "unused-gpus",
        "GPUs allocated but not used",
        f"{len(idle)} of {len(means)} GPUs drew less than {percent(UNUSED)} of the median {middle:.0f} W: {names}",
        "Ask for fewer GPUs, or check the launcher's world size and device selection.",
        job * facts.share(facts.ledger.everything, of_boards, 0.0),
        float(facts.cuts.seconds.sum()) * len(idle) / len(facts.gpus),
    )


def stragglers(facts: RunFacts) -> Candidate | None:
    """Boards in use whose mean power differs from the median: throttled, or with unequal work."""
    means = _mean_powers(facts)
    middle = float(np.median(list(means.values()))) if len(means) > 1 else 0.0
    if middle <= 0:
        return None
    off = {gpu: p for gpu, p in means.items() if abs(p / middle - 1.0) > STRAGGLER and p >= UNUSED * middle}
    if not off:
        return None
    worst = max(off, key=lambda gpu: abs(off[gpu] / middle - 1.0))
    evidence = (
        f"{len(off)} of {len(means)} GPUs differ by more than {percent(STRAGGLER)} from the median {middle:.0f} W in "
        f"training; {_name(worst)}: {off[worst]:.0f} W"
    )
    if len(means) == 2:  # each is as far from the middle as the other
        drew = [f"{_name(gpu)} drew {power:.0f} W" for gpu, power in means.items()]
        evidence = f"in training {' and '.join(drew)} on average"
    return Candidate(
        "imbalance",
        "GPUs draw unequal power",
        evidence,
        "Look for a throttled or mis-clocked board, unequal pipeline stages or shards: the slowest sets the pace.",
    )


def low_load(facts: RunFacts) -> Candidate | None:
    """Boards that stay far below their power limit in training."""
    limits = [g.info.power_limit_w for g in facts.gpus]
    if not limits or any(limit is None for limit in limits):
        return None
    mask = facts.cuts.in_training
    seconds = sum(float(g.energy.read_s[mask].sum()) for g in facts.gpus)
    if seconds <= 0:
        return None
    mean = sum(float(g.energy.read_j[mask].sum()) for g in facts.gpus) / seconds
    limit = sum(limit or 0.0 for limit in limits) / len(limits)
    if mean >= LOW_LOAD * limit:
        return None
    return Candidate(
        "low-load",
        "Boards run far below their power limit",
        f"in training a board drew {mean:.0f} W on average, {percent(mean / limit)} of its limit of {limit:.0f} W",
        "Power this low means waiting, not saving: larger micro-batches, fewer GPUs or faster input use the "
        "hosts' power better.",
    )


def beside_reference(facts: RunFacts) -> Candidate | None:
    """How many kWh the same FLOPs would have taken at the metered reference's joules per FLOP (node boundary)."""
    reference, work = facts.reference, facts.work
    inside = facts.ledger.best_inside(facts.cuts.in_training)
    whole = facts.energy(facts.cuts.in_training)
    if reference is None or work is None or work.flops is None or inside is None or whole is None:
        return None
    if inside.boundary is not Boundary.NODE:
        return None
    would = reference.pj_per_flop * work.flops / PJ
    ratio = inside.joules.value / would.value
    if ratio <= 1.0:
        return None
    pair = reference.pair
    text = (
        f"training took {inside.joules.value / J_PER_KWH:.3g} kWh at the nodes; {pair.workload} on {pair.nodes} × "
        f"{pair.gpus_per_node} {pair.gpu} ({pair.number_format or 'unknown format'}) would have computed the same "
        f"FLOPs with {would.value / J_PER_KWH:.3g} kWh"
    )
    return Candidate(
        "reference-efficiency",
        "Distance to the metered reference",
        text if reference.ranked else f"{text}; the number formats differ, so no saving is claimed",
        "Raise the share of peak FLOPs that reaches the model (kernels, batch size, parallelism, number format).",
        whole * (1.0 - would / inside.joules) if reference.ranked else None,
        (1.0 - 1.0 / ratio) * float(facts.cuts.seconds[facts.cuts.in_training].sum()) if reference.ranked else 0.0,
        remark=True,
    )
