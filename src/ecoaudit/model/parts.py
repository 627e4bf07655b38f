"""The job's energy in parts: by phase, and by stretches of steps."""

import numpy as np

from ecoaudit.model.audit import PhaseEnergy, StepEnergy
from ecoaudit.model.levels import Ledger
from ecoaudit.model.timeline import Cuts
from ecoaudit.model.windows import RunTime

AROUND = ("before training", "after training")
WORTH_TELLING = 0.01
"""A log that names no phase has only time around its training, told where it is at least this share of the job."""


def phase_energies(ledger: Ledger, cuts: Cuts | None, time: RunTime) -> list[PhaseEnergy]:
    """Return the headline's energy by phase name; the parts add up to it.

    Time that no phase names is training inside the training window, unless phases named training themselves, and
    before or after it the idle and the loading around the run.
    """
    window = time.training
    if cuts is None:
        return []
    names = list(dict.fromkeys(phase.name for phase in cuts.phases))
    masks = {name: cuts.phase(name) for name in names}
    rest = cuts.phase_of < 0
    inside = "other" if "train" in names else "train"
    parts_of_rest = {inside: rest & cuts.in_training}
    if window is not None:
        before, after = cuts.between(-np.inf, window.start_s), cuts.between(window.end_s, np.inf)
        parts_of_rest |= {AROUND[0]: rest & before, AROUND[1]: rest & after}
    for name, mask in parts_of_rest.items():
        if float(cuts.seconds[mask].sum()) > 0:
            masks[name] = mask | masks.get(name, np.zeros_like(mask))
    around_s = sum(float(cuts.seconds[parts_of_rest[name]].sum()) for name in AROUND if name in parts_of_rest)
    if not cuts.phases and around_s < WORTH_TELLING * float(cuts.seconds.sum()):
        return []
    parts = []
    for name, mask in masks.items():
        figure = ledger.best(mask)
        if figure is not None:
            seconds = float(cuts.seconds[mask].sum())
            parts.append(PhaseEnergy(name=name, duration_s=seconds, energy=figure.kwh(), boundary=figure.boundary))
    return parts


def step_energies(ledger: Ledger, cuts: Cuts | None, time: RunTime) -> list[StepEnergy]:
    """Return the energy of the steps by stretches of them, at the boundary of the efficiency figures."""
    job = time.job
    if cuts is None or job is None:
        return []
    parts = []
    for steps in time.steps:
        figure = ledger.best_inside(cuts.between(steps.start_s, steps.end_s))
        if figure is None:
            continue
        per_token = figure.joules / steps.tokens if steps.tokens else None
        parts.append(
            StepEnergy(
                first_step=steps.first_step,
                last_step=steps.last_step,
                t_s=round(steps.start_s - job.start_s, 3),
                duration_s=steps.end_s - steps.start_s,
                energy=figure.kwh(),
                boundary=figure.boundary,
                tokens=steps.tokens,
                j_per_token=per_token.quantity("J/token", figure.basis, figure.source) if per_token else None,
                rework=steps.rework,
            )
        )
    return parts
