"""How fast others trained on the same GPU: published results without power, which say what MFU is within reach."""

import math
from collections.abc import Sequence

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model.audit import ThroughputReference
from ecoaudit.model.flops import workload_of
from ecoaudit.model.hardware import System
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Basis, Quantity
from ecoaudit.reference.types import Throughput

FORMAT = "not in the results: FP8 as a rule, partly FP4 from 2025"


def find_throughput(
    system: System, training: TrainingLog | None, results: Sequence[Throughput], notes: Notes, *, lora: bool
) -> ThroughputReference | None:
    """Return the published result by this rule: same GPU; same workload, else the same kind (full training or LoRA);
    of these the one nearest in the number of GPUs, on a logarithmic scale, and of equals the faster.

    None without a training log or where nothing of this GPU and kind is published. MFU is against the dense BF16 peak,
    so that results stand beside each other; in FP8 it may come near 1 or above.
    """
    gpu, count = system.gpu, system.gpu_count
    if gpu is None or not count or training is None:
        return None
    workload = workload_of(training)
    lora = lora or "lora" in (workload or "")
    candidates = [r for r in results if r.gpu == gpu.name]
    fitting = [r for r in candidates if r.workload == workload] or [
        r for r in candidates if ("lora" in r.workload) == lora
    ]
    if not fitting:
        return None
    found = min(fitting, key=lambda r: (abs(math.log(r.gpu_count / count)), -r.tflops_per_gpu))
    source = found.citation.source
    notes.cite("published throughput", f"{found.tflops_per_gpu:g} model TFLOP/s a GPU", found.citation)
    peak = gpu.dense_tflops.get("bf16")
    return ThroughputReference(
        name=f"{found.workload} on {found.gpu_count} × {gpu.name} ({found.submitter}, {found.round})",
        format=FORMAT,
        tflops_per_gpu=Quantity.exact(found.tflops_per_gpu, "TFLOP/s", Basis.MEASURED, source),
        mfu=Quantity.exact(found.tflops_per_gpu / peak, "1", Basis.MODELLED, f"{source}; against the dense BF16 peak")
        if peak
        else None,
    )
