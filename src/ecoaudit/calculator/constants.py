"""The engine's own constants, each with what it is and where it comes from, as the page uses and shows them."""

from typing import Any

from ecoaudit.estimate import engine, mfu, paper, power, work
from ecoaudit.model import carbon, flops, grounding, levels, utilisation
from ecoaudit.reference import place

_JUDGEMENT = "judgement, stated in docs/method.md"
_PAPER = "EcoCompute AI, Table 1 and the calculator that produced it"


def constants() -> dict[str, dict[str, Any]]:
    """Return value, meaning and source by name; a range is `[value, low, high]` (90 %)."""
    own = {"year": "2026", "licence": "own"}
    facts = {"licence": "facts"}
    found: dict[str, dict[str, Any]] = {}

    def add(name: str, value: object, what: str, source: str, **more: str) -> None:
        found[name] = {"value": value, "what": what, "source": source, "year": None, "licence": None, **more}

    add(
        "load_one_node",
        power.LOAD_ONE_NODE,
        "mean board power over TDP, one node that was never metered",
        _JUDGEMENT,
        **own,
    )
    add("load_several", power.LOAD_SEVERAL, "mean board power over TDP, several nodes never metered", _JUDGEMENT, **own)
    add("boards_of_node", power.BOARDS_OF_NODE, "the boards' part of a node's power", _JUDGEMENT, **own)
    add("u_one_node", utilisation.UNKNOWN_U_ONE_NODE, "utilisation of one node, not known", _JUDGEMENT, **own)
    add("u_several", utilisation.UNKNOWN_U_SEVERAL, "utilisation of several nodes, not known", _JUDGEMENT, **own)
    add("other_gpu", utilisation.OTHER_GPU, "error of the node line on a GPU never metered, 90 %", _JUDGEMENT, **own)
    add(
        "supply_efficiency",
        grounding.BUILT_UP_EFFICIENCY,
        "power supply efficiency",
        "80 PLUS Gold to Titanium levels",
        year="2026",
        licence="facts",
    )
    add("stated_host", grounding.STATED_HOST, "error of a stated host power, 90 %", _JUDGEMENT, **own)
    add("given_pue", place.GIVEN_PUE, "error of a stated PUE, 90 %", _JUDGEMENT, **own)
    add("given_intensity", place.GIVEN_INTENSITY, "error of a stated grid intensity, 90 %", _JUDGEMENT, **own)
    add(
        "attention_guess",
        work.ATTENTION_GUESS,
        "attention FLOPs where layers and hidden size are not known",
        _JUDGEMENT,
        **own,
    )
    add(
        "aspect_ratio",
        flops.ASPECT_RATIO,
        "hidden size over layers of dense decoders",
        "GPT-3 (arXiv:2005.14165) and LLaMA (arXiv:2302.13971)",
        year="2023",
        **facts,
    )
    add("default_sequence", work.DEFAULT_SEQUENCE, "sequence length where none is given", _JUDGEMENT, **own)
    add("life_years", carbon.LIFE_YEARS, "years of service of a board", _JUDGEMENT, **own)
    add("allocation", carbon.ALLOCATION, "share of its life that a board is allocated", _JUDGEMENT, **own)
    add("embodied_error", carbon.EMBODIED_ERROR, "error of a board's embodied carbon, 90 %", _JUDGEMENT, **own)
    add("hours_a_year", carbon.HOURS_A_YEAR, "hours a year", "365 x 24", **own)
    add(
        "small_model",
        mfu.SMALL_MODEL,
        "parameters below which MFU falls with size",
        "mosaicml/llm-foundry benchmarks",
        year="2024",
        licence="Apache-2.0",
    )
    add("unseen_gpu_sd", mfu.UNSEEN_GPU_SD, "extra spread of ln MFU without a published run", _JUDGEMENT, **own)
    add("mfu_limits", (mfu.LOWEST_MFU, mfu.HIGHEST_MFU), "lowest and highest MFU that is expected", _JUDGEMENT, **own)
    add(
        "bytes_a_parameter",
        engine.BYTES_A_PARAMETER,
        "bytes a parameter in training",
        "ZeRO, arXiv:1910.02054, section 3.1",
        year="2019",
        **facts,
    )
    add("j_per_kwh", levels.J_PER_KWH, "joules in a kilowatt-hour", "SI brochure, 9th edition", year="2019", **facts)
    add("labels", dict(levels.LABELS), "names of the levels of energy", "docs/method.md", **own)
    add(
        "total_labels",
        [carbon.OPERATIONAL_ONLY, carbon.WITH_BOARDS],
        "what a carbon total contains",
        "docs/method.md",
        **own,
    )
    table = {
        "flop_per_token": paper.FLOP_PER_TOKEN,
        "passes": paper.PASSES,
        "tokens": paper.TOKENS,
        "peak_flops": paper.PEAK_FLOPS,
        "efficiency": paper.EFFICIENCY,
        "usd_per_gpu_hour": paper.USD_PER_GPU_HOUR,
        "kw_per_gpu": paper.KW_PER_GPU,
        "g_per_kwh": paper.G_PER_KWH,
        "nominal_params": paper.NOMINAL_PARAMS,
        "llama": [paper.LLAMA.params, paper.LLAMA.layers, paper.LLAMA.hidden, paper.LLAMA.sequence],
        "reachable_mfu": paper.REACHABLE_MFU,
        "gpu": paper.GPU,
        "region": paper.REGION,
        "gpus": paper.GPUS,
    }
    add("paper", table, "the constants behind Table 1", _PAPER, year="2026", **facts)
    return found
