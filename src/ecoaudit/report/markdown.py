"""The report as GitHub-flavoured Markdown, always within a byte budget.

There are four levels of detail, each complete in itself: every table and every `<details>` that it opens it closes. The
first that fits the budget is taken, so nothing is ever cut in the middle; the last has a size that no input can raise
above `MIN_BYTES`.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit
from ecoaudit.report import markdown_charts
from ecoaudit.report import markdown_sections as sections
from ecoaudit.report.hosts import hide
from ecoaudit.report.markdown_blocks import Context, Limits
from ecoaudit.report.trend import earlier_runs

COMMENT_BYTES = 60_000
CHECK_BYTES = 65_000
SUMMARY_BYTES = 1_000_000
MIN_BYTES = 12_000


class Detail(enum.IntEnum):
    """How much is shown, from most to least."""

    FULL = 0
    CHARTS_FOLDED = 1
    TABLES_CAPPED = 2
    HEADLINE = 3


_LIMITS = {
    Detail.FULL: Limits(rows=1000, text=2000, charts="open"),
    Detail.CHARTS_FOLDED: Limits(rows=100, text=600, charts="folded"),
    Detail.TABLES_CAPPED: Limits(rows=5, text=200, charts="none"),
    Detail.HEADLINE: Limits(rows=3, text=120, charts="none"),
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """Markdown and the level of detail that fitted."""

    text: str
    detail: Detail


def render(
    audit: Audit,
    verdict: Verdict,
    *,
    max_bytes: int,
    base: Audit | None = None,
    history: Sequence[Audit] = (),
    detail: Detail = Detail.CHARTS_FOLDED,
    links: Mapping[str, str] | None = None,
    show_hosts: bool = False,
) -> str:
    """Return the report in at most `max_bytes` bytes of UTF-8, in the first level of detail from `detail` on that fits.

    `history` and `base` are earlier runs of the base branch, the oldest first, for the trend. `links` maps a label to
    an http(s) address (the HTML report, the workflow run); other addresses are left out. Raises `ValueError` when
    `max_bytes` is below `MIN_BYTES`.
    """
    return fit(
        audit,
        verdict,
        max_bytes=max_bytes,
        base=base,
        history=history,
        detail=detail,
        links=links,
        show_hosts=show_hosts,
    ).text


def fit(
    audit: Audit,
    verdict: Verdict,
    *,
    max_bytes: int,
    base: Audit | None = None,
    history: Sequence[Audit] = (),
    detail: Detail = Detail.CHARTS_FOLDED,
    links: Mapping[str, str] | None = None,
    show_hosts: bool = False,
) -> Rendered:
    """Do what `render` does and say which level of detail fitted."""
    if max_bytes < MIN_BYTES:
        raise ValueError(f"a report needs {MIN_BYTES} bytes, got a budget of {max_bytes}")
    if not show_hosts:
        hosts = audit.hardware.hosts
        audit, verdict = hide(audit, hosts), hide(verdict, hosts)
    earlier = earlier_runs(history, base)
    for level in Detail:
        if level < detail:
            continue
        context = Context(audit, verdict, earlier, dict(links or {}), _LIMITS[level])
        text = _headline_only(context) if level == Detail.HEADLINE else _whole(context)
        if len(text.encode()) <= max_bytes:
            return Rendered(text, level)
    raise AssertionError("the headline form has a bounded size")  # pragma: no cover


def _whole(context: Context) -> str:
    return _join(
        sections.title(context),
        sections.lead(context),
        sections.figures(context),
        sections.budgets(context),
        markdown_charts.power_line(context),
        sections.baseline(context),
        sections.findings(context),
        markdown_charts.charts(context),
        sections.change(context),
        sections.energy(context),
        sections.quality(context),
        sections.method(context),
        sections.footer(context),
    )


def _headline_only(context: Context) -> str:
    return _join(
        sections.title(context),
        sections.lead(context),
        sections.figures(context),
        "This report is shortened to fit; the HTML report and `audit.json` of the same run hold everything.",
        sections.footer(context),
    )


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
