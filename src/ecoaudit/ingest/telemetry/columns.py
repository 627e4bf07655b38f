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
_MAX_BEHIND = 7
_PAD = 24
"""Bytes in front of a block, a whole number of words: a number's digits are taken from three words."""
_NEWLINE = 10
_ALIEN = 127
"""Stands for every byte that is not ASCII; lines with one are left to the JSON decoder."""
_FILLED = 128
"""Marks, in a skeleton, a byte that digits stand before."""
_POWERS = 10.0 ** np.arange(8)
_BYTE, _WORD = np.uint64(8), np.uint64(64)
# Of 8 bytes that end with a number, as a little-endian word, the digits are the uppermost bytes: keep n of them.
_KEEP = np.array([(0x0F0F0F0F0F0F0F0F << 8 * (8 - n)) & 0x0F0F0F0F0F0F0F0F for n in range(9)], dtype=np.uint64)
# The same for a number of n digits in two words: of the last eight digits, and of those before them.
_LOW, _HIGH = _KEEP[[min(n, 8) for n in range(17)]], _KEEP[[max(n - 8, 0) for n in range(17)]]
# Of the same 8 bytes, those of the n digits behind the point, whole; and all others.
_BEHIND = np.array([(~0 << 8 * (8 - n)) & 0xFFFFFFFFFFFFFFFF for n in range(8)], dtype=np.uint64)
_BEFORE = ~_BEHIND

_Bytes = NDArray[np.uint8]
_Words = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Columns:
    """Consecutive samples, n of them.

    `metrics` have shape (n, gpus), a board's values side by side in memory, or hold None where the lines say null, and
    lack the keys that the lines lack. `zones`, the RAPL counters, and `node_w` have shape (n,). `has_node_w` says which
    lines have `node_w`; both are None
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
        return self.chosen(slice(start, end))

    def chosen(self, which: slice | IntArray) -> "Columns":
        """Return some of the samples."""
        return Columns(
            self.wall[which],
            self.mono[which],
            {name: None if v is None else v[which] for name, v in self.metrics.items()},
            {zone: v[which] for zone, v in self.zones.items()},
            None if self.node_w is None else self.node_w[which],
            None if self.has_node_w is None else self.has_node_w[which],
        )


def columns(block: bytes, shapes: Shapes) -> tuple[list[tuple[IntArray, Columns]], list[int], IntArray]:
    """Read a block of whole lines; returns `(found, left, ends)`.

    `found` holds, for each kind of sample, the numbers of its lines in the block, ascending, and what they say. `left`
    are the numbers of all other lines, ascending; `ends` the positions behind each line's newline.
    """
    # Padded with digits, which are no places.
    data = np.frombuffer(b"1" * (_PAD - 1) + b"\n" + block + b"1" * (16 - len(block) % 8), dtype=np.uint8)
    alien = np.empty(0, dtype=np.int64)
    if not block.isascii():
        alien = np.flatnonzero(data >= _FILLED)
        data = np.where(data >= _FILLED, np.uint8(_ALIEN), data)
    other = (data - np.uint8(48)) > 9
    digit = ~other
    place = np.flatnonzero(other)
    coded = data.copy()
    coded[1:] |= digit[:-1].view(np.uint8) * np.uint8(_FILLED)
    skeleton = coded.take(place[1:])
    last = np.flatnonzero((skeleton & np.uint8(_ALIEN)) == _NEWLINE)
    first = np.concatenate(([0], last[:-1] + 1))
    line_ends = place[last + 1]
    ends = line_ends - (_PAD - 1)
    kind = _kinds(block, skeleton, first, last, ends, shapes)
    for number, shape in enumerate(shapes.shapes):
        if shape.fixed:
            rows = np.flatnonzero(kind == number)
            kind[rows[_altered(data, place, first[rows], shape)]] = -1
    for doubtful in (alien, _leading_zeros(data, digit, other)):
        kind[np.searchsorted(line_ends, doubtful)] = -1
    found: list[tuple[IntArray, Columns]] = []
    plan_of = np.array([shape.plan for shape in shapes.shapes] + [-1], dtype=np.int64)[kind]
    left = np.flatnonzero(plan_of < 0).tolist()
    for number in np.flatnonzero(np.bincount(plan_of + 1)[1:]).tolist():
        rows = np.flatnonzero(plan_of == number)
        values, exact = _numbers(data.view("<u8"), place, first[rows], shapes.plans[number])
        if not exact.all():
            left += rows[~exact].tolist()
            rows, values = rows[exact], values[:, exact]
        if rows.size:
            found.append((rows, _columns(values, shapes.plans[number])))
    return found, sorted(left), ends


def _kinds(block: bytes, skeleton: _Bytes, first: IntArray, last: IntArray, ends: IntArray, shapes: Shapes) -> IntArray:
    """Return the number of each line's shape, -1 where it has none; shape (lines,)."""
    lengths = last + 1 - first

    def learnt(row: int) -> int:
        a, b = int(first[row]), int(last[row]) + 1
        number = shapes.number_of(skeleton[a:b].tobytes(), block[ends[row - 1] if row else 0 : ends[row]])
        return -1 if number is None else number

    new = np.flatnonzero(shapes.by_length.take(lengths, mode="clip") < 0)
    for row in new[np.unique(lengths[new], return_index=True)[1]].tolist():  # one of each length tells of the others
        learnt(row)
    kind = shapes.by_length.take(lengths, mode="clip")
    doubtful = kind < 0
    known = [shape.skeleton for shape in shapes.shapes]
    if doubtful.any():
        parts = [known[k] if k >= 0 else bytes(n) for k, n in zip(kind.tolist(), lengths.tolist(), strict=True)]
    else:
        begins = np.concatenate(([0], np.flatnonzero(np.diff(kind)) + 1))
        counts = np.diff(begins, append=kind.size)
        parts = [known[k] * n for k, n in zip(kind[begins].tolist(), counts.tolist(), strict=True)]
    wrong = skeleton != np.frombuffer(b"".join(parts), np.uint8)
    if not wrong.any():
        return kind
    doubtful[np.searchsorted(last, np.flatnonzero(wrong))] = True
    for row in np.flatnonzero(doubtful).tolist():
        kind[row] = learnt(row)
    return kind


