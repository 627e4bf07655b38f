"""The change of a run's carbon, by what made it: the workload, the method of finding energy, and the grid.

    C = E x M x I        E: energy on the ground of comparison, M: headline energy over E, I: grid intensity

so that C1 / C0 is the product of three ratios. In kgCO2e each has the share L(C1, C0) x ln(ratio), with the logarithmic
mean L(a, b) = (a - b) / ln(a / b): these add up to C1 - C0 with nothing left over (the LMDI decomposition; B. W. Ang,
Energy Policy 32, 2004, 1131-1139).
"""

import math
from typing import Literal

from ecoaudit.judge.figures import LABELS, PLACES
from ecoaudit.judge.verdict import Delta
from ecoaudit.judge.words import change, signed
from ecoaudit.model.audit import Audit

_SAME = 1e-9
"""Ratios closer to 1 than this are 1: the same factor, rounded twice."""


def carbon_deltas(head: Audit, base: Audit, energy: Delta) -> list[Delta]:
    """Return the change of operational carbon in total, and its parts that are not the workload's.

    `energy` is the workload's change of energy. Empty where an intensity is not known, or the two are different
    quantities. Headlines at two boundaries are no totals of one thing: then carbon is that of the energy compared.
    """
    new_g, old_g = head.carbon.intensity, base.carbon.intensity
    if new_g is None or old_g is None or head.carbon.intensity_basis != base.carbon.intensity_basis:
        return []
    old_kwh, new_kwh, boundary, level = energy.base, energy.head, energy.boundary, energy.level
    old_whole, new_whole = base.energy.headline, head.energy.headline
    if old_whole is not None and new_whole is not None and old_whole.boundary == new_whole.boundary:
        old_kwh, new_kwh, boundary = old_whole.value.value, new_whole.value.value, new_whole.boundary
        level = new_whole.level if new_whole.level == old_whole.level else None
    method = (old_kwh / energy.base, new_kwh / energy.head)
    ratios = {
        "energy": energy.head / energy.base,
        "method": method[1] / method[0],
        "grid intensity": new_g.value / old_g.value,
    }
    others = {name: ratio for name, ratio in ratios.items() if name != "energy" and abs(ratio - 1) >= _SAME}
    old, new = old_kwh * old_g.value / 1000, new_kwh * new_g.value / 1000
    label = f"{LABELS['carbon_kg']} {PLACES[boundary]}" if boundary is not None else LABELS["carbon_kg"]
    percent = (new / old - 1) * 100
    if others:
        # The band is the workload's noise; of a change that grid or method made it says nothing.
        band, detectable = None, None
        text = f"{label}: {signed(percent)}, {_parts(old, new, {'energy': ratios['energy'], **others}, energy)}"
    else:
        band, detectable = energy.band_percent, energy.detectable
        text = f"{change(label, percent, band)}; grid intensity unchanged"
    total = Delta(
        metric="carbon_kg",
        unit="kgCO2e",
        boundary=boundary,
        level=level,
        part="total",
        base=old,
        head=new,
        percent=percent,
        band_percent=band,
        detectable=detectable,
        because=energy.because if "method" in others else [],
        text=text,
    )
    deltas = [total]
    if "method" in others:
        said = f"method: headline over compared energy {method[0]:.3g} in the base, {method[1]:.3g} here:"
        deltas.append(_part("method", "method", "kWh/kWh", *method, said))
    if "grid intensity" in others:
        deltas.append(_part("intensity", "grid", "gCO2e/kWh", old_g.value, new_g.value, "grid intensity:"))
    return deltas


def shares_kg(old: float, new: float, ratios: list[float]) -> list[float]:
    """Return what each of the `ratios`, whose product is `new / old`, adds to `new - old`."""
    mean = old if math.isclose(old, new, rel_tol=1e-12) else (new - old) / math.log(new / old)
    return [mean * math.log(ratio) for ratio in ratios]


def _parts(old: float, new: float, ratios: dict[str, float], energy: Delta) -> str:
    parts = []
    for (name, ratio), share in zip(ratios.items(), shares_kg(old, new, list(ratios.values())), strict=True):
        inside = ", inside the noise" if name == "energy" and energy.detectable is False else ""
        parts.append(f"{name} {signed((ratio - 1) * 100)} ({_kg(share)}{inside})")
    return f"{_kg(new - old)} = {' + '.join(parts)}"


def _kg(value: float) -> str:
    text = f"{value:+.3g}"
    return f"{'+0' if float(text) == 0 else text} kg CO₂e"


def _part(metric: str, part: Literal["method", "grid"], unit: str, base: float, head: float, said: str) -> Delta:
    percent = (head / base - 1) * 100
    return Delta(
        metric=metric,
        unit=unit,
        part=part,
        base=base,
        head=head,
        percent=percent,
        band_percent=0.0,
        detectable=True,
        text=f"{said} {signed(percent)}",
    )
