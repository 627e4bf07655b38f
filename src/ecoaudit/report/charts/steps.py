"""What a token (or a step) took, as the run went on."""

import numpy as np

from ecoaudit.model.audit import Audit, StepEnergy
from ecoaudit.report import numbers, words
from ecoaudit.report.charts.style import Theme, drawable, new_figure, settings, svg, time_unit, y_axis

FEWEST = 3
"""Fewer stretches of steps are no course."""


def steps(audit: Audit, theme: Theme) -> bytes | None:
    """Draw energy per token over time, per step where the log counts no tokens; repeated steps are shaded."""
    parts = audit.energy.steps
    found = _per_token(parts) or _per_step(parts)
    if found is None or not drawable(*(v for v in found[2] if np.isfinite(v))):
        return None
    what, unit_name, per = found
    values = np.array(per)
    if not drawable(*(p.t_s for p in parts), *(p.t_s + p.duration_s for p in parts)):
        return None
    start, length = np.array([p.t_s for p in parts]), np.array([p.duration_s for p in parts])
    end = start + length
    if (length <= 0).any() or (np.diff(start) < 0).any():
        return None
    name, size = time_unit(float(end[-1]))
    factor, unit = numbers.scale(unit_name, float(np.nanmedian(values)))
    with settings(f"steps-{theme.name}"):
        figure, (axis,) = new_figure(2.6, theme)
        axis.hlines(values / factor, start / size, end / size, color=theme.gpu, linewidth=2.2)
        again = [p for p in parts if p.rework]
        for part in again:
            axis.axvspan(part.t_s / size, (part.t_s + part.duration_s) / size, color=theme.limit, alpha=0.22, lw=0)
        if again:
            axis.annotate(
                "steps computed again", (again[0].t_s / size, 1.0), xycoords=("data", "axes fraction"),
                xytext=(0, 4), textcoords="offset points", color=theme.limit, fontsize=9,
            )  # fmt: skip
        axis.set_xlim(float(start[0]) / size, float(end[-1]) / size)
        axis.set_ylim(0.0, 1.15 * float(np.nanmax(values)) / factor)
        axis.set_xlabel(f"{name} since the start", color=theme.muted, fontsize=9)
        y_axis(axis, f"{what.lower()}, {unit}", theme)
        low, high = (numbers.significant(float(f(values)), unit_name) for f in (np.nanmin, np.nanmax))
        boundary = words.BOUNDARY_NAMES[parts[0].boundary]
        description = (
            f"{what} of steps {parts[0].first_step:,} to {parts[-1].last_step:,} in {len(parts)} stretches, "
            f"{boundary}: from {low} to {high}."
        )
        return svg(figure, f"{what} over the run", description, f"steps-{theme.name}")


def _per_token(parts: list[StepEnergy]) -> tuple[str, str, list[float]] | None:
    values = [p.j_per_token.value if p.j_per_token is not None else np.nan for p in parts]
    return ("Energy per token", "J/token", values) if np.isfinite(values).sum() >= FEWEST else None


def _per_step(parts: list[StepEnergy]) -> tuple[str, str, list[float]] | None:
    values = [3.6e6 * p.energy.value / max(p.last_step - p.first_step + 1, 1) for p in parts]
    return ("Energy per step", "J/step", values) if len(parts) >= FEWEST else None
