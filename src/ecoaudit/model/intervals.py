"""Exact splitting of energy held in time intervals: what falls before each edge."""

import numpy as np
from numpy.typing import NDArray

from ecoaudit.ingest.records import FloatArray

BoolArray = NDArray[np.bool_]
Segments = BoolArray
"""A choice of segments, shape (segments,): which parts of the job a figure is for."""


def trapezoid_j(t0: FloatArray, t1: FloatArray, p0: FloatArray, p1: FloatArray) -> FloatArray:
    """Return the energy in J of intervals whose power runs linearly from `p0` to `p1` W, shape (n,)."""
    return 0.5 * (p0 + p1) * (t1 - t0)


def split(
    edges: FloatArray,
    t0: FloatArray,
    t1: FloatArray,
    amount: FloatArray,
    p0: FloatArray | None = None,
    p1: FloatArray | None = None,
) -> FloatArray:
    """Return how much of the intervals' `amount` lies in each segment between `edges`, shape (edges - 1,).

    The intervals `[t0, t1]`, shape (n,), are sorted and disjoint. Inside one, the amount is spread evenly, or along
    the line from `p0` to `p1` where both are finite (then `amount` must be their trapezoid). The parts of an interval
    add up to it to rounding, wherever the edges are.
    """
    if t0.size == 0:
        return np.zeros(edges.size - 1)
    before = np.concatenate(([0.0], np.cumsum(amount)))
    at = np.searchsorted(t0, edges, side="right") - 1
    inside = np.maximum(at, 0)
    span = t1[inside] - t0[inside]
    offset = np.clip(edges - t0[inside], 0.0, span)
    part = amount[inside] * np.divide(offset, span, out=np.ones_like(span), where=span > 0)
    if p0 is not None and p1 is not None:
        start, end = p0[inside], p1[inside]
        linear = np.isfinite(start) & np.isfinite(end) & (span > 0)
        slope = np.divide(end - start, span, out=np.zeros_like(span), where=linear)
        part = np.where(linear, start * offset + 0.5 * slope * offset**2, part)
    cumulative = np.where(at < 0, 0.0, before[inside] + part)
    return np.diff(cumulative)
