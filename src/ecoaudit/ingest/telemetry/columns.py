"""Sample lines that differ only in their digits, read together as columns.

A recorder writes the same line again and again with other numbers in it. What is left of a line without its digits is
its skeleton. One line of each skeleton is decoded as JSON, which tells what its numbers are. Every other line with that
skeleton, and with digits in the same places, is then valid JSON of the same structure, and the numbers of all of them
are taken from the bytes at once. Any other line (another structure, an exponent, too many digits, no JSON at all) is
left over for the JSON decoder: nothing is guessed. The values are the decoder's to the last bit, because an integer
below 10^15 over a power of ten is rounded once, as the decimal itself is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecoaudit.ingest.records import FloatArray, IntArray
from ecoaudit.ingest.telemetry.shapes import Plan, Shape, Shapes

_MAX_DIGITS = 15
_PAD = 24
_NEWLINE = 10
_POWERS = 10.0 ** np.arange(8)
# Of 8 bytes that end with a number, as a little-endian word, the digits are the uppermost bytes: keep n of them.
_KEEP = np.array([(0x0F0F0F0F0F0F0F0F << 8 * (8 - n)) & 0x0F0F0F0F0F0F0F0F for n in range(9)], dtype=np.uint64)

_Bytes = NDArray[np.uint8]
_Words = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Consecutive samples, n of them.

    `metrics` have shape (n, gpus), or hold None where the lines say null, and lack the keys that the lines lack.
    `zones`, the RAPL counters, and `node_w` have shape (n,). `has_node_w` says which lines have `node_w`; both are None
    where no line does.
    """

    wall: FloatArray
    mono: FloatArray
    metrics: dict[str, FloatArray | None]
    zones: dict[str, FloatArray]
    node_w: FloatArray | None
    has_node_w: BoolArray | None

    def __len__(self) -> int:
        return len(self.wall)

    def widths(self) -> set[int]:
        """Return the numbers of GPUs that the metrics have values for."""
        return {values.shape[1] for values in self.metrics.values() if values is not None}

    def rows(self, start: int, end: int) -> "Columns":
        """Return the samples from `start` up to `end`."""
        return Columns(
            self.wall[start:end],
            self.mono[start:end],
            {name: None if v is None else v[start:end] for name, v in self.metrics.items()},
            {zone: v[start:end] for zone, v in self.zones.items()},
            None if self.node_w is None else self.node_w[start:end],
            None if self.has_node_w is None else self.has_node_w[start:end],
        )


def columns(block: bytes, shapes: Shapes) -> tuple[list[tuple[IntArray, Columns]], list[int], list[int]]:
    """Read a block of whole lines; returns `(found, left, ends)`.

    `found` holds, for each kind of sample, the numbers of its lines in the block, ascending, and what they say. `left`
    are the numbers of all other lines, ascending; `ends` the positions behind each line's newline.
    """
    data = np.frombuffer(b"\0" * (_PAD - 1) + b"\n" + block + b"\0" * 8, dtype=np.uint8)
    place = np.flatnonzero((data[_PAD - 1 : -8] - np.uint8(48)) > 9) + (_PAD - 1)
    skeleton = data.take(place[1:])
    filled = (np.diff(place) > 1).view(np.uint8)
    last = np.flatnonzero(skeleton == _NEWLINE)
    first = np.concatenate(([0], last[:-1] + 1))
    ends = (place[last + 1] - (_PAD - 1)).tolist()
    kind = _kinds(block, skeleton, filled, first, last, ends, shapes)
    for number, shape in enumerate(shapes.shapes):
        if shape.fixed:
            rows = np.flatnonzero(kind == number)
            kind[rows[_altered(data, place, first[rows], shape)]] = -1
    kind[np.searchsorted(place[last + 1], _leading_zeros(data))] = -1
    found: list[tuple[IntArray, Columns]] = []
    plan_of = np.array([shape.plan for shape in shapes.shapes] + [-1], dtype=np.int64)[kind]
    left = np.flatnonzero(plan_of < 0).tolist()
    for number in np.unique(plan_of[plan_of >= 0]).tolist():
        rows = np.flatnonzero(plan_of == number)
        values, exact = _numbers(data, place, first[rows], shapes.plans[number])
        if not exact.all():
            left += rows[~exact].tolist()
            rows, values = rows[exact], values[exact]
        if rows.size:
            found.append((rows, _columns(values, shapes.plans[number])))
    return found, sorted(left), ends


def _kinds(
    block: bytes, skeleton: _Bytes, filled: _Bytes, first: IntArray, last: IntArray, ends: list[int], shapes: Shapes
) -> IntArray:
    """Return the number of each line's shape, -1 where it has none; shape (lines,)."""
    lengths = (last + 1 - first).tolist()
    guess = [shapes.by_length.get(length, -1) for length in lengths]
    known = shapes.shapes
    pairs = list(zip(guess, lengths, strict=True))
    should_be = b"".join([known[g].skeleton if g >= 0 else bytes(n) for g, n in pairs])
    should_fill = b"".join([known[g].filled if g >= 0 else bytes(n) for g, n in pairs])
    wrong = (skeleton != np.frombuffer(should_be, np.uint8)) | (filled != np.frombuffer(should_fill, np.uint8))
    kind = np.array(guess, dtype=np.int64)
    doubtful = kind < 0
    doubtful[np.searchsorted(last, np.flatnonzero(wrong))] = True
    for row in np.flatnonzero(doubtful).tolist():
        a, b = int(first[row]), int(last[row]) + 1
        number = shapes.number_of(skeleton[a:b].tobytes(), block[ends[row - 1] if row else 0 : ends[row]])
        fits = number is not None and filled[a:b].tobytes() == known[number].filled
        kind[row] = number if number is not None and fits else -1
    return kind


