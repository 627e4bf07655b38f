"""EcoCompute's Table 1, to the digit, with the constants that produce it, what they imply, and our range beside it."""

import msgspec

from ecoaudit.estimate.engine import estimate
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.estimate.result import Estimate
from ecoaudit.estimate.text import amount, lines, table
from ecoaudit.model.flops import Architecture
from ecoaudit.reference import Tables

# The table's own constants. Its 14e9 FLOP per token already are twice 7e9 parameters; times 6 makes 12 N D.
FLOP_PER_TOKEN = 14e9
PASSES = 6
TOKENS = 2e12
PEAK_FLOPS = 1979e12
EFFICIENCY = 1.0
USD_PER_GPU_HOUR = 3.50
KW_PER_GPU = 0.7
G_PER_KWH = 20.0

# What a LLaMA of 7 billion parameters really is: Table 2 of arXiv:2302.13971, sequence length of Llama 2.
NOMINAL_PARAMS = 7e9
LLAMA = Architecture(6.738e9, 32, 4096, 4096)
REACHABLE_MFU = (0.35, 0.50)

GPU = "H100 SXM"
REGION = "aws:eu-north-1"
GPUS = 64


class Implied(msgspec.Struct, frozen=True, kw_only=True):
    """The MFU that the table's time needs on the dense peak, for one way of counting the FLOPs."""

    counted: str
    flops: float
    mfu: float


class Reachable(msgspec.Struct, frozen=True, kw_only=True):
    """GPU-hours of the same work at 50 % and 35 % MFU, attention apart."""

    params: float
    low_gpu_hours: float
    high_gpu_hours: float


class PaperTable(msgspec.Struct, frozen=True, kw_only=True):
    """The reproduction: time, energy, carbon and cost of the table, what it implies, and the estimate beside it."""

    gpu_hours: float
    energy_kwh: float
    carbon_kg: float
    cost_usd: float
    implied: list[Implied]
    reachable: list[Reachable]
    ours: Estimate


def as_paper(tables: Tables) -> PaperTable:
    """Return Table 1 from its constants, with our estimate of the same run (its GPU, region and token count)."""
    gpu_hours = FLOP_PER_TOKEN * PASSES * TOKENS / (PEAK_FLOPS * EFFICIENCY) / 3600.0
    energy_kwh = gpu_hours * KW_PER_GPU
    dense = PEAK_FLOPS / 2.0
    counts = (
        ("6ND, N = 7e9", 6.0 * NOMINAL_PARAMS * TOKENS),
        ("6ND, N = 6.738e9 (LLaMA 7B)", 6.0 * LLAMA.params * TOKENS),
        ("6ND with causal attention, s = 4096", LLAMA.flops_per_token() * TOKENS),
    )
    return PaperTable(
        gpu_hours=gpu_hours,
        energy_kwh=energy_kwh,
        carbon_kg=energy_kwh * G_PER_KWH / 1000.0,
        cost_usd=gpu_hours * USD_PER_GPU_HOUR,
        implied=[
            Implied(counted=name, flops=flops, mfu=flops / (gpu_hours * 3600.0 * dense)) for name, flops in counts
        ],
        reachable=[
            Reachable(
                params=params,
                low_gpu_hours=6.0 * params * TOKENS / (REACHABLE_MFU[1] * dense * 3600.0),
                high_gpu_hours=6.0 * params * TOKENS / (REACHABLE_MFU[0] * dense * 3600.0),
            )
            for params in (NOMINAL_PARAMS, LLAMA.params)
        ],
        ours=estimate(EstimateRequest(model="llama2-7b", tokens=TOKENS, gpu=GPU, gpus=GPUS, region=REGION), tables),
    )


def paper_lines(found: PaperTable) -> list[str]:
    """Return the reproduction as lines of text."""
    rows = [
        ["GPU-hours", f"{found.gpu_hours:,.1f}", "14e9 FLOP/token x 6 x 2e12 tokens / (1979 TFLOP/s x 1.0)"],
        ["cost", f"${found.cost_usd:,.0f}", "$3.50 a GPU-hour"],
        ["energy", f"{found.energy_kwh:,.1f} kWh", "0.7 kW a GPU: boards at TDP, no host, no PUE"],
        ["carbon", f"{found.carbon_kg:.2f} kg CO₂e", "20 g CO₂e/kWh"],
    ]
    text = ["EcoCompute's Table 1 from its own constants", "", *table(["", "value", "from"], rows), ""]
    text.append("What it implies: 1979 TFLOP/s is the sparse peak; on the dense peak (half) the time needs an MFU of")
    text += [f"  {implied.mfu:6.1%}  {implied.counted}" for implied in found.implied]
    text.append("which is out of reach. At an MFU of 35 to 50 %, attention apart, the same tokens take")
    text += [
        f"  {reachable.low_gpu_hours / 1e3:.0f} to {reachable.high_gpu_hours / 1e3:.0f} thousand GPU-hours "
        f"at N = {reachable.params / 1e9:g}e9"
        for reachable in found.reachable
    ]
    hours = found.ours.gpu_hours
    text.append(
        f"and as published runs went, {amount(hours.low / 1e3)} to {amount(hours.high / 1e3)} thousand. The estimate:"
    )
    return [*text, "", *lines(found.ours)]
