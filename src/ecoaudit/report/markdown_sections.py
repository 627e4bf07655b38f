"""The sections of the Markdown report: each returns whole blocks, or an empty string when it has nothing to say."""

from ecoaudit.judge.verdict import BudgetCheck, Delta, Outcome, Verdict
from ecoaudit.markdown_text import code, escape
from ecoaudit.quantity import Boundary
from ecoaudit.report import numbers, sparkline, view, warned, words
from ecoaudit.report.markdown_blocks import (
    Context,
    bullets,
    details,
    figure_table,
    figure_text,
    more_than,
    safe_url,
    table,
)

_MAX_LINKS = 6


def title(context: Context) -> str:
    """Return the heading: verdict, carbon (else energy) with its interval and what it leaves out, and project."""
    verdict = context.verdict
    _, carbon, _ = view.carbon_figure(context.audit)
    headline = context.audit.energy.headline
    quantity = carbon or (headline.value if headline else None)
    figure = "energy and carbon not known"
    if quantity is not None:
        shown = numbers.show(quantity)
        interval = f" ({figure_text(shown.interval)})" if shown.interval != numbers.NO_INTERVAL else ""
        partial = f", {words.headline_label(headline)}" if headline and headline.boundary == Boundary.GPU else ""
        figure = f"{figure_text(shown.text())}{interval}{partial}"
    project = context.audit.project
    parts = [
        f"{words.icon(verdict.outcome, judged=verdict.judged)} {words.verdict_name(verdict)}:",
        figure,
        f"· {context.text(project, 80)}" if project else "",
    ]
    return "### " + " ".join(part for part in parts if part)


def lead(context: Context) -> str:
    """Return the sentence under the heading: the verdict's reason, and the change where the reason does not tell it."""
    return f"{context.text(context.verdict.headline, 300)}. {_change_sentence(context)}".strip()


def _change_sentence(context: Context) -> str:
    delta = view.work_delta(context.verdict)
    if _told_by_the_reason(context.verdict):
        return ""
    if delta is not None:
        inside = context.text(view.compared_inside(context.audit, delta))
        because = context.text(view.method_differences(context.verdict), 300)
        return f"{words.metric_name(delta.metric)} against the base: {_change(delta, inside)}{because}."
    if context.verdict.not_comparable:
        reasons = "; ".join(context.verdict.not_comparable)
        return f"Not comparable with the base ({context.text(reasons, 300)})."
    return ""


def _told_by_the_reason(verdict: Verdict) -> bool:
    """Return whether the verdict's reason is a budget on the change."""
    return any(
        check.kind == "relative" and check.outcome == verdict.outcome != Outcome.PASS for check in verdict.checks
    )


def figures(context: Context) -> str:
    """Return the table of main figures: value, interval, change, boundary and basis."""
    rows = view.main_rows(context.audit, context.verdict)
    compared = any(row.delta is not None for row in rows)
    head = ["", "This run", "90 % interval", *(["Change"] if compared else []), "Boundary", "Basis"]
    body = []
    for row in rows:
        shown = row.shown
        cells = [row.label]
        if shown is None or row.quantity is None:
            cells += [words.NOT_KNOWN, "", *([""] if compared else []), context.text(row.reason, 160), ""]
        else:
            change = [_change(row.delta, context.text(row.delta_at, 120)) if row.delta else "not compared"]
            boundary = context.text(row.boundary, 120)
            cells += [
                f"**{figure_text(shown.text())}**",
                figure_text(shown.interval),
                *(change if compared else []),
                boundary,
                row.quantity.basis.value,
            ]
        body.append(cells)
    return table(head, body, right={1, 2, 3} if compared else {1, 2})


def _change(delta: Delta, inside: str) -> str:
    if delta.percent is None:
        return words.NOT_KNOWN
    percent = numbers.signed_percent(delta.percent)
    notes = [part for part in ("operational" if delta.metric == "carbon_kg" else "", inside) if part]
    if delta.detectable is None or not delta.band_percent:
        return f"{percent} ({', '.join(notes)})" if notes else percent
    band = ", ".join([*notes, f"noise ±{numbers.number(delta.band_percent, 1, trim=True)} %"])
    if delta.detectable:
        return f"**{percent}** ({band})"
    return f"no detectable change ({', '.join([percent, band])})"


