"""The charts of a report as SVG, one file each, for a light and a dark page."""

from collections.abc import Callable, Sequence

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit
from ecoaudit.report.charts.bars import carbon, drivers, levels
from ecoaudit.report.charts.lines import power, trend
from ecoaudit.report.charts.steps import steps
from ecoaudit.report.charts.style import THEMES, Theme, ThemeName
from ecoaudit.report.hosts import hide
from ecoaudit.report.trend import earlier_runs

__all__ = ["NAMES", "THEME_NAMES", "draw"]

THEME_NAMES: tuple[ThemeName, ...] = ("light", "dark")
NAMES = ("power", "steps", "levels", "carbon", "drivers", "trend")


def draw(
    audit: Audit,
    verdict: Verdict,
    *,
    theme: ThemeName,
    base: Audit | None = None,
    history: Sequence[Audit] = (),
    show_hosts: bool = False,
) -> dict[str, bytes]:
    """Return the SVG of every chart that the audit has data for, by name (see `NAMES`).

    The same input gives the same bytes with the same matplotlib. Text from the audit is drawn as it is, never parsed.
    """
    if not show_hosts:
        audit = hide(audit, audit.hardware.hosts)
    colours: Theme = THEMES[theme]
    makers: dict[str, Callable[[], bytes | None]] = {
        "power": lambda: power(audit, colours),
        "steps": lambda: steps(audit, colours),
        "levels": lambda: levels(audit, colours),
        "carbon": lambda: carbon(audit, verdict, colours),
        "drivers": lambda: drivers(audit, colours),
        "trend": lambda: trend(audit, verdict, earlier_runs(history, base), colours),
    }
    drawn = {name: makers[name]() for name in NAMES}
    return {name: image for name, image in drawn.items() if image is not None}
