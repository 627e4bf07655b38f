"""A training log's own times brought onto the recording's clock: by step markers, else by the edges of power."""

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np

from ecoaudit.ingest.records import Clock, Phase, StepSeries, TrainingLog
from ecoaudit.model.clock import HALF_HOUR_S, MAX_OFFSET_HALF_HOURS, fitting_offsets, iso
from ecoaudit.model.load_curve import PLACES, SAME_ENERGY, LoadCurve, places
from ecoaudit.model.notes import Notes
from ecoaudit.model.span import Span, training_span

MOST_SKEW_S = 900.0
"""Clocks that both know their zone are not further apart, nor is a local one from its zone's whole half-hours."""
LEAST_SKEW_S = 5.0
"""A step is logged some time after it ends, and power is a mean over a second: less than this is no skew."""
LEAST_COMMON = 3
"""Steps whose times both tell, at least, for the one clock to be set by the other."""
EDGES_SHARE, EDGES_MOST_S = 0.02, 60.0
"""Logged time and working time of one run may differ by this: compiling before, saving after the steps."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A training log on the recording's clock; `moved_s` is what was added to its own times, None without times."""

    log: TrainingLog
    moved_s: float | None


def on_clock(training: TrainingLog, load: LoadCurve, recorded: Span, clocks: Set[Clock], notes: Notes) -> Placed:
    """Return the log on the recording's clock, or without its times when they cannot be the same run's.

    `clocks` are those of the recording's files and of the log. The steps must fall on time in which the GPUs worked.
    Where several moves would do that, none is made and a warning says so.
    """
    ran = training_span(training)
    if ran is None:
        return Placed(training, None)
    start, end = ran.start_s, ran.end_s
    meets = start < recorded.end_s and end > recorded.start_s
    mixed, local = clocks == {"utc", "naive"}, "naive" in clocks
    by_edges = _moves_by_edges(load, start, end, local=local and (mixed or not meets))
    if meets and not mixed:
        return _without_skew(training, by_edges, load, notes)
    moves = [-offset for offset in fitting_offsets(recorded.start_s, recorded.end_s, (start, end))] if local else []
    working = _on_work(load, start, end - start, moves)
    if len(by_edges) == 1:
        return _moved(training, _zone_or(by_edges[0], load), "where power rises and falls as it does", notes)
    if len(working) == 1 or len(moves) == 1:
        (move,) = working if len(working) == 1 else moves
        return _moved(training, move, "the only one at which the GPUs worked all that time", notes)
    if meets:
        several = f" ({_listed(working)} would do)" if working else ""
        notes.warn(
            f"one log gives UTC, the other local time without a zone: taken as the same{several}; give --timezone"
        )
        return Placed(training, 0.0)
    advice = "check that they are one run, or give --timezone"
    if len(working) > 1:
        advice = f"moved by {_listed(working)} it would fit, give --timezone to tell which"
    notes.warn(
        f"the training log ({iso(start)} to {iso(end)}) and the recording ({iso(recorded.start_s)} to "
        f"{iso(recorded.end_s)}) do not meet: its times are not used; {advice}"
    )
    without = replace(
        training, clock="none", job_start_s=None, job_end_s=None, train_start_s=None, train_end_s=None, phases=()
    )
    return Placed(without, None)


def on_markers(training: TrainingLog, marked: TrainingLog, notes: Notes) -> Placed | None:
    """Return the log on the clock of the step markers in the recording; None where they do not tell it.

    Both must tell when the same steps ended, always about as far apart and no further than two clocks of one run are.
    """
    if (training.train_start_s, training.train_end_s) == (marked.train_start_s, marked.train_end_s):
        return Placed(training, None)  # its times are the markers'
    logged, known = _last_times(training.steps), _last_times(marked.steps)
    common = sorted(logged.keys() & known.keys())
    if len(common) < LEAST_COMMON:
        return None
    apart = np.array([known[step] - logged[step] for step in common])
    step_s = (known[common[-1]] - known[common[0]]) / (common[-1] - common[0])
    doubt = LEAST_SKEW_S + abs(step_s)  # one may count from 0, the other from 1
    move = float(np.median(apart))
    zone = HALF_HOUR_S * round(move / HALF_HOUR_S) if training.clock == "naive" else 0.0
    far = abs(zone) > MAX_OFFSET_HALF_HOURS * HALF_HOUR_S or abs(move - zone) > MOST_SKEW_S
    if far or float(np.abs(apart - move).max()) > doubt:
        return None
    return _moved(training, zone if abs(move - zone) < doubt else move, "by the step markers in it", notes)


def _last_times(steps: StepSeries | None) -> dict[int, float]:
    """Return when each step ended; of one that was trained again, when it ended last."""
    if steps is None:
        return {}
    known = np.isfinite(steps.time_s)
    return dict(zip(steps.step[known].tolist(), steps.time_s[known].tolist(), strict=True))


