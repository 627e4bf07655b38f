"""What wasted energy in this run, computed from it: each with evidence and the saving in kWh, kgCO2e and money.

A saving is the headline energy of the time that could go, at the headline's boundary; where only a part of it can go,
that part is a named factor. Where the logs do not tell, nothing is made up. The rules are in `waste` and `load`.
"""

from collections.abc import Callable
from typing import Literal

from ecoaudit.model import load, waste
from ecoaudit.model.audit import Finding
from ecoaudit.model.facts import Candidate, RunFacts
from ecoaudit.model.levels import J_PER_KWH, Figure
from ecoaudit.quantity import Basis

WORTH = 0.01
"""A saving below this share of the job's energy is not reported."""
WARNING, CRITICAL = 0.03, 0.15
"""Shares of the job's energy from which a finding is a warning, and critical."""


def findings(facts: RunFacts) -> list[Finding]:
    """Return the findings, largest saving first; none is made up where the logs do not tell."""
    job = facts.job
    if job is None or job.joules.value <= 0:
        return []
    rules: tuple[Callable[[RunFacts], Candidate | None], ...] = (
        waste.idle_ends,
        waste.stalls,
        waste.evaluation,
        waste.checkpoints,
        waste.rework,
        waste.dips,
        load.unused,
        load.stragglers,
        load.low_load,
        load.beside_reference,
    )
    found = [f for rule in rules if (f := rule(facts)) is not None]
    worth = [f for f in found if f.joules is None or f.joules.value >= WORTH * job.joules.value]
    worth.sort(key=lambda f: -(f.joules.value if f.joules is not None else 0.0))
    return [_priced(f, facts, job) for f in worth]


def _priced(found: Candidate, facts: RunFacts, job: Figure) -> Finding:
    joules = found.joules
    share = joules.value / job.joules.value if joules is not None else 0.0
    severity: Literal["info", "warning", "critical"] = "info"
    if not found.remark:
        severity = "critical" if share >= CRITICAL else "warning" if share >= WARNING else "info"
    source = f"{found.title.lower()}, at {job.level}, boundary {job.boundary.value}"
    kwh = joules / J_PER_KWH if joules is not None else None
    kg = kwh * facts.intensity / 1000.0 if kwh is not None and facts.intensity is not None else None
    usd = None
    if facts.usd_per_gpu_hour is not None and facts.ledger.system.allocated and found.seconds > 0:
        usd = facts.usd_per_gpu_hour * (facts.ledger.system.allocated * found.seconds / 3600.0)
    return Finding(
        id=found.id,
        title=found.title,
        severity=severity,
        evidence=found.evidence,
        saving_kwh=kwh.quantity("kWh", Basis.MODELLED, source) if kwh is not None else None,
        saving_kgco2e=kg.quantity("kgCO2e", Basis.MODELLED, source) if kg is not None else None,
        saving_usd=usd.quantity("USD", Basis.MODELLED, f"{source}; GPU-hours × price") if usd is not None else None,
        advice=found.advice,
    )
