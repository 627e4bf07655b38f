"""Any audit and any verdict: strategies built from the types themselves, with texts that try to break out."""

import enum
import random
import types
import typing
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import Phase, settings
from hypothesis import strategies as st

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit
from ecoaudit.quantity import Basis, Quantity

NASTY = [
    "",
    " ",
    "|",
    "a|b|c",
    "`",
    "``` \n",
    "<script>alert(1)</script>",
    "</details>",
    "<details><summary>x</summary>",
    "</td></tr></table>",
    "<!-- ecoaudit -->",
    "-->",
    "@octocat and @org/team",
    "#1 GH-1 owner/repo#2",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "https://evil.example",
    "\n\n# heading\n",
    "\r\n---\r\n",
    "::error::x",
    "##[error]x",
    "$\\alpha$ \\(x\\)",
    "\u202egnp.exe",
    "\x00\x1b[31m",
    "é😀漢" * 40,
    "W" * 5000,
    "&lt;b&gt; &amp;",
    "10.20.30.40 fe80::1",
    "*bold* _it_ ~~x~~",
    "- item",
    "1. item",
]
FLOATS = [0.0, 1.0, -1.0, 1e-9, 0.05, 3.14, 42.0, 1234.5, 9.9999e5, 1e12, 1.7e308, -1e300, 5e-324]
UNITS = ["kWh", "kgCO2e", "W", "J/token", "USD", "1", "gCO2e/kWh", "a|b", "</td>", "\n# x", "@me", "$x$ [y](z)"]


class Maker:
    """Makes a value of any type of the contracts: structs, lists, dicts, unions, literals, enums and scalars.

    An audit has hundreds of leaves, far more than Hypothesis draws in reasonable time one by one; so it draws a seed,
    and how many of the optional parts are there.
    """

    def __init__(self, seed: int, filled: float) -> None:
        self.random = random.Random(seed)
        self.filled = filled

    def text(self) -> str:
        if self.random.random() < 0.7:
            return self.random.choice(NASTY)
        return "".join(chr(self.random.choice([*range(1, 0xD800), 0x1F600])) for _ in range(self.random.randrange(12)))

    def number(self) -> float:
        if self.random.random() < 0.5:
            return self.random.choice(FLOATS)
        return self.random.choice((1, 1, 1, -1)) * 10 ** self.random.uniform(-12, 15)

    def quantity(self) -> Quantity:
        low, value, high = sorted(self.number() for _ in range(3))
        if self.random.random() < 0.3:
            low = high = value
        unit, basis = self.random.choice(UNITS), self.random.choice(list(Basis))
        return Quantity(value=value, low=low, high=high, unit=unit, basis=basis, source=self.text())

    def make(self, kind: Any) -> Any:
        if kind is Quantity:
            return self.quantity()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.struct(kind)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return self.random.choice(list(kind))
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Union, types.UnionType):
            present = [a for a in arguments if a is not type(None)]
            optional = len(present) < len(arguments)
            return None if optional and self.random.random() > self.filled else self.make(self.random.choice(present))
        if origin is typing.Literal:
            return self.random.choice(arguments)
        if origin is list:
            return [self.make(arguments[0]) for _ in range(self.random.randrange(4))]
        if origin is dict:
            return {self.make(arguments[0]): self.make(arguments[1]) for _ in range(self.random.randrange(3))}
        return {
            str: self.text,
            float: self.number,
            int: lambda: self.random.choice([0, 1, 8, -3, 2**53]),
            bool: lambda: self.random.random() < 0.5,
        }[kind]()

    def struct(self, kind: type[msgspec.Struct]) -> Any:
        hints = typing.get_type_hints(kind)
        return kind(**{name: self.make(hints[name]) for name in kind.__struct_fields__ if name != "schema"})


@dataclass(frozen=True)
class Case:
    """One made-up run, small to print."""

    seed: int
    filled: float

    def audit(self) -> Audit:
        audit: Audit = Maker(self.seed, self.filled).make(Audit)
        return audit

    def verdict(self) -> Verdict:
        verdict: Verdict = Maker(self.seed + 1, self.filled).make(Verdict)
        return verdict


CASES = st.builds(Case, st.integers(min_value=0, max_value=2**32), st.sampled_from([0.05, 0.5, 0.95]))


def examples(count: int) -> settings:
    """Return settings for `count` cases; a seed cannot be shrunk, so a failure is shown as found."""
    return settings(max_examples=count, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
