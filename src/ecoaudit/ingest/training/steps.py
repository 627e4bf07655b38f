"""Steps as they come out of a console log, and what follows from them: order, restarts, rework, totals."""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Clock, Source, StepSeries, TrainingLog
from ecoaudit.ingest.training.clock_changes import clock_changes, moved, without

_MAX_STEP = 10**12
_MOST = 1e30  # tokens, samples
_RANK_SPREAD = 64  # how many steps back the slowest rank may print

_FEWEST_REVERSED, _REVERSED = 4, 0.9
"""Of so many lines at least, nearly all go back: restarts do not come one a line."""


@dataclass
class Steps:
    """Collects logged steps in file order; NaN is "not in the log". `tokens` and `samples` run up.

    A loss that the log gives as NaN is not the same as no loss: `nan_losses` counts the former.
    """

    step: list[int] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)
    duration_s: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    energy_j: list[float] = field(default_factory=list)
    repeated_lines: int = 0
    nan_losses: int = 0
    impossible: int = 0
    _rank: str | None = None

    def add(
        self,
        step: int,
        *,
        time_s: float = math.nan,
        duration_s: float = math.nan,
        tokens: float = math.nan,
        samples: float = math.nan,
        loss: float | None = None,
        energy_j: float = math.nan,
        rank: str | None = None,
    ) -> bool:
        """Append a step; another rank's copy of it is counted and left out (False).

        A copy is the same step again at once, or a recent step from another rank than the one before.
        """
        if not 0 <= step <= _MAX_STEP:
            self.impossible += 1
            return False
        copied = rank is not None and rank != self._rank and step in self.step[-_RANK_SPREAD:]
        if copied or (self.step and self.step[-1] == step):
            self.repeated_lines += 1
            return False
        self._rank = rank
        self.step.append(step)
        self.time_s.append(time_s)
        self.duration_s.append(duration_s if 0 <= duration_s < math.inf else math.nan)
        self.tokens.append(tokens if math.isfinite(tokens) else math.nan)
        self.samples.append(samples if math.isfinite(samples) else math.nan)
        self.loss.append(math.nan if loss is None else loss)
        self.nan_losses += loss is not None and math.isnan(loss)
        self.energy_j.append(energy_j)
        return True

    def __len__(self) -> int:
        return len(self.step)

    @property
    def interval(self) -> int:
        """Steps between two log lines: the median of the forward differences, the step itself if there is one line."""
        ahead = [b - a for a, b in zip(self.step, self.step[1:], strict=False) if b > a]
        return int(np.median(ahead)) if ahead else max(self.step, default=1)

    def rework(self) -> int:
        """Return how many steps were trained again after the log went back to an earlier step."""
        interval = self.interval
        return sum(a - b + interval for a, b in zip(self.step, self.step[1:], strict=False) if b < a)

    @property
    def resumed(self) -> bool:
        """Whether the log begins in the middle of a run: its first step lies beyond one interval."""
        return bool(self.step) and min(self.step) > self.interval

    def count(self) -> int:
        """Return the steps that this log covers, each once: from 0 or 1 on, or from where a resumed run begins."""
        low, high = min(self.step), max(self.step)
        if low == 0:
            return high + 1
        return high - low + self.interval if self.resumed else high

    def total(self, running: list[float]) -> float | None:
        """Return what a running count gained over the log's steps; a resumed run's start is taken off."""
        known = [(s, r) for s, r in zip(self.step, running, strict=True) if abs(r) < _MOST]
        if not known:
            return None
        if not self.resumed:
            return max(r for _, r in known)
        (s0, r0), (s1, r1) = min(known), max(known)
        rate = (r1 - r0) / (s1 - s0) if s1 > s0 else r1 / s1
        return float(round(r1 - r0 + rate * self.interval))

    def runtime(self) -> float | None:
        """Return the time that the logged steps took together, each line standing for the steps since the last."""
        if all(math.isnan(d) for d in self.duration_s):
            return None
        first = self.interval if self.resumed else max(self.step[0], 1)
        since = [first] + [b - a if b > a else self.interval for a, b in zip(self.step, self.step[1:], strict=False)]
        return sum(n * d for n, d in zip(since, self.duration_s, strict=True) if not math.isnan(d))

    def _newest_first(self) -> bool:
        """Put the lines of a log that was written or sorted backwards in their order; return whether it was one."""
        back = sum(b < a for a, b in pairwise(self.step))
        if len(self) < _FEWEST_REVERSED or back < _REVERSED * (len(self) - 1):
            return False
        for column in (
            self.step, self.time_s, self.duration_s, self.tokens, self.samples, self.loss, self.energy_j
        ):  # fmt: skip
            column.reverse()
        return True

    def series(self) -> StepSeries | None:
        if not self.step:
            return None
        columns = (self.time_s, self.duration_s, self.tokens, self.samples, self.loss)
        time, duration, tokens, samples, loss = (np.array(c, dtype=np.float64) for c in columns)
        return StepSeries(np.array(self.step, dtype=np.int64), time, duration, tokens, samples, loss)

    def _on_one_clock(self, account: Account, clock: Clock, known: dict[str, Any]) -> dict[str, Any]:
        """Take the changes of the clock out of the steps' times, and out of what else is `known`; they are told."""
        changes = clock_changes(self.step, self.time_s, self.duration_s, local=clock == "naive")
        if not changes:
            return known
        for change in changes:
            account.warn(change.text(local=clock == "naive"))
        self.time_s = without(changes, self.time_s)
        last = max(t for t in self.time_s if not math.isnan(t))
        ends = {
            name: max(moved(changes, known[name]), last)
            for name in ("train_end_s", "job_end_s")
            if known.get(name) is not None
        }
        phases = tuple(
            replace(phase, start_s=moved(changes, phase.start_s), end_s=moved(changes, phase.end_s))
            for phase in known.get("phases", ())
        )
        return known | ends | ({"phases": phases} if phases else {})

    def log(
        self, file: LogFile, name: str, framework: str, account: Account, *, clock: Clock = "none", **known: Any
    ) -> TrainingLog:
        """Return the training log; `known` wins over what follows from the steps (step range, totals, window)."""
        if self._newest_first():
            account.warn("the newest steps stand first in this log: it is read from its end")
        known = self._on_one_clock(account, clock, known)
        series = self.series()
        fields: dict[str, Any] = {}
        if series is not None:
            rework = self.rework()
            fields = {
                "first_step": self.step[0],
                "last_step": self.step[-1],
                "step_count": self.count(),
                "tokens": self.total(self.tokens),
                "samples": self.total(self.samples),
                "runtime_s": self.runtime(),
                "rework_steps": rework,
                "rework_tokens": _per_step(self.step, self.tokens, rework),
            }
            first_line = max(1, min(self.step[0], self.interval))
            fields |= training_window(series, first_line, known.get("job_start_s"))
            if rework:
                account.warn(f"the log goes back to earlier steps: {rework} steps were trained again")
                anew = sum(b < a and b <= self.step[0] for a, b in pairwise(self.step))
                if anew:
                    account.warn(f"the steps begin anew {_times(anew)}: several runs in one file count as one run")
            energy = np.array(self.energy_j, dtype=np.float64)
            if not np.isnan(energy).all():
                fields["gpu_energy_j_per_step"] = energy
            if self.nan_losses == len(self):
                account.warn("the loss is NaN in every step: the energy is valid, the training is not")
        if self.repeated_lines:
            account.warn(f"{self.repeated_lines} lines repeat a step (other ranks); counted once")
        if self.impossible:
            account.bad_lines += self.impossible
            account.warn(f"{self.impossible} lines have a step that cannot be")
        account.records = max(account.records, len(self))
        fields |= {key: value for key, value in known.items() if value is not None or key not in fields}
        impossible = [key for key, value in fields.items() if isinstance(value, float) and not math.isfinite(value)]
        fields |= dict.fromkeys(impossible)
        return TrainingLog(
            source=Source(file.path, name),
            framework=framework,
            quality=account.quality(file),
            clock=clock,
            steps=series,
            **fields,
        )


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _per_step(step: list[int], running: list[float], rework: int) -> float | None:
    """Return the tokens of `rework` steps at the run's mean tokens a step."""
    known = [(s, r) for s, r in zip(step, running, strict=True) if abs(r) < _MOST]
    if not rework or not known:
        return None
    (s0, r0), (s1, r1) = min(known), max(known)
    if s1 > s0:
        return rework * (r1 - r0) / (s1 - s0)
    return rework * r1 / s1 if s1 else None


