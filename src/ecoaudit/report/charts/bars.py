"""Charts of single figures: energy by level, carbon against its budget, what drives the uncertainty."""

import textwrap
from typing import TYPE_CHECKING

from ecoaudit.judge.verdict import BudgetCheck, Verdict
from ecoaudit.markdown_text import clean
from ecoaudit.model.audit import Audit
from ecoaudit.quantity import Quantity
from ecoaudit.report import numbers, view, words
from ecoaudit.report.charts.style import Theme, drawable, new_figure, settings, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_DRIVERS = 7


def levels(audit: Audit, theme: Theme) -> bytes | None:
    """Draw the job's energy at each level and boundary with its 90 % interval; the headline is set in bold."""
    rows = [(row, row.quantity) for row in view.energy_rows(audit) if row.quantity is not None]
    if not drawable(*(x for _, q in rows for x in (q.low, q.value, q.high))):
        return None
    top = max(q.high for _, q in rows)
    factor, unit = numbers.scale("kWh", max(q.value for _, q in rows))
    with settings(f"levels-{theme.name}"):
        figure, (axis,) = new_figure(0.75 + 0.42 * len(rows), theme)
        colours = {"GPU boards": theme.gpu, "node (AC)": theme.node, "facility": theme.facility}
        for y, (row, quantity) in enumerate(rows):
            colour = colours.get(row.boundary, theme.muted)
            weight = "bold" if row.headline else "normal"
            _bar(axis, y, quantity, factor, colour, theme, strong=row.headline)
            end = quantity.high / factor + top / factor * 0.015
            axis.text(end, y, _value(quantity), va="center", color=theme.ink, fontsize=9, fontweight=weight)
        names = [f"{row.label}, {row.boundary}" for row, _ in rows]
        _rows(axis, names, [row.headline for row, _ in rows], theme)
        axis.set_xlim(0, top / factor * 1.36)
        axis.set_xlabel(f"energy of the job, {unit}; bar: value, line: 90 % interval", color=theme.muted, fontsize=9)
        description = "; ".join(f"{row.label}, {row.boundary}: {numbers.show(q).full()}" for row, q in rows)
        return svg(figure, "Energy by level and boundary", description + ".", f"levels-{theme.name}")


def carbon(audit: Audit, verdict: Verdict, theme: Theme) -> bytes | None:
    """Draw carbon against its budget, or without one the operational and the embodied part."""
    _, total, boundary = view.carbon_figure(audit)
    if total is None or not drawable(total.low, total.value, total.high):
        return None
    budget = next((c for c in verdict.checks if c.metric == "carbon_kg" and c.kind == "absolute"), None)
    operational, embodied = audit.carbon.operational, audit.carbon.embodied
    if budget is None or not drawable(budget.limit, *(x for x in (budget.actual, budget.low, budget.high) if x)):
        named = (("Operational", operational), ("Embodied", embodied), ("Total", total))
        parts = [(name, q) for name, q in named if q is not None and drawable(q.low, q.value, q.high)]
        return _carbon_parts(parts, theme)
    return _carbon_budget(total, operational, budget, boundary, theme)


def _carbon_parts(parts: list[tuple[str, Quantity]], theme: Theme) -> bytes:
    top = max(q.high for _, q in parts)
    factor, unit = numbers.scale("kgCO2e", max(q.value for _, q in parts))
    with settings(f"carbon-{theme.name}"):
        figure, (axis,) = new_figure(0.75 + 0.42 * len(parts), theme)
        for y, (name, quantity) in enumerate(parts):
            colour = theme.embodied if name == "Embodied" else theme.facility
            _bar(axis, y, quantity, factor, colour, theme, strong=name == "Total")
            axis.text(
                quantity.high / factor + top / factor * 0.015, y, _value(quantity), va="center",
                color=theme.ink, fontsize=9, fontweight="bold" if name == "Total" else "normal",
            )  # fmt: skip
        _rows(axis, [name for name, _ in parts], [name == "Total" for name, _ in parts], theme)
        axis.set_xlim(0, top / factor * 1.4 or 1.0)
        axis.set_xlabel(f"{unit}; bar: value, line: 90 % interval", color=theme.muted, fontsize=9)
        description = "; ".join(f"{name}: {numbers.show(q).full()}" for name, q in parts)
        return svg(figure, "Carbon", description + ".", f"carbon-{theme.name}")


