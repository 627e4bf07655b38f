"""The tables that calibration reads and writes: the bundled run table, and the coefficients made from it."""

import csv
import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ecoaudit.calibrate.fits import Group
from ecoaudit.calibrate.lines import Coefficients, SystemNames, slug
from ecoaudit.calibrate.runs import MeteredRun, read_csv, write_csv
from ecoaudit.reference.types import Citation, MeasuredPair, Node, UtilisationLine

RUNS = "mlperf_runs.csv"
LINES = "coefficients.csv"
PAIRS = "mlperf_pairs.csv"


def bundled_runs() -> list[MeteredRun]:
    """Return the run table that ships with the package: MLPerf Training v4.0, v4.1 and v5.0."""
    path = resources.files("ecoaudit.reference") / "tables" / RUNS
    return read_csv(path.read_text(encoding="utf-8"), where=RUNS)


def write_tables(folder: Path, runs: Sequence[MeteredRun], found: Coefficients) -> list[Path]:
    """Write run table, coefficients and metered pairs into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {RUNS: write_csv(runs), LINES: lines_csv(found.lines), PAIRS: pairs_csv(found.pairs)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]


def system_names(nodes: Sequence[Node]) -> SystemNames:
    """Return a function that names a metered system as the node table does, else after its operator and folder."""
    listed = {(node.provider, node.gpu, node.cooling): node.name for node in nodes if node.kind == "system"}

    def name(group: Group) -> str:
        found = listed.get((group.operator, group.gpu, group.cooling))
        return found or slug(group.operator, group.system, group.gpu.removeprefix("NVIDIA ").split(" ")[0])

    return name


def lines_csv(lines: Sequence[UtilisationLine]) -> str:
    """Return utilisation lines as CSV, figures at four digits or more."""
    rows = [
        {
            "id": line.id,
            "gpu": line.gpu,
            "gpus_per_node": line.gpus_per_node,
            "cooling": line.cooling,
            "workload": line.workload,
            "number_format": line.number_format,
            "u_definition": line.u_definition,
            "static_w": f"{line.static_w:.1f}",
            "static_w_se": f"{line.static_w_se:.1f}",
            "alpha": f"{line.alpha:.4f}",
            "alpha_se": f"{line.alpha_se:.4f}",
            "u_exponent": f"{line.u_exponent:.4f}",
            "pooled": "yes" if line.pooled else "no",
            "transfer_error": f"{line.transfer_error:.4f}",
            "fitted_on": "|".join(line.fitted_on),
            "runs": line.runs,
            "basis": "calibrated",
            **_cited(line.citation),
        }
        for line in lines
    ]
    return _csv(rows)


def pairs_csv(pairs: Sequence[MeasuredPair]) -> str:
    """Return metered pairs as CSV."""
    rows = [
        {
            "system": pair.system,
            "operator": pair.operator,
            "gpu": pair.gpu,
            "gpus_per_node": pair.gpus_per_node,
            "nodes": pair.nodes,
            "cooling": pair.cooling,
            "workload": pair.workload,
            "number_format": pair.number_format,
            "runs": pair.runs,
            "mean_node_w": f"{pair.mean_node_w:.1f}",
            "mean_node_w_cv": f"{pair.mean_node_w_cv:.5f}",
            "static_w": f"{pair.static_w:.1f}",
            "j_per_sample": _digits(pair.j_per_sample, ".5g"),
            "j_per_token": _digits(pair.j_per_token, ".5g"),
            "pj_per_flop": _digits(pair.pj_per_flop, ".5g"),
            "mfu": _digits(pair.mfu, ".4f"),
            "u": _digits(pair.u, ".4f"),
            "saturated_samples_per_s": _digits(pair.saturated_samples_per_s, ".6g"),
            "held_out_percent": _digits(pair.held_out_percent, ".2f"),
            "held_out_static_known_percent": _digits(pair.held_out_static_known_percent, ".2f"),
            "basis": "measured",
            **_cited(pair.citation),
        }
        for pair in pairs
    ]
    return _csv(rows)


def _cited(citation: Citation) -> dict[str, object]:
    return {"year": citation.year, "source": citation.source, "licence": citation.licence}


def _digits(value: float | None, how: str) -> str | None:
    return None if value is None else format(value, how)


def _csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
