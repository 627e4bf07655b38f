"""A user's own line: what `ecoaudit calibrate --telemetry ... --meter ...` fitted on their metered node.

`P_node = host_w + alpha x (sum of GPU power)`, AC. The file is `ecoaudit.calibration/1`, JSON or YAML; this module only
names, checks, writes and reads it.
"""

import math
from typing import Annotated, Any, Literal

import msgspec
import yaml

from ecoaudit.errors import EcoauditError

SCHEMA = "ecoaudit.calibration/1"

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class CalibratedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fitted line of one node class with the uncertainty of its two parameters.

    `host_w` (W) excludes the GPUs' resident power; `alpha` is W of node power per W of board power. `covariance` is
    that of `(host_w, alpha)`: `((W^2, W), (W, 1))`, autocorrelation of the readings included. `residual_w` is the
    standard deviation of a reading about the line; `held_out_error` the relative error of energy (90 %, a fraction)
    on parts of the data that the fit had not seen. `power_field` is the NVML field that the telemetry read: a line
    fitted on one field is not used with another. `clock_offset_s` is what was added to the meter's clock.
    """

    schema: str = SCHEMA
    tool: str
    id: str
    gpu: str
    gpus_per_node: Annotated[int, msgspec.Meta(ge=1)]
    power_field: Literal["average", "instant", "unspecified"]
    host_w: float
    alpha: Positive
    covariance: tuple[tuple[float, float], tuple[float, float]]
    residual_w: NotNegative
    held_out_error: NotNegative
    boundary: Literal["ac"] = "ac"
    gpu_power_range_w: tuple[NotNegative, NotNegative]
    samples: int
    duration_s: Positive
    runs: int = 1
    clock_offset_s: float = 0.0
    source: str
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        (vh, c1), (c2, va) = self.covariance
        numbers = (self.host_w, self.alpha, vh, c1, c2, va, self.residual_w, self.held_out_error)
        if not all(math.isfinite(x) for x in numbers):
            raise ValueError("every figure of a calibration must be finite")
        if c1 != c2 or vh < 0 or va < 0 or c1 * c1 > vh * va * (1 + 1e-9):
            raise ValueError("the covariance of (host_w, alpha) must be symmetric and positive semidefinite")
        low, high = self.gpu_power_range_w
        if low > high:
            raise ValueError("gpu_power_range_w must be (lowest, highest)")

    @property
    def host_w_se(self) -> float:
        """Standard error of the intercept, W."""
        return math.sqrt(self.covariance[0][0])

    @property
    def alpha_se(self) -> float:
        """Standard error of the slope."""
        return math.sqrt(self.covariance[1][1])

    @property
    def correlation(self) -> float:
        """Correlation of intercept and slope, 0 where one of them has no error."""
        scale = self.host_w_se * self.alpha_se
        return self.covariance[0][1] / scale if scale > 0 else 0.0


def encode(line: CalibratedLine) -> bytes:
    """Return the line as indented JSON, UTF-8, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(line), indent=2) + b"\n"


def decode(data: bytes, *, where: str = "calibration") -> CalibratedLine:
    """Return the line in `data` (JSON or YAML); raises `EcoauditError` that names what does not fit the schema."""
    fix = "give the file that `ecoaudit calibrate --telemetry ... --meter ... -o FILE` wrote"
    try:
        found: Any = yaml.safe_load(data.decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise EcoauditError(f"not JSON or YAML: {error}", where=where, fix=fix) from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise EcoauditError(f"schema {schema!r} is not {SCHEMA!r}", where=where, fix=fix)
    try:
        return msgspec.convert(found, CalibratedLine, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise EcoauditError(f"not a calibration: {error}", where=where, fix=fix) from error
