"""Energy per unit of work in the training window, MFU, and how both stand beside metered published runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model.audit import Efficiency, EfficiencyReference
from ecoaudit.model.flops import Work, logged_flops, workload_of
from ecoaudit.model.hardware import System
from ecoaudit.model.levels import J_PER_KWH, Figure
from ecoaudit.model.notes import Notes
from ecoaudit.model.uncertainty import Z90, Uncertain, exact, relative
from ecoaudit.quantity import Basis, Boundary, Quantity, percent
from ecoaudit.reference.types import MeasuredPair

PJ = 1e12
MOST_MFU = 1.0
"""No run computes more than its GPUs' dense peak."""
NO_PEAK = "the GPU's dense peak or the duration is not known"


@dataclass(frozen=True, slots=True)
class Reference:
    """A metered published run to stand beside: its figures and whether the two may be ranked."""

    pair: MeasuredPair
    pj_per_flop: Uncertain
    ranked: bool


def number_format(precision: str | None) -> str | None:
    """Return the table's name of the number format a log names, None if it names none."""
    name = (precision or "").lower()
    if "fp8" in name:
        return "fp8"
    if "fp4" in name:
        return "fp4"
    if "bf16" in name or "bfloat16" in name:
        return "bf16"
    if "fp16" in name or "float16" in name:
        return "fp16"
    return "tf32" if "tf32" in name or "fp32" in name or "float32" in name else None


def find_reference(
    system: System, training: TrainingLog | None, pairs: Sequence[MeasuredPair], *, lora: bool = False
) -> Reference | None:
    """Return the reference by this rule: same GPU; same workload if metered, else the same kind (full training, or
    LoRA as the workload or the user says); of these, else of any kind, the fewest joules per FLOP.

    It is ranked when kind and number format agree, or the workload where the run names no format; else only shown.
    """
    gpu = system.gpu.name if system.gpu else None
    workload = workload_of(training)
    candidates = [p for p in pairs if p.gpu == gpu and p.pj_per_flop is not None]
    same = [p for p in candidates if p.workload == workload]
    lora = lora or "lora" in (workload or "")
    kind = [p for p in candidates if ("lora" in p.workload) == lora]
    chosen = min(same or kind or candidates, key=lambda p: p.pj_per_flop or 0.0, default=None)
    if chosen is None or chosen.pj_per_flop is None:
        return None
    run_format = number_format(training.precision) if training else None
    agrees = run_format is not None and run_format == chosen.number_format
    width = max(0.01, Z90 * chosen.mean_node_w_cv)
    return Reference(
        chosen,
        exact(chosen.pj_per_flop) * relative(f"reference {chosen.system} {chosen.workload} {chosen.nodes}", width),
        ranked=(agrees and chosen in (same or kind)) or (run_format is None and chosen.workload == workload),
    )


def efficiency(
    figure: Figure | None,
    training: TrainingLog | None,
    work: Work | None,
    reference: Reference | None,
    notes: Notes,
    mismatch: str | None = None,
) -> Efficiency:
    """Return J per token, sample and step and pJ per FLOP of `figure`, the training window's energy.

    `mismatch` says why the log's work is not what `figure` was used for: then all of them are null.
    """
    if figure is None or training is None or work is None:
        notes.null("efficiency", "no training log" if training is None else "no energy of the training window")
        return Efficiency()
    if mismatch is not None:
        for key in ("j_per_token", "j_per_sample", "j_per_step", "pj_per_flop", "ratio_to_reference"):
            notes.null(f"efficiency.{key}", mismatch)
        return Efficiency(boundary=figure.boundary)
    joules = figure.joules

    def per(count: float | None, unit: str, key: str) -> Quantity | None:
        if not count:
            why = f"the training log does not tell how many {key.removeprefix('j_per_')}s"
            length = key == "j_per_token" and training.samples is not None and training.tokens_per_sample is None
            notes.null(f"efficiency.{key}", f"{why}; give --sequence-length" if length else why)
            return None
        return (joules / count).quantity(unit, figure.basis, f"{figure.source}, training window")

    pj = joules * PJ / work.flops if work.flops is not None else None
    if pj is None:
        notes.null("efficiency.pj_per_flop", work.source)
    at_node = figure.boundary is Boundary.NODE
    shown = _shown(reference, work) if reference is not None and at_node else None
    ratio = None
    if reference is None or not at_node or pj is None:
        why = "no metered run of this GPU" if reference is None else "energy is not at the node boundary, or no FLOPs"
        notes.null("efficiency.ratio_to_reference", why)
    elif not reference.ranked:
        notes.null("efficiency.ratio_to_reference", _why_not_ranked(reference, training))
    else:
        ratio = (pj / reference.pj_per_flop).quantity(
            "1", Basis.MODELLED, "pJ per model FLOP of the run over the reference"
        )
    return Efficiency(
        boundary=figure.boundary,
        j_per_token=per(work.tokens, "J/token", "j_per_token"),
        j_per_sample=per(training.samples, "J/sample", "j_per_sample"),
        j_per_step=per(training.step_count, "J/step", "j_per_step"),
        pj_per_flop=pj.quantity("pJ/FLOP", figure.basis, f"{figure.source}; FLOPs: {work.source}") if pj else None,
        reference=shown,
        ratio_to_reference=ratio,
    )


