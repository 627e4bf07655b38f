"""What a log tells of a mixture of experts: its FLOPs do not follow from the number of its parameters."""

from typing import Any

import numpy as np

from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.training.steps import Steps


def mixture_facts(
    steps: Steps,
    tflops: list[float],
    devices: float | None,
    params: float | None,
    account: Account,
    *,
    active: float | None = None,
) -> dict[str, Any]:
    """Return parameters and FLOPs of a mixture of experts; `tflops` is the model's TFLOP/s a device at each step.

    `active` is how many parameters a token passes through, where the log tells it.
    The FLOPs are those of the steps, each once. Without them the parameters are left out too, with a warning: a token
    passes through a few experts only, so that six times all parameters would be many times too much.
    """
    work = np.array(tflops) * np.array(steps.duration_s) if len(tflops) == len(steps) else np.array([])
    known = work[np.isfinite(work) & (work > 0)]
    if len(known):
        if not devices:  # the rate tells, once telemetry tells how many devices there were
            return {"params": None}
        return {"params": params, "flops": float(known.mean()) * 1e12 * devices * steps.count(), "flops_kind": "model"}
    told = f": {active:.0f} by the log" if active else ""
    account.warn(
        "the model is a mixture of experts: its FLOPs follow neither from the log nor from all of its parameters; "
        f"state those that a token passes through (model.active_params{told})"
    )
    return {"params": None}


def over_time(rates: list[float], seconds: list[float]) -> float | None:
    """Return the mean rate over the time of all lines but the first, which compiles and loads."""
    known = [(r, d) for r, d in zip(rates, seconds, strict=True) if np.isfinite(r * d)]
    spent = known[1:] or known
    time_s = sum(d for _, d in spent)
    return float(sum(r * d for r, d in spent) / time_s) if time_s else None
