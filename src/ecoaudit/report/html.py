"""The report as one HTML page: no outside request, no script, light and dark, for the screen and for paper."""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit, PhaseEnergy
from ecoaudit.report import charts, facts, numbers, view, warned, words
from ecoaudit.report.hosts import hide
from ecoaudit.resources import templates_dir

_COMMAND = re.compile(r"`(ecoaudit [a-z -]+)`")


def render(
    audit: Audit,
    verdict: Verdict,
    *,
    base: Audit | None = None,
    history: Sequence[Audit] = (),
    images: Mapping[str, Mapping[str, bytes]] | None = None,
    show_hosts: bool = False,
) -> str:
    """Return the page. `images` maps a theme to the charts by name, as `charts.draw` returns them; drawn when None.

    Everything from the audit goes through Jinja2's autoescape; only the package's own SVG is inserted as markup.
    """
    if not show_hosts:
        hosts = audit.hardware.hosts
        audit, verdict = hide(audit, hosts), hide(verdict, hosts)
    if images is None:
        images = {
            str(theme): charts.draw(audit, verdict, theme=theme, base=base, history=history, show_hosts=True)
            for theme in charts.THEME_NAMES
        }
    template = _environment().get_template("report.html.j2")
    page: str = template.render(
        audit=audit,
        verdict=verdict,
        verdict_name=words.verdict_name(verdict),
        charts=_pairs(images),
        main=view.main_rows(audit, verdict),
        energy=view.energy_rows(audit),
        carbon=view.carbon_rows(audit),
        cost=view.cost_rows(audit),
        efficiency=view.efficiency_rows(audit),
        factors=view.factor_rows(audit),
        findings=view.findings(audit),
        checks=view.gravest_first(verdict),
        warnings=warned.warnings(audit, verdict),
        unknown=view.unknown(audit),
        compared=bool(verdict.baseline or verdict.deltas or verdict.not_comparable),
        no_baseline=view.no_baseline(verdict),
        phase_ground=_common_ground(audit),
        carbon_budget=any(c.metric == "carbon_kg" and c.kind == "absolute" for c in verdict.checks),
        run_line=facts.run_line(audit),
        facts=facts.run_facts(audit),
        statement=facts.statement(audit),
        reproduce=facts.reproduce(audit),
        # "<" as an escape, so that no text in the data can end the element that holds it.
        data=_markup(msgspec.json.encode(audit).decode().replace("<", "\\u003c")),
    )
    return page


@functools.cache
def _environment() -> Any:
    """Return the template environment: a template is read and compiled once in a process."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        show=numbers.show,
        share=numbers.percent,
        signed=numbers.signed_percent,
        significant=numbers.significant,
        duration=numbers.duration,
        age=numbers.age,
        count=numbers.count,
        distance=words.distance,
        metric=words.metric_name,
        commands=_commands,
        sentence=words.sentence,
    )
    environment.globals.update(
        words=words, no_interval=numbers.NO_INTERVAL, plural=numbers.plural, number=numbers.number
    )
    return environment


def _common_ground(audit: Audit) -> PhaseEnergy | None:
    """Return any phase if all stand on the same ground (boundary, basis, source), which is then told once."""
    grounds = {(p.boundary, p.energy.basis, p.energy.source) for p in audit.energy.phases}
    return audit.energy.phases[0] if len(grounds) == 1 else None


def _pairs(images: Mapping[str, Mapping[str, bytes]]) -> dict[str, list[tuple[str, Any]]]:
    """Return each chart's markup for every theme, by the chart's name."""
    return {
        name: [(theme, _markup(drawn[name].decode())) for theme, drawn in images.items() if name in drawn]
        for name in charts.NAMES
        if any(name in drawn for drawn in images.values())
    }


def _commands(text: str) -> Any:
    """Return text from outside, escaped, with this program's own commands set as code."""
    from markupsafe import escape

    return _markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))


def _markup(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - the package's own SVG, and JSON without "<"
