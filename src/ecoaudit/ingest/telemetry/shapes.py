"""Kinds of sample lines: what is left of them without their digits, and which number in them is what."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np

from ecoaudit.ingest.records import IntArray

METRICS = ("power_w", "power_instant_w", "energy_j", "util")
MAX_SHAPES = 256
"""Kinds of lines learnt from one file; a recorder that leaves out what did not change needs one a choice of keys."""
MAX_LENGTH = 65_536
"""Lines with more bytes that are no digits are looked up one by one."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?')
_NUMBER = re.compile(rb"(-?)(\d+)(?:\.(\d+))?")
_DIGITS = re.compile(rb"\d+")

Values = list[float | None] | None | msgspec.UnsetType


class SampleLike(Protocol):
    """A decoded sample line."""

    t: float
    m: float | None
    rapl_j: dict[str, float | None] | msgspec.UnsetType | None
    node_w: float | msgspec.UnsetType | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the wanted numbers of a line are, and what they are.

    A number's digits before the point end before place `whole` of the skeleton, those behind it before `part` (the same
    place, where it has no point). `mono` ... `node_w` count the wanted numbers; -1 stands for null. Of the metrics in
    `unread` only that there are numbers is wanted: they count 0.
    """

    whole: tuple[int, ...]
    part: tuple[int, ...]
    negative: tuple[int, ...]
    mono: int
    metrics: tuple[tuple[str, tuple[int, ...] | None], ...]
    unread: frozenset[str]
    zones: tuple[tuple[str, int], ...]
    node_w: int | None


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of line: its skeleton, a byte a place (the uppermost bit set where digits stand before it), and the digits
    in strings."""

    skeleton: bytes
    fixed: tuple[tuple[int, bytes], ...]
    plan: int


@dataclass
class Shapes:
    """The kinds of lines learnt so far. `decode` returns the sample in a line of JSON, None for anything else.

    Of the metrics in `unread` nothing is read but where they have numbers.

    `by_length` tells the likely kind by the length of a skeleton, -1 for none.
    """

    decode: Callable[[bytes], SampleLike | None]
    unread: frozenset[str] = frozenset()
    shapes: list[Shape] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    numbers: dict[bytes, int | None] = field(default_factory=dict)
    by_length: IntArray = field(default_factory=lambda: np.full(MAX_LENGTH, -1, dtype=np.int64))

    def number_of(self, skeleton: bytes, line: bytes) -> int | None:
        """Return the number of the kind of `line`, learning it if it is new; None for what is read line by line."""
        if skeleton not in self.numbers and len(self.numbers) < MAX_SHAPES:
            learnt = _learn(line, self.decode, self.unread)
            self.numbers[skeleton] = None
            if learnt is not None:
                fixed, plan = learnt
                if plan not in self.plans:
                    self.plans.append(plan)
                self.numbers[skeleton] = len(self.shapes)
                if len(skeleton) < MAX_LENGTH - 1 and self.by_length[len(skeleton)] < 0:
                    self.by_length[len(skeleton)] = len(self.shapes)
                self.shapes.append(Shape(skeleton, fixed, self.plans.index(plan)))
        return self.numbers.get(skeleton)


def _learn(
    line: bytes, decode: Callable[[bytes], SampleLike | None], unread: frozenset[str]
) -> tuple[tuple[tuple[int, bytes], ...], Plan] | None:
    """Return the digits in a sample line's strings and where they are, and the plan; None for anything else.

    The line is decoded once as it is, and once with its numbers counted through instead: so they tell where they go.
    """
    if decode(line) is None:
        return None
    whole: list[int] = []
    part: list[int] = []
    negative: list[int] = []
    fixed: list[tuple[int, bytes]] = []
    pieces: list[bytes] = []
    done = 0
    for token in _TOKEN.finditer(line):
        text, start = token[0], token.start()
        if text.startswith(b'"'):
            fixed += [(_place(line, start + d.end()), d[0]) for d in _DIGITS.finditer(text)]
            continue
        number = _NUMBER.fullmatch(text)
        if number is None:
            return None
        if number[1]:
            negative.append(len(whole))
        pieces += [line[done:start], b"%d" % len(whole)]
        done = token.end()
        whole.append(_place(line, start + number.end(2)))
        part.append(_place(line, token.end()))
    probe = decode(b"".join([*pieces, line[done:]]))
    if probe is None:
        return None
    return tuple(fixed), _plan(probe, whole, part, negative, unread)


def _place(line: bytes, position: int) -> int:
    """Return how many bytes before `position` are no digits."""
    return len(line[:position].translate(None, b"0123456789"))


def _plan(probe: SampleLike, whole: list[int], part: list[int], negative: list[int], unread: frozenset[str]) -> Plan:
    wanted: list[int] = []

    def want(value: float | None) -> int:
        if value is None:
            return -1
        wanted.append(int(value))
        return len(wanted) - 1

    want(probe.t)
    mono = want(probe.m)
    metrics: list[tuple[str, tuple[int, ...] | None]] = []
    for name in METRICS:
        values: Values = getattr(probe, name)
        if values is None:
            metrics.append((name, None))
        elif isinstance(values, msgspec.UnsetType):
            continue
        elif name in unread:
            metrics.append((name, tuple(-1 if value is None else 0 for value in values)))
        else:
            metrics.append((name, tuple(want(value) for value in values)))
    zones = probe.rapl_j if isinstance(probe.rapl_j, dict) else {}
    found = tuple((zone, want(value)) for zone, value in zones.items())
    node_w = None if isinstance(probe.node_w, msgspec.UnsetType) else want(probe.node_w)
    return Plan(
        whole=tuple(whole[n] for n in wanted),
        part=tuple(part[n] for n in wanted),
        negative=tuple(i for i, n in enumerate(wanted) if n in negative),
        mono=mono,
        metrics=tuple(metrics),
        unread=unread,
        zones=found,
        node_w=node_w,
    )
