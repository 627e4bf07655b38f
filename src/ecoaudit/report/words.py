"""The report's fixed words: levels, boundaries, bases, outcomes. All trusted text lives here and in the templates."""

from ecoaudit.judge.verdict import Outcome, Verdict
from ecoaudit.model.audit import Headline, LevelName
from ecoaudit.quantity import Basis, Boundary

NOT_KNOWN = "not known"

LEVEL_NAMES: dict[LevelName, str] = {
    "L1": "L1 static (TDP × time)",
    "L2": "L2 telemetry",
    "L3": "L3 grounded",
    "measured": "Measured",
}
LEVEL_SHORT: dict[LevelName, str] = {"L1": "level L1", "L2": "level L2", "L3": "level L3", "measured": "metered"}

BOUNDARY_NAMES = {
    Boundary.GPU: "GPU boards",
    Boundary.NODE: "node (AC)",
    Boundary.FACILITY: "facility",
}
BOUNDARY_MEANINGS = {
    Boundary.GPU: "the GPU boards alone, without host, fans, power supplies, network and cooling",
    Boundary.NODE: "the whole nodes at the wall (AC), without network and cooling",
    Boundary.FACILITY: "nodes and, where known, network, times the PUE of the data centre",
}
BASIS_MEANINGS = {
    Basis.MEASURED: "read from a meter or counter of this run",
    Basis.CALIBRATED: "computed with coefficients fitted on metered runs of the same hardware",
    Basis.MODELLED: "computed from this run's readings with published or fitted coefficients",
    Basis.ASSUMED: "taken from a table or a stated default, not from this run",
}

OUTCOME_ICONS = {Outcome.PASS: "✅", Outcome.INCONCLUSIVE: "❔", Outcome.WARN: "⚠️", Outcome.FAIL: "❌"}
OUTCOME_NAMES = {
    Outcome.PASS: "Pass",
    Outcome.INCONCLUSIVE: "Inconclusive",
    Outcome.WARN: "Warning",
    Outcome.FAIL: "Fail",
}
NOT_JUDGED = "Not judged"
NOT_JUDGED_ICON = "ℹ️"
SEVERITY_ICONS = {"info": "ℹ️", "warning": "⚠️", "critical": "❗"}
SEVERITY_NAMES = {"info": "note", "warning": "warning", "critical": "critical"}

METRIC_NAMES = {
    "carbon_kg": "Carbon",
    "energy_kwh": "Energy",
    "cost_usd": "Cost",
    "j_per_token": "Energy per token",
    "j_per_sample": "Energy per sample",
    "j_per_step": "Energy per step",
    "mean_power_w": "Mean power",
    "intensity": "Grid intensity",
    "method": "Headline over compared energy",
    "workload": "Workload",
}
COMPARED_AT = {"cost_usd": "this run's price", "intensity": "grid zone"}
"""What a difference without level and boundary holds equal, or belongs to."""


def verdict_name(verdict: Verdict) -> str:
    """Return the verdict in a word; a run that was held against no limit is not judged, though it passes."""
    return OUTCOME_NAMES[verdict.outcome] if verdict.judged else NOT_JUDGED


def icon(outcome: Outcome, *, judged: bool) -> str:
    """Return the sign of an outcome, a neutral one where nothing was judged."""
    return OUTCOME_ICONS[outcome] if judged else NOT_JUDGED_ICON


def sentence(text: str) -> str:
    """Return `text` with a capital letter in front."""
    return text[:1].upper() + text[1:]


def metric_name(metric: str) -> str:
    """Return a metric's name for a reader; one not listed reads as its key with spaces."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def bar_label(level: str, boundary: str) -> str:
    """Return a level and a boundary, both as named here, in a word each: `L3 node`, `meter facility`."""
    short = "meter" if level == LEVEL_NAMES["measured"] else level.split(" ", 1)[0]
    return f"{short} {boundary.split(' ', 1)[0]}"


def headline_label(headline: Headline) -> str:
    """Return what must stand beside a headline figure so that its boundary cannot be mistaken."""
    if headline.boundary == Boundary.GPU:
        return "TDP figure" if headline.level == "L1" else "GPU boards only, lower bound"
    return f"{BOUNDARY_NAMES[headline.boundary]}, {LEVEL_SHORT[headline.level]}"


def distance(commits: int) -> str:
    """Return how far the baseline's commit is from the base of this run."""
    if commits == 0:
        return "the base commit itself"
    return f"{commits:,} commit{'' if commits == 1 else 's'} before the base commit"
