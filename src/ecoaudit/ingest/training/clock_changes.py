"""Changes of the clock by which a log's steps were stamped: summer time, or a hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

HALF_HOUR_S = 1800.0
LEAST_BACK_S = 900.0
"""Stamps of several processes may go back by seconds; a clock that is corrected by minutes is not told from them."""
MOST_AHEAD = 4
"""Half-hours by which a clock goes ahead at most; longer ones are pauses of the run."""
AHEAD_SLACK_S = 2.0
"""A pause is seldom so near to whole half-hours: stamps have seconds."""


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Between two lines, `before_s` the first one's stamp, the clock went ahead by `by_s`, back if negative.

    `index` is the second line's.
    """

    index: int
    before_s: float
    by_s: float

    def text(self, *, local: bool) -> str:
        """Return what to tell of it."""
        way = "ahead" if self.by_s > 0 else "back"
        at = datetime.fromtimestamp(self.before_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return (
            f"the {'local ' if local else ''}clock went {way} {abs(self.by_s) / 3600:.3g} h at {at}; counted by the "
            "steps' own durations"
        )


def clock_changes(
    step: Sequence[int], time_s: Sequence[float], duration_s: Sequence[float], *, local: bool
) -> list[ClockChange]:
    """Return where the clock of consecutive lines was changed, all of shape (n,) in file order, NaN where not logged.

    Steps that go on while the clock goes back say so; so does a local clock that goes ahead by whole half-hours more
    than the line says its steps took.
    """
    pairs = [
        (i, step[i] - step[i - 1], time_s[i] - time_s[i - 1])
        for i in range(1, len(step))
        if step[i] > step[i - 1] and math.isfinite(time_s[i] - time_s[i - 1])
    ]
    rates = [seconds / steps for _, steps, seconds in pairs if seconds >= 0]
    usual = median(rates) if rates else 0.0
    found = []
    for i, steps, seconds in pairs:
        stated = math.isfinite(duration_s[i])
        expected = steps * (duration_s[i] if stated else usual)
        extra = seconds - expected
        halves = round(extra / HALF_HOUR_S)
        whole = halves * HALF_HOUR_S
        if seconds <= -LEAST_BACK_S or (seconds < 0 and extra <= -LEAST_BACK_S and halves):
            near = halves and abs(extra - whole) <= max(60.0, 0.5 * expected)
            found.append(ClockChange(i, time_s[i - 1], whole if near else extra))
        elif (
            local
            and stated
            and 0 < halves <= MOST_AHEAD
            and abs(extra - whole) <= AHEAD_SLACK_S + min(8.0, 0.02 * expected)
        ):
            found.append(ClockChange(i, time_s[i - 1], whole))
    return found


def without(changes: Sequence[ClockChange], time_s: Sequence[float]) -> list[float]:
    """Return the lines' times as a clock that was never changed would have them."""
    shifts = {change.index: change.by_s for change in changes}
    out, ahead = [], 0.0
    for i, t in enumerate(time_s):
        ahead += shifts.get(i, 0.0)
        out.append(t - ahead)
    return out


def moved(changes: Sequence[ClockChange], time_s: float) -> float:
    """Return one time that is no line's, by a clock never changed: that of the changes before it counts."""
    return time_s - sum(change.by_s for change in changes if time_s > change.before_s)