def training_window(series: StepSeries, first_line: int, job_start_s: float | None) -> dict[str, Any]:
    """Return the training window by the clock of the steps: from the first step's begin to the last step's end.

    A line is logged when its steps end, so the `first_line` steps of the first one lie before its stamp: by its own
    duration of a step, else by the median of the later ones; never before the log's own beginning.
    """
    known = series.time_s[~np.isnan(series.time_s)]
    if not len(known):
        return {}
    first = start = float(known[0])
    if series.time_s[0] == first:
        each = float(series.duration_s[0])
        if math.isnan(each):
            ahead = np.diff(series.step)
            spent = np.diff(series.time_s)
            told = (ahead > 0) & (spent > 0)
            each = float(np.median(spent[told] / ahead[told])) if told.any() else 0.0
        start = first - first_line * each
    if job_start_s is not None:
        start = max(start, min(job_start_s, first))
    return {"train_start_s": start, "train_end_s": float(known.max())}


def whole_batch(rates: list[float], seconds: list[float], *, second_error: float) -> int | None:
    """Return the samples of a step: samples/s x s, where what three decimals leave open holds one whole number.

    None unless all lines agree; `second_error` is half the last digit of the seconds.
    """
    found: set[int] = set()
    for rate, time_s in zip(rates, seconds, strict=True):
        if not (rate > 0 and time_s > 0 and math.isfinite(rate * time_s)):
            continue
        slack = 5e-4 * time_s + second_error * rate
        if slack < 0.25:
            samples = rate * time_s
            if abs(samples - round(samples)) > slack or round(samples) < 1:
                return None
            found.add(round(samples))
    return found.pop() if len(found) == 1 else None
