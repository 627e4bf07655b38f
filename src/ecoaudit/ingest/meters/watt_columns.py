"""Which columns of a table are watts, and whose: GPUs, a node, several nodes, or parts that add up to one."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ecoaudit.ingest import tables, values
from ecoaudit.ingest.stamps import Stamps, time_columns

_UNIT = re.compile(r"\s*[\[(]\s*([^\])]*?)\s*[\])]\s*$")
_SUFFIX = re.compile(r"_(w|kw|mw|uw|watts?|kilowatts?|milliwatts?)$")
_UNITS = {"kilowatt": "kw", "kilowatts": "kw", "milliwatt": "mw", "milliwatts": "mw", "watt": "w", "watts": "w"}
# Words of columns that are no reading of power, of those that are of a part of a node, of power, and of a node.
_NO_READING = re.compile(
    r"(?:^|_)(?:limit|cap|capping|max|maximum|min|minimum|peak|set|requested|apparent|reactive|factor|tdp|budget|"
    r"threshold|rated|status|state|energy|default|enforced|pl\d)(?=_|$)"
)
_PART = re.compile(
    r"(?:^|_)(?:cpu|dram|ram|mem|memory|soc|ane|package|pkg|rails?|cores?|uncore|fan|disk|ssd|slot|pin|src|mvddc|vddc|"
    r"pp0|pp1|psys|ia|gt|processor|platform|dimm|nic)(?=_|$)"
)
_POWER = re.compile(r"(?:^|_)(?:power|watts?|wattage|apower|pwr|w|kw)(?=_|$)|^(?:gpu|psu)_?\d{1,3}$")
_ELEMENT = re.compile(r"^p_?(?:\d|sigma\w?)?$")
_BESIDE = re.compile(r"^(?:u|v|i)_?\d?$")
"""A power analyser's columns: P-1 is a power beside U-1 and I-1, and anything elsewhere."""
_NODE = re.compile(
    r"(?:^|_)(?:node|wall|system|server|host|ac|input|outlet|pdu|meter|plug|socket|chassis|machine|mains)(?=_|\d|$)"
)
_GPU = re.compile(r"(?:^|_)(?:gpu|card|accelerator)_?(\d{1,3})?(?=_|$)")
_NUMBERED_NODE = re.compile(r"^(?:node|n|host|server|machine)_?\d{1,4}(?=_|$)")
_ADDED = re.compile(r"^(?:psu|ps|supply|power_supply|phase|line|inlet|input|l|p)_?(?:\d|[abc])(?=_|$)")
_TOTAL = re.compile(r"(?:^|_)(?:total|sum|sigma|overall|combined)(?=_|$)")
_MEAN = re.compile(r"(?:^|_)(?:avg|average|mean)(?=_|$)")


@dataclass(frozen=True)
class Layout:
    """Columns by place: the time (date and time of day), GPUs by index, nodes by label (columns that add up), and what
    is left out. `problem` says why the columns cannot be taken."""

    delimiter: str
    names: tuple[str, ...]
    time: tuple[int, ...]
    units: dict[int, str]
    scale: float = 1.0
    gpus: dict[int, int] = field(default_factory=dict)
    nodes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    left_out: tuple[int, ...] = ()
    entity: int | None = None
    problem: str | None = None

    @property
    def width(self) -> int:
        return len(self.names)

    def stamps(self, texts: Iterable[str]) -> Stamps:
        """Return the reader of the time column, given the first lines of the table."""
        return Stamps.of(texts, self.scale, dated=self.names[self.time[0]].lower() == "epoch")

    def stamp(self, cells: Sequence[str]) -> str:
        """Return the text of a row's time."""
        return " ".join(cells[i] for i in self.time)

    def watts(self, cells: Sequence[str], column: int) -> float:
        """Return a cell in W, NaN where it says that there is none; `ValueError` for what is no power."""
        return values.power_w(tables.decimal(cells[column], self.delimiter), unit=self.units.get(column, "w"))

    def named(self, columns: Sequence[int]) -> str:
        """Return the names of columns as the header has them."""
        return ", ".join(self.names[i] for i in columns)


