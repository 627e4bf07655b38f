"""What NeMo's console tells of the time: its own stamped lines, checkpoints with their epoch, a launcher's stamps."""

import re

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.records import Clock, Phase, ReadOptions
from ecoaudit.ingest.training.clocks import PrefixClock
from ecoaudit.ingest.training.phases import Phases, stamp_of

_STAMP = re.compile(r"\[NeMo [A-Z] (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[ \]]")
_SAVED = re.compile(
    r"Global Checkpoint Save : Rank: \d+ :(?: Iteration: -?\d+ :)? Start time: (\d{9,10}\.\d+)s : "
    r"Save duration: (\d+\.\d+)s"
)
_VALIDATION = re.compile(r"Validation: iteration (\d+)/")
_BAR = re.compile(r"Validation DataLoader \d+:\s*100%.*?(\d+)/\1 \[(?:(\d{1,5}):)?(\d{1,2}):(\d\d)<")
_QUARTER_S = 900.0


class NemoClock:
    """Collects times; a checkpoint's line has both clocks, which tells the offset of the local one."""

    def __init__(self) -> None:
        self.prefix = PrefixClock()
        self._first, self._last = "", ""  # stamps, which sort as text
        self._offset_s: float | None = None
        self._saves: list[tuple[float, float]] = []
        self._evals = Phases()
        self._validating: tuple[float, float] | None = None

    def notice(self, text: str) -> None:
        """Take a line without a step."""
        if "[NeMo " in text and (stamp := _STAMP.search(text)):
            self._first = min(self._first or stamp[1], stamp[1])
            self._last = max(self._last, stamp[1])
            if match := _SAVED.search(text):
                start = values.epoch(float(match[1]))
                self._saves.append((start, start + float(match[2])))
                if self._offset_s is None:
                    ahead = values.parse_time(stamp[1])[0] - self._saves[-1][1]
                    self._offset_s = round(ahead / _QUARTER_S) * _QUARTER_S
        elif "Validation" in text:
            self._validation(text)

    def _validation(self, text: str) -> None:
        if match := _VALIDATION.search(text):
            time_s = self.prefix.read(text)
            if self._validating is not None and match[1] != "1":
                self._validating = (self._validating[0], time_s)
            else:
                self._close()
                self._validating = (time_s, time_s)
        elif match := _BAR.search(text):
            end = self.prefix.read(text)
            seconds = int(match[2] or 0) * 3600.0 + int(match[3]) * 60 + int(match[4])
            self._evals.span("eval", end - seconds, end)

    def _close(self) -> None:
        if self._validating is not None:
            self._evals.span("eval", *self._validating)
        self._validating = None

    def kind(self, options: ReadOptions) -> Clock:
        """Return how the stamps tell the time."""
        if self._offset_s is not None or (self._first and options.zone is not None):
            return "utc"
        return "naive" if self._first else "none"

    def window(self, options: ReadOptions) -> dict[str, float]:
        """Return begin and end of the job by NeMo's own lines."""
        ends = np.array([stamp_of(self._first), stamp_of(self._last)])
        if np.isnan(ends).any():
            return {}
        start, end = ends - self._offset_s if self._offset_s is not None else values.localise(ends, options.zone)
        return {"job_start_s": float(start), "job_end_s": float(end)}

    def phases(self, options: ReadOptions) -> tuple[Phase, ...]:
        """Return checkpoints, which are in UTC, and validations by the launcher's clock."""
        self._close()
        saves = Phases()
        for start, end in self._saves:
            saves.span("checkpoint", start, end)
        evals = self._evals.localised(options if self.prefix.naive else ReadOptions())
        return tuple(sorted((*saves.localised(ReadOptions()), *evals), key=lambda phase: phase.start_s))
