"""A user's own line: wall readings over GPU power, with a refusal where the data cannot tell slope from intercept.

    P_node = host_w + alpha x sum(P_gpu)

Ordinary least squares on blocks of readings; the covariance is widened for autocorrelation, the held-out error comes
from leaving out whole runs or whole stretches of time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecoaudit.calibrate.align import Alignment, align, paired
from ecoaudit.calibrate.heldout import Z90
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray

MIN_DURATION_S = 120.0
MIN_BLOCKS = 20
MIN_RANGE = 0.2
"""GPU power must range over this share of its highest level: idle and load, or two loads far apart."""
MAX_ALPHA_SE = 0.10
_MIN_RUNS_TO_LEAVE_OUT = 3
_STRETCHES = 10
_BLOCK_READINGS = 3


@dataclass(frozen=True, slots=True)
class Recording:
    """One run: GPU power summed over the node's boards, and the node's meter, each with its clock, shape (n,)."""

    gpu_t: FloatArray
    gpu_w: FloatArray
    meter_t: FloatArray
    meter_w: FloatArray


@dataclass(frozen=True, slots=True)
class WallFit:
    """The fitted line; units as in `CalibratedLine`. `curvature_percent` is the bend of a parabola at full range."""

    host_w: float
    alpha: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    residual_w: float
    held_out_error: float
    gpu_range_w: tuple[float, float]
    readings: int
    duration_s: float
    runs: int
    alignments: tuple[Alignment, ...]
    curvature_percent: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Blocks:
    x: FloatArray
    y: FloatArray
    seconds: FloatArray
    run: FloatArray


def fit_wall(recordings: Sequence[Recording], *, meter_gain_se: float = 0.0) -> WallFit:
    """Fit the line on one or more recordings of one node.

    `meter_gain_se` is a relative error common to all readings (a DC meter's assumed supply efficiency). Raises
    `EcoauditError` with the reason when the data cannot identify the two parameters.
    """
    alignments = _aligned(recordings)
    parts = []
    readings, duration = 0, 0.0
    for number, (recording, found) in enumerate(zip(recordings, alignments, strict=True)):
        moved = recording.meter_t + found.offset_s
        x, y = paired(recording.gpu_t, recording.gpu_w, moved, recording.meter_w, averaging=found.averaging)
        step = float(np.median(np.diff(recording.meter_t)))
        parts.append(_blocks(x, y, step, number))
        readings += x.size
        duration += x.size * step
    blocks = _Blocks(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("x", "y", "seconds", "run")))
    _check_information(blocks, duration)
    beta, covariance, residual = _least_squares(blocks)
    host, alpha = float(beta[0]), float(beta[1])
    gain = meter_gain_se**2 * np.outer(beta, beta)
    covariance = covariance + gain
    alpha_se = math.sqrt(covariance[1, 1])
    if alpha <= 0 or alpha_se > MAX_ALPHA_SE * alpha:
        raise EcoauditError(
            f"alpha is {alpha:.2f} +- {alpha_se:.2f}: the readings do not identify it",
            where="calibrate",
            fix="record longer, with several stretches of idle and of load",
        )
    held_out = _held_out_error(blocks, len(recordings))
    curvature = _curvature_percent(blocks)
    return WallFit(
        host_w=host,
        alpha=alpha,
        covariance=(
            (float(covariance[0, 0]), float(covariance[0, 1])),
            (float(covariance[0, 1]), float(covariance[1, 1])),
        ),
        residual_w=residual,
        held_out_error=held_out,
        gpu_range_w=(float(blocks.x.min()), float(blocks.x.max())),
        readings=readings,
        duration_s=duration,
        runs=len(recordings),
        alignments=tuple(alignments),
        curvature_percent=curvature,
        warnings=tuple(_warnings(alignments, host, alpha, alpha_se, math.sqrt(covariance[0, 0]), curvature, held_out)),
    )


def _aligned(recordings: Sequence[Recording]) -> list[Alignment]:
    """Return each recording's alignment; one that cannot tell its own takes the others', as the meter is the same."""
    found: list[Alignment | EcoauditError] = []
    for recording in recordings:
        _check_length(recording)
        try:
            found.append(align(recording.gpu_t, recording.gpu_w, recording.meter_t, recording.meter_w))
        except EcoauditError as error:
            found.append(error)
    good = [a for a in found if isinstance(a, Alignment)]
    if not good:
        raise next(a for a in found if isinstance(a, EcoauditError))
    middle = sorted(good, key=lambda a: a.offset_s)[len(good) // 2]
    return [a if isinstance(a, Alignment) else middle for a in found]


def _check_length(recording: Recording) -> None:
    for what, time in (("telemetry", recording.gpu_t), ("meter", recording.meter_t)):
        if time.size < MIN_BLOCKS:
            raise EcoauditError(
                f"the {what} has {time.size} readings, {MIN_BLOCKS} are needed", where="calibrate", fix="record longer"
            )
        if time[-1] - time[0] < MIN_DURATION_S:
            raise EcoauditError(
                f"the {what} lasts {time[-1] - time[0]:.0f} s, {MIN_DURATION_S:.0f} s are needed",
                where="calibrate",
                fix="record longer",
            )


def _blocks(x: FloatArray, y: FloatArray, step: float, run: int) -> _Blocks:
    """Average readings by threes (or more, for fast meters, up to 10 s), so that a change of load mid-reading blurs."""
    each = max(_BLOCK_READINGS, round(10.0 / step)) if x.size >= MIN_BLOCKS * _BLOCK_READINGS else 1
    while each > 1 and x.size // each < MIN_BLOCKS:
        each -= 1
    count = x.size // each
    kept = count * each
    return _Blocks(
        x[:kept].reshape(count, each).mean(axis=1),
        y[:kept].reshape(count, each).mean(axis=1),
        np.full(count, each * step),
        np.full(count, float(run)),
    )


def _check_information(blocks: _Blocks, duration_s: float) -> None:
    if blocks.x.size < MIN_BLOCKS or duration_s < MIN_DURATION_S:
        raise EcoauditError(
            f"meter and telemetry overlap for {duration_s:.0f} s ({blocks.x.size} blocks of readings), "
            f"{MIN_DURATION_S:.0f} s and {MIN_BLOCKS} blocks are needed",
            where="calibrate",
            fix="record longer, both at once",
        )
    low, high = np.percentile(blocks.x, [5, 95])
    if high - low < MIN_RANGE * high:
        raise EcoauditError(
            f"GPU power stays between {low:.0f} and {high:.0f} W: host power and alpha cannot be told apart",
            where="calibrate",
            fix="record a time that holds both idle and load",
        )


def _least_squares(blocks: _Blocks) -> tuple[FloatArray, FloatArray, float]:
    """Return (host, alpha), their covariance widened for autocorrelation (AR(1) of the residuals), residual SD."""
    design = np.column_stack([np.ones_like(blocks.x), blocks.x])
    beta, *_ = np.linalg.lstsq(design, blocks.y, rcond=None)
    residual = blocks.y - design @ beta
    variance = float(residual @ residual) / (blocks.x.size - 2)
    same = blocks.run[1:] == blocks.run[:-1]
    before, after = residual[:-1][same], residual[1:][same]
    scale = float(residual @ residual)
    rho = float(np.clip(before @ after / scale, 0.0, 0.95)) if scale > 0 and before.size else 0.0
    covariance = variance * (1 + rho) / (1 - rho) * np.linalg.inv(design.T @ design)
    return np.asarray(beta, dtype=np.float64), np.asarray(covariance, dtype=np.float64), math.sqrt(variance)


def _held_out_error(blocks: _Blocks, runs: int) -> float:
    """Return the 90 % relative error of energy on runs, or (below three runs) stretches of time, left out in turn."""
    if runs >= _MIN_RUNS_TO_LEAVE_OUT:
        fold = blocks.run
    else:
        count = max(4, min(_STRETCHES, blocks.x.size // 5))
        fold = np.floor(np.arange(blocks.x.size) * count / blocks.x.size)
    errors = []
    for left in np.unique(fold):
        out = fold == left
        if np.ptp(blocks.x[~out]) <= 0:
            continue
        slope, level = np.polyfit(blocks.x[~out], blocks.y[~out], 1)
        predicted = np.sum((level + slope * blocks.x[out]) * blocks.seconds[out])
        errors.append(predicted / np.sum(blocks.y[out] * blocks.seconds[out]) - 1.0)
    return Z90 * math.sqrt(float(np.mean(np.square(errors)))) if errors else math.inf


def _curvature_percent(blocks: _Blocks) -> float:
    """Return how far a parabola bends from the line, in percent of power at the top of the range."""
    centre, half = 0.5 * (blocks.x.max() + blocks.x.min()), 0.5 * np.ptp(blocks.x)
    quadratic = float(np.polyfit((blocks.x - centre) / half, blocks.y, 2)[0])
    return 100.0 * quadratic / float(blocks.y.max())


def _warnings(
    alignments: Sequence[Alignment],
    host: float,
    alpha: float,
    alpha_se: float,
    host_se: float,
    curvature: float,
    held_out: float,
) -> list[str]:
    found = []
    if any(a.assumed for a in alignments):
        found.append("the load repeats itself: of several clock offsets that fit, the one near 0 was taken")
    if alpha + Z90 * alpha_se < 1.0:
        found.append(
            f"alpha {alpha:.3f} is below 1: the meter sees less than the boards draw (not all supplies metered, DC "
            "side, or boards that read high)"
        )
    if host + Z90 * host_se < 0:
        found.append(f"host power {host:.0f} W is negative: the meter does not see the whole node")
    if abs(curvature) > 2.0:
        found.append(f"power bends from the line by {curvature:+.1f} % at the top (supplies, fans): see held-out error")
    if held_out > 0.10:
        found.append(f"held-out error is {100 * held_out:.0f} %: the line does not describe this node well")
    return found