def budgets(context: Context) -> str:
    """Return one line a budget: how much of it is used, and what was decided."""
    checks = view.gravest_first(context.verdict)[: context.limits.rows]
    lines = [_budget_line(context, check) for check in checks]
    if not lines:
        return ""
    return "**Budgets**\n\n" + bullets(lines, len(context.verdict.checks))


def _budget_line(context: Context, check: BudgetCheck) -> str:
    bar = ""
    if check.kind == "absolute" and check.actual is not None and check.limit > 0:
        used = check.actual / check.limit
        bar = f"`{sparkline.bar(used)}` {numbers.percent(used)} · "
    return f"{words.OUTCOME_ICONS[check.outcome]} {bar}{context.text(check.message, 400)}"


def baseline(context: Context) -> str:
    """Return where the base run comes from: source, commit, age, distance, and how many runs set the noise."""
    found = context.verdict.baseline
    if found is None:
        return f"{context.text(view.no_baseline(context.verdict))}." if not context.verdict.deltas else ""
    parts = [context.text(found.source, 160)]
    if found.distance is not None:
        parts.append(words.distance(found.distance))
    if found.age_s is not None:
        parts.append(f"{numbers.age(found.age_s)} old")
    if found.runs > 1:
        parts.append(f"noise from {numbers.plural(found.runs, 'run')}")
    commit = f"{code(found.commit[:12])}, " if found.commit else ""
    return f"Baseline: {commit}{', '.join(parts)}"


def findings(context: Context) -> str:
    """Return what wasted energy, the largest saving first, folded; the summary line carries the best of them."""
    found = view.findings(context.audit)
    if not found:
        return ""
    lines = []
    for finding in found[: context.limits.rows]:
        saving = " · ".join(
            figure_text(numbers.show(q).full())
            for q in (finding.saving_kwh, finding.saving_kgco2e, finding.saving_usd)
            if q
        )
        lines.append(
            f"{words.SEVERITY_ICONS[finding.severity]} **{context.text(finding.title, 160)}**"
            f"{': could save ' + saving if saving else ''}<br>"
            f"{context.text(words.sentence(finding.evidence))}. {context.text(finding.advice)}"
        )
    best = found[0]
    hint = f": {context.text(best.title, 100)}"
    if best.saving_kwh:
        hint += f" ({figure_text(numbers.show(best.saving_kwh).text())})"
    return details(f"{numbers.plural(len(found), 'finding')}{hint}", bullets(lines, len(found)))


def change(context: Context) -> str:
    """Return the table of differences: what the workload did, and what the grid did, apart."""
    deltas = context.verdict.deltas
    if not deltas and (not context.verdict.notes or context.verdict.baseline is None):
        return ""
    body = []
    for delta in deltas[: context.limits.rows]:
        ground = (delta.level, words.BOUNDARY_NAMES[delta.boundary] if delta.boundary else None)
        compared_at = ", ".join(part for part in ground if part) or words.COMPARED_AT.get(delta.metric, "")
        band = f"±{numbers.number(delta.band_percent, 1, trim=True)} %" if delta.band_percent else "none claimed"
        base, head = (figure_text(numbers.significant(x, delta.unit)) for x in (delta.base, delta.head))
        percent = numbers.signed_percent(delta.percent) if delta.percent is not None else words.NOT_KNOWN
        body.append(
            [
                f"{context.text(words.metric_name(delta.metric), 40)} ({delta.part})",
                base,
                head,
                percent,
                band,
                context.text(compared_at, 60),
            ]
        )
    head_row = ["Difference", "Base", "This run", "Change", "Noise, 90 %", "Compared at"]
    parts = [table(head_row, body, right={1, 2, 3, 4}) if body else ""]
    parts.append(bullets([context.text(note) for note in context.verdict.notes[: context.limits.rows]], None))
    grid = next((d for d in deltas if d.part == "grid" and d.percent is not None), None)
    hint = f": grid {numbers.signed_percent(grid.percent)}, apart from the workload" if grid and grid.percent else ""
    return details(f"Change from the base{hint}", "\n\n".join(part for part in parts if part))


