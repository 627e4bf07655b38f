"""The estimate: one type from the engine to the command line and the calculator page, and its JSON form."""

from typing import Any

import msgspec

from ecoaudit.model.audit import Carbon, Cost, Driver, Provenance
from ecoaudit.quantity import Quantity

SCHEMA = "ecoaudit.estimate/1"


class _Record(msgspec.Struct, frozen=True):
    """Base of every part of the estimate: immutable."""


class PlannedHardware(_Record, frozen=True, kw_only=True):
    """GPUs and nodes; `tdp_w` and `peak_tflops` (dense, in the estimate's number format) are of one board."""

    gpu: str
    gpu_count: int
    nodes: int
    gpus_per_node: int
    cooling: str | None = None
    tdp_w: float
    peak_tflops: float


class PlannedTraining(_Record, frozen=True, kw_only=True):
    """The work: `flops` are model FLOPs; `hardware_flops` include what recompute repeats."""

    model: str | None = None
    method: str
    precision: str
    params: float
    active_params: float
    sequence_length: int
    tokens: float
    flops: Quantity
    hardware_flops: Quantity
    attention_share: float


class PlannedEnergy(_Record, frozen=True, kw_only=True):
    """Energy in kWh by boundary; `facility` is (node + network) x PUE.

    `tdp` is GPUs x TDP x time, what simple calculators print, kept as a comparison. `headline` names the boundary that
    carbon stands on and `headline_label` what that is.
    """

    gpu: Quantity | None = None
    node: Quantity | None = None
    network: Quantity | None = None
    facility: Quantity | None = None
    tdp: Quantity | None = None
    pue: Quantity | None = None
    headline: str
    headline_label: str


class Estimate(_Record, frozen=True, kw_only=True):
    """What the run will cost. `drivers` are the sources of doubt of `drivers_of`, largest share of its width first.

    A figure that is not known is null, with its reason in `unknown`.
    """

    schema: str = SCHEMA
    tool: str
    request: dict[str, str | float | int]
    hardware: PlannedHardware
    training: PlannedTraining
    mfu: Quantity
    hfu: Quantity
    goodput: Quantity
    gpu_hours: Quantity
    wall_hours: Quantity
    energy: PlannedEnergy
    carbon: Carbon
    cost: Cost
    drivers: list[Driver] = []
    drivers_of: str
    provenance: list[Provenance] = []
    warnings: list[str] = []
    unknown: dict[str, str] = {}


def encode(estimate: Estimate) -> bytes:
    """Return the estimate as indented JSON, UTF-8, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(estimate), indent=2) + b"\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the estimate."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **msgspec.json.schema(Estimate),
    }
