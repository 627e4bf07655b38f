"""A stretch of wall clock and where it was read."""

from dataclasses import dataclass

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model.audit import Window
from ecoaudit.model.clock import is_date, iso


@dataclass(frozen=True, slots=True)
class Span:
    """A window in Unix seconds and what it was taken from."""

    start_s: float
    end_s: float
    source: str

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def window(self) -> Window:
        """Return the window as the audit prints it; by a clock without a date only its duration and source."""
        if not is_date(self.start_s):
            return Window(duration_s=self.duration_s, source=self.source)
        return Window(start=iso(self.start_s), end=iso(self.end_s), duration_s=self.duration_s, source=self.source)


def span_of(start_s: float | None, end_s: float | None, source: str) -> Span | None:
    """Return the window, None where an end is missing or it is empty."""
    if start_s is None or end_s is None or end_s <= start_s:
        return None
    return Span(start_s, end_s, source)


def training_span(log: TrainingLog) -> Span | None:
    """Return when the log says that training ran: to its last step, or for as long as its steps took."""
    start, end = log.train_start_s, log.train_end_s
    if start is not None and end is None and log.runtime_s:
        return Span(start, start + log.runtime_s, "begin and run time in the training log")
    return span_of(start, end, "first to last logged step")
