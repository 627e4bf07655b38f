"""Rules that find time in which GPUs were held without training: its energy is what a better run would save."""

import numpy as np

from ecoaudit.ingest.records import FloatArray
from ecoaudit.model import windows
from ecoaudit.model.facts import Candidate, RunFacts
from ecoaudit.model.intervals import Segments
from ecoaudit.model.reduce import POWER_BIN_W
from ecoaudit.model.span import Span
from ecoaudit.model.uncertainty import Uncertain, factor
from ecoaudit.quantity import percent

STALL_BELOW = 0.30
"""Boards below this share of their limit, all together and outside named phases, do not compute."""
STALL_S = 30.0
DIP_BELOW = 0.50
"""A board below this share of its own busy power (90th percentile of time) is in a dip."""
WAITING = frozenset({"idle", "stall", "wait"})
HIDEABLE_CHECKPOINT = ("share of a checkpoint that asynchronous writing hides", 0.8, 0.5, 1.0)
EVAL_HALVED = 0.5
HEAD_SAMPLES = 2
"""A file's head holds no more samples than this (`records.Head`)."""


def idle_ends(facts: RunFacts) -> Candidate | None:
    """All boards idle before the first and after the last activity."""
    job = facts.time.job
    if job is None or not facts.streams:
        return None
    lead, tail = _idle_ends(facts, job)
    unnamed = ~_working_phases(facts)
    first = facts.cuts.between(job.start_s, job.start_s + lead) & unnamed
    last = facts.cuts.between(job.end_s - tail, job.end_s) & unnamed
    joules = facts.energy(first | last)
    if joules is None:
        return None
    lead, tail = (float(facts.cuts.seconds[mask].sum()) for mask in (first, last))
    return Candidate(
        "idle-ends",
        "Allocated but idle at the start and the end",
        f"all GPUs were idle for {lead:.0f} s at the start and {tail:.0f} s at the end of {job.duration_s:.0f} s",
        "Stage data and load the checkpoint before the GPUs are allocated; release them when the last step is done.",
        joules,
        lead + tail,
    )


def _working_phases(facts: RunFacts) -> Segments:
    """Return the time in phases that work without the GPUs: a checkpoint at the end is not idle."""
    working = np.zeros(facts.cuts.phase_of.size, dtype=bool)
    for name in {phase.name for phase in facts.cuts.phases} - WAITING - {"train"}:
        working |= facts.cuts.phase(name)
    return working


def _idle_ends(facts: RunFacts, job: Span) -> tuple[float, float]:
    """Return the idle time at both ends: to the sample where samples are in memory, else to the chart's bins."""
    if any(file.time_s.size > HEAD_SAMPLES for stream in facts.streams for file in stream.files) or not facts.gpus:
        return windows.idle_ends(facts.streams, job)
    watts = facts.cuts.per_bin(np.sum([g.energy.read_j for g in facts.gpus], axis=0)) / np.diff(facts.cuts.bins)
    active = np.flatnonzero(watts > windows.ACTIVE_SHARE * watts.max())
    if not active.size:
        return 0.0, 0.0
    return float(facts.cuts.bins[active[0]]) - job.start_s, job.end_s - float(facts.cuts.bins[active[-1] + 1])


def stalls(facts: RunFacts) -> Candidate | None:
    """Waiting inside the job: phases that say so, else stretches in which all boards stay far below their limit."""
    job = facts.time.job
    if job is None or not facts.gpus:
        return None
    lead, tail = _idle_ends(facts, job)
    inner = facts.cuts.between(job.start_s + lead, job.end_s - tail)
    named = np.zeros(inner.size, dtype=bool)
    for name in WAITING:
        named |= facts.cuts.phase(name)
    limit = sum(g.info.power_limit_w or 0.0 for g in facts.gpus)
    total = np.sum([g.energy.read_j for g in facts.gpus], axis=0)
    read = np.min([g.energy.read_s for g in facts.gpus], axis=0)
    computing = (facts.cuts.phase_of < 0) | facts.cuts.phase("train")
    low = (read > 0) & (total < STALL_BELOW * limit * facts.cuts.seconds) & computing & inner
    mask = named & inner | _long_runs(low, facts.cuts.seconds, STALL_S)
    how = f"marked as waiting, or all boards together below {percent(STALL_BELOW)} of their limits for {STALL_S:.0f} s"
    joules = facts.energy(mask)
    if joules is None:
        return None
    seconds = float(facts.cuts.seconds[mask].sum())
    pieces = int((np.diff(np.concatenate(([0], mask.astype(int)))) == 1).sum())
    return Candidate(
        "stalls",
        "Stalls between working phases",
        f"{pieces} stretch{'es' * (pieces != 1)}, {seconds:.0f} s in all, inside the job: {how}",
        "Look at what ran then (restarts, data staging, compilation, barriers); the whole allocation waits for it.",
        joules,
        seconds,
    )


