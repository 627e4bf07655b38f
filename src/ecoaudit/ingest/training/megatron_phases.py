"""Where Megatron's evaluations and checkpoints lie in time, told by stamps, timers and the iterations around them."""

import math
import re

from ecoaudit.ingest.training.phases import Phases, stamp_of

_VALIDATED = re.compile(r"validation loss at iteration\s+(\d+)")
_SAVING = re.compile(r"(?<!successfully )saving checkpoint at iteration\s+(\d+)")
_SAVED = re.compile(r"successfully\s+saved (?:local )?checkpoint (?:from|at) iteration\s+(\d+)")
_TIMED = re.compile(
    r"\b(evaluate|save-checkpoint(?:-non-persistent)?)\s*\.*:\s*(?:\(\s*[\d.]+,\s*([\d.]+)\)|([\d.]+))(?!\d*[/:])"
)
_SHORTEST_GAP_S = 1.0
"""Most versions stamp whole seconds: a shorter gap between iterations says nothing."""


class MegatronPhases:
    """Follows the console; times are the log's own clock.

    Evaluation and checkpoint come after the line of their iteration, in this order. So they begin at that line's stamp,
    and a timer, a stamp of their own (since 2026) or the time that is missing before the next logged iteration tells
    how long they took; versions whose lines have a stamp (`own`) leave both out of the time of an iteration. A
    checkpoint that is written in the background counts until training goes on.
    """

    def __init__(self) -> None:
        self.phases = Phases()
        self.background = False  # --async-save
        self._at = math.nan
        self._step = -1
        self._saving: tuple[int, float] | None = None
        self._timed = False
        self._untimed: set[str] = set()

    def iteration(self, step: int, time_s: float, duration_s: float, *, own: bool) -> None:
        """Take a logged iteration: what came before it ends here, what follows begins here."""
        if own and len(self._untimed) == 1 and not self._timed:
            gap = time_s - self._at - (step - self._step) * duration_s
            if step > self._step and gap >= _SHORTEST_GAP_S:
                self.phases.span(next(iter(self._untimed)), self._at, self._at + gap)
        self._at, self._step, self._saving = time_s, step, None
        self._timed, self._untimed = False, set()

    def training_done(self, time_s: float) -> None:
        """Take the line after the last iteration: the final evaluations follow it."""
        self._at, self._saving = time_s, None

    def notice(self, text: str) -> bool:
        """Take a line that tells of an evaluation or a checkpoint; return whether it does."""
        if match := _TIMED.search(text):
            self._timer("eval" if match[1] == "evaluate" else "checkpoint", float(match[2] or match[3]) / 1e3)
        elif match := _VALIDATED.search(text):
            self._event("eval", int(match[1]))
        elif match := _SAVED.search(text):
            if self._saving is not None and int(match[1]) == self._saving[0] and not self.background:
                end = stamp_of(text)
                self.phases.span("checkpoint", self._saving[1], end)
                self._timed |= not math.isnan(end)
        elif match := _SAVING.search(text):
            stamp = stamp_of(text)
            self._event("checkpoint", int(match[1]))
            self._saving = (int(match[1]), self._at if math.isnan(stamp) else stamp)
        else:
            return self.phases.notice(text)
        return True

    def _event(self, name: str, step: int) -> None:
        if step != self._step:  # not right after a logged iteration: no place on the clock
            self._at = math.nan
        self._untimed.add(name)

    def _timer(self, name: str, duration_s: float) -> None:
        if name == "checkpoint" and self._saving is not None:
            start = self._saving[1]
        elif self._saving is not None:  # a checkpoint that took an unknown time lies between
            start = math.nan
        else:
            start = self._at
        self.phases.span(name, start, start + duration_s)
        self._at = start + duration_s
        self._saving = None if name == "checkpoint" else self._saving
        self._timed = True
