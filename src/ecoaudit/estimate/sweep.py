"""Many estimates at once: every combination of the given values, side by side."""

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate.engine import estimate
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.estimate.result import Estimate
from ecoaudit.estimate.text import amount, table
from ecoaudit.quantity import Quantity
from ecoaudit.reference import Tables
from ecoaudit.reference.place import GIVEN

WORDS = ("gpu", "region", "zone", "model", "method", "precision", "recompute", "node", "cooling")
WHOLE_NUMBERS = ("gpus", "sequence_length")
NUMBERS = ("params", "tokens", "mfu", "goodput", "pue", "host_power_w", "intensity_g_per_kwh", "price_per_gpu_hour")
KEYS = (*WORDS, *WHOLE_NUMBERS, *NUMBERS)
MAX_COMBINATIONS = 500


def parse(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the values by key of `key=value,value,key=value`; raises `EcoauditError` for an unknown key.

    A part without `=` continues the values of the key before it, so region names keep their colon.
    """
    found: dict[str, list[str]] = {}
    key = None
    for part in ",".join(texts).split(","):
        name, equals, value = part.partition("=")
        if equals:
            key = name.strip().replace("-", "_")
            if key not in KEYS:
                raise EcoauditError(f"cannot sweep {name.strip()!r}", where="--sweep", fix=f"known: {', '.join(KEYS)}")
        else:
            value = part
        if key is None or not value.strip():
            raise EcoauditError(f"no value in {part!r}", where="--sweep", fix="write gpu=H100 SXM,H200,gpus=64,128")
        found.setdefault(key, []).append(value.strip())
    return found


def combinations(request: EstimateRequest, values: Mapping[str, Sequence[str]]) -> list[EstimateRequest]:
    """Return one request for every combination, in the order given; raises `EcoauditError` for too many or a misfit."""
    count = 1
    for choices in values.values():
        count *= len(choices)
    if count > MAX_COMBINATIONS:
        raise EcoauditError(f"{count} combinations", where="--sweep", fix=f"sweep at most {MAX_COMBINATIONS}")
    return [_with(request, dict(zip(values, chosen, strict=True))) for chosen in itertools.product(*values.values())]


def _with(request: EstimateRequest, changes: Mapping[str, str]) -> EstimateRequest:
    typed: dict[str, str | float | int] = {}
    for key, text in changes.items():
        try:
            typed[key] = int(text) if key in WHOLE_NUMBERS else float(text) if key in NUMBERS else text
        except ValueError as error:
            raise EcoauditError(f"{key} must be a number, got {text!r}", where="--sweep") from error
    try:
        return msgspec.convert({**request.given(), **typed}, EstimateRequest)
    except msgspec.ValidationError as error:
        raise EcoauditError(str(error), where="--sweep") from error


def sweep(
    request: EstimateRequest, values: Mapping[str, Sequence[str]], tables: Tables
) -> list[tuple[dict[str, str], Estimate]]:
    """Return the chosen values of every combination with its estimate."""
    requests = combinations(request, values)
    labels = [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
    return [(label, estimate(one, tables)) for label, one in zip(labels, requests, strict=True)]


def lines(results: Sequence[tuple[dict[str, str], Estimate]]) -> list[str]:
    """Return the comparison as a table of text; a note where the carbon columns stand on different bases."""
    keys = list(results[0][0])
    header = [*keys, "GPU-hours", "days", "MWh", "boundary", "t CO₂e", "intensity", "USD"]
    rows = [
        [
            *(label[key] for key in keys),
            _range(one.gpu_hours, 1.0),
            amount(one.wall_hours.value / 24.0),
            _range(one.energy.facility or one.energy.gpu, 1e3),
            one.energy.headline or "",
            _range(one.carbon.operational, 1e3),
            f"{one.carbon.intensity.value:g} {one.carbon.intensity_basis}" if one.carbon.intensity else "-",
            _range(one.cost.total, 1.0),
        ]
        for label, one in results
    ]
    text = table(header, rows)
    bases = {one.carbon.intensity_basis for _, one in results if one.carbon.intensity_basis}
    if len(bases) > 1:
        text.append(f"note: intensities are on different bases ({', '.join(sorted(bases))}); compare carbon within one")
    if fixed := _given(results) if {"region", "zone"} & set(keys) else []:
        text.append(f"note: {', '.join(fixed)} as given in every row, whatever the place")
    if len({one.energy.headline for _, one in results}) > 1:
        text.append("note: energy stands at different boundaries; `gpu` counts the boards only, a lower bound")
    warnings = dict.fromkeys(warning for _, one in results for warning in one.warnings)
    return [*text, "Ranges are 90 % intervals.", *(f"note: {warning}" for warning in warnings)]


def _given(results: Sequence[tuple[dict[str, str], Estimate]]) -> list[str]:
    """Return which factors of a place the user gave, once for all results."""
    factors = {
        "intensity": [one.carbon.intensity for _, one in results],
        "PUE": [one.energy.pue for _, one in results],
        "price": [one.cost.per_gpu_hour for _, one in results],
    }
    return [
        name
        for name, found in factors.items()
        if len(set(found)) == 1 and found[0] is not None and found[0].source.endswith(GIVEN.source)
    ]


def _range(quantity: Quantity | None, scale: float) -> str:
    if quantity is None:
        return "-"
    return f"{amount(quantity.value / scale)} ({amount(quantity.low / scale)}-{amount(quantity.high / scale)})"
