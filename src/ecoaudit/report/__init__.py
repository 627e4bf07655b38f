"""Reports, pure: an audit and a verdict in; Markdown, HTML, charts and a console summary out.

The inputs are data that may have come from a stranger's run: every text in them is escaped, host names and IP addresses
are left out unless asked for, and no size of input makes a report outgrow its budget.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit
from ecoaudit.report import charts, console, html, markdown
from ecoaudit.report.hosts import hide

__all__ = ["Report", "build"]


@dataclass(frozen=True, slots=True)
class Report:
    """A report in every form. `charts` maps a file name such as `power-light.svg` to its SVG."""

    markdown: str
    html: str
    charts: Mapping[str, bytes]
    console: str


def build(
    audit: Audit,
    verdict: Verdict,
    *,
    base: Audit | None = None,
    history: Sequence[Audit] = (),
    show_hosts: bool = False,
    width: int | None = None,
) -> Report:
    """Return the report of `audit` under `verdict`; `base` and `history` (the oldest first) are earlier runs.

    The Markdown fits a pull-request comment, the console's summary a terminal of `width` columns. Nodes are named by
    number unless `show_hosts`.
    """
    if not show_hosts:
        hosts = audit.hardware.hosts
        audit, verdict = hide(audit, hosts), hide(verdict, hosts)
    images: dict[str, Mapping[str, bytes]] = {
        theme: charts.draw(audit, verdict, theme=theme, base=base, history=history, show_hosts=True)
        for theme in charts.THEME_NAMES
    }
    return Report(
        markdown=markdown.render(
            audit, verdict, max_bytes=markdown.COMMENT_BYTES, base=base, history=history, show_hosts=show_hosts
        ),
        html=html.render(audit, verdict, images=images, show_hosts=True),
        charts={f"{name}-{theme}.svg": image for theme, drawn in images.items() for name, image in drawn.items()},
        console=console.summary(audit, verdict, show_hosts=True, width=width),
    )
