"""What the planner asks: the model, the work, the hardware and the place."""

from dataclasses import dataclass, fields
from typing import Literal

from ecoaudit.errors import EcoauditError
from ecoaudit.reference.types import Cooling, GridBasis

Method = Literal["full", "lora", "qlora"]
Recompute = Literal["none", "selective", "full"]

_POSITIVE = (
    *("params", "active_params", "layers", "hidden_size", "sequence_length", "tokens", "samples", "gpus"),
    *("gpus_per_node", "mfu", "hfu", "goodput", "host_power_w"),
)
_NOT_NEGATIVE = ("intensity_g_per_kwh", "price_per_gpu_hour", "network_power_w")
_FRACTIONS = ("mfu", "hfu", "goodput")


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRequest:
    """A training run to be; None means: what the preset says, else the stated default with a warning.

    `params` counts every weight and `active_params` those that a token passes through (a mixture of experts has fewer;
    the look-up of the input embedding is left out). `mfu` is model FLOPs over the dense peak of `precision`, over the
    time that trains; `hfu` counts recomputed activations as well. `goodput` is the share of paid GPU-time that trains.
    `host_power_w` is a node's power at the wall without its GPUs, `network_power_w` the switches' total.

    Raises `EcoauditError` for a figure outside its range.
    """

    gpu: str
    gpus: int | None = None
    model: str | None = None
    params: float | None = None
    active_params: float | None = None
    layers: int | None = None
    hidden_size: int | None = None
    sequence_length: int | None = None
    tokens: float | None = None
    samples: float | None = None
    method: Method = "full"
    precision: str = "bf16"
    mfu: float | None = None
    hfu: float | None = None
    recompute: Recompute = "none"
    goodput: float | None = None
    node: str | None = None
    gpus_per_node: int | None = None
    cooling: Cooling | None = None
    host_power_w: float | None = None
    network_power_w: float | None = None
    region: str | None = None
    zone: str | None = None
    intensity_g_per_kwh: float | None = None
    intensity_basis: GridBasis = "as given"
    pue: float | None = None
    price_per_gpu_hour: float | None = None

    def __post_init__(self) -> None:
        for name in (*_POSITIVE, *_NOT_NEGATIVE):
            value = getattr(self, name)
            if value is None:
                continue
            if not value < float("inf") or value < 0 or (value == 0 and name in _POSITIVE):
                raise EcoauditError(f"{name} must be a positive number, got {value:g}", where=_option(name))
        for name in _FRACTIONS:
            value = getattr(self, name)
            if value is not None and value > 1:
                raise EcoauditError(
                    f"{name} is a fraction of 1, got {value:g}",
                    where=_option(name),
                    fix=f"did you mean {value / 100:g}?" if value >= 2 else None,
                )
        if self.pue is not None and not 1 <= self.pue <= 4:
            raise EcoauditError(f"PUE lies between 1 and 4, got {self.pue:g}", where="--pue")
        if self.mfu is not None and self.hfu is not None:
            raise EcoauditError("give either mfu or hfu", where="--hfu")
        if self.tokens is not None and self.samples is not None:
            raise EcoauditError("give either tokens or samples", where="--samples")
        if self.params is not None and self.active_params is not None and self.active_params > self.params:
            raise EcoauditError("active_params exceeds params", where="--active-params")
        if self.layers is not None and self.hidden_size is None:
            raise EcoauditError("layers needs hidden_size beside it", where="--layers")
        if self.hidden_size is not None and self.layers is None:
            raise EcoauditError("hidden_size needs layers beside it", where="--hidden-size")

    def given(self) -> dict[str, str | float | int]:
        """Return what was asked for, without the Nones."""
        found = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: value for name, value in found if value is not None}


def _option(name: str) -> str:
    return "--" + {"price_per_gpu_hour": "price", "intensity_g_per_kwh": "intensity"}.get(name, name).replace("_", "-")
