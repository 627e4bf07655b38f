"""The held-out tables as text: errors by split, goals reached or not, intervals; Markdown that reads as plain text."""

import math
from collections.abc import Sequence
from itertools import groupby

from ecoaudit.calibrate.heldout import (
    GOALS,
    SPLITS,
    Evaluation,
    Outcome,
    Score,
    Split,
    coverage_percent,
    label,
    median_half_width,
    scale_class,
)
from ecoaudit.calibrate.lines import SHIPPED

_HARD_RIVAL = "k x N TDP"


def table_text(evaluation: Evaluation) -> str:
    """Return the held-out tables and goals for a terminal."""
    parts = [*splits(evaluation), goals(evaluation), intervals(evaluation), *untested(evaluation)]
    return padded("\n\n".join(part for part in parts if part))


def padded(markdown: str) -> str:
    """Return the text with the columns of its tables aligned, so that it reads as plain text too."""
    out: list[str] = []
    for is_table, members in groupby(markdown.split("\n"), key=lambda line: line.startswith("|")):
        lines = list(members)
        out.extend(_padded_table(lines) if is_table else lines)
    return "\n".join(out)


def _padded_table(lines: Sequence[str]) -> list[str]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    right = [cell.endswith(":") for cell in rows[1]]
    found = []
    for number, row in enumerate(rows):
        cells = zip(row, widths, right, strict=True)
        if number == 1:
            shown = ["-" * (width - at_right) + ":" * at_right for _, width, at_right in cells]
        else:
            shown = [cell.rjust(width) if at_right else cell.ljust(width) for cell, width, at_right in cells]
        found.append(f"| {' | '.join(shown)} |")
    return found


def splits(evaluation: Evaluation) -> list[str]:
    """Return one section for each split."""
    return [_split(evaluation, split) for split in SPLITS]


