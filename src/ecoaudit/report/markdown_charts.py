"""Charts that need no hosting: sparklines in the text, and mermaid diagrams that GitHub draws itself."""

from ecoaudit.model.audit import Audit
from ecoaudit.report import numbers, sparkline, view, words
from ecoaudit.report import trend as trends
from ecoaudit.report.markdown_blocks import Context, details, figure_text

_SPARK_WIDTH = 48
_MERMAID_POINTS = 60


def power_line(context: Context) -> str:
    """Return the power over time as a sparkline with its range, and the trend of earlier runs as another."""
    lines = []
    series, boundary = view.power_series(context.audit)
    spark = sparkline.sparkline(series, _SPARK_WIDTH)
    if spark:
        known = [v for v in series if v is not None]
        low, high = (numbers.significant(x, "W") for x in (min(known), max(known)))
        lines.append(f"Power `{spark}` {low} to {high} over {numbers.duration(_span_s(context.audit))} ({boundary})")
    trend, label, unit = _trend(context)
    known = [v for v in trend if v is not None]
    if len(known) > 1:
        spark = sparkline.sparkline(trend[-_SPARK_WIDTH:], _SPARK_WIDTH, from_zero=False)
        low, high = (figure_text(numbers.significant(x, unit)) for x in (min(known), max(known)))
        lines.append(f"Trend `{spark}` {label} of the last {len(trend)} runs, this one right: {low} to {high}")
    return "<br>\n".join(lines)


def _span_s(audit: Audit) -> float:
    window = audit.windows.job
    if window is not None and window.duration_s:
        return window.duration_s
    return audit.timeline[-1].t_s - audit.timeline[0].t_s


def _trend(context: Context) -> tuple[list[float | None], str, str]:
    trend = trends.trend(context.audit, context.earlier)
    return ([point.value for point in trend.points], trend.label, trend.unit) if trend else ([], "", "")


def charts(context: Context) -> str:
    """Return the mermaid charts, open or folded as the level of detail says."""
    if context.limits.charts == "none":
        return ""
    drawn = [chart for chart in (_power_chart(context.audit), _levels_chart(context.audit)) if chart]
    if not drawn:
        return ""
    body = "\n\n".join(drawn)
    return body if context.limits.charts == "open" else details("Charts", body)


def _power_chart(audit: Audit) -> str:
    series, boundary = view.power_series(audit)
    points = sparkline.resample(series, _MERMAID_POINTS)
    known = [p for p in points if p is not None]
    if len(known) < 2 or not audit.timeline:
        return ""
    span = _span_s(audit)
    units = (("days", 86400), ("hours", 3600), ("minutes", 60))
    time_unit, size = next(((name, seconds) for name, seconds in units if span > 2 * seconds), ("seconds", 1))
    factor, unit = numbers.scale("W", max(known))
    scaled = [None if p is None else p / factor for p in points]
    return sparkline.mermaid_line(f"Power over time, {boundary}", time_unit, span / size, unit, scaled)


def _levels_chart(audit: Audit) -> str:
    rows = [
        (row, row.quantity)
        for row in view.energy_rows(audit)
        if row.quantity is not None and row.boundary in words.BOUNDARY_NAMES.values()
    ]
    if len(rows) < 2:
        return ""
    factor, unit = numbers.scale("kWh", max(quantity.value for _, quantity in rows))
    labels = [words.bar_label(row.label, row.boundary) for row, _ in rows]
    values = [quantity.value / factor for _, quantity in rows]
    return sparkline.mermaid_bars("Energy of the job by level and boundary", labels, unit, values)
