"""A training log without a clock placed on the recording: where the GPUs' power says that it ran."""

import numpy as np

from ecoaudit.ingest.records import FloatArray, TrainingLog
from ecoaudit.model.clock import moment
from ecoaudit.model.load_curve import PLACES, SAME_ENERGY, LoadCurve, places
from ecoaudit.model.notes import Notes
from ecoaudit.model.placing import EDGES_MOST_S, EDGES_SHARE, MOST_SKEW_S
from ecoaudit.model.span import Span
from ecoaudit.quantity import percent

LEFT_OUT = 0.05
"""Time at a recording's ends that is not the run's: above this share of it worth a warning, below no place to find."""
MOST_RIVALS = 20
"""Places kept at the most that are as good as the best."""
SAME_PLACE, DOUBT_TOLD = 0.01, 0.03
"""Places whose energies differ by less than the one are alike; if they lie further apart than the other, it is told."""
ONE_STRETCH = 0.9
"""GPUs that work for this share of the time from their first to their last work did one thing."""


def by_run_time(load: LoadCurve, job: Span, training: TrainingLog, notes: Notes) -> Span | None:
    """Place a log without a clock where the GPUs drew most for as long as it says it ran; None where that is all."""
    runtime = training.runtime_s
    if not runtime or load.time_s.size < 2:
        return None
    return _placed(load, job, runtime, "the training log has no clock: its", notes, training.source.modified_s)


def start_in_recording(load: LoadCurve, recorded: Span, ran: Span, notes: Notes) -> float:
    """Return when on a recording's own clock the training began that ran from `ran.start_s` on by the log's."""
    if ran.duration_s >= (1.0 - LEFT_OUT) * recorded.duration_s:
        return recorded.start_s
    subject = "the recording has no clock: the training log's"
    return _placed(load, recorded, ran.duration_s, subject, notes, None).start_s


def _placed(load: LoadCurve, job: Span, runtime: float, subject: str, notes: Notes, written: float | None) -> Span:
    """Return where the GPUs drew most for `runtime` s; of several such times that at whose end the log was written."""
    found = _busiest(load, job, runtime)
    best, how = found[0], "where the GPUs drew most"
    if len(found) > 1 and written is not None:
        ended = [p for p in found if abs(p + runtime - written) <= max(EDGES_MOST_S, EDGES_SHARE * runtime)]
        if len(ended) == 1:
            found, best = ended, ended[0]
            how = "where the GPUs drew most, of several such times the one at whose end the log was last written"
    doubt = _doubt_of_place(load, job, best, runtime)
    give_or_take = f", give or take {doubt:.0f} s" if doubt > max(2.0 * load.interval_s, DOUBT_TOLD * runtime) else ""
    notes.warn(f"{subject} {runtime:.0f} s are placed {how} ({moment(best)} on{give_or_take})")
    if len(found) > 1:
        notes.warn(
            "the GPUs drew as much elsewhere in the recording: which of these times was this run is not known; their "
            f"energies differ by less than {percent(SAME_ENERGY)}"
        )
    return Span(best, best + runtime, f"run time in the training log, placed {how}")


def by_edges(load: LoadCurve, job: Span, notes: Notes) -> Span | None:
    """Place a log that tells neither time nor duration where the GPUs worked, if that was one stretch but for pauses.

    None where the stretch is nearly all of the job.
    """
    starts, ends = load.edges
    inside = (starts >= job.start_s) & (ends <= job.end_s)
    starts, ends = starts[inside], ends[inside]
    if not starts.size:
        return None
    whole = float(ends[-1] - starts[0])
    if float((ends - starts).sum()) < ONE_STRETCH * whole or whole >= (1 - LEFT_OUT) * job.duration_s:
        return None
    notes.warn(
        "the training log tells neither time nor duration: it is placed where the GPUs worked "
        f"({moment(float(starts[0]))} to {moment(float(ends[-1]))})"
    )
    return Span(float(starts[0]), float(ends[-1]), "where the GPUs worked; the training log has no times")


def _busiest(load: LoadCurve, job: Span, runtime_s: float) -> list[float]:
    """Return where the stretches of `runtime_s` begin that took the most energy, the first one first.

    The others do not meet it nor each other and took nearly as much. A coarse search, a quarter of the stretch apart at
    most, is followed by a fine one.
    """
    last = job.end_s - runtime_s
    count = places(job.duration_s, runtime_s)
    coarse = np.linspace(job.start_s, last, count)
    energy = load.energies(coarse, runtime_s)
    near = (last - job.start_s) / (count - 1)
    enough = (1.0 - SAME_ENERGY) * float(energy.max())
    found: list[float] = []
    for i in np.argsort(-energy, kind="stable"):
        if energy[i] < enough or len(found) == MOST_RIVALS:
            break
        if all(abs(coarse[i] - other) >= runtime_s for other in found):
            found.append(_refined(load, float(coarse[i]), near, (job.start_s, last), runtime_s))
    return found


def _doubt_of_place(load: LoadCurve, job: Span, start: float, runtime_s: float) -> float:
    """Return how far the stretch could be moved at most without taking less energy worth telling, in s."""
    reach = min(MOST_SKEW_S, runtime_s)
    tried = np.linspace(max(job.start_s, start - reach), min(job.end_s - runtime_s, start + reach), 2 * PLACES + 1)
    energy = load.energies(tried, runtime_s)
    alike = energy >= (1.0 - SAME_PLACE) * float(load.energies(np.array([start]), runtime_s)[0])
    return float(np.abs(tried[alike] - start).max(initial=0.0))


def _refined(load: LoadCurve, start: float, near: float, limits: tuple[float, float], runtime_s: float) -> float:
    fine: FloatArray = np.linspace(max(limits[0], start - near), min(limits[1], start + near), PLACES)
    return float(fine[int(np.argmax(load.energies(fine, runtime_s)))])
