"""Head against base, like for like: what the workload changed, apart from what the grid changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from ecoaudit.config import Metric
from ecoaudit.judge import noise
from ecoaudit.judge.figures import LABELS, UNITS
from ecoaudit.judge.verdict import Delta
from ecoaudit.model.audit import Audit, GpuGroup, LevelEnergy, LevelName, Levels
from ecoaudit.quantity import Boundary, Quantity

# From the best common ground to the weakest.
_GROUNDS: tuple[tuple[LevelName, Boundary], ...] = (
    ("measured", Boundary.FACILITY),
    ("measured", Boundary.NODE),
    ("L3", Boundary.FACILITY),
    ("L3", Boundary.NODE),
    ("L2", Boundary.GPU),
    ("L1", Boundary.GPU),
)


_SMALLEST, _LARGEST = 0.0, 1e15
"""Bounds of a figure that can be compared, in any of the units here; the world uses 3e13 kWh a year."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The deltas of head against base, or why there are none."""

    deltas: tuple[Delta, ...]
    not_comparable: tuple[str, ...]
    notes: tuple[str, ...]


def compare(head: Audit, base: Audit, history: Sequence[Audit] = ()) -> Comparison:
    """Compare `head` with `base`; `history` holds further base runs and sharpens the noise band from five runs on."""
    reasons = _reasons_not_comparable(head, base)
    ground = _common_ground(head, base)
    if ground is None:
        reasons.append("the two audits have no energy at a common level and boundary")
    if reasons or ground is None:
        return Comparison((), tuple(reasons), ())
    level, boundary = ground
    peers = [a for a in (base, *history) if not _reasons_not_comparable(head, a)]
    deltas = [*_workload(head, base, peers, level, boundary), *_carbon(head, base, level, boundary)]
    return Comparison(tuple(deltas), (), tuple(_notes(head, base, level, boundary)))


def delta_for(deltas: Sequence[Delta], metric: Metric) -> Delta | None:
    """Return the delta a relative budget on `metric` is judged on: always the workload's, never the grid's."""
    order: tuple[str, ...] = (metric,)
    if metric == "workload":
        order = ("j_per_token", "j_per_sample", "energy_kwh")
    elif metric == "carbon_kg":
        order = ("energy_kwh",)  # at equal intensity, carbon changes as energy does
    return next((d for name in order for d in deltas if d.metric == name and d.part == "workload"), None)


def _kind(group: GpuGroup) -> str:
    return group.model if group.share is None else f"{group.share:.0%} of {group.model}"


def _reasons_not_comparable(head: Audit, base: Audit) -> list[str]:
    reasons = []
    if head.project != base.project:
        reasons.append(f"other project: {base.project or 'none'} against {head.project or 'none'}")
    models = [sorted({_kind(g) for g in a.hardware.gpus}) for a in (base, head)]
    reasons += [
        f"{name} is no possible figure of the {which} run: {value:g}"
        for which, audit in (("base", base), ("head", head))
        for name, value in _figures(audit)
        if not _SMALLEST < value < _LARGEST
    ]
    if models[0] != models[1]:
        reasons.append(
            f"other hardware: {', '.join(models[0]) or 'unknown'} against {', '.join(models[1]) or 'unknown'}"
        )
    return reasons


def _figures(audit: Audit) -> list[tuple[str, float]]:
    """Return the figures that are divided by one another, with their names; 0 is a run that did nothing."""
    levels = audit.energy.levels
    found = [(f"energy ({name})", level.gpu or level.node) for name, level in _named(levels) if level]
    found += [
        ("grid intensity", audit.carbon.intensity),
        ("energy per token", audit.efficiency.j_per_token),
        ("energy per sample", audit.efficiency.j_per_sample),
        ("GPU-hours", audit.cost.gpu_hours),
    ]
    if audit.energy.headline:
        found.append(("energy", audit.energy.headline.value))
    return [(name, quantity.value) for name, quantity in found if quantity is not None]


def _named(levels: Levels) -> tuple[tuple[str, LevelEnergy | None], ...]:
    return ("L1", levels.L1), ("L2", levels.L2), ("L3", levels.L3)


def _common_ground(head: Audit, base: Audit) -> tuple[LevelName, Boundary] | None:
    for level, boundary in _GROUNDS:
        if _energy(head, level, boundary) and _energy(base, level, boundary):
            return level, boundary
    return None


def _energy(audit: Audit, level: LevelName, boundary: Boundary) -> Quantity | None:
    if level == "measured":
        headline = audit.energy.headline
        complete = headline is not None and headline.level == "measured"
        holder = audit.energy.measured if complete else None
        return getattr(holder, boundary.value) if holder else None
    energy = getattr(audit.energy.levels, level)
    return getattr(energy, boundary.value) if energy else None