def _long_runs(mask: Segments, seconds: FloatArray, shortest_s: float) -> Segments:
    """Return only those runs of true segments that last at least `shortest_s`."""
    kept = np.zeros_like(mask)
    change = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(int)))
    for start, end in zip(change[::2], change[1::2], strict=True):
        if float(seconds[start:end].sum()) >= shortest_s:
            kept[start:end] = True
    return kept


def _phase(facts: RunFacts, name: str) -> tuple[Uncertain, float, int, float] | None:
    """Return energy, seconds, count and share of the job's energy of the phases called `name`."""
    mask = facts.cuts.phase(name)
    joules, job = facts.energy(mask), facts.job
    if joules is None or job is None:
        return None
    count = sum(phase.name == name for phase in facts.cuts.phases)
    return joules, float(facts.cuts.seconds[mask].sum()), count, joules.value / job.joules.value


def evaluation(facts: RunFacts) -> Candidate | None:
    """Evaluations inside the job, by the recorder's or the log's phases."""
    found = _phase(facts, "eval")
    if found is None:
        return None
    joules, seconds, count, share = found
    return Candidate(
        "evaluation",
        "Evaluation inside training",
        f"{count} evaluation{'s' * (count != 1)} took {seconds:.0f} s and {percent(share, 1)} of the job's energy",
        "Evaluating half as often, or on half as many samples, saves the figure shown.",
        joules * EVAL_HALVED,
        seconds * EVAL_HALVED,
    )


def checkpoints(facts: RunFacts) -> Candidate | None:
    """Checkpoints that held the boards, by the recorder's or the log's phases."""
    found = _phase(facts, "checkpoint")
    if found is None:
        return None
    joules, seconds, count, share = found
    name, value, low, high = HIDEABLE_CHECKPOINT
    hidden = factor(name, value, low, high, at_least=0.0, at_most=1.0)
    return Candidate(
        "checkpoints",
        "GPUs wait for checkpoints",
        f"{count} checkpoint{'s' * (count != 1)} held the GPUs for {seconds:.0f} s, {percent(share, 1)} of the job's "
        "energy",
        "Write checkpoints asynchronously or to local disk first; the figure takes 80 % (50 to 100 %) as hidden.",
        joules * hidden,
        seconds * value,
    )


def rework(facts: RunFacts) -> Candidate | None:
    """Steps that a restart made the run compute again."""
    log = facts.training
    if log is None or not log.rework_steps or not log.step_count:
        return None
    joules = facts.energy(facts.cuts.in_training)
    if joules is None:
        return None
    share = log.rework_steps / (log.rework_steps + log.step_count)
    tokens = f" ({log.rework_tokens:,.0f} tokens)" if log.rework_tokens else ""
    return Candidate(
        "rework",
        "Steps computed twice after a restart",
        f"{log.rework_steps} steps{tokens} were repeated: {percent(share, 1)} of all steps computed",
        "Checkpoint more often, or on the signal that precedes preemption, so that a restart loses fewer steps.",
        joules * share,
        share * float(facts.cuts.seconds[facts.cuts.in_training].sum()),
    )


def dips(facts: RunFacts) -> Candidate | None:
    """Short dips of the boards' power in training, as from a slow data loader, beyond phases that explain them."""
    inside = facts.energy(facts.cuts.in_training)
    if inside is None or not facts.gpus:
        return None
    other = facts.cuts.in_training & (facts.cuts.phase_of >= 0) & ~facts.cuts.phase("train")
    explained_s = float(facts.cuts.seconds[other].sum())
    dip_j = dip_s = whole_j = 0.0
    middle = (np.arange(facts.gpus[0].energy.power_seconds.size) + 0.5) * POWER_BIN_W
    for gpu in facts.gpus:
        seconds = gpu.energy.power_seconds
        if seconds.sum() <= 0:
            continue
        busy = middle[int(np.searchsorted(np.cumsum(seconds), 0.9 * seconds.sum()))]
        low = middle < DIP_BELOW * busy
        here_s, here_j = float(seconds[low].sum()), float((seconds * middle)[low].sum())
        rest = max(0.0, 1.0 - explained_s / here_s) if here_s > 0 else 0.0
        dip_j, dip_s, whole_j = dip_j + rest * here_j, dip_s + rest * here_s, whole_j + float((seconds * middle).sum())
    if dip_s <= 0 or whole_j <= 0:
        return None
    mean_s = dip_s / len(facts.gpus)
    training_s = float(facts.cuts.seconds[facts.cuts.in_training].sum())
    return Candidate(
        "power-dips",
        "Boards wait inside training",
        f"a board spent on average {mean_s:.0f} s ({percent(mean_s / training_s, 1)} of training) below "
        f"{percent(DIP_BELOW)} of its busy power, beyond evaluations and checkpoints",
        "Prefetch and decode data in more workers, and overlap communication: boards that wait still draw power.",
        inside * facts.share(facts.cuts.in_training, dip_j / whole_j, mean_s / training_s),
        mean_s,
    )