def energy(context: Context) -> str:
    """Return energy by level and by phase, and what drives the uncertainty."""
    audit = context.audit
    parts = [figure_table(context, [*view.energy_rows(audit)], "Level")]
    if audit.energy.residual is not None:
        residual = audit.energy.residual
        accuracy = (
            f"; with this system left out of the fit {numbers.signed_percent(residual.held_out_percent)}"
            if residual.held_out_percent is not None
            else ""
        )
        parts.append(
            f"{residual.level} against the node meters: {numbers.signed_percent(residual.percent)} "
            f"(its coefficient has seen {context.text(residual.coefficient_seen, 80)}{accuracy})."
        )
    phases = [
        [
            context.text(phase.name, 60),
            numbers.duration(phase.duration_s),
            figure_text(numbers.show(phase.energy).text()),
            figure_text(numbers.show(phase.energy).interval),
            words.BOUNDARY_NAMES[phase.boundary],
            phase.energy.basis.value,
        ]
        for phase in audit.energy.phases[: context.limits.rows]
    ]
    if phases:
        heads = ["Phase", "Time", "Energy", "90 % interval", "Boundary", "Basis"]
        parts.append(table(heads, phases, right={1, 2, 3}))
        parts.append(more_than(len(audit.energy.phases), len(phases)))
    drivers = [
        f"{numbers.percent(d.share)} {context.text(d.name, 80)}: {context.text(d.source, 200)}"
        for d in audit.energy.drivers[: context.limits.rows]
    ]
    if drivers:
        parts.append("What drives the width of the interval:")
        parts.append(bullets(drivers, len(audit.energy.drivers)))
    return details("Energy by level, phase and source of uncertainty", "\n\n".join(part for part in parts if part))


def quality(context: Context) -> str:
    """Return warnings and what was missing in the data; the summary line counts the warnings."""
    found = context.audit.quality
    warnings = warned.warnings(context.audit, context.verdict)
    facts = [
        f"{numbers.percent(found.coverage)} of the time covered by readings" if found.coverage is not None else "",
        f"{found.samples:,} of {found.expected_samples:,} expected samples"
        if found.samples is not None and found.expected_samples is not None
        else "",
        numbers.plural(found.gap_count or len(found.gaps), "gap"),
        numbers.plural(found.bad_lines, "unreadable line"),
        numbers.plural(found.counter_resets, "counter reset"),
        numbers.plural(found.clock_steps, "clock step"),
    ]
    lines = [context.text(warning) for warning in warnings[: context.limits.rows]]
    unknown = [
        f"{context.text(', '.join(keys), 160)}: {context.text(why)}"
        for keys, why in view.unknown(context.audit)[: context.limits.rows]
    ]
    body = [", ".join(fact for fact in facts if fact) + ".", bullets(lines, len(warnings))]
    body += ["Not known:", bullets(unknown, None)] if unknown else []
    icon = "⚠️ " if warnings else ""
    return details(
        f"{icon}Data quality: {numbers.plural(len(warnings), 'warning')}", "\n\n".join(part for part in body if part)
    )


def method(context: Context) -> str:
    """Return the equation, the factors with their sources, and how to check the numbers."""
    audit = context.audit
    rows = [*view.factor_rows(audit), *view.carbon_rows(audit), *view.cost_rows(audit), *view.efficiency_rows(audit)]
    sources = [
        [context.text(p.what, 120), context.text(p.value, 120), context.text(p.source), context.text(p.year or "", 20)]
        for p in audit.provenance[: context.limits.rows]
    ]
    parts = [
        "L1 is TDP × time, L2 the boards' own readings, L3 whole nodes and the facility: "
        "`E_facility = (E_node + E_network) × PUE`, `E_node = Σ_nodes ∫ (P_static + α · P_dynamic(u)) dt`. "
        "Carbon is the headline energy times the grid intensity, location-based; embodied carbon is the GPU's share of "
        "its life.",
        figure_table(context, rows, "Figure"),
        table(["Input", "Value", "Source", "Year"], sources, right=set()) if sources else "",
        more_than(len(audit.provenance), len(sources)),
    ]
    return details("Method, factors and sources", "\n\n".join(part for part in parts if part))


def footer(context: Context) -> str:
    """Return links and which run and program this is."""
    audit = context.audit
    parts = [
        f"[{escape(label, limit=60)}](<{address}>)"
        for label, url in list(context.links.items())[:_MAX_LINKS]
        if (address := safe_url(url))
    ]
    if audit.run.commit:
        parts.append(f"commit {code(audit.run.commit[:12])}")
    if audit.run.id:
        parts.append(f"run {code(audit.run.id, limit=60)}")
    parts.append(context.text(audit.tool, 60))
    return f"<sub>{' · '.join(parts)}</sub>"