def _workload(head: Audit, base: Audit, peers: Sequence[Audit], level: LevelName, boundary: Boundary) -> list[Delta]:
    deltas = []
    per_work: tuple[Metric, ...] = ("j_per_token", "j_per_sample")
    if _training_level(head) == _training_level(base) and head.efficiency.boundary == base.efficiency.boundary:
        for metric in per_work:
            new, old = getattr(head.efficiency, metric), getattr(base.efficiency, metric)
            if new and old:
                values = [q.value for a in peers if (q := getattr(a.efficiency, metric))]
                band = _band(values)
                deltas.append(
                    _delta(
                        metric, "workload", old.value, new.value, band, head.efficiency.boundary, _training_level(head)
                    )
                )
    new_kwh, old_kwh = _energy(head, level, boundary), _energy(base, level, boundary)
    if new_kwh and old_kwh:
        same_work = [a for a in peers if equal_work(head, a)]
        values = [q.value for a in same_work if (q := _energy(a, level, boundary))]
        band_kwh = _band(values) if equal_work(head, base) else None
        deltas.append(_delta("energy_kwh", "workload", old_kwh.value, new_kwh.value, band_kwh, boundary, level))
        if head.run.duration_s and base.run.duration_s:
            watts = [q.value * 3.6e6 / s for q, s in ((old_kwh, base.run.duration_s), (new_kwh, head.run.duration_s))]
            deltas.append(
                _delta("mean_power_w", "workload", watts[0], watts[1], noise.DEFAULT_BAND_PERCENT, boundary, level)
            )
    if head.cost.gpu_hours and base.cost.gpu_hours and head.cost.per_gpu_hour:
        # One price for both: what the cloud charges is not the pull request's doing.
        price = head.cost.per_gpu_hour.value
        pair = base.cost.gpu_hours.value * price, head.cost.gpu_hours.value * price
        band_cost = noise.DEFAULT_BAND_PERCENT if equal_work(head, base) else None
        deltas.append(_delta("cost_usd", "workload", *pair, band_cost, None, None))
    return deltas


def _band(values: Sequence[float]) -> float:
    return noise.history_band_percent(values) or noise.DEFAULT_BAND_PERCENT


def _carbon(head: Audit, base: Audit, level: LevelName, boundary: Boundary) -> list[Delta]:
    """Return operational carbon in total, and the part of its change that the grid alone made."""
    new_kwh, old_kwh = _energy(head, level, boundary), _energy(base, level, boundary)
    new_g, old_g = head.carbon.intensity, base.carbon.intensity
    if not (new_kwh and old_kwh and new_g and old_g):
        return []
    if head.carbon.intensity_basis != base.carbon.intensity_basis:
        return []
    old, new = old_kwh.value * old_g.value / 1000, new_kwh.value * new_g.value / 1000
    total = _delta("carbon_kg", "total", old, new, None, boundary, level)
    if old:
        total = msgspec.structs.replace(total, text=_product_wording(new / old, new_kwh.value / old_kwh.value))
    deltas = [total]
    if old_g.value != new_g.value:
        deltas.append(_delta("intensity", "grid", old_g.value, new_g.value, 0.0, None, None))
    return deltas


def equal_work(head: Audit, base: Audit) -> bool:
    """Return whether both runs did the same work: tokens, else samples, else steps, within one percent."""
    for name in ("tokens", "samples", "steps"):
        new, old = getattr(head.training, name), getattr(base.training, name)
        if new and old:
            return bool(abs(new / old - 1) * 100 <= noise.SAME_WORK_PERCENT)
    return False


def _training_level(audit: Audit) -> str | None:
    return audit.energy.training.level if audit.energy.training else None


def _delta(
    metric: str,
    part: Literal["workload", "grid", "total"],
    base: float,
    head: float,
    band: float | None,
    boundary: Boundary | None,
    level: str | None,
) -> Delta:
    percent = (head / base - 1) * 100 if base else None
    detectable = None if band is None or percent is None else abs(percent) > band
    label = LABELS.get(metric, "grid intensity")
    return Delta(
        metric=metric,
        unit=UNITS.get(metric, "gCO2e/kWh"),
        boundary=boundary,
        level=level,
        part=part,
        base=base,
        head=head,
        percent=percent,
        band_percent=band,
        detectable=detectable,
        text=_wording(label, percent, band, detectable),
    )


def _wording(label: str, percent: float | None, band: float | None, detectable: bool | None) -> str:
    if percent is None:
        return f"{label}: the base is zero"
    change = f"{percent:+.1f} %"
    if detectable is None:
        return f"{label} {change} (no noise band is claimed: the runs did different work, or how much is not logged)"
    if not detectable:
        return f"{label}: no detectable change ({change}, noise ±{band:.1f} %)"
    return f"{label} {change} (noise ±{band:.1f} %)" if band else f"{label} {change}"


def _product_wording(ratio: float, energy_ratio: float) -> str:
    """Word the change of carbon by its two factors; noise is a matter of the energy, which has a delta of its own."""
    energy, grid = ((r - 1) * 100 for r in (energy_ratio, ratio / energy_ratio))
    return f"{LABELS['carbon_kg']} {(ratio - 1) * 100:+.1f} %: energy {energy:+.1f} %, grid intensity {grid:+.1f} %"


def _notes(head: Audit, base: Audit, level: LevelName, boundary: Boundary) -> list[str]:
    notes = []
    if head.energy.headline and (head.energy.headline.level, head.energy.headline.boundary) != (level, boundary):
        notes.append(f"compared at {level}, boundary {boundary.value}: the highest that both runs carry")
    if _training_level(head) != _training_level(base):
        notes.append(
            f"energy per token or sample not compared: found at {_training_level(base)} in the base "
            f"and at {_training_level(head)} here"
        )
    counts = base.hardware.gpu_count, head.hardware.gpu_count
    if counts[0] != counts[1]:
        notes.append(f"GPU count changed from {counts[0]} to {counts[1]}")
    if head.carbon.intensity_basis != base.carbon.intensity_basis:
        notes.append(
            f"carbon not compared: grid intensity is {base.carbon.intensity_basis} in the base and "
            f"{head.carbon.intensity_basis} here, two different quantities"
        )
    elif head.carbon.zone != base.carbon.zone:
        notes.append(f"grid zone changed from {base.carbon.zone} to {head.carbon.zone}")
    return notes
