"""Head against base, like for like: what the workload changed, apart from what method and grid changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.config import Metric
from ecoaudit.judge import noise, words
from ecoaudit.judge.carbon import carbon_deltas
from ecoaudit.judge.figures import LABELS, PLACES, UNITS, at
from ecoaudit.judge.ground import Ground, common_ground, differences
from ecoaudit.judge.verdict import Delta
from ecoaudit.model.audit import Audit, GpuGroup, LevelEnergy, LevelName, Levels
from ecoaudit.quantity import Boundary, Quantity, percent

_SMALLEST, _LARGEST = 0.0, 1e15
"""Bounds of a figure that can be compared, in any of the units here; the world uses 3e13 kWh a year."""

_PER_WORK: tuple[Metric, ...] = ("j_per_token", "j_per_sample")


@dataclass(frozen=True, slots=True)
class Change:
    """A difference of the workload, or None with the reasons why there is none."""

    delta: Delta | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Head beside base: the differences to show, or why there are none. `peers` are base runs: they set the noise."""

    head: Audit
    base: Audit
    peers: tuple[Audit, ...]
    deltas: tuple[Delta, ...]
    not_comparable: tuple[str, ...]
    notes: tuple[str, ...]

    def workload(self, metric: Metric, outermost: Boundary = Boundary.FACILITY) -> Change:
        """Return the workload's change in `metric`, never the grid's or the method's, at `outermost` or inside it.

        `workload` is energy per token, else per sample, else energy. Carbon at equal intensity changes as energy does.
        """
        if self.not_comparable:
            return Change(None, self.not_comparable)
        names: tuple[Metric, ...] = {
            "workload": (*_PER_WORK, "energy_kwh"),
            "carbon_kg": ("energy_kwh",),
        }.get(metric, (metric,))
        found = [_change(name, self.head, self.base, self.peers, outermost) for name in names]
        return next((change for change in found if change.delta is not None), found[-1])


def compare(head: Audit, base: Audit, history: Sequence[Audit] = ()) -> Comparison:
    """Compare `head` with `base`; `history` holds further base runs and sharpens the noise band from five runs on."""
    reasons = reasons_not_comparable(head, base)
    ground, met = common_ground(head, base, _energy, Boundary.FACILITY)
    if ground is None:
        inside = f"{'; '.join(met)}, and " if met else ""
        reasons.append(f"{inside}the two audits have no energy at a common level and boundary by one method")
    if reasons or ground is None:
        return Comparison(head, base, (), (), tuple(reasons), ())
    peers = tuple(a for a in (base, *history) if not reasons_not_comparable(head, a))
    # Energy per unit of work is shown at the boundary at which this run's report shows it.
    shown = head.efficiency.boundary or Boundary.GPU
    changes = [_change(metric, head, base, peers, shown) for metric in _PER_WORK]
    energy = _change("energy_kwh", head, base, peers, Boundary.FACILITY)
    totals: tuple[Metric, ...] = ("mean_power_w", "cost_usd")
    changes += [energy, *(_change(metric, head, base, peers, Boundary.FACILITY) for metric in totals)]
    deltas = [change.delta for change in changes if change.delta is not None]
    if energy.delta is not None:
        deltas += carbon_deltas(head, base, energy.delta)
    return Comparison(head, base, peers, tuple(deltas), (), tuple(_notes(head, base, ground, deltas)))


def equal_work(head: Audit, base: Audit) -> bool:
    """Return whether both runs did the same work: tokens, else samples, else steps, within one percent."""
    for name in ("tokens", "samples", "steps"):
        new, old = getattr(head.training, name), getattr(base.training, name)
        if new and old:
            return bool(abs(new / old - 1) * 100 <= noise.SAME_WORK_PERCENT)
    return False


