"""The held-out test: metered node energy of groups that a fit has not seen, given duration, nodes and throughput.

With duration and nodes given, the error of the energy is the error of the mean node power. Three splits, two columns:

- leave one workload out, one scale out (one node, 2-15, 16 and more), one operator out;
- P_static of the held-out system known, or nothing of the held-out system used (its groups leave the training too).

Errors are averaged over groups, not runs.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ecoaudit.calibrate.fits import Group
from ecoaudit.calibrate.models import Model, models

Split = Literal["workload", "scale", "operator"]
SPLITS: tuple[Split, ...] = ("workload", "scale", "operator")

Z90 = 1.6448536269514722
"""Half-width of a 90 % interval in standard deviations of a normal distribution."""

GOALS = {
    "saturated, P_static known": 5.0,
    "over scale, P_static known": 10.0,
    "P_static not known": 15.0,
    "coverage": 85.0,
    "half-width saturated": 15.0,
    "half-width otherwise": 25.0,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One held-out group under one model: signed error and 90 % half-width in percent (NaN without an interval)."""

    model: str
    split: Split
    static_known: bool
    group: Group
    error_percent: float
    half_width_percent: float

    @property
    def saturated(self) -> bool:
        """Whether the group ran on one node."""
        return self.group.nodes == 1

    @property
    def covered(self) -> bool:
        """Whether the metered power lies in the interval around the prediction."""
        return abs(self.error_percent) <= self.half_width_percent * (1 + self.error_percent / 100)


@dataclass(frozen=True, slots=True)
class Score:
    """Mean absolute error over groups in percent: all, one node, several nodes; the worst; how many had a partner."""

    all: float
    saturated: float
    several: float
    worst: float
    groups: int
    of: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every outcome of every model, and the groups without a partner by (split, P_static known)."""

    groups: tuple[Group, ...]
    outcomes: tuple[Outcome, ...]
    models: tuple[Model, ...]
    untested: tuple[tuple[Split, bool, Group], ...]

    def of(self, model: str, split: Split, static_known: bool) -> list[Outcome]:
        """Return the outcomes of one cell of the table."""
        return [o for o in self.outcomes if o.model == model and o.split == split and o.static_known == static_known]

    def score(self, model: str, split: Split, static_known: bool) -> Score | None:
        """Return the errors of one cell of the table, None when nothing could be tested."""
        return score(self.of(model, split, static_known), len(self.groups))

    def winner(self, static_known: bool) -> str | None:
        """Return the shippable model with the least error when one operator is left out, all its groups predicted."""
        found = [
            (cell.all, position, model.name)
            for position, model in enumerate(self.models)
            if model.shippable
            and model.kind != "variant"
            and (cell := self.score(model.name, "operator", static_known)) is not None
            and cell.groups == len(self.groups)
        ]
        return min(found)[2] if found else None


def evaluate(groups: Sequence[Group]) -> Evaluation:
    """Run every model over every split and column. A held-out group without a partner is listed, not an error."""
    rivals = models()
    outcomes: list[Outcome] = []
    untested: list[tuple[Split, bool, Group]] = []
    for split in SPLITS:
        for target in groups:
            for static_known in (True, False):
                training = training_groups(groups, target, split, static_known)
                if not training:
                    untested.append((split, static_known, target))
                    continue
                for model in rivals:
                    prediction = model.predict(training, target, static_known)
                    if prediction is not None:
                        error = 100.0 * (prediction.power_w / target.mean_node_w - 1.0)
                        width = 100.0 * Z90 * prediction.relative_sd
                        outcomes.append(Outcome(model.name, split, static_known, target, error, width))
    return Evaluation(tuple(groups), tuple(outcomes), tuple(rivals), tuple(untested))


def training_groups(groups: Sequence[Group], target: Group, split: Split, static_known: bool) -> list[Group]:
    """Return what a fit may see when `target` is held out."""
    side = _SIDES[split]
    held = side(target)
    kept = [group for group in groups if side(group) != held]
    if not static_known:
        kept = [group for group in kept if (group.operator, group.system) != (target.operator, target.system)]
    return kept


def score(outcomes: Sequence[Outcome], of: int) -> Score | None:
    """Return mean absolute errors over the groups of `outcomes`, None for none."""
    if not outcomes:
        return None
    return Score(
        all=_mean_absolute(outcomes),
        saturated=_mean_absolute([o for o in outcomes if o.saturated]),
        several=_mean_absolute([o for o in outcomes if not o.saturated]),
        worst=max(abs(o.error_percent) for o in outcomes),
        groups=len(outcomes),
        of=of,
    )


def coverage_percent(outcomes: Sequence[Outcome]) -> float:
    """Return the share of groups whose metered power lies in the 90 % interval, NaN for none."""
    return 100.0 * statistics.fmean(o.covered for o in outcomes) if outcomes else math.nan


def median_half_width(outcomes: Sequence[Outcome]) -> float:
    """Return the median 90 % half-width in percent, NaN for none."""
    return statistics.median(o.half_width_percent for o in outcomes) if outcomes else math.nan


def label(group: Group) -> str:
    """Return the group's name in a table."""
    return f"{group.operator} {group.system} {group.workload} {group.nodes}n"


def scale_class(nodes: int) -> str:
    """Return the size class that leave-one-scale-out holds out."""
    return "one node" if nodes == 1 else "2-15 nodes" if nodes < 16 else "16 nodes and more"


def _mean_absolute(outcomes: Sequence[Outcome]) -> float:
    return statistics.fmean(abs(o.error_percent) for o in outcomes) if outcomes else math.nan


_SIDES: dict[Split, Callable[[Group], str]] = {
    "workload": lambda group: group.workload,
    "scale": lambda group: scale_class(group.nodes),
    "operator": lambda group: group.operator,
}
