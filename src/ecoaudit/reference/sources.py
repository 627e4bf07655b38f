"""The page of sources: every table of the package with where its rows come from, as Markdown."""

import re
from collections import Counter

from ecoaudit.reference import rows

# Table, title, what one row is, and what a reader must know before using it.
TABLES = (
    (
        "gpus",
        "GPUs",
        "one board: power, idle power, memory, dense peaks by number format, embodied carbon",
        "Peaks are dense, 16-bit tensor formats with FP32 accumulation; advertised sparse figures are twice as high. "
        "`tdp_w` is the board's limit out of the box; sites lower it, so the limit that NVML reports goes before it. "
        "`idle_w` is without a CUDA context; with one, an H100 SXM draws 112 to 117 W instead of 67 to 73 W. Embodied "
        "carbon is cradle to gate for the baseboard's share of a GPU; host, network and buildings are not in it.",
    ),
    (
        "grid",
        "Grid intensity",
        "one annual average in g CO₂e/kWh of a zone, on one basis",
        "`lifecycle` (plants built, fuelled and run; Ember, ENTSO-E x lifecycle factors), `direct` (at the stack; "
        "Google, EPA eGRID, China MEE) and `marginal` are three quantities that differ by up to thirteen times on "
        "clean grids; they are labelled and never mixed. No marginal figure is in the table. Zone codes are ISO 3166-1 "
        "and ISO 3166-2, national bidding zones (`SE-SE3`), US balancing areas under their EIA codes (`US-PJM`), and "
        "the operators' region names for Brazil, India, Italy and Japan. `for_regions` marks the figures that cloud "
        "regions use: the country where it is one market, else the zone; the Nordic bidding zones' figures cover only "
        "part of the plants, so there the country stands in with a wider interval.",
    ),
    (
        "regions",
        "Cloud regions",
        "one region of a provider: place, country, grid zone, and what the provider claims after certificates",
        "The zone is assigned from the region's public place. Inside a US state several balancing areas may meet, so "
        "an assignment can be wrong for one site; the country's figures travel along as alternatives. Hourly and "
        "annual matching are different claims and never enter a location-based figure.",
    ),
    (
        "pue",
        "PUE",
        "the PUE of a site, of a provider's fleet, or of a survey (`*`)",
        "A site's figure of the same year is taken as ±5 %, a provider's average or a design value as ±10 %, an "
        "unknown site as 1.1 to 1.8 around the survey's mean.",
    ),
    (
        "gpu_prices",
        "GPU prices",
        "an on-demand list price in USD for one GPU and hour, dated",
        "List prices, without commitments, spot or negotiated rates. Rows that price the GPU without its host, that "
        "were derived, or that no dated list confirms are left out.",
    ),
    (
        "nodes",
        "Nodes",
        "a server, rack or cloud instance with its GPUs and, where published, its maximum power",
        "Maximum power is a name plate unless the basis is `measured`; training draws 70 to 78 % of a DGX name plate. "
        "No cloud publishes the power of its instances.",
    ),
    (
        "coefficients",
        "Node power lines",
        "a line `P_node = static_w + alpha x N x TDP x u ^ u_exponent` fitted on published meter logs, AC",
        "The definition of u and the number format belong to the key: alpha for u = 1 on a saturated node is not alpha "
        "for u = MFU. `static_w` is the node with the job resident and its GPUs waiting. Written by `ecoaudit "
        "calibrate --tables`; `transfer_error` is what the line was off on systems it had not seen.",
    ),
    (
        "mlperf_runs",
        "Metered runs",
        "the power logs of one MLPerf run at one boundary, reduced to what the fits need, with their path and commit",
        "Written by `ecoaudit calibrate --tables`; every coefficient and held-out test can be repeated from it. "
        "`excluded` says why a run is left out of the fits, `notes` what was wrong with its logs and handled.",
    ),
    (
        "mlperf_pairs",
        "Metered groups",
        "mean node power and energy per sample, token and model FLOP of a (system, workload, nodes) group, AC",
        "Nodes only: switches and PUE are not in it. These figures are derived and are not MLPerf metrics.",
    ),
    (
        "power_priors",
        "Node power priors",
        "the slope and intercept of `P_node = host_w + alpha x (sum of GPU power)` with their 90 % range",
        "No public log has both GPU and wall power of such nodes, so these are judgements and say so.",
    ),
    (
        "training_runs",
        "Published training runs",
        "one run as its authors report it: parameters, tokens, GPUs, GPU-hours, energy",
        "`energy_basis` says how the authors came to their energy. Hours x TDP is arithmetic, not a measurement: such "
        "rows validate training time and never a power model. `read_from` is `primary` where the cited text itself was "
        "read, `quotation` where public repositories quote it.",
    ),
    (
        "models",
        "Model presets",
        "a known model: parameters, layers, hidden size, sequence length, tokens",
        "`params_b` counts every weight, `active_params_b` those that a token passes through, without the look-up of "
        "the input embedding.",
    ),
    (
        "mlperf_throughput",
        "Published training results",
        "the fastest result of a language model on so many GPUs of a kind, with its model FLOP/s",
        "Samples a second from run_start to run_stop, evaluation included, median over runs; model FLOPs 6N + 6Lhs a "
        "token (LoRA 4N), causal attention, no recompute. Number formats are not in the results: FP8 as a rule, partly "
        "FP4 from 2025, so MFU against the BF16 peak may exceed 1. Shown beside a run, never ranked.",
    ),
    (
        "mfu_benchmarks",
        "Throughput benchmarks",
        "MFU of one software for a model size, sequence length, GPU and number format",
        "Minutes of steady training, so the level is higher than that of whole runs; only ratios (GPU to GPU, size to "
        "size, format to format) are used. Published with full attention, converted to causal attention.",
    ),
)