def _without_skew(training: TrainingLog, by_edges: list[float], load: LoadCurve, notes: Notes) -> Placed:
    """Return the log moved by a skew that both edges of power tell alike; unmoved where they agree or differ."""
    least = max(LEAST_SKEW_S, 3.0 * load.interval_s)
    if not by_edges:
        _doubt(training, load, notes)
    if any(abs(move) < least for move in by_edges) or not by_edges:
        return Placed(training, 0.0)
    if len(by_edges) > 1:
        notes.warn(
            f"the GPUs did not work when the training log says they did; moved by {_listed(by_edges)} it would fit: "
            "which is not known, its times are taken as they are"
        )
        return Placed(training, 0.0)
    return _moved(training, by_edges[0], "where power rises and falls as it does", notes)


def _doubt(training: TrainingLog, load: LoadCurve, notes: Notes) -> None:
    """Warn where the GPUs took clearly more energy a little before or after the time that the log tells."""
    ran = training_span(training)
    if ran is None:
        return
    start, end = ran.start_s, ran.end_s
    moves = np.linspace(-MOST_SKEW_S, MOST_SKEW_S, 2 * PLACES + 1)
    energy = load.energies(start + moves, end - start)
    enough = np.flatnonzero(energy >= (1.0 - 0.5 * SAME_ENERGY) * energy.max())
    nearest = float(moves[enough[np.argmin(np.abs(moves[enough]))]])
    if energy[PLACES] < (1.0 - SAME_ENERGY) * energy.max():
        notes.warn(
            "the GPUs waited for a part of the time that the training log tells and worked at one "
            f"{told(nearest)} from it: one of the clocks may be wrong; the log's times are taken as they are"
        )


def _moves_by_edges(load: LoadCurve, start: float, end: float, *, local: bool) -> list[float]:
    """Return what may be added to `start` and `end` to put them on a rise and a fall of power, in s, each once.

    A move must be larger than the doubt that the two edges leave about it.
    """
    length = end - start
    within = max(2.0 * load.interval_s, LEAST_SKEW_S, min(EDGES_SHARE * length, EDGES_MOST_S))
    found = []
    for rise, fall in load.between_edges(length, within):
        move = 0.5 * (rise - start + fall - end)
        doubt = abs(fall - rise - length)
        zone = HALF_HOUR_S * round(move / HALF_HOUR_S) if local else 0.0
        far = abs(zone) > MAX_OFFSET_HALF_HOURS * HALF_HOUR_S or abs(move - zone) > MOST_SKEW_S
        if not far and (local or doubt <= max(2.0 * load.interval_s, 0.5 * abs(move))):
            found.append((doubt, move))
    moves: list[float] = []
    for _, move in sorted(found):
        if all(abs(move - other) > within for other in moves):
            moves.append(move)
    return moves


def _on_work(load: LoadCurve, start: float, length: float, moves: list[float]) -> list[float]:
    """Return those moves at which the stretch holds nearly as much energy as any of its length."""
    if not moves or load.time_s.size < 2:
        return moves
    first, last = float(load.time_s[0]), float(load.time_s[-1])
    anywhere = np.linspace(first, max(first, last - length), places(last - first, length))
    tried = start + np.array(moves)
    energy = load.energies(np.concatenate((anywhere, tried)), length)
    enough = (1.0 - SAME_ENERGY) * float(energy.max())
    return [move for move, joules in zip(moves, energy[anywhere.size :], strict=True) if joules >= enough]


def _zone_or(move: float, load: LoadCurve) -> float:
    """Return whole half-hours where the move is that but for what edges cannot tell, else the move."""
    zone = HALF_HOUR_S * round(move / HALF_HOUR_S)
    return zone if abs(move - zone) < max(LEAST_SKEW_S, 3.0 * load.interval_s) else move


def _moved(training: TrainingLog, move: float, why: str, notes: Notes) -> Placed:
    if move == 0.0:
        return Placed(training, 0.0)
    notes.warn(
        f"the training log's clock is moved by {told(move)} onto the recording's, {why}; give --timezone to be sure"
    )
    steps = training.steps

    def at(time_s: float | None) -> float | None:
        return None if time_s is None else time_s + move

    log = replace(
        training,
        steps=replace(steps, time_s=steps.time_s + move) if steps is not None else None,
        phases=tuple(Phase(p.name, p.start_s + move, p.end_s + move) for p in training.phases),
        job_start_s=at(training.job_start_s),
        job_end_s=at(training.job_end_s),
        train_start_s=at(training.train_start_s),
        train_end_s=at(training.train_end_s),
    )
    return Placed(log, move)


def told(move_s: float) -> str:
    """Return a move of a clock as people say it: `+5 h`, `-1.5 h`, `+5 h 17 s`, `-37 s`."""
    sign, size = ("-" if move_s < 0 else "+"), abs(move_s)
    halves = int((size + MOST_SKEW_S) // HALF_HOUR_S)
    rest = size - halves * HALF_HOUR_S
    if not halves:
        return f"{sign}{size:.0f} s"
    if abs(rest) < 0.5:
        return f"{sign}{halves / 2:g} h"
    return f"{sign}{halves / 2:g} h {'and' if rest > 0 else 'less'} {abs(rest):.0f} s"


def _listed(moves: list[float]) -> str:
    shown = [told(move) for move in sorted(moves, key=abs)[:4]]
    return ", ".join(shown) + (" …" if len(moves) > len(shown) else "")
