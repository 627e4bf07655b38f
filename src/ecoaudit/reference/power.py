"""Power of whole nodes: priors for a line over GPU power, lines fitted on published meter logs, and their facts."""

from collections.abc import Sequence
from typing import cast

from ecoaudit.quantity import Basis
from ecoaudit.reference import rows
from ecoaudit.reference.types import Citation, Cooling, Gpu, MeasuredPair, Node, PowerLine, UtilisationLine

# Nodes that the host prior speaks of: two sockets, an HGX baseboard of eight SXM boards with NVSwitch, about ten NICs.
_HGX_GPUS = frozenset({"H100", "H800", "H200", "B100", "B200", "B300"})
_HGX_COUNT = 8

# The metered plateau of a loaded node fixes host + alpha x (sum of GPU power): what the slope takes, the intercept
# loses. The strength of that tie is a judgement.
_HOST_ALPHA_CORRELATION = -0.7


def power_line(table: Sequence[rows.Row], gpu: Gpu, gpus_per_node: int, cooling: Cooling | None) -> PowerLine | None:
    """Return the prior for a node of eight H100- or B200-class SXM boards; None for nodes unlike the metered ones."""
    family = gpu.name.removeprefix("NVIDIA ").split(" ")[0]
    if gpus_per_node != _HGX_COUNT or family not in _HGX_GPUS or not gpu.form_factor.startswith("SXM"):
        return None
    alpha = next(row for row in table if row["parameter"] == "alpha" and row["cooling"] == (cooling or ""))
    host = next(row for row in table if row["parameter"] == "host_w")
    return PowerLine(
        id=f"prior-hgx8-{cooling or 'unknown-cooling'}",
        gpu=gpu.name,
        gpus_per_node=gpus_per_node,
        cooling=cooling,
        host_w=_interval(host),
        alpha=_interval(alpha),
        host_alpha_correlation=_HOST_ALPHA_CORRELATION,
        basis=Basis(alpha["basis"]),
        citation=Citation(source=f"{alpha['source']}. {host['source']}", year=alpha["year"], licence=alpha["licence"]),
    )


def utilisation_line(row: rows.Row) -> UtilisationLine:
    """Return a row of the fitted lines."""
    return UtilisationLine(
        id=row["id"],
        gpu=row["gpu"],
        gpus_per_node=int(row["gpus_per_node"]),
        cooling=cast(Cooling | None, rows.text(row, "cooling")),
        static_w=rows.number(row, "static_w"),
        static_w_se=rows.number(row, "static_w_se"),
        alpha=rows.number(row, "alpha"),
        alpha_se=rows.number(row, "alpha_se"),
        u_definition=row["u_definition"],  # type: ignore[arg-type]
        number_format=rows.text(row, "number_format"),
        workload=rows.text(row, "workload"),
        transfer_error=rows.number(row, "transfer_error"),
        fitted_on=tuple(row["fitted_on"].split("|")),
        runs=int(row["runs"]),
        citation=rows.citation(row),
        u_exponent=rows.number(row, "u_exponent"),
        pooled=row["pooled"] == "yes",
    )


def measured_pair(row: rows.Row) -> MeasuredPair:
    """Return a row of the metered facts."""
    return MeasuredPair(
        system=row["system"],
        operator=row["operator"],
        gpu=row["gpu"],
        gpus_per_node=int(row["gpus_per_node"]),
        nodes=int(row["nodes"]),
        cooling=cast(Cooling | None, rows.text(row, "cooling")),
        workload=row["workload"],
        number_format=rows.text(row, "number_format"),
        runs=int(row["runs"]),
        mean_node_w=rows.number(row, "mean_node_w"),
        mean_node_w_cv=rows.number(row, "mean_node_w_cv"),
        static_w=rows.number(row, "static_w"),
        j_per_sample=rows.optional(row, "j_per_sample"),
        j_per_token=rows.optional(row, "j_per_token"),
        pj_per_flop=rows.optional(row, "pj_per_flop"),
        mfu=rows.optional(row, "mfu"),
        citation=rows.citation(row),
        u=rows.optional(row, "u"),
        held_out_percent=rows.optional(row, "held_out_percent"),
        held_out_static_known_percent=rows.optional(row, "held_out_static_known_percent"),
        saturated_samples_per_s=rows.optional(row, "saturated_samples_per_s"),
    )


def node(row: rows.Row) -> Node:
    """Return a row of the node table."""
    return Node(
        name=row["node"],
        kind=row["kind"],  # type: ignore[arg-type]
        provider=row["provider"],
        gpu=row["gpu"],
        gpu_count=int(row["gpu_count"]),
        cooling=cast(Cooling | None, rows.text(row, "cooling")),
        max_power_w=rows.optional(row, "max_power_w"),
        measured=row["basis"] == "measured",
        like=rows.text(row, "reference_node"),
        citation=rows.citation(row),
    )


def _interval(row: rows.Row) -> tuple[float, float, float]:
    return rows.number(row, "value"), rows.number(row, "low"), rows.number(row, "high")