def reasons_not_comparable(head: Audit, base: Audit) -> list[str]:
    """Return why no figure of the two runs can be compared; empty where they can."""
    reasons = []
    if head.project != base.project:
        reasons.append(f"other project: {base.project or 'none'} in the base, {head.project or 'none'} here")
    models = [sorted({_kind(g) for g in a.hardware.gpus}) for a in (base, head)]
    reasons += [
        f"{name} is no possible figure of the {which} run: {value:g}"
        for which, audit in (("base", base), ("head", head))
        for name, value in _figures(audit)
        if not _SMALLEST < value < _LARGEST
    ]
    if models[0] != models[1]:
        reasons.append(
            f"other hardware: {', '.join(models[0]) or 'unknown'} in the base, {', '.join(models[1]) or 'unknown'} here"
        )
    return reasons


def _kind(group: GpuGroup) -> str:
    return group.model if group.share is None else f"{percent(group.share)} of {group.model}"


def _figures(audit: Audit) -> list[tuple[str, float]]:
    """Return the figures that are divided by one another, with their names; 0 is a run that did nothing."""
    energy, efficiency = audit.energy, audit.efficiency
    found = _named("energy", energy.levels)
    if energy.training_levels is not None and (efficiency.j_per_token or efficiency.j_per_sample):
        found += _named("training energy", energy.training_levels)
    if energy.measured is not None and energy.headline is not None and energy.headline.level == "measured":
        found += [("metered energy", energy.measured.node), ("metered energy", energy.measured.facility)]
    found += [
        ("grid intensity", audit.carbon.intensity),
        ("energy per token", efficiency.j_per_token),
        ("energy per sample", efficiency.j_per_sample),
        ("GPU-hours", audit.cost.gpu_hours),
        ("energy", energy.headline.value if energy.headline else None),
        ("training energy", energy.training.value if energy.training else None),
    ]
    return list(dict.fromkeys((name, quantity.value) for name, quantity in found if quantity is not None))


def _named(what: str, levels: Levels) -> list[tuple[str, Quantity | None]]:
    named: tuple[tuple[str, LevelEnergy | None], ...] = ("L1", levels.L1), ("L2", levels.L2), ("L3", levels.L3)
    return [
        (f"{what} ({name})", quantity)
        for name, level in named
        if level is not None
        for quantity in (level.gpu, level.node, level.facility)
    ]


def _energy(audit: Audit, level: LevelName, boundary: Boundary) -> Quantity | None:
    return at(audit, "energy_kwh", level, boundary)


def _change(metric: Metric, head: Audit, base: Audit, peers: Sequence[Audit], outermost: Boundary) -> Change:
    if metric == "cost_usd":
        return _cost(head, base, peers)

    def figure(audit: Audit, level: LevelName, boundary: Boundary) -> Quantity | None:
        return at(audit, metric, level, boundary)

    ground, met = common_ground(head, base, figure, outermost)
    new = figure(head, ground.level, ground.boundary) if ground else None
    old = figure(base, ground.level, ground.boundary) if ground else None
    if ground is None or new is None or old is None:
        return Change(None, (*met, f"{LABELS[metric]} is not known by one method for both runs {PLACES[outermost]}"))
    values = [
        (peer, quantity.value)
        for peer in peers
        if (quantity := figure(peer, ground.level, ground.boundary))
        and not differences(head, peer, ground.level, ground.boundary)
    ]
    band = _band(metric, head, base, values)
    return Change(_delta(metric, old.value, new.value, band, ground), ground.differences)


def _cost(head: Audit, base: Audit, peers: Sequence[Audit]) -> Change:
    """Return the change of cost at one price for both: what the cloud charges is not the pull request's doing."""
    price, new, old = head.cost.per_gpu_hour, head.cost.gpu_hours, base.cost.gpu_hours
    if price is None or new is None or old is None:
        return Change(None, ("GPU-hours or this run's price are not known",))
    hours = [(peer, peer.cost.gpu_hours.value) for peer in peers if peer.cost.gpu_hours is not None]
    band = _band("cost_usd", head, base, hours)
    return Change(_delta("cost_usd", old.value * price.value, new.value * price.value, band, None), ())