def _carbon_budget(
    total: Quantity, operational: Quantity | None, budget: BudgetCheck, boundary: str, theme: Theme
) -> bytes:
    actual = budget.actual if budget.actual is not None else total.value
    low, high = (
        (budget.low if budget.low is not None else total.low),
        (budget.high if budget.high is not None else total.high),
    )
    factor, unit = numbers.scale("kgCO2e", max(actual, budget.limit))
    span = max(high, budget.limit) * 1.18
    shown = numbers.show_value(actual, low, high, "kgCO2e")
    beside = budget.limit > span * 0.7  # the two labels fit into one line
    with settings(f"carbon-{theme.name}"):
        figure, (axis,) = new_figure(1.7 if beside else 1.95, theme)
        axis.barh(0, budget.limit / factor, height=0.82, color=theme.faint, linewidth=0)
        running = operational.value if operational and operational.value < actual else actual
        axis.barh(0, running / factor, height=0.36, color=theme.tint(theme.facility, 0.85), linewidth=0)
        axis.barh(0, (actual - running) / factor, left=running / factor, height=0.36, color=theme.embodied, linewidth=0)
        axis.plot([low / factor, high / factor], [0, 0], color=theme.ink, linewidth=1.6, solid_capstyle="butt")
        for x in (low, high):
            axis.plot([x / factor] * 2, [-0.1, 0.1], color=theme.ink, linewidth=1.6)
        axis.plot([budget.limit / factor] * 2, [-0.5, 0.5], color=theme.limit, linewidth=2)
        limit_text = numbers.significant(budget.limit, "kgCO2e")
        axis.text(
            budget.limit / factor, 0.62, f"budget {limit_text}", color=theme.limit, fontsize=9,
            ha="right" if beside else "left", va="bottom",
        )  # fmt: skip
        axis.text(
            0,
            0.62 if beside else 1.12,
            f"this run {shown.full()}",
            color=theme.ink,
            fontsize=9,
            fontweight="bold",
            va="bottom",
        )
        axis.set_ylim(-0.55, 1.0 if beside else 1.5)
        axis.set_yticks([])
        axis.set_xlim(0, span / factor or 1.0)
        axis.set_xlabel(
            f"{unit}; green: operational, grey: embodied, line: 90 % interval", color=theme.muted, fontsize=9
        )
        outcome = words.OUTCOME_NAMES[budget.outcome].lower()
        description = f"{shown.full()} of a budget of {limit_text}, {clean(boundary)}: {outcome}."
        return svg(figure, "Carbon against the budget", description, f"carbon-{theme.name}")


def drivers(audit: Audit, theme: Theme) -> bytes | None:
    """Draw each source's share of the headline interval's width, the largest on top."""
    shares = [d for d in audit.energy.drivers if 0 <= d.share <= 1]
    found = sorted(shares, key=lambda d: -d.share)[:_MAX_DRIVERS]
    if not drawable(*(d.share for d in found)):
        return None
    with settings(f"drivers-{theme.name}"):
        figure, (axis,) = new_figure(0.75 + 0.36 * len(found), theme)
        for y, driver in enumerate(found):
            axis.barh(y, driver.share * 100, height=0.5, color=theme.tint(theme.gpu, 0.85), linewidth=0)
            axis.text(
                driver.share * 100 + 1, y, numbers.percent(driver.share), va="center", color=theme.ink, fontsize=9
            )
        _rows(axis, [_two_lines(d.name) for d in found], [False] * len(found), theme)
        axis.set_xlim(0, min(max(found[0].share * 118, 10), 108))
        axis.set_xlabel("share of the interval's width, %", color=theme.muted, fontsize=9)
        description = "; ".join(f"{clean(d.name, limit=60)}: {numbers.percent(d.share)}" for d in found)
        return svg(figure, "What drives the uncertainty", description + ".", f"drivers-{theme.name}")


def _value(quantity: Quantity) -> str:
    """Return value and interval, the value alone where both are too long to stand beside a bar."""
    shown = numbers.show(quantity)
    return shown.full() if len(shown.full()) <= 40 else clean(shown.text(), limit=40)


def _two_lines(name: str) -> str:
    return "\n".join(textwrap.wrap(clean(name, limit=52), 28, max_lines=2, placeholder="…"))


def _bar(axis: "Axes", y: int, quantity: Quantity, factor: float, colour: str, theme: Theme, *, strong: bool) -> None:
    axis.barh(y, quantity.value / factor, height=0.5, color=theme.tint(colour, 0.85 if strong else 0.45), linewidth=0)
    if quantity.high > quantity.low:
        axis.plot(
            [quantity.low / factor, quantity.high / factor], [y, y],
            color=theme.ink, linewidth=1.6, solid_capstyle="butt",
        )  # fmt: skip
        for x in (quantity.low, quantity.high):
            axis.plot([x / factor] * 2, [y - 0.12, y + 0.12], color=theme.ink, linewidth=1.6)


def _rows(axis: "Axes", names: list[str], bold: list[bool], theme: Theme) -> None:
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    for label, strong in zip(axis.get_yticklabels(), bold, strict=True):
        label.set_color(theme.ink)
        label.set_fontweight("bold" if strong else "normal")
    axis.grid(axis="x", color=theme.faint, linewidth=0.7)
