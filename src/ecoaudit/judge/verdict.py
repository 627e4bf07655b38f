"""The verdict: what judging hands on to reports and to GitHub."""

import enum
from typing import Literal

import msgspec

from ecoaudit.quantity import Boundary


class Outcome(enum.StrEnum):
    """From best to worst; a run without budgets passes."""

    PASS = "pass"  # noqa: S105
    INCONCLUSIVE = "inconclusive"
    WARN = "warn"
    FAIL = "fail"


class _Record(msgspec.Struct, frozen=True):
    pass


class BudgetCheck(_Record, frozen=True, kw_only=True):
    """One budget held against the run: `limit` in `unit`; `actual` with its interval; `kind` relative is in percent."""

    metric: str
    kind: Literal["absolute", "relative"]
    boundary: Boundary | None = None
    limit: float
    unit: str
    actual: float | None = None
    low: float | None = None
    high: float | None = None
    level: Literal["warn", "fail"]
    decide_on: Literal["point", "low", "high"] = "point"
    outcome: Outcome
    message: str


class Delta(_Record, frozen=True, kw_only=True):
    """Head against base in one metric. `band_percent` is the noise band; `detectable` is None where no band is claimed.

    `part` separates what the pull request changed (workload) from what the grid did, and from what another method of
    finding energy did (another PUE, node line or meter). `because` holds the differences of method for which it is not
    taken at a boundary or level further out.
    """

    metric: str
    unit: str
    boundary: Boundary | None = None
    level: str | None = None
    part: Literal["workload", "method", "grid", "total"]
    base: float
    head: float
    percent: float | None
    band_percent: float | None = None
    detectable: bool | None = None
    because: list[str] = []
    text: str


class Baseline(_Record, frozen=True, kw_only=True):
    """Where the base run came from, so that the comment can say so."""

    source: str
    commit: str | None = None
    run_id: str | None = None
    age_s: float | None = None
    distance: int | None = None
    runs: int = 1


class Verdict(_Record, frozen=True, kw_only=True):
    """The outcome of a run and why. `not_comparable` holds the reasons when base and head cannot be compared."""

    outcome: Outcome
    headline: str
    checks: list[BudgetCheck] = []
    deltas: list[Delta] = []
    baseline: Baseline | None = None
    not_comparable: list[str] = []
    notes: list[str] = []

    @property
    def judged(self) -> bool:
        """Whether anything was held against a limit: a run without budgets passes, but nothing was found good."""
        return self.outcome != Outcome.PASS or bool(self.checks)