def _split(evaluation: Evaluation, split: Split) -> str:
    lines = [
        f"## Leave one {split} out",
        "",
        "Mean absolute error, % (groups predicted, of " + str(len(evaluation.groups)) + ")",
        "",
        "| model | P_static known: all | one node | several | worst | not known: all | one node | several | worst |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    if not any(evaluation.of(model.name, split, known) for model in evaluation.models for known in (True, False)):
        return f"## Leave one {split} out\n\nNot tested: no group has a partner, so nothing is left to train on."
    best = {known: _best(evaluation, split, known) for known in (True, False)}
    for model in evaluation.models:
        if model.kind == "variant":
            continue
        cells = []
        for static_known in (True, False):
            cell = evaluation.score(model.name, split, static_known)
            cells.extend(_cells(cell, bold=best[static_known] == model.name))
        name = f"**{model.name}**" if model.name == SHIPPED else model.name
        lines.append(f"| {name}{' *' if not model.shippable else ''} | {' | '.join(cells)} |")
    lines.extend(["", _footnote(evaluation)])
    if split == "scale":
        classes = ", ".join(sorted({scale_class(g.nodes) for g in evaluation.groups}))
        lines.extend(["", f"Scales held out together: {classes}."])
    return "\n".join(lines)


def _best(evaluation: Evaluation, split: Split, static_known: bool) -> str | None:
    found = [
        (cell.all, model.name)
        for model in evaluation.models
        if model.shippable and model.kind != "variant"
        if (cell := evaluation.score(model.name, split, static_known)) is not None and cell.groups == cell.of
    ]
    return min(found)[1] if found else None


def _cells(cell: Score | None, *, bold: bool) -> list[str]:
    if cell is None:
        return ["-"] * 4
    partial = "" if cell.groups == cell.of else f" ({cell.groups})"
    total = f"**{cell.all:.1f}**" if bold else f"{cell.all:.1f}"
    return [total + partial, _figure(cell.saturated), _figure(cell.several), _figure(cell.worst)]


def _footnote(evaluation: Evaluation) -> str:
    notes = [f"{m.name}: {m.note}" for m in evaluation.models if m.note and not m.shippable]
    return f"\\* not a candidate for the default ({'; '.join(notes)}). Bold: least error of the candidates."


def goals(evaluation: Evaluation) -> str:
    """Return the goals of the shipped default, reached or not, and why it is the default."""
    if not any(evaluation.of(SHIPPED, split, known) for split in SPLITS for known in (True, False)):
        return ""
    winner = evaluation.winner(static_known=False)
    lines = [
        "## Goals",
        "",
        f"Of the shipped default, **{SHIPPED}**:",
        "",
        "| goal | split | found | |",
        "|---|---|--:|---|",
    ]
    for split in SPLITS:
        known = evaluation.score(SHIPPED, split, static_known=True)
        unknown = evaluation.score(SHIPPED, split, static_known=False)
        if known:
            lines.append(_goal("saturated, P_static known", split, known.saturated))
            lines.append(_goal("over scale, P_static known", split, known.several))
        if unknown:
            lines.append(_goal("P_static not known", split, unknown.all))
    if winner is not None:
        lines.extend(["", _choice(evaluation, winner)])
    return "\n".join(lines)


def _choice(evaluation: Evaluation, winner: str) -> str:
    """Return why the default is the default; on other groups than the bundled ones another model may win."""
    rival = evaluation.score(_HARD_RIVAL, "operator", static_known=False)
    own = evaluation.score(SHIPPED, "operator", static_known=False)
    assert rival is not None
    assert own is not None
    if winner == SHIPPED:
        return (
            "The default is the model that wins leave-one-operator-out with nothing of the system known: "
            f"**{SHIPPED}**, {own.all:.1f} %, against {rival.all:.1f} % for `{_HARD_RIVAL}`. On one saturated node the "
            f"rival errs by {rival.saturated:.1f} % against {own.saturated:.1f} %, over several nodes by "
            f"{rival.several:.1f} % against {own.several:.1f} %."
        )
    best = evaluation.score(winner, "operator", static_known=False)
    assert best is not None
    return (
        f"On these groups {winner} wins leave-one-operator-out ({best.all:.1f} % against {own.all:.1f} % for the "
        "shipped default, which was chosen on the bundled runs)."
    )


def _goal(name: str, split: Split, found: float) -> str:
    limit = GOALS[name]
    if math.isnan(found):
        return f"| {name} <= {limit:.0f} % | {split} | - | no group |"
    return f"| {name} <= {limit:.0f} % | {split} | {found:.1f} | {'reached' if found <= limit else '**not reached**'} |"


def intervals(evaluation: Evaluation) -> str:
    """Return coverage and width of the shipped default's 90 % intervals."""
    if not any(evaluation.of(SHIPPED, split, known) for split in SPLITS for known in (True, False)):
        return ""
    lines = [
        "## Intervals",
        "",
        "90 % intervals of the shipped default. Their widths come from the priors and the training groups; the "
        f"held-out group never widens its own. Goals: {GOALS['coverage']:.0f} % of groups covered, median half-width "
        f"at most {GOALS['half-width saturated']:.0f} % on one node, {GOALS['half-width otherwise']:.0f} % otherwise.",
        "",
        "| split | P_static | groups | covered | half-width, one node | several | goals |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for split in SPLITS:
        for static_known in (True, False):
            outcomes = evaluation.of(SHIPPED, split, static_known)
            if outcomes:
                lines.append(_interval_row(outcomes, split, static_known))
    return "\n".join(lines)


def _interval_row(outcomes: Sequence[Outcome], split: Split, static_known: bool) -> str:
    covered = coverage_percent(outcomes)
    one = median_half_width([o for o in outcomes if o.saturated])
    several = median_half_width([o for o in outcomes if not o.saturated])
    reached = (
        covered >= GOALS["coverage"]
        and not one > GOALS["half-width saturated"]
        and not several > GOALS["half-width otherwise"]
    )
    return (
        f"| {split} | {column(static_known)} | {len(outcomes)} | {covered:.0f} % | {_figure(one)} % | "
        f"{_figure(several)} % | {'reached' if reached else '**not reached**'} |"
    )


def untested(evaluation: Evaluation) -> list[str]:
    """Return a line for each split and column with held-out groups that have no partner."""
    found: dict[tuple[Split, bool], list[str]] = {}
    for split, static_known, group in evaluation.untested:
        found.setdefault((split, static_known), []).append(label(group))
    return [
        f"Leave one {split} out, P_static {column(static_known)}: no partner (nothing left to train on) for "
        f"{', '.join(names)}."
        for (split, static_known), names in found.items()
    ]


def column(static_known: bool) -> str:
    """Return the name of a column."""
    return "known" if static_known else "not known"


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
