"""What others say the run used, beside what this audit finds: never a headline, always with the ratio.

Two tellers: tools that report an energy of their own (CodeCarbon), and training logs that print a GPU's joules a step
(Megatron-LM's `--log-energy`, NVML's counter averaged over the ranks).
"""

import numpy as np

from ecoaudit.ingest.records import ReportedEnergy, RunLogs, TrainingLog
from ecoaudit.model.audit import Finding
from ecoaudit.model.levels import J_PER_KWH, Figure, Ledger
from ecoaudit.model.notes import Notes
from ecoaudit.model.timeline import Cuts
from ecoaudit.model.windows import RunTime
from ecoaudit.quantity import Boundary, percent

APART = 0.03
"""Two readings of the same GPUs' energy that differ by more are worth a warning; NVML itself is good to about 5 %."""
OTHER_SPAN = 0.05
"""Times that differ by more than this share are not the same span."""


def reported_energy(
    logs: RunLogs, ledger: Ledger, cuts: Cuts | None, time: RunTime, training: TrainingLog | None, notes: Notes
) -> list[Finding]:
    """Return one remark for each figure that others give, set against this audit's at the nearest boundary.

    Where the inputs hold nothing else to find an energy by, the figure stands in a warning beside the null.
    """
    own = {log.source.path for log in logs.telemetry}
    for claim in logs.reported:
        if claim.source.path not in own:  # else the telemetry of the same file brings its warnings
            for text in claim.quality.warnings:
                notes.warn(text)
            if claim.quality.bad_lines:
                notes.warn(f"{_name(claim)}: {claim.quality.bad_lines} lines could not be read")
    found = [_claim(claim, ledger, time, notes, circular=claim.source.path in own) for claim in logs.reported]
    logged = _logged(training, ledger, cuts, notes) if training is not None else None
    return [*found, logged] if logged is not None else found


def _claim(claim: ReportedEnergy, ledger: Ledger, time: RunTime, notes: Notes, *, circular: bool) -> Finding:
    parts = (("GPU", claim.gpu_kwh), ("CPU", claim.cpu_kwh), ("memory", claim.ram_kwh))
    split = ", ".join(f"{name} {_energy(kwh)}" for name, kwh in parts if kwh is not None)
    boundary = f"its own model of the machine{f': {split}' if split else ''}"
    title = f"{claim.tool} reported {_energy(claim.energy_kwh)}" + (f" in {claim.runs} runs" if claim.runs > 1 else "")
    said = f"{_name(claim)}, boundary: {boundary}"
    against = _against(claim, ledger, circular=circular)
    if not against and not circular:
        notes.warn(f"{title} ({said}): the only energy in the inputs; no figure of this audit rests on it")
        against = ["nothing else in the inputs tells an energy to compare with"]
    if circular:
        against.append("L2 is the same file's GPU energy: a comparison of the two would prove nothing")
    span = claim.end_s - claim.start_s if claim.start_s is not None and claim.end_s is not None else None
    if span and time.duration_s and abs(span - time.duration_s) > OTHER_SPAN * time.duration_s:
        against.append(f"it covers {span:.0f} s, this audit's job {time.duration_s:.0f} s")
    return Finding(
        id="reported-energy",
        title=title,
        severity="info",
        evidence=f"{said}; {'; '.join(against)}",
        advice="Quote the figure with its boundary: a tool's model of CPU and memory is not a reading at the node.",
    )


def _against(claim: ReportedEnergy, ledger: Ledger, *, circular: bool) -> list[str]:
    """Return the comparisons that compare like with like: GPUs with L2, the machine with the meter, else with L3."""
    out = []
    job = ledger.everything
    boards = ledger.at("L2", Boundary.GPU, job)
    if boards is not None and not circular:
        kwh = boards.joules.value / J_PER_KWH
        if claim.gpu_kwh is not None:
            out.append(
                f"this audit's L2 (GPU boards) is {_energy(kwh)}, {_ratio(claim.gpu_kwh, kwh)} the tool's GPU figure"
            )
        else:
            out.append(
                f"this audit's L2 (GPU boards) is {_energy(kwh)}, {_ratio(claim.energy_kwh, kwh)} the tool's total"
            )
    node = _node(ledger)
    if node is not None:
        kwh = node.joules.value / J_PER_KWH
        out.append(
            f"this audit's {node.level} at the node is {_energy(kwh)}, {_ratio(claim.energy_kwh, kwh)} the tool's total"
        )
    return out


def _energy(kwh: float) -> str:
    return f"{kwh:.4g} kWh" if kwh >= 1e-3 or kwh == 0 else f"{kwh * 1e6:.4g} mWh"


def _name(claim: ReportedEnergy) -> str:
    """Return the file's name without its folder: reports are published."""
    return claim.source.path.replace("\\", "/").rpartition("/")[2]


def _node(ledger: Ledger) -> Figure | None:
    job = ledger.everything
    return ledger.at("measured", Boundary.NODE, job) or ledger.at("L3", Boundary.NODE, job)


def _ratio(claimed: float, ours: float) -> str:
    return f"{ours / claimed:.3g} times" if claimed > 0 else "which cannot be put in a ratio to"


def _logged(training: TrainingLog, ledger: Ledger, cuts: Cuts | None, notes: Notes) -> Finding | None:
    """Set the joules a step that the training log gives for a GPU against the telemetry's, else tell their sum."""
    joules = training.gpu_energy_j_per_step
    if joules is None or not np.isfinite(joules).any() or not training.step_count:
        return None
    per_step = float(np.nanmean(joules))
    steps = training.step_count + training.rework_steps
    said = f"{training.framework} logged {per_step:.5g} J a step and GPU (NVML counter, mean over the ranks)"
    gpus = ledger.system.gpu_count
    boards = None
    if cuts is not None and gpus:
        # Megatron stops its energy timer for evaluation and checkpoints.
        within = cuts.in_training & ~cuts.phase("eval") & ~cuts.phase("checkpoint")
        boards = ledger.at("L2", Boundary.GPU, within)
    if boards is None or not gpus:
        known = training.world_size
        total = (
            f"; times {steps} steps and {known} GPUs {per_step * steps * known / J_PER_KWH:.4g} kWh" if known else ""
        )
        return Finding(
            id="logged-energy",
            title="The training log gives GPU energy",
            severity="info",
            evidence=f"{said}{total}: GPU boards only, steps only; no telemetry to check it against",
            advice="Record the run (`ecoaudit record`): the log's energy leaves out the time between the steps.",
        )
    ours = boards.joules.value / gpus / steps
    apart = ours / per_step - 1.0 if per_step > 0 else float("inf")
    evidence = f"{said}; the telemetry's is {ours:.5g} J in the training window, {percent(apart, 1, signed=True)}"
    if abs(apart) > APART:
        notes.warn(
            f"{evidence}: more than {percent(APART)} apart; telemetry and log may be of other GPUs or another span, or "
            "time passed between the steps"
        )
    return Finding(
        id="logged-energy",
        title="The training log's GPU energy beside the telemetry's",
        severity="warning" if abs(apart) > APART else "info",
        evidence=evidence,
        advice="Two readings of one counter agree within a few percent; look into a larger difference first.",
    )