def _band(metric: Metric, head: Audit, base: Audit, values: Sequence[tuple[Audit, float]]) -> float | None:
    """Return the noise band in percent, from the base runs' `values`; a run's total has one only for equal work."""
    if metric in {"energy_kwh", "cost_usd"}:
        if not equal_work(head, base):
            return None
        values = [(peer, value) for peer, value in values if equal_work(head, peer)]
    return noise.difference_band_percent([value for _, value in values]) or noise.DEFAULT_BAND_PERCENT


def _delta(metric: Metric, base: float, head: float, band: float | None, ground: Ground | None) -> Delta:
    percent = (head / base - 1) * 100 if base else None
    detectable = None if band is None or percent is None else abs(percent) > band
    level, boundary = (ground.level, ground.boundary) if ground else (None, None)
    place = words.place(level, boundary) if level and boundary else "at equal price"
    return Delta(
        metric=metric,
        unit=UNITS[metric],
        boundary=boundary,
        level=level,
        part="workload",
        base=base,
        head=head,
        percent=percent,
        band_percent=band,
        detectable=detectable,
        because=list(ground.differences) if ground else [],
        text=words.change(f"{LABELS[metric]} {place}", percent, band),
    )


def _notes(head: Audit, base: Audit, ground: Ground, deltas: Sequence[Delta]) -> list[str]:
    notes = []
    place = words.place(ground.level, ground.boundary)
    headlines = [(a.energy.headline.level, a.energy.headline.boundary) for a in (base, head) if a.energy.headline]
    if ground.differences:
        notes.append(f"{'; '.join(ground.differences)}: compared {place}")
    elif any(headline != (ground.level, ground.boundary) for headline in headlines):
        notes.append(f"compared {place}: the highest that both runs carry")
    if _found_at(head) and not any(delta.metric in _PER_WORK for delta in deltas):
        was, now = _found_at(base) or "not known", _found_at(head)
        notes.append(f"energy per token or sample not compared: {was} in the base, {now} here")
    if len({boundary for _, boundary in headlines}) > 1 and any(delta.metric == "carbon_kg" for delta in deltas):
        notes.append(f"carbon is compared {place}: the two totals have different boundaries")
    return [*notes, *_changed(head, base)]


def _found_at(audit: Audit) -> str | None:
    """Return where the audit's energy per unit of work was found, None if it has none."""
    training, efficiency = audit.energy.training, audit.efficiency
    if training is None or efficiency.boundary is None or not (efficiency.j_per_token or efficiency.j_per_sample):
        return None
    return f"found {words.place(training.level, efficiency.boundary)}"


def _changed(head: Audit, base: Audit) -> list[str]:
    """Return what else is not the same in the two runs."""
    notes = []
    old, new = base.hardware, head.hardware
    if old.gpu_count != new.gpu_count:
        notes.append(f"GPU count changed from {old.gpu_count} to {new.gpu_count}")
    if old.system != new.system and old.system and new.system:
        notes.append(f"system changed from {old.system} to {new.system}")
    boards = [a.energy.levels.L2.gpu for a in (base, head) if a.energy.levels.L2 is not None]
    sources = [quantity.source for quantity in boards if quantity is not None]
    if len(sources) == 2 and sources[0] != sources[1]:
        notes.append(
            f"the boards were read in two ways ({sources[0]}; {sources[1]}): part of a change may come from it"
        )
    if head.carbon.intensity_basis != base.carbon.intensity_basis:
        notes.append(
            f"carbon not compared: grid intensity is {base.carbon.intensity_basis} in the base and "
            f"{head.carbon.intensity_basis} here, two different quantities"
        )
    elif head.carbon.zone != base.carbon.zone:
        notes.append(f"grid zone changed from {base.carbon.zone} to {head.carbon.zone}")
    return notes