def _leading_zeros(data: _Bytes, digit: BoolArray, other: BoolArray) -> IntArray:
    """Return the positions of zeros in front of another digit, as JSON forbids them."""
    zero = data[1:-1] == 48
    zero &= digit[2:]
    zero &= other[:-2]
    zero &= data[:-2] != 46
    return np.flatnonzero(zero) + 1 if zero.any() else np.empty(0, dtype=np.int64)


def _altered(data: _Bytes, place: IntArray, first: IntArray, shape: Shape) -> BoolArray:
    """Return which of a shape's lines have other digits in their strings than the line it was learnt from."""
    altered = np.zeros(first.size, dtype=bool)
    for column, digits in shape.fixed:
        end = place[first + column + 1]
        altered |= end - place[first + column] - 1 != len(digits)
        for back, digit in enumerate(reversed(digits), start=1):
            altered |= data[end - back] != digit
    return altered


def _numbers(words: _Words, place: IntArray, first: IntArray, plan: Plan) -> tuple[FloatArray, BoolArray]:
    """Return the wanted numbers, shape (numbers, lines), and for which lines they are exact."""
    values = np.empty((len(plan.whole), first.size))
    exact = np.ones(first.size, dtype=bool)
    whole, part = np.array(plan.whole), np.array(plan.part)
    for pointed in (False, True):
        wanted = np.flatnonzero((part != whole) == pointed)
        if not wanted.size:
            continue
        at = first + whole[wanted, np.newaxis]
        start = place.take(at)
        at += 1
        end = place.take(at)
        total = end - start
        total -= 1
        behind = None
        if pointed:
            at += 1
            point, end = end, place.take(at)
            behind = end - point
            behind -= 1
            total += behind
            if behind.max(initial=0) > _MAX_BEHIND:
                exact &= (behind <= _MAX_BEHIND).all(axis=0)
                np.minimum(behind, _MAX_BEHIND, out=behind)
        if total.max(initial=0) > _MAX_DIGITS:
            exact &= (total <= _MAX_DIGITS).all(axis=0)
            np.minimum(total, _MAX_DIGITS, out=total)
        numbers = _digits(words, end, total, behind).view(np.int64).astype(np.float64)
        if behind is not None:
            numbers /= _POWERS.take(behind)
        values[wanted] = numbers
    for column in plan.negative:
        values[column] *= -1.0
    return values, exact


def _digits(words: _Words, end: IntArray, total: IntArray, behind: IntArray | None) -> _Words:
    """Return the integers of at most 15 digits, `total` in all and `behind` of them behind a point, before `end`."""
    at = end >> 3
    shift = (end & 7).view(np.uint64)
    shift <<= np.uint64(3)
    unshift = _WORD - shift
    upper = words.take(at)
    at -= 1
    middle = words.take(at)
    long = behind is not None or bool(total.max(initial=0) > 8)
    # Of the 16 bytes before `end`, `low` are the last eight, `high` those before them; a shift by a whole word is 0.
    upper <<= unshift
    low = middle >> shift
    low |= upper
    high = low
    if long:
        at -= 1
        high = words.take(at)
        high >>= shift
        middle <<= unshift
        high |= middle
    if behind is not None:
        # Bytes before the point move up by one, onto it.
        moved = high >> np.uint64(56)
        moved |= low << _BYTE
        low &= _BEHIND.take(behind)
        moved &= _BEFORE.take(behind)
        low |= moved
        high <<= _BYTE
    low &= _LOW.take(total)
    values = _eight_digits(low)
    if long:
        many = np.flatnonzero(total.max(axis=1, initial=0) > 8)
        some = slice(int(many[0]), int(many[-1]) + 1) if many.size else slice(0)
        rest = _eight_digits(high[some] & _HIGH.take(total[some]))
        rest *= np.uint64(10**8)
        values[some] += rest
    return values


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
        return values[column] if column >= 0 else np.full(values.shape[1], np.nan)

    def several(name: str, columns: tuple[int, ...] | None) -> FloatArray | None:
        if columns is None:
            return None
        if name in plan.unread:
            read = np.where(np.array(columns, dtype=np.int64) < 0, np.nan, 0.0)
            return np.broadcast_to(read, (values.shape[1], read.size))
        if columns and -1 not in columns:  # wanted numbers are counted in the order of the metrics
            return values[columns[0] : columns[0] + len(columns)].T
        picked = values[list(columns)]
        picked[np.array(columns, dtype=np.int64) < 0] = np.nan
        return picked.T

    return Columns(
        wall=one(0),
        mono=one(plan.mono),
        metrics={name: several(name, columns) for name, columns in plan.metrics},
        zones={zone: one(column) for zone, column in plan.zones},
        node_w=None if plan.node_w is None else one(plan.node_w),
        has_node_w=None if plan.node_w is None else np.ones(values.shape[1], dtype=bool),
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
