"""The printed table, the exclusions and the machine-readable document of a calibration on MLPerf results."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ecoaudit.calibrate.fits import Estimate, Group
from ecoaudit.calibrate.heldout import SPLITS, Evaluation, coverage_percent, label, median_half_width
from ecoaudit.calibrate.runs import DISCLAIMER, MeteredRun, by_key

SCHEMA = "ecoaudit.coefficients/1"


def table_text(groups: Sequence[Group]) -> str:
    """Return the fits and official energies as two aligned tables; unknown figures are `-`."""
    fits = [["pair", "bound.", "runs", "W/node", "sd", "P_static", "alpha u=1", "alpha u=MFU", "alpha u=thr.", "u"]]
    energies = [["pair", "bound.", "results", "RCP scaling", "official_energy_j", "official_rule"]]
    for g in groups:
        fits.append(
            [
                label(g),
                g.boundary.upper(),
                str(g.runs),
                f"{g.mean_node_w:.0f}",
                f"{g.run_sd_w:.0f}",
                _static(g),
                *(_estimate(e) for e in (g.alpha_one, g.alpha_mfu, g.alpha_throughput)),
                f"{g.u:.3f}" if g.u is not None else "-",
            ]
        )
        energies.extend(
            [label(g), g.boundary.upper(), str(g.official_runs), f"{g.scaling_factor:.6f}", energy, rule]
            for energy, rule in _official(g)
        )
    notes = "".join(f"\n{note}" for note in _static_notes(groups))
    return f"{_aligned(fits)}{notes}\n\nOfficial MLPerf energy (whole joules)\n{_aligned(energies)}\n\n({DISCLAIMER})"


def exclusions_text(runs: Sequence[MeteredRun], skipped: Sequence[str]) -> str:
    """Return, run by run, what was left out of the fits and why, then what was found in the logs and handled."""
    lines = [f"excluded  {run.path} [{run.boundary.upper()}]: {run.excluded}" for run in runs if run.excluded]
    lines.extend(f"not read  {text}" for text in skipped)
    handled: list[str] = []
    for _, members in by_key(runs, lambda run: (run.round, run.operator, run.workload, run.nodes, run.boundary)):
        kinds = Counter(_kind(note) for run in members for note in filter(None, run.notes.split("; ")))
        first = members[0]
        name = f"{first.operator} {first.workload} {first.nodes}n {first.boundary.upper()}"
        handled.extend(f"handled   {name}: {count} of {len(members)} runs: {kind}" for kind, count in kinds.items())
    return "\n".join([*lines, *handled])


def groups_csv(groups: Sequence[Group]) -> str:
    """Return one CSV row for each group: fits with spread and run counts, and the official energy."""
    text = io.StringIO()
    rows = [_row(group) for group in groups]
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def document(
    groups: Sequence[Group], runs: Sequence[MeteredRun], skipped: Sequence[str], evaluation: Evaluation | None
) -> dict[str, Any]:
    """Return everything as plain data: pairs, runs with their exclusions, and the held-out table when there is one."""
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "note": DISCLAIMER,
        "pairs": [_row(group) for group in groups],
        "runs": [
            {
                "source": run.path,
                "boundary": run.boundary,
                "mean_node_w": run.mean_node_w,
                "used": run.used,
                "excluded": run.excluded or None,
                "handled": [note for note in run.notes.split("; ") if note],
            }
            for run in runs
        ],
        "not_read": list(skipped),
    }
    if evaluation is not None:
        found["evaluation"] = _evaluation(evaluation)
    return found


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    cells = []
    for split in SPLITS:
        for model in evaluation.models:
            for static_known in (True, False):
                cell = evaluation.score(model.name, split, static_known)
                if cell is None:
                    continue
                outcomes = evaluation.of(model.name, split, static_known)
                width = median_half_width(outcomes)
                cells.append(
                    {
                        "split": f"leave one {split} out",
                        "model": model.name,
                        "p_static_known": static_known,
                        "groups": cell.groups,
                        "mean_error_percent": cell.all,
                        "one_node_percent": _known(cell.saturated),
                        "several_nodes_percent": _known(cell.several),
                        "worst_percent": cell.worst,
                        "coverage_percent": None if math.isnan(width) else coverage_percent(outcomes),
                        "median_half_width_percent": _known(width),
                    }
                )
    return {
        "groups": len(evaluation.groups),
        "winner_p_static_known": evaluation.winner(static_known=True),
        "winner_p_static_not_known": evaluation.winner(static_known=False),
        "cells": cells,
        "without_partner": [
            {"split": f"leave one {split} out", "p_static_known": static_known, "group": label(group)}
            for split, static_known, group in evaluation.untested
        ],
    }


def _row(g: Group) -> dict[str, Any]:
    row: dict[str, Any] = {
        "round": g.round,
        "operator": g.operator,
        "system": g.system,
        "gpu": g.gpu,
        "gpus_per_node": g.gpus_per_node,
        "gpu_tdp_w": g.gpu_tdp_w,
        "cooling": g.cooling,
        "workload": g.workload,
        "number_format": g.number_format,
        "nodes": g.nodes,
        "boundary": g.boundary,
        "runs": g.runs,
        "mean_node_w": round(g.mean_node_w, 1),
        "mean_node_w_sd": round(g.run_sd_w, 1),
        "static_w": round(g.static.value_w, 1) if g.static else None,
        "static_w_se": round(g.static.se_w, 1) if g.static else None,
        "static_from": ("bundled runs of the system" if g.static.borrowed else "these runs") if g.static else None,
        "u": _rounded(g.u),
        "mfu": _rounded(g.mfu),
    }
    for name, estimate in (("one", g.alpha_one), ("mfu", g.alpha_mfu), ("throughput", g.alpha_throughput)):
        row[f"alpha_u_{name}"] = _rounded(estimate.value) if estimate else None
        row[f"alpha_u_{name}_sd"] = _rounded(estimate.sd) if estimate else None
        row[f"alpha_u_{name}_runs"] = estimate.runs if estimate else 0
    row |= {
        "j_per_sample": float(f"{g.j_per_sample:.6g}") if g.j_per_sample else None,
        "pj_per_flop": _rounded(g.pj_per_flop),
        "official_energy_j": _whole(g.official_energy_j),
        "official_rule": g.official_rule,
        "official_energy_v40_rule_j": _whole(g.official_v40_j),
        "official_energy_v41_rule_j": _whole(g.official_v41_j),
        "official_results": g.official_runs,
        "rcp_scaling_factor": g.scaling_factor,
        "source": g.path,
        "commit": g.commit,
        "licence": g.licence,
        "note": DISCLAIMER,
    }
    return row


def _static(g: Group) -> str:
    if g.static is None:
        return "-"
    return f"{g.static.value_w:.0f} +- {g.static.se_w:.0f}{' *' if g.static.borrowed else ''}"


def _static_notes(groups: Sequence[Group]) -> Iterable[str]:
    """Yield what a reader must know of P_static: borrowed from bundled runs, or not known at all."""
    if any(g.static is not None and g.static.borrowed for g in groups):
        yield "* these runs never stall: P_static of the same system from the bundled run table"
    if any(g.static is None for g in groups):
        yield "- P_static: these runs never stall and the system is not in the bundled table: alpha is not fitted"


def _official(g: Group) -> list[tuple[str, str]]:
    """Return (energy, rule): the rule in force, or both where the round is not known."""
    undefined = "undefined (stop = start, or too few runs)"
    if g.official_rule is not None:
        energy = _whole(g.official_energy_j)
        return [(str(energy) if energy is not None else undefined, g.official_rule)]
    return [
        (str(energy) if (energy := _whole(value)) is not None else undefined, f"{rule} (round not known)")
        for value, rule in ((g.official_v40_j, "v4.0"), (g.official_v41_j, "v4.1+"))
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _estimate(estimate: Estimate | None) -> str:
    return f"{estimate.value:.3f} +- {estimate.sd:.3f} ({estimate.runs})" if estimate else "-"


def _kind(note: str) -> str:
    """Return the note with its figures taken out, so that runs with the same defect count together."""
    return re.sub(r"(?<![\w.])[-+]?\d+(\.\d+)?", "n", note)


def _aligned(rows: Iterable[Sequence[str]]) -> str:
    table = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )
