"""Estimates as plain text for the console: every figure with its range, boundary and basis."""

import math
from collections.abc import Sequence

from ecoaudit.estimate.result import Estimate
from ecoaudit.quantity import Quantity, percent

_SCALES = {
    "kWh": ((1e6, "GWh"), (1e3, "MWh"), (1.0, "kWh")),
    "kgCO2e": ((1e3, "t CO₂e"), (1.0, "kg CO₂e"), (1e-3, "g CO₂e")),
    "FLOP": ((1e21, "ZFLOP"), (1e18, "EFLOP"), (1e15, "PFLOP"), (1.0, "FLOP")),
}


def amount(value: float, significant: int = 3) -> str:
    """Return a number to so many significant digits, without an exponent, thousands separated."""
    if value == 0:
        return "0"
    digits = significant - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(0, digits)}f}"


def show(quantity: Quantity | None) -> str:
    """Return a quantity with its range in the multiple of its unit that suits its size, or `not known`."""
    if quantity is None:
        return "not known"
    scales = _SCALES.get(quantity.unit, ((1.0, quantity.unit),))
    suits = [pair for pair in scales if quantity.value >= pair[0] or (pair[0] == 1.0 and not quantity.value)]
    scale, unit = (suits or scales[-1:])[0]
    sign, unit = ("$", "") if unit == "USD" else ("", "" if unit == "1" else f" {unit}")
    text = f"{sign}{amount(quantity.value / scale)}{unit}"
    if quantity.low == quantity.high:
        return text
    return f"{text}  ({sign}{amount(quantity.low / scale)} to {sign}{amount(quantity.high / scale)})"


def lines(estimate: Estimate) -> list[str]:
    """Return the estimate as lines of text."""
    hardware, training = estimate.hardware, estimate.training
    energy, carbon, cost = estimate.energy, estimate.carbon, estimate.cost
    name = training.model or f"{training.params / 1e9:.4g}B parameters"
    nodes = f"{hardware.nodes} node{'s' * (hardware.nodes != 1)} of {hardware.gpus_per_node}"
    intensity = f"{carbon.intensity.value:g} g CO₂e/kWh, {carbon.intensity_basis}" if carbon.intensity else None
    rows = [
        ("GPU-hours", show(estimate.gpu_hours)),
        ("wall clock", f"{show(estimate.wall_hours)}, {amount(estimate.wall_hours.value / 24)} days"),
        ("MFU", f"{show(estimate.mfu)}, {estimate.mfu.source}"),
        ("energy, GPU boards", show(energy.gpu)),
        ("energy, nodes (AC)", show(energy.node)),
        ("energy, facility", f"{show(energy.facility)}{f', PUE {energy.pue.value:g}' if energy.pue else ''}"),
        ("energy by TDP alone", show(energy.tdp)),
        ("carbon stands on", f"{energy.headline} energy, {energy.headline_label}"),
        ("carbon, operational", f"{show(carbon.operational)}{f', {intensity}' if intensity else ''}"),
        ("carbon, embodied", f"{show(carbon.embodied)}, GPU boards only" if carbon.embodied else "not known"),
        ("carbon, total", show(carbon.total)),
        ("cost", f"{show(cost.total)}{f', {show(cost.per_gpu_hour)} a GPU-hour' if cost.per_gpu_hour else ''}"),
    ]
    if carbon.market_based is not None:
        rows.insert(9, ("carbon, market-based", f"{show(carbon.market_based)}, after the provider's certificates"))
    width = max(len(label) for label, _ in rows)
    text = [
        f"{name}, {amount(training.tokens / 1e9)}B tokens, {training.method} training in {training.precision}: "
        f"{show(training.flops)}",
        f"{hardware.gpu_count} x {hardware.gpu}, {nodes}",
        "",
        *(f"  {label:<{width}}  {value}" for label, value in rows),
        "",
        f"What makes {_LABELS.get(estimate.drivers_of, estimate.drivers_of)} uncertain: "
        + ", ".join(f"{driver.name} {percent(driver.share)}" for driver in estimate.drivers if driver.share >= 0.01),
        "Ranges are 90 % intervals.",
    ]
    text += [f"note: {warning}" for warning in estimate.warnings]
    text += [f"{_KEYS.get(key, key)} not known: {reason}" for key, reason in estimate.unknown.items() if key in _KEYS]
    return text


_LABELS = {"carbon.operational": "operational carbon", "energy.facility": "energy", "energy.gpu": "the boards' energy"}
_KEYS = {
    "energy.levels.L3": "node energy",
    "carbon.operational": "carbon",
    "carbon.embodied": "embodied carbon",
    "cost.total": "cost",
}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows under a header in columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, ["-" * width for width in widths], *rows)
    ]
