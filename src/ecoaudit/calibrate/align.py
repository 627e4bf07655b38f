"""Two clocks brought together: GPU telemetry and a wall meter of the same node, by cross-correlation."""

from dataclasses import dataclass

import numpy as np

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray

MAX_OFFSET_S = 15 * 3600.0
MIN_CORRELATION = 0.6
_MAX_POINTS = 1 << 20
_GAP_FACTOR = 3.0
_CLOCKS_AGREE_S = 5.0
_AMBIGUOUS = 0.98
"""A second peak this near to the highest, away from it, leaves the offset undecided (periodic load)."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """`offset_s` is to be added to the meter's clock; `correlation` is that of the two powers then.

    `averaging` says whether a reading goes with the mean of GPU power since the reading before (a meter that
    averages), or with GPU power at its stamp. `assumed` is true where the load repeats itself and the clocks were
    taken to agree.
    """

    offset_s: float
    correlation: float
    averaging: bool
    assumed: bool = False


def align(gpu_t: FloatArray, gpu_w: FloatArray, meter_t: FloatArray, meter_w: FloatArray) -> Alignment:
    """Return the offset of the meter's clock, found within `MAX_OFFSET_S`; all arrays have shape (n,), times rise.

    The coarse offset is the peak of the normalised cross-correlation on a common grid; it is refined below the grid
    by the offset that leaves the smallest residual about a straight line. Where several offsets fit alike, clocks that
    agree are preferred. Raises `EcoauditError` when the two do not move together, or do so at several offsets.
    """
    if np.ptp(gpu_w) <= 0 or np.ptp(meter_w) <= 0:
        raise EcoauditError(
            "power is constant, so clocks and coefficients cannot be told",
            where="calibrate",
            fix="record a time that holds both idle and load",
        )
    step = max(float(np.median(np.diff(gpu_t))), float(np.median(np.diff(meter_t))) / 2.0, 0.5)
    longest = max(gpu_t[-1] - gpu_t[0], meter_t[-1] - meter_t[0])
    step = max(step, longest / (_MAX_POINTS / 4))
    coarse, ambiguous, assumed = _coarse(gpu_t, gpu_w, meter_t, meter_w, step)
    best = min(_refined(gpu_t, gpu_w, meter_t, meter_w, coarse, step, averaging) for averaging in (True, False))
    _, offset, averaging = best
    x, y = paired(gpu_t, gpu_w, meter_t + offset, meter_w, averaging=averaging)
    correlation = float(np.corrcoef(x, y)[0, 1]) if x.size > 2 and np.ptp(x) > 0 and np.ptp(y) > 0 else 0.0
    if correlation < MIN_CORRELATION:
        raise EcoauditError(
            f"meter and telemetry do not move together at any clock offset (correlation {correlation:.2f})",
            where="calibrate",
            fix="check that the meter feeds this node alone and that both logs are of the same time",
        )
    if ambiguous:
        raise EcoauditError(
            "the load repeats itself, so the clock offset between meter and telemetry is ambiguous",
            where="calibrate",
            fix="set both clocks by NTP, or add a time of idle before and after the load",
        )
    return Alignment(offset, correlation, averaging, assumed)


def paired(
    gpu_t: FloatArray, gpu_w: FloatArray, meter_t: FloatArray, meter_w: FloatArray, *, averaging: bool
) -> tuple[FloatArray, FloatArray]:
    """Return GPU power and meter power, shape (m,) each, at the meter's stamps that the telemetry covers.

    With `averaging` GPU power is its mean since the reading before, else its value at the stamp.
    """
    if averaging:
        start, end, reading = meter_t[:-1], meter_t[1:], meter_w[1:]
        longest = _GAP_FACTOR * float(np.median(end - start))
        inside = (start >= gpu_t[0]) & (end <= gpu_t[-1]) & (end > start) & (end - start <= longest)
        start, end = start[inside], end[inside]
        energy = _cumulative(gpu_t, gpu_w)
        mean = (_energy_at(gpu_t, gpu_w, energy, end) - _energy_at(gpu_t, gpu_w, energy, start)) / (end - start)
        return mean, reading[inside]
    inside = (meter_t >= gpu_t[0]) & (meter_t <= gpu_t[-1])
    return np.interp(meter_t[inside], gpu_t, gpu_w), meter_w[inside]


def _coarse(
    gpu_t: FloatArray, gpu_w: FloatArray, meter_t: FloatArray, meter_w: FloatArray, step: float
) -> tuple[float, bool, bool]:
    """Return the offset of the highest cross-correlation on a grid of `step`, whether another peak rivals it, and
    whether the offset is that of clocks which agree, taken because it is one of the rivals."""
    a = np.interp(np.arange(gpu_t[0], gpu_t[-1], step), gpu_t, gpu_w)
    b = np.interp(np.arange(meter_t[0], meter_t[-1], step), meter_t, meter_w)
    size = 1 << int(np.ceil(np.log2(a.size + b.size)))
    ones_a, ones_b = np.ones_like(a), np.ones_like(b)
    a, b = a - a.mean(), b - b.mean()

    def correlate(x: FloatArray, y: FloatArray) -> FloatArray:
        return np.asarray(np.fft.irfft(np.fft.rfft(x, size) * np.conj(np.fft.rfft(y, size)), size), dtype=np.float64)

    count = np.maximum(np.rint(correlate(ones_a, ones_b)), 1.0)
    sum_a, sum_b = correlate(a, ones_b), correlate(ones_a, b)
    covariance = correlate(a, b) - sum_a * sum_b / count
    spread_a = np.maximum(correlate(a * a, ones_b) - sum_a**2 / count, 0.0)
    spread_b = np.maximum(correlate(ones_a, b * b) - sum_b**2 / count, 0.0)
    scale = np.sqrt(spread_a * spread_b)
    floor = 1e-9 * np.sqrt(float(np.sum(a * a)) * float(np.sum(b * b)))
    shift = np.arange(size)
    shift = np.where(shift > size // 2, shift - size, shift)
    # b moved by `shift` steps lies over a: the meter's clock is behind by start difference plus shift.
    offset = gpu_t[0] - meter_t[0] + shift * step
    enough = count >= max(8.0, 0.5 * min(a.size, b.size))
    allowed = enough & (np.abs(offset) <= MAX_OFFSET_S) & (scale > floor)
    if not allowed.any():
        return 0.0, False, False
    r = np.where(allowed, covariance / np.where(scale > 0, scale, 1.0), -np.inf)
    top = int(np.argmax(r))
    near = np.abs(offset - offset[top]) <= _peak_width(r, offset, top, step)
    rivals = r > _AMBIGUOUS * r[top]
    if not np.any(rivals & ~near):
        return float(offset[top]), False, False
    agreeing = rivals & (np.abs(offset) <= max(_CLOCKS_AGREE_S, 2.0 * step))
    if np.any(agreeing):
        return float(offset[int(np.argmax(np.where(agreeing, r, -np.inf)))]), False, True
    return float(offset[top]), True, False


def _peak_width(r: FloatArray, offset: FloatArray, top: int, step: float) -> float:
    """Return how far the peak reaches: to where the correlation falls below half of it, 60 s at least."""
    order = np.argsort(offset)
    ranked, place = r[order], int(np.flatnonzero(order == top)[0])
    width = 60.0
    for side in (ranked[place:], ranked[place::-1]):
        low = np.flatnonzero(side < 0.5 * r[top])
        width = max(width, float(low[0] if low.size else side.size) * step)
    return width


def _refined(
    gpu_t: FloatArray,
    gpu_w: FloatArray,
    meter_t: FloatArray,
    meter_w: FloatArray,
    coarse: float,
    step: float,
    averaging: bool,
) -> tuple[float, float, bool]:
    """Return (residual, offset, averaging) of the best offset near `coarse`, on ever finer grids down to 0.05 s."""
    reach = 2.0 * max(step, float(np.median(np.diff(meter_t))))
    centre, best = coarse, np.inf
    while reach > 0.05:
        for offset in np.linspace(centre - reach, centre + reach, 17):
            x, y = paired(gpu_t, gpu_w, meter_t + offset, meter_w, averaging=averaging)
            if x.size > 3 and np.ptp(x) > 0:
                slope, level = np.polyfit(x, y, 1)
                residual = float(np.sqrt(np.mean((y - slope * x - level) ** 2)))
                if residual < best:
                    best, coarse = residual, float(offset)
        centre, reach = coarse, reach / 4.0
    return best, coarse, averaging


def _cumulative(t: FloatArray, w: FloatArray) -> FloatArray:
    return np.concatenate(([0.0], np.cumsum(0.5 * (w[1:] + w[:-1]) * np.diff(t))))


def _energy_at(t: FloatArray, w: FloatArray, energy: FloatArray, at: FloatArray) -> FloatArray:
    """Return the trapezoid integral from t[0] to each of `at`."""
    i = np.clip(np.searchsorted(t, at, side="right") - 1, 0, t.size - 2)
    part = at - t[i]
    width = np.where(t[i + 1] > t[i], t[i + 1] - t[i], 1.0)
    slope = (w[i + 1] - w[i]) / width
    return np.asarray(energy[i] + part * (w[i] + 0.5 * slope * part), dtype=np.float64)