def _leading_zeros(data: _Bytes) -> IntArray:
    """Return the positions of zeros in front of another digit, as JSON forbids them."""
    digit = (data - np.uint8(48)) < 10
    zero = data[1:-1] == 48
    zero &= digit[2:]
    zero &= ~digit[:-2]
    zero &= data[:-2] != 46
    return np.flatnonzero(zero) + 1


def _altered(data: _Bytes, place: IntArray, first: IntArray, shape: Shape) -> BoolArray:
    """Return which of a shape's lines have other digits in their strings than the line it was learnt from."""
    altered = np.zeros(first.size, dtype=bool)
    for column, digits in shape.fixed:
        end = place[first + column + 1]
        altered |= end - place[first + column] - 1 != len(digits)
        for back, digit in enumerate(reversed(digits), start=1):
            altered |= data[end - back] != digit
    return altered


def _numbers(data: _Bytes, place: IntArray, first: IntArray, plan: Plan) -> tuple[FloatArray, BoolArray]:
    """Return the wanted numbers, shape (lines, numbers), and for which lines they are exact."""
    at = first[:, np.newaxis] + np.array(plan.whole)
    end = place[at + 1]
    before = end - place[at] - 1
    part_end = place[first[:, np.newaxis] + np.array(plan.part) + 1]
    behind = np.maximum(part_end - end - 1, 0)
    total = before + behind
    exact = (total <= _MAX_DIGITS) & (behind < 8)
    behind = np.where(exact, behind, 0)
    # The words that end with the digits before and behind the point, moved together, hold the last eight digits.
    words = np.ndarray(data.size - 7, "<u8", data, strides=(1,))
    shift = (8 * behind).astype(np.uint64)
    low = words[end - 8] & _KEEP.take(np.minimum(before, 8))
    low >>= shift
    low |= words[part_end - 8] & _KEEP.take(behind)
    values = _eight_digits(low)
    long = np.flatnonzero(total.max(axis=0, initial=0) > 8)
    if long.size:
        rest = np.clip(total[:, long] - 8, 0, 8)
        high = words[end[:, long] - 16 + behind[:, long]] & _KEEP.take(rest)
        values[:, long] += _eight_digits(high) * np.uint64(10**8)
    numbers = values.astype(np.float64)
    numbers /= _POWERS.take(behind)
    for column in plan.negative:
        numbers[:, column] *= -1.0
    return numbers, exact.all(axis=1)


def _eight_digits(word: _Words) -> _Words:
    """Return the numbers that words of eight digits (a byte each, the first one lowest) stand for; changes `word`."""
    for bits, ten, keep in ((8, 10, 0x00FF00FF00FF00FF), (16, 100, 0x0000FFFF0000FFFF), (32, 10_000, 0xFFFFFFFF)):
        upper = word >> np.uint64(bits)
        word *= np.uint64(ten)
        word += upper
        word &= np.uint64(keep)
    return word


def _columns(values: FloatArray, plan: Plan) -> Columns:
    def one(column: int) -> FloatArray:
        return values[:, column] if column >= 0 else np.full(len(values), np.nan)

    def several(columns: tuple[int, ...] | None) -> FloatArray | None:
        if columns is None:
            return None
        picked = values[:, list(columns)]
        picked[:, np.array(columns, dtype=np.int64) < 0] = np.nan
        return picked

    return Columns(
        wall=one(0),
        mono=one(plan.mono),
        metrics={name: several(columns) for name, columns in plan.metrics},
        zones={zone: one(column) for zone, column in plan.zones},
        node_w=None if plan.node_w is None else one(plan.node_w),
        has_node_w=None if plan.node_w is None else np.ones(len(values), dtype=bool),
    )


def joined(found: list[tuple[IntArray, Columns]]) -> tuple[IntArray, Columns | None, list[int]]:
    """Return the kinds of samples as one: the numbers of their lines, ascending, and what they say.

    Third come the numbers of lines that have other metrics than most.
    """
    if not found:
        return np.empty(0, dtype=np.int64), None, []
    most = max(found, key=lambda kind: kind[0].size)[1]
    alike = [kind for kind in found if _form(kind[1]) == _form(most)]
    other = [row for numbers, kind in found if _form(kind) != _form(most) for row in numbers.tolist()]
    if len(alike) == 1:
        return alike[0][0], alike[0][1], other
    numbers = np.concatenate([rows for rows, _ in alike])
    order = np.argsort(numbers)
    kinds = [kind for _, kind in alike]
    blank = [np.full(len(kind), np.nan) for kind in kinds]

    def stacked(parts: list[FloatArray]) -> FloatArray:
        together: FloatArray = np.concatenate(parts)[order]
        return together

    metrics: dict[str, FloatArray | None] = {}
    for name, values in most.metrics.items():
        metrics[name] = (
            None if values is None else stacked([v for kind in kinds if (v := kind.metrics[name]) is not None])
        )
    zones = list(dict.fromkeys(zone for kind in kinds for zone in kind.zones))
    read = [np.full(len(kind), kind.node_w is not None) for kind in kinds]
    return (
        numbers[order],
        Columns(
            stacked([kind.wall for kind in kinds]),
            stacked([kind.mono for kind in kinds]),
            metrics,
            {zone: stacked([kind.zones.get(zone, b) for kind, b in zip(kinds, blank, strict=True)]) for zone in zones},
            stacked([b if kind.node_w is None else kind.node_w for kind, b in zip(kinds, blank, strict=True)]),
            np.concatenate(read)[order],
        ),
        other,
    )


def _form(samples: Columns) -> dict[str, int | None]:
    """Return the metrics and for how many GPUs they have values."""
    return {name: None if values is None else values.shape[1] for name, values in samples.metrics.items()}
