"""The summary on stdout: plain text, aligned, at most 25 lines."""

from collections.abc import Iterable
from pathlib import PurePath

from ecoaudit.judge.verdict import Verdict
from ecoaudit.markdown_text import clean
from ecoaudit.model.audit import Audit
from ecoaudit.report import facts, numbers, sparkline, view, words
from ecoaudit.report.hosts import hide

MAX_LINES = 25
_WIDTH = 100
_MAX_CHECKS = 2
_MAX_FIGURES = 9
_MAX_PATHS = 4


def summary(audit: Audit, verdict: Verdict, paths: Iterable[PurePath | str] = (), *, show_hosts: bool = False) -> str:
    """Return the run's figures, verdict, warnings and findings, and the files written, in at most `MAX_LINES` lines."""
    if not show_hosts:
        hosts = audit.hardware.hosts
        audit, verdict = hide(audit, hosts), hide(verdict, hosts)
    blocks = [
        _head(audit, verdict),
        [*_figures(audit, verdict), *_power(audit)],
        [*_verdict(verdict), *_notes(audit)],
        _paths(paths),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(audit: Audit, verdict: Verdict) -> list[str]:
    run = audit.run
    name = " ".join(
        part
        for part in (
            "ecoaudit",
            clean(audit.project or "", limit=40),
            f"at {clean(run.commit)[:12]}" if run.commit else "",
        )
        if part
    )
    said = words.verdict_name(verdict)
    return [_clip(f"{name}: {said.upper() if verdict.judged else said.lower()}"), _clip(clean(facts.run_line(audit)))]


def _figures(audit: Audit, verdict: Verdict) -> list[str]:
    cells = []
    for row in view.main_rows(audit, verdict):
        shown = row.shown
        if shown is None or row.quantity is None:
            cells.append((row.label, words.NOT_KNOWN, "", row.reason))
        else:
            cells.append(
                (row.label, clean(shown.text()), shown.interval, f"{row.boundary}; {row.quantity.basis.value}")
            )
    for row in view.energy_rows(audit):
        if row.shown is not None and row.quantity is not None and not row.headline:
            cells.append(
                (
                    f"  {row.label}",
                    clean(row.shown.text()),
                    row.shown.interval,
                    f"{row.boundary}; {row.quantity.basis.value}",
                )
            )
    cells = cells[:_MAX_FIGURES]
    widths = [max(len(cell[i]) for cell in cells) for i in range(3)]
    return [
        _clip(f"{label:<{widths[0]}}  {value:>{widths[1]}}  {interval:<{widths[2]}}  {clean(rest)}".rstrip())
        for label, value, interval, rest in cells
    ]


def _power(audit: Audit) -> list[str]:
    series, boundary = view.power_series(audit)
    spark = sparkline.sparkline(series, 60)
    if not spark:
        return []
    known = [v for v in series if v is not None]
    return [f"Power {spark} up to {numbers.significant(max(known), 'W')}, {boundary}"]


def _verdict(verdict: Verdict) -> list[str]:
    lines = [
        _clip(f"{words.OUTCOME_NAMES[check.outcome]}: {clean(check.message)}") for check in verdict.checks[:_MAX_CHECKS]
    ]
    if not lines:
        lines = [_clip(f"Verdict: {clean(verdict.headline)}.")]  # no line starts with text from outside
    elif len(verdict.checks) > _MAX_CHECKS:
        lines.append(f"and {len(verdict.checks) - _MAX_CHECKS} more budgets, in the report")
    delta = view.work_delta(verdict)
    if delta is not None:
        lines.append(_clip(f"Against the base: {clean(delta.text)}"))
    elif verdict.not_comparable:
        lines.append(_clip(f"Not comparable with the base: {clean('; '.join(verdict.not_comparable))}"))
    return lines


def _notes(audit: Audit) -> list[str]:
    lines = []
    warnings, findings = audit.quality.warnings, view.findings(audit)
    if warnings:
        lines.append(_clip(f"{numbers.plural(len(warnings), 'warning')}: {clean(warnings[0])}"))
    if findings:
        best = findings[0]
        saving = f", could save {clean(numbers.show(best.saving_kwh).text())}" if best.saving_kwh else ""
        lines.append(_clip(f"{numbers.plural(len(findings), 'finding')}: {clean(best.title)}{saving}"))
    return lines


def _paths(paths: Iterable[PurePath | str]) -> list[str]:
    return [str(path) for path in list(paths)[:_MAX_PATHS]]


def _clip(line: str) -> str:
    # A runner takes "##[" anywhere in a line for a command.
    line = line.replace("##[", "## [")
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1].rstrip() + "…"
