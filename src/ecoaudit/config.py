"""The configuration file `.github/ecoaudit.yml`: its types and how it is read."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from ecoaudit import config_problems
from ecoaudit.errors import EcoauditError
from ecoaudit.quantity import Boundary

_EXPONENT = re.compile(r"\d+(\.\d*)?[eE]\+?\d+")

_LARGEST = 1e15  # what is above it, infinity too, is a slip of the pen

Positive = Annotated[float, msgspec.Meta(gt=0, le=_LARGEST)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=_LARGEST)]
PueValue = Annotated[float, msgspec.Meta(ge=1, le=4)]

Metric = Literal["carbon_kg", "energy_kwh", "cost_usd", "j_per_token", "j_per_sample", "mean_power_w", "workload"]
"""What a budget may limit; `workload` is J/token, else J/sample, else kWh, and only as a relative limit."""

PositiveCount = Annotated[int, msgspec.Meta(gt=0)]

Precision = Literal["bf16", "fp16", "fp8", "fp4", "tf32", "fp32"]
"""Number formats whose peaks the GPU table holds."""

_SAME_FORMAT = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float8": "fp8", "float32": "fp32"}

IntensityBasis = Literal["lifecycle", "direct", "marginal", "as given"]


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit on the run (`max`) or on its change from the baseline (`max_increase_percent`); one of them."""

    metric: Metric
    max: NotNegative | None = None
    max_increase_percent: NotNegative | None = None
    level: Literal["fail", "warn"] = "fail"
    boundary: Boundary = Boundary.FACILITY
    decide_on: Literal["point", "low", "high"] = "point"

    def __post_init__(self) -> None:
        if (self.max is None) == (self.max_increase_percent is None):
            raise ValueError(f"the budget for {self.metric} needs either max or max_increase_percent")
        if self.metric == "workload" and self.max is not None:
            raise ValueError("a budget for workload has no unit of its own, so only max_increase_percent fits")


class ModelShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trained model, where the logs do not tell: a known one by `preset`, or those figures that are known.

    `params` counts all weights, `active_params` those that one token passes through (mixture of experts; the look-up of
    the input embedding left out). `method` is `full`, or `lora` for adapters on a frozen base.
    """

    preset: str | None = None
    params: Positive | None = None
    active_params: Positive | None = None
    layers: PositiveCount | None = None
    hidden_size: PositiveCount | None = None
    sequence_length: PositiveCount | None = None
    method: Literal["full", "lora"] = "full"
    precision: Precision | None = None

    def __post_init__(self) -> None:
        if self.params is not None and self.active_params is not None and self.active_params > self.params:
            raise ValueError("active_params exceeds params")
        if (self.layers is None) != (self.hidden_size is None):
            raise ValueError("layers and hidden_size belong together: give both")


class HardwareShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the run ran on, where the logs do not tell or tell wrong: the GPU by any usual name, how many of them the
    run had in all, and on how many nodes."""

    gpu: str | None = None
    gpus: PositiveCount | None = None
    nodes: PositiveCount | None = None

    def __post_init__(self) -> None:
        if self.gpus is not None and self.nodes is not None and self.gpus < self.nodes:
            raise ValueError(f"{self.gpus} GPUs cannot be on {self.nodes} nodes; gpus counts all")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a project can set; `None` and `auto` mean: what the logs say, else the default with a warning."""

    project: str | None = None
    region: str | None = None
    zone: str | None = None
    intensity_g_per_kwh: NotNegative | None = None
    intensity_basis: IntensityBasis = "as given"
    intensity_series: str | None = None
    grid_provider: str | None = None
    market_intensity_g_per_kwh: NotNegative | None = None
    pue: PueValue | Literal["auto"] = "auto"
    price_per_gpu_hour: NotNegative | Literal["auto"] = "auto"
    host_power_w: Positive | None = None
    hardware: HardwareShape | None = None
    node_gpu_count: PositiveCount | None = None
    own_gpus: str | None = None
    cooling: Literal["air", "liquid", "immersion"] | None = None
    meter_boundary: Literal["ac", "dc"] | None = None
    network_power_w: NotNegative | None = None
    timezone: str | None = None
    calibration: str | None = None
    model: ModelShape | None = None
    budgets: tuple[Budget, ...] = ()
    on_missing_baseline: Literal["pass", "warn", "fail"] = "pass"

    def __post_init__(self) -> None:
        ways = ("intensity_g_per_kwh", "intensity_series", "grid_provider")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are different answers to one question: give one")


_GROUPS: dict[str, type[msgspec.Struct]] = {"hardware": HardwareShape, "model": ModelShape}
_PLACE = frozenset({"region", "zone", "intensity_g_per_kwh"})
_INTENSITY = frozenset({"intensity_g_per_kwh", "intensity_series", "grid_provider"})
"""Keys that say where the run was, and those that answer how dirty its grid was: one answer holds."""


def override(base: Config, given: Mapping[str, Any], *, where: str, names: Mapping[str, str] | None = None) -> Config:
    """Return `base` with the keys `given` on a command line in their place; `model_params` means the model's `params`.

    A place that is given replaces the whole place, and one answer to how dirty the grid was replaces the others. An
    error names a key as `names` has it: the option or input that the user wrote.
    """
    merged = msgspec.to_builtins(base)
    if _PLACE & given.keys():
        merged |= dict.fromkeys((*_PLACE, "intensity_series", "market_intensity_g_per_kwh"))
    if _INTENSITY & given.keys():
        merged |= dict.fromkeys(_INTENSITY)
    written = {}
    for key, value in given.items():
        group, _, inner = key.partition("_")
        if group in _GROUPS and inner:
            merged[group] = {**(merged[group] or {}), inner: value}
            written[f"{group}.{inner}"] = key
        else:
            merged[key] = value
            written[key] = key
    return parse(merged, where=where, names={place: (names or {}).get(key, key) for place, key in written.items()})


def parse(data: Any, *, where: str, names: Mapping[str, str] | None = None) -> Config:
    """Return the configuration in the decoded YAML `data`; the error for an unknown key names the nearest known one.

    `names` maps a place in it to what the user calls it.
    """
    if data is None:
        return Config()
    if not isinstance(data, dict):
        raise EcoauditError("the configuration must be a mapping of keys to values", where=where)
    _check_keys(data, Config, where)
    for name, kind in _GROUPS.items():
        if isinstance(data.get(name), dict):
            _check_keys(data[name], kind, f"{where}: {name}")
    budgets = data.get("budgets")
    if isinstance(budgets, list):
        for number, budget in enumerate(budgets):
            if isinstance(budget, dict):
                _check_keys(budget, Budget, f"{where}: budgets[{number}]")
    data = _with_short_precision(_numbers(data))
    try:
        return msgspec.convert(data, Config)
    except (msgspec.ValidationError, ValueError) as error:
        place, what, fix = config_problems.explain(error, data, Config)
        place = (names or {}).get(place, place)
        raise EcoauditError(
            what, where=f"{where}: {place}" if place else where, fix=fix or "see docs/configuration.md"
        ) from error


def _numbers(value: Any) -> Any:
    """Return `value` with texts such as 7e9, which YAML 1.1 takes for words for want of a point, as numbers."""
    if isinstance(value, dict):
        return {key: _numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_numbers(inner) for inner in value]
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def _with_short_precision(data: dict[Any, Any]) -> dict[Any, Any]:
    """Return `data` with the number format of the model by its short name."""
    model = data.get("model")
    if not isinstance(model, dict) or not isinstance(named := model.get("precision"), str):
        return data
    return {**data, "model": {**model, "precision": _SAME_FORMAT.get(named.lower(), named.lower())}}


class _Loader(yaml.SafeLoader):
    """YAML's plain types, and no key twice: PyYAML would let the last one win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                problem = f"the key {key.value!r} is given twice, first in line {first[key.value]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            first[key.value] = line
        return super().construct_mapping(node, deep)


def load(path: Path) -> Config:
    """Read the configuration file at `path`; raises `EcoauditError` if it is missing, not YAML or has a wrong key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EcoauditError(f"cannot read the configuration: {error.strerror}", where=str(path)) from error
    return decode(data, where=str(path))


def decode(text: bytes, *, where: str) -> Config:
    """Return the configuration in the YAML `text`; raises `EcoauditError` if it is not YAML or does not fit."""
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as error:
        raise EcoauditError(f"not UTF-8: {error.reason}", where=where) from error
    except RecursionError as error:
        raise EcoauditError("nested too deeply", where=where) from error
    except yaml.constructor.ConstructorError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise EcoauditError(str(error.problem), where=f"{where}:{line}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise EcoauditError(f"not valid YAML: {getattr(error, 'problem', None) or error}", where=place) from error
    return parse(data, where=where)


def _check_keys(data: dict[Any, Any], kind: type[msgspec.Struct], where: str) -> None:
    known = kind.__struct_fields__
    for key in data:
        if key not in known:
            near = config_problems.nearest(key, known) if isinstance(key, str) else None
            fix = f"did you mean {near!r}?" if near else f"known keys are {', '.join(known)}"
            raise EcoauditError(f"unknown key {key!r}", where=where, fix=fix)
