"""Which figure of an audit a metric means, at which level and boundary."""

from dataclasses import dataclass

from ecoaudit.config import Metric
from ecoaudit.model.audit import Audit, LevelName
from ecoaudit.quantity import Basis, Boundary, Quantity

UNITS: dict[str, str] = {
    "carbon_kg": "kgCO2e",
    "energy_kwh": "kWh",
    "cost_usd": "USD",
    "j_per_token": "J/token",
    "j_per_sample": "J/sample",
    "mean_power_w": "W",
}

LABELS: dict[str, str] = {
    "carbon_kg": "carbon",
    "energy_kwh": "energy",
    "cost_usd": "cost",
    "j_per_token": "energy per token",
    "j_per_sample": "energy per sample",
    "mean_power_w": "mean power",
    "workload": "energy per unit of work",
}

PLACES = {
    Boundary.FACILITY: "at the facility",
    Boundary.NODE: "at the nodes (AC)",
    Boundary.GPU: "at the GPU boards",
}

INSIDE = {
    Boundary.FACILITY: (Boundary.FACILITY, Boundary.NODE, Boundary.GPU),
    Boundary.NODE: (Boundary.NODE, Boundary.GPU),
    Boundary.GPU: (Boundary.GPU,),
}
"""A boundary and those inside it, from the outermost."""

J_PER_KWH = 3.6e6
_BEST_FIRST: tuple[LevelName, ...] = ("measured", "L3", "L2", "L1")
_WORK = {"j_per_token": "tokens", "j_per_sample": "samples"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric's quantity and the boundary it really has; `boundary` is None where none applies (cost)."""

    quantity: Quantity
    boundary: Boundary | None


def figure(audit: Audit, metric: Metric, boundary: Boundary = Boundary.FACILITY) -> Figure | None:
    """Return the figure of `metric` at `boundary`, or at the best boundary inside it; None when neither is known."""
    if metric == "cost_usd":
        return Figure(audit.cost.total, None) if audit.cost.total else None
    headline, total = audit.energy.headline, audit.carbon.total
    if metric == "carbon_kg" and boundary is Boundary.FACILITY and total is not None and headline is not None:
        return Figure(total, headline.boundary)
    for candidate in INSIDE[boundary]:
        for level in _BEST_FIRST:
            quantity = at(audit, metric, level, candidate)
            if quantity is not None:
                return Figure(quantity, candidate)
    return None


def at(audit: Audit, metric: Metric, level: LevelName, boundary: Boundary) -> Quantity | None:
    """Return the figure of `metric` that rests on the energy at exactly this level and boundary, None if not known.

    Carbon is operational here. A meter that is only a check (of some nodes, or not believed) gives no figure.
    """
    match metric:
        case "energy_kwh":
            return _energy(audit, level, boundary)
        case "mean_power_w":
            energy, duration_s = _energy(audit, level, boundary), audit.run.duration_s
            return _scaled(energy, J_PER_KWH / duration_s, "W", "energy / duration") if energy and duration_s else None
        case "j_per_token" | "j_per_sample":
            return _per_work(audit, metric, level, boundary)
        case "carbon_kg":
            return _carbon(audit, level, boundary)
        case "cost_usd" | "workload":
            return None


def _energy(audit: Audit, level: LevelName, boundary: Boundary) -> Quantity | None:
    headline, measured = audit.energy.headline, audit.energy.measured
    if headline is not None and (headline.level, headline.boundary) == (level, boundary):
        return headline.value
    if level == "measured":
        complete = headline is not None and headline.level == "measured"
        return getattr(measured, boundary.value) if measured and (complete or boundary is Boundary.GPU) else None
    found = getattr(audit.energy.levels, level)
    return getattr(found, boundary.value) if found else None


def _per_work(audit: Audit, metric: str, level: LevelName, boundary: Boundary) -> Quantity | None:
    """Return energy per unit of work at a level and boundary: what the audit states, else its training-window energy
    over the work, where the audit found the two to belong together."""
    stated: Quantity | None = getattr(audit.efficiency, metric)
    training, levels = audit.energy.training, audit.energy.training_levels
    if stated is None or training is None:
        return None
    if (training.level, audit.efficiency.boundary) == (level, boundary):
        return stated
    work: float | None = getattr(audit.training, _WORK[metric])
    if (training.level, training.boundary) == (level, boundary):
        energy: Quantity | None = training.value
    else:
        found = getattr(levels, level) if levels is not None and level != "measured" else None
        energy = getattr(found, boundary.value) if found else None
    if energy is None or not work:
        return None
    return _scaled(energy, J_PER_KWH / work, UNITS[metric], f"{energy.source}, training window")


def _carbon(audit: Audit, level: LevelName, boundary: Boundary) -> Quantity | None:
    energy, intensity = _energy(audit, level, boundary), audit.carbon.intensity
    if energy is None or intensity is None:
        return None
    return Quantity(
        value=energy.value * intensity.value / 1000,
        low=energy.low * intensity.low / 1000,
        high=energy.high * intensity.high / 1000,
        unit="kgCO2e",
        basis=Basis.MODELLED,
        source="energy x grid intensity, operational only",
    )


def _scaled(quantity: Quantity, factor: float, unit: str, source: str) -> Quantity:
    return Quantity(
        value=quantity.value * factor,
        low=quantity.low * factor,
        high=quantity.high * factor,
        unit=unit,
        basis=quantity.basis,
        source=source,
    )
