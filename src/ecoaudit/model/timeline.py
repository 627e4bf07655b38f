"""The job cut into segments: window and phase edges for exact sums, and even bins for the chart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecoaudit.ingest.records import FloatArray, IntArray, Phase
from ecoaudit.model.audit import MAX_TIMELINE_POINTS, TimelinePoint
from ecoaudit.model.intervals import Segments
from ecoaudit.model.windows import RunTime

POINTS = 720
SHORTEST_S = 1e-6

assert POINTS <= MAX_TIMELINE_POINTS


@dataclass(frozen=True, slots=True)
class Cuts:
    """Edges over the job, shape (segments + 1,), and what each segment belongs to; `bin_of` is the chart's bin."""

    edges: FloatArray
    bins: FloatArray
    bin_of: IntArray
    in_training: Segments
    phase_of: IntArray
    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> FloatArray:
        """Lengths of the segments in s."""
        return np.diff(self.edges)

    def phase(self, name: str) -> Segments:
        """Return the mask of all segments in phases called `name`."""
        numbers = [number for number, phase in enumerate(self.phases) if phase.name == name]
        return np.isin(self.phase_of, numbers)

    def between(self, start_s: float, end_s: float) -> Segments:
        """Return the segments whose middle lies between two times."""
        middle = 0.5 * (self.edges[:-1] + self.edges[1:])
        return (middle > start_s) & (middle < end_s)

    def per_bin(self, by_segment: FloatArray) -> FloatArray:
        """Return sums by bin of the chart, shape (bins,)."""
        sums: FloatArray = np.bincount(self.bin_of, by_segment, self.bins.size - 1).astype(np.float64)
        return sums


def cut(time: RunTime, shortest_step_s: float | None, at: FloatArray | None = None) -> Cuts:
    """Cut the job where windows, phases and steps begin and end, at the times `at` (Unix s), and into even bins.

    There are at most `POINTS` bins. They are at least two sampling intervals long, so that each holds readings. The
    job must have a place on the clock.
    Of more than `POINTS` times inside the job none is a cut: the bins are as fine.
    """
    job = time.job
    if job is None:
        raise ValueError("a job without start and end cannot be cut")
    count = int(min(POINTS, max(1.0, job.duration_s / max(2.0 * (shortest_step_s or 1.0), 1e-3))))
    bins = np.linspace(job.start_s, job.end_s, count + 1)
    marks = [job.start_s, job.end_s]
    if time.training is not None:
        marks += [time.training.start_s, time.training.end_s]
    for phase in time.phases:
        marks += [phase.start_s, phase.end_s]
    for steps in time.steps:
        marks += [steps.start_s, steps.end_s]
    inside = at[(at > job.start_s) & (at < job.end_s)] if at is not None else np.empty(0)
    more = inside if inside.size <= POINTS else inside[:0]
    edges = np.unique(np.clip(np.concatenate((bins, marks, more)), job.start_s, job.end_s))
    edges = edges[np.concatenate(([True], np.diff(edges) > 0))]
    middle = 0.5 * (edges[:-1] + edges[1:])
    bin_of = np.clip(np.searchsorted(bins, middle, side="right") - 1, 0, count - 1)
    training = time.training
    in_training = (
        (middle > training.start_s) & (middle < training.end_s)
        if training is not None
        else np.ones(middle.size, dtype=bool)
    )
    phase_of = np.full(middle.size, -1, dtype=np.int64)
    for number, phase in enumerate(time.phases):
        phase_of[(middle > phase.start_s) & (middle < phase.end_s)] = number
    return Cuts(edges, bins, bin_of.astype(np.int64), in_training, phase_of, time.phases)


def timeline(cuts: Cuts, gpus_j: Sequence[FloatArray], nodes_j: FloatArray | None) -> list[TimelinePoint]:
    """Return mean power by bin: `gpus_j` holds each GPU's energy by segment, `nodes_j` that of all nodes."""
    if not gpus_j and nodes_j is None:
        return []
    length = np.diff(cuts.bins)
    each = np.array([cuts.per_bin(energy) / length for energy in gpus_j]) if gpus_j else None
    node = cuts.per_bin(nodes_j) / length if nodes_j is not None else None
    middle = 0.5 * (cuts.bins[:-1] + cuts.bins[1:])
    names = [next((p.name for p in cuts.phases if p.start_s <= t < p.end_s), None) for t in middle]
    start = float(cuts.bins[0])
    return [
        TimelinePoint(
            t_s=round(float(cuts.bins[i]) - start, 3),
            gpu_w=_rounded(each[:, i].sum()) if each is not None else None,
            gpu_min_w=_rounded(each[:, i].min()) if each is not None else None,
            gpu_max_w=_rounded(each[:, i].max()) if each is not None else None,
            node_w=_rounded(node[i]) if node is not None else None,
            phase=names[i],
        )
        for i in range(middle.size)
    ]


def _rounded(watts: float) -> float:
    return round(float(watts), 1)
