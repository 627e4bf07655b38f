"""The summary on stdout: plain text, aligned, at most 40 lines; cut to a terminal's width, and whole anywhere else.

What decides (budgets) and what to doubt (warnings) is never cut: a log of a CI run is often all that is left.
"""

from collections.abc import Iterable
from pathlib import PurePath

from ecoaudit.judge.verdict import Verdict
from ecoaudit.markdown_text import clean
from ecoaudit.model.audit import Audit
from ecoaudit.report import facts, numbers, sparkline, view, warned, words
from ecoaudit.report.hosts import hide

MAX_LINES = 40
_MAX_CHECKS = 8
_MAX_WARNINGS = 5
_MAX_TEXT = 2000  # no text from a log floods the console
_MAX_FIGURES = 9
_MAX_PATHS = 4


def summary(
    audit: Audit,
    verdict: Verdict,
    paths: Iterable[PurePath | str] = (),
    *,
    show_hosts: bool = False,
    width: int | None = None,
) -> str:
    """Return the run's figures, verdict, warnings and findings, and the files written, in at most `MAX_LINES` lines.

    `width` is that of the terminal in columns; None where there is none, and nothing is cut.
    """
    if not show_hosts:
        hosts = audit.hardware.hosts
        audit, verdict = hide(audit, hosts), hide(verdict, hosts)
    blocks = [
        [_clip(line, width) for line in _head(audit, verdict)],
        [_clip(line, width) for line in (*_figures(audit, verdict), *_power(audit))],
        [
            *_verdict(verdict),
            *_warnings(warned.warnings(audit, verdict)),
            *(_clip(line, width) for line in _findings(audit)),
        ],
        _paths(paths),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
    return _no_command(text)


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
    return [f"{name}: {said.upper() if verdict.judged else said.lower()}", clean(facts.run_line(audit))]


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
        f"{label:<{widths[0]}}  {value:>{widths[1]}}  {interval:<{widths[2]}}  {_text(rest)}".rstrip()
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
    checks = view.gravest_first(verdict)
    lines = [f"{words.OUTCOME_NAMES[check.outcome]}: {_text(check.message)}" for check in checks[:_MAX_CHECKS]]
    unmatched = verdict.baseline is None and not verdict.deltas and bool(verdict.notes)
    if not lines and not unmatched:
        lines = [f"Verdict: {_text(verdict.headline)}."]  # no line starts with text from outside
    elif len(checks) > _MAX_CHECKS:
        lines.append(f"and {len(checks) - _MAX_CHECKS} more budgets in report.md")
    if unmatched:
        lines.append(f"Not compared: {_text('; '.join(verdict.notes))}.")
    delta = view.work_delta(verdict)
    if delta is not None:
        lines.append(f"Against the base: {_text(delta.text + view.method_differences(verdict))}")
    elif verdict.not_comparable:
        lines.append(f"Not comparable with the base: {_text('; '.join(verdict.not_comparable))}")
    return lines


def _warnings(warnings: list[str]) -> list[str]:
    if not warnings:
        return []
    said = numbers.plural(len(warnings), "warning")
    if len(warnings) == 1:
        return [f"{said}: {_text(warnings[0])}"]
    lines = [f"{said}:", *(f"  - {_text(text)}" for text in warnings[:_MAX_WARNINGS])]
    if len(warnings) > _MAX_WARNINGS:
        lines.append(f"  and {len(warnings) - _MAX_WARNINGS} more in report.md")
    return lines


def _findings(audit: Audit) -> list[str]:
    findings = view.findings(audit)
    if not findings:
        return []
    best = findings[0]
    saving = f", could save {clean(numbers.show(best.saving_kwh).text())}" if best.saving_kwh else ""
    return [f"{numbers.plural(len(findings), 'finding')}: {_text(best.title)}{saving}"]


def _text(text: str) -> str:
    return clean(text, limit=_MAX_TEXT)


def _paths(paths: Iterable[PurePath | str]) -> list[str]:
    return [str(path) for path in list(paths)[:_MAX_PATHS]]


def _clip(line: str, width: int | None) -> str:
    line = _no_command(line)
    return line if width is None or len(line) <= width else line[: width - 1].rstrip() + "…"


def _no_command(text: str) -> str:
    return text.replace("##[", "## [")  # a runner takes it anywhere in a line for a command