LIVE = """## Live providers

Nothing of these is shipped; they are asked only when the user names one (`--grid-provider`), and the audit's provenance
says what they answered.

| provider | gives | terms |
| --- | --- | --- |
| Electricity Maps API v3 | hourly, consumption-based, lifecycle or direct; some hours estimated, which is said | their terms of use, token; free tier not for commercial use |
| NESO Carbon Intensity API | half-hourly, Great Britain, direct; forecasts where nothing was observed, which is said | CC-BY-4.0 |
| any server with a CSV or JSON series | what it says | its own |"""  # noqa: E501  (rows of a table)

_REGION = re.compile(r"(?<=region-carbon-info) \([a-z0-9-]+\)")


def markdown() -> str:
    """Return docs/sources.md."""
    parts = [
        "# Sources",
        "Every figure that the package ships, by table. Each row of each table (`src/ecoaudit/reference/tables/*.csv`) "
        "carries its own source, year, licence and basis; this page sums them up and is checked against the tables by "
        "a test. `facts` means that single figures were taken, which no licence covers; tables under share-alike "
        "database, non-commercial or AGPL terms were left out.",
    ]
    for table, title, row_is, reading in TABLES:
        found = rows.read(table)
        parts.append(f"## {title}\n\n`{table}.csv`, {len(found)} rows: {row_is}.\n\n{reading}\n\n{_sources(found)}")
    return "\n\n".join([*parts, LIVE]) + "\n"


def _sources(found: list[rows.Row]) -> str:
    counted: Counter[tuple[str, str]] = Counter()
    years: dict[tuple[str, str], set[str]] = {}
    for row in found:
        for prefix in ("", "idle_", "embodied_", "cfe_"):
            source = row.get(f"{prefix}source")
            if not source:
                continue
            # The region that a Google figure is for is a detail of the row.
            key = (_REGION.sub("", source), row.get(f"{prefix}licence") or "facts")
            counted[key] += 1
            years.setdefault(key, set()).add(row.get(f"{prefix}year") or "")
    lines = ["| source | year | licence | rows |", "| --- | --- | --- | ---: |"]
    lines += [
        f"| {source} | {_span(years[source, licence])} | {licence} | {count} |"
        for (source, licence), count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]
    return "\n".join(lines)


def _span(years: set[str]) -> str:
    known = sorted(year for year in years if year)
    if not known:
        return ""
    return known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"
