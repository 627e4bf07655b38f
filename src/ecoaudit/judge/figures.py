"""Which figure of an audit a metric means, at which boundary."""

from dataclasses import dataclass

from ecoaudit.config import Metric
from ecoaudit.model.audit import Audit
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
    "workload": "workload",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric's quantity and the boundary it really has; `boundary` is None where none applies (cost)."""

    quantity: Quantity
    boundary: Boundary | None


def energy_at(audit: Audit, boundary: Boundary) -> Quantity | None:
    """Return the job's energy at exactly `boundary`, from the best level that has it, or None."""
    levels, measured, headline = audit.energy.levels, audit.energy.measured, audit.energy.headline
    if headline is not None and headline.boundary == boundary:
        return headline.value
    meter_complete = headline is not None and headline.level == "measured"
    candidates = [
        getattr(measured, boundary.value) if measured and (meter_complete or boundary == Boundary.GPU) else None,
        *(getattr(level, boundary.value) for level in (levels.L3, levels.L2, levels.L1) if level is not None),
    ]
    return next((quantity for quantity in candidates if quantity is not None), None)


def figure(audit: Audit, metric: Metric, boundary: Boundary = Boundary.FACILITY) -> Figure | None:
    """Return the figure of `metric` at `boundary`, or the best lower boundary there is; None when it is not known."""
    match metric:
        case "energy_kwh":
            return _energy(audit, boundary)
        case "carbon_kg":
            return _carbon(audit, boundary)
        case "cost_usd":
            total = audit.cost.total
            return Figure(total, None) if total else None
        case "j_per_token" | "j_per_sample":
            quantity: Quantity | None = getattr(audit.efficiency, metric)
            return Figure(quantity, audit.efficiency.boundary) if quantity else None
        case "mean_power_w":
            energy, duration_s = _energy(audit, boundary), audit.run.duration_s
            if energy is None or not duration_s:
                return None
            return Figure(_scaled(energy.quantity, 3.6e6 / duration_s, "W", "energy / duration"), energy.boundary)
        case "workload":
            return None


def _energy(audit: Audit, boundary: Boundary) -> Figure | None:
    """Return the energy at `boundary` or, where that is unknown, at the next boundary inside it."""
    order = [Boundary.FACILITY, Boundary.NODE, Boundary.GPU]
    for candidate in order[order.index(boundary) :]:
        quantity = energy_at(audit, candidate)
        if quantity is not None:
            return Figure(quantity, candidate)
    return None


def _carbon(audit: Audit, boundary: Boundary) -> Figure | None:
    total, headline, intensity = audit.carbon.total, audit.energy.headline, audit.carbon.intensity
    if total is not None and headline is not None and boundary == Boundary.FACILITY:
        return Figure(total, headline.boundary)
    energy = _energy(audit, boundary)
    if energy is None or intensity is None:
        return None
    product = Quantity(
        value=energy.quantity.value * intensity.value / 1000,
        low=energy.quantity.low * intensity.low / 1000,
        high=energy.quantity.high * intensity.high / 1000,
        unit="kgCO2e",
        basis=Basis.MODELLED,
        source="energy x grid intensity, operational only",
    )
    return Figure(product, energy.boundary)


def _scaled(quantity: Quantity, factor: float, unit: str, source: str) -> Quantity:
    return Quantity(
        value=quantity.value * factor,
        low=quantity.low * factor,
        high=quantity.high * factor,
        unit=unit,
        basis=quantity.basis,
        source=source,
    )
