"""The recorder's own running total, for its last line. The audit computes from the samples, not from this."""

from collections.abc import Mapping, Sequence
from typing import Any


class EnergyTally:
    """Energy per GPU since the start, shape (gpus,): from the counter where there is one, else from power."""

    def __init__(self, has_counter: Sequence[bool]) -> None:
        self._has_counter = list(has_counter)
        self._joules = [0.0] * len(self._has_counter)
        self._counter_mj: list[int | None] = [None] * len(self._has_counter)
        self._power: list[tuple[float, int] | None] = [None] * len(self._has_counter)
        self._known = [False] * len(self._has_counter)

    def add(self, now_s: float, energy_mj: Sequence[int | None], power_mw: Sequence[int | None]) -> list[int]:
        """Add one tick; return the positions of GPUs whose counter went backwards (a driver reload)."""
        reset = []
        for i, (counter, power) in enumerate(zip(energy_mj, power_mw, strict=True)):
            by_power = self._trapezoid(i, now_s, power)
            if not self._has_counter[i]:
                self._joules[i] += by_power or 0.0
                self._known[i] = self._known[i] or by_power is not None
            elif counter is not None:
                before = self._counter_mj[i]
                if before is not None and counter < before:
                    reset.append(i)
                    self._joules[i] += by_power or 0.0
                elif before is not None:
                    self._joules[i] += (counter - before) / 1000
                    self._known[i] = True
                self._counter_mj[i] = counter
        return reset

    def _trapezoid(self, i: int, now_s: float, power_mw: int | None) -> float | None:
        before = self._power[i]
        self._power[i] = None if power_mw is None else (now_s, power_mw)
        if before is None or power_mw is None:
            return None
        return (power_mw + before[1]) / 2000 * (now_s - before[0])

    def joules(self) -> list[float | None]:
        """Return joules per GPU; None where nothing could be measured."""
        return [round(j, 3) if known else None for j, known in zip(self._joules, self._known, strict=True)]


def summary_line(footer: Mapping[str, Any], elapsed_s: float, path: str) -> str:
    """Return the one line that ends a recording, from its footer."""
    joules: list[float | None] = footer["energy_j"]
    known = [j for j in joules if j is not None]
    energy = "no GPU energy"
    if known:
        energy = f"{_kwh(sum(known) / 3.6e6)} on {len(known)} GPU{'s' if len(known) > 1 else ''}"
        if len(known) < len(joules):
            energy += f" ({len(joules) - len(known)} more without a reading)"
    minutes, seconds = divmod(round(elapsed_s), 60)
    dropped = f", {footer['dropped']} lines dropped" if footer["dropped"] else ""
    share = f" ({100 * footer['cpu_s'] / elapsed_s:.3f} % of a core)" if elapsed_s >= 60 else ""
    return (
        f"ecoaudit: {energy} in {minutes // 60}:{minutes % 60:02}:{seconds:02}, {footer['samples']} samples, "
        f"{footer['missed']} missed{dropped}; recorder {footer['cpu_s']:.2f} s CPU{share} -> {path}"
    )


def _kwh(energy_kwh: float) -> str:
    return f"{energy_kwh:.4g} kWh" if energy_kwh < 1000 else f"{energy_kwh:,.0f} kWh"