def _why_not_ranked(reference: Reference, training: TrainingLog) -> str:
    own, theirs = number_format(training.precision), reference.pair.number_format
    if own is not None and own == theirs:
        return f"the reference is {reference.pair.workload}, another kind of training: shown, not ranked"
    return f"the reference computes in {theirs}, this run in {own or 'an unknown number format'}: shown, not ranked"


def _shown(reference: Reference, work: Work) -> EfficiencyReference:
    pair, source = reference.pair, reference.pair.citation.source
    per_token = work.flops_per_token
    return EfficiencyReference(
        name=f"{pair.workload} on {pair.nodes} × {pair.gpus_per_node} {pair.gpu} ({pair.operator})",
        format=pair.number_format or "unknown",
        pj_per_flop=reference.pj_per_flop.quantity("pJ/FLOP", Basis.MEASURED, source),
        j_per_token=(reference.pj_per_flop * (per_token / PJ)).quantity(
            "J/token", Basis.MODELLED, f"{source}; × this run's FLOPs per token"
        )
        if per_token
        else None,
        energy=(reference.pj_per_flop * work.flops / (PJ * J_PER_KWH)).quantity(
            "kWh",
            Basis.MODELLED,
            f"this run's model FLOPs at the pJ/FLOP of {source}; {pair.number_format or 'unknown'}",
        )
        if work.flops is not None
        else None,
        mfu=Quantity.exact(pair.mfu, "1", Basis.MEASURED, f"{source}; against the dense BF16 peak")
        if pair.mfu
        else None,
    )


def mfu(training: TrainingLog, work: Work, system: System, duration_s: float | None, notes: Notes) -> Quantity | None:
    """Return model FLOPs utilisation of the training window: model FLOPs over time x GPUs x dense peak.

    The peak is that of the run's number format; where the log names none, the BF16 peak, which is said in the source.
    """
    found = _peak(training, system)
    if work.flops is None or found is None or not duration_s:
        why = system.lacking or NO_PEAK
        notes.null("training.mfu", work.source if work.flops is None else why)
        return None
    peak, whose = found
    share = work.flops / (duration_s * peak)
    if share.value > MOST_MFU:
        why = (
            f"it would be {percent(share.value)} of the {whose}: the GPU, the number format, the model's size or the "
            "times are not this run's"
        )
        notes.null("training.mfu", why)
        notes.warn(f"MFU is not known: {why}", grave=True)
        return None
    return share.quantity("1", Basis.MODELLED, f"{work.source}; {whose}")


def hfu(training: TrainingLog, system: System, duration_s: float | None, notes: Notes) -> Quantity | None:
    """Return hardware FLOPs utilisation where the log counts recomputed FLOPs too; it is never below MFU."""
    found = _peak(training, system)
    flops = logged_flops(training, system.allocated)
    if flops is None or training.flops_kind != "hardware":
        notes.null("training.hfu", "the training log does not count recomputed FLOPs")
        return None
    if found is None or not duration_s:
        notes.null("training.hfu", system.lacking or NO_PEAK)
        return None
    peak, whose = found
    value = flops / (duration_s * peak)
    return Quantity.exact(value, "1", Basis.MODELLED, f"counted with recomputation by {training.framework}; {whose}")


def _peak(training: TrainingLog, system: System) -> tuple[float, str] | None:
    """Return the dense peak of all GPUs in FLOP/s with its description, None where it is not known."""
    gpu = system.gpu
    if gpu is None or not system.allocated:
        return None
    named = number_format(training.precision)
    used = named if named and named in gpu.dense_tflops else "bf16" if "bf16" in gpu.dense_tflops else "fp16"
    peak = gpu.dense_tflops.get(used)
    if not peak:
        return None
    unnamed = "" if named else " (the log names no number format)"
    return peak * 1e12 * system.allocated, f"{used} dense peak {peak:g} TFLOP/s{unnamed}"