def layout_of(header: str, *, about_gpus: bool = False) -> Layout | None:
    """Return what a header line says, None when it names no time or no power.

    `about_gpus` settles whose a lone column of power is (by the file's name) where the header does not.
    """
    delimiter = tables.delimiter_of(header)
    names = tuple(c.strip().strip('"').strip() for c in header.lstrip("#").split(delimiter))
    units = {i: m[1].strip() for i, n in enumerate(names) if (m := _UNIT.search(n))}
    words = [tables.word_of(_UNIT.sub("", n)) for n in names]
    time = time_columns(words)
    if len(names) < 2 or not time:
        return None
    scale = 1e-3 if words[time[0]].endswith("_ms") or units.get(time[0]) == "ms" else 1.0
    if {"entity_id", "state"} <= set(words):
        return Layout(delimiter, names, time, {}, nodes={"": (words.index("state"),)}, entity=words.index("entity_id"))
    for i, word in enumerate(words):
        if i not in units and (suffix := _SUFFIX.search(word)):
            units[i] = suffix[1]
    analyser = sum(_BESIDE.match(word) is not None for word in words) > 1
    watts = [i for i, word in enumerate(words) if i not in time and _is_power(word, units.get(i), analyser=analyser)]
    if not watts:
        return None
    scales = {i: _UNITS.get(units[i].lower(), units[i].lower()) for i in watts if i in units}
    found = Layout(delimiter, names, time, scales, scale)
    return _assigned(found, {i: _SUFFIX.sub("", words[i]) for i in watts}, about_gpus=about_gpus)


def _is_power(word: str, unit: str | None, *, analyser: bool) -> bool:
    if _NO_READING.search(word):
        return False
    if unit is not None:
        return unit != "MW" and unit.lower() in values.POWER_UNITS  # MW may be mega or, by mistake, milli
    return _POWER.search(word) is not None or (analyser and _ELEMENT.match(word) is not None)


def _assigned(found: Layout, words: dict[int, str], *, about_gpus: bool) -> Layout:
    """Return the layout with its columns of watts given to GPUs and nodes."""
    of_gpus = {i: m for i, word in words.items() if (m := _GPU.search(word))}
    parts = [i for i, word in words.items() if i not in of_gpus and _PART.search(word)]
    rest = [i for i in words if i not in of_gpus and i not in parts]
    numbered = {int(m[1]): i for i, m in of_gpus.items() if m[1]}
    single = [i for i, m in of_gpus.items() if not m[1]]
    alike = [i for i in single if words[i] == words[single[0]]]  # HWiNFO: `GPU Power [W]` once a GPU
    gpus = numbered or dict(enumerate(alike))
    if not gpus and len(rest) == 1 and about_gpus:
        gpus, rest = {0: rest[0]}, []
    nodes, problem = _nodes({i: words[i] for i in rest}, found, beside_gpus=bool(gpus))
    taken = {*gpus.values(), *(i for columns in nodes.values() for i in columns)}
    if not taken and problem is None:
        problem = f"the columns {found.named(list(words))} are of parts of a node"
    return Layout(
        found.delimiter,
        found.names,
        found.time,
        found.units,
        found.scale,
        gpus,
        nodes,
        tuple(i for i in words if i not in taken),
        problem=None if gpus else problem,
    )


def _nodes(words: dict[int, str], found: Layout, *, beside_gpus: bool) -> tuple[dict[str, tuple[int, ...]], str | None]:
    """Return the columns of each node, and why there are none if that cannot be told."""
    if beside_gpus:  # a bare `power` or `total` beside GPUs may be their sum
        words = {i: word for i, word in words.items() if _NODE.search(word)}
    means = {i: word for i, word in words.items() if _MEAN.search(word)}
    if len(words) > 1 and len(means) == 1:
        words = means
    each = {i: word for i, word in words.items() if _NUMBERED_NODE.search(word)}
    if each:
        return {found.names[i]: (i,) for i in each}, None
    totals = [i for i, word in words.items() if _TOTAL.search(word)]
    if len(words) == 1 or len(totals) == 1:
        return {"": (totals[0] if totals else next(iter(words)),)}, None
    added = [i for i, word in words.items() if _ADDED.search(word)]
    if added and len(added) == len(words):
        return {"": tuple(added)}, None
    if not words:
        return {}, None
    return {}, f"nothing says whose the columns {found.named(list(words))} are"
