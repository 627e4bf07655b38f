"""GPUs by name: whatever a log, a catalogue or a person calls them."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.errors import EcoauditError
from ecoaudit.reference import rows
from ecoaudit.reference.types import Gpu

# Peaks are dense and, for 16-bit tensor formats, with FP32 accumulation; a sparse figure is twice as high.
FORMATS = ("bf16", "fp16", "tf32", "fp8", "fp4", "fp32")

# Products differ in usable memory by what a driver reports (B200: 180, 183, 192 GB), variants by far more (40, 80).
_MEMORY_TOLERANCE = 0.10

_SEPARATORS = re.compile(r"[\s_-]+")
_VENDOR = re.compile(r"^(?:nvidia|amd|tesla|geforce|instinct|grid|corporation)(?:[\s_-]+|(?=[abghl]\d))", re.IGNORECASE)
_COUNT = re.compile(r"^\s*\d+\s*[x×]\s+")
_MEMORY = re.compile(r"(?<![a-z0-9])(\d+)[\s-]?(?:gb|gib|g)\b")
_GLUED = re.compile(r"(?<=[a-z]\d{3})(sxm\d?|pcie|nvl\d*|oam)")
"""A form factor written to a datacentre board's number without a blank: h100sxm5."""
_ALIKE = 0.6
_FORMS = {"pcie": "pcie", "pci": "pcie", "nvl": "nvl", "oam": "oam", "hgx": "sxm", "dgx": "sxm"}
_NOISE = {
    *("nvidia", "amd", "tesla", "instinct", "geforce", "corporation", "gpu", "tensor", "core", "graphics", "card"),
    *("accelerator", "generation", "edition", "ac", "dlc", "e", "lovelace", "hopper", "ampere", "blackwell", "grace"),
    *("superchip", "r", "tm", "hbm", "hbm2", "hbm2e", "hbm3", "hbm3e", "gddr6", "gddr6x", "gddr7"),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    gpu: Gpu
    families: frozenset[str]
    form: str | None
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Parsed:
    family: str
    form: str | None
    memory_gb: float | None


class GpuTable:
    """The GPU table and its name resolution.

    A name resolves when it is the device name that NVML reports, or when family, form factor and memory that it
    states fit exactly one row; every word must be accounted for, so "RTX 4090 Laptop" is not an RTX 4090 and "L40S"
    is not an L4.
    """

    def __init__(self, table: Sequence[rows.Row]) -> None:
        self._entries = tuple(_entry(row) for row in table)
        self.all = tuple(entry.gpu for entry in self._entries)

    def get(self, name: str) -> Gpu:
        """Return the GPU called `name`; raises `EcoauditError` that lists candidates or the nearest names."""
        found = self._candidates(name)
        if len(found) == 1:
            return found[0].gpu
        if found:
            names = ", ".join(entry.gpu.name for entry in found)
            raise EcoauditError(f"GPU {name!r} is ambiguous", fix=f"name one of: {names}")
        near = self._nearest(name)
        fix = (
            f"nearest names are: {', '.join(near)}" if near else 'names look like "H100 SXM", "A100 SXM 80GB", "MI300X"'
        )
        raise EcoauditError(f"unknown GPU {name!r}", fix=fix)

    def find(self, name: str | None) -> Gpu | None:
        """Return the GPU that a log calls `name`, or None when it is unknown or ambiguous."""
        found = self.candidates(name) if name else ()
        return found[0] if len(found) == 1 else None

    def candidates(self, name: str) -> tuple[Gpu, ...]:
        """Return every GPU that `name` can mean: none, the one, or the variants that it does not tell apart."""
        return tuple(entry.gpu for entry in self._candidates(name))

    def _candidates(self, name: str) -> list[_Entry]:
        bare = _COUNT.sub("", name.strip())
        while _VENDOR.match(bare):
            bare = _VENDOR.sub("", bare)
        spaced = _SEPARATORS.sub(" ", bare)  # a Kubernetes label has hyphens for blanks, a file name underscores
        exact = [e for e in self._entries if e.pattern.fullmatch(bare) or e.pattern.fullmatch(spaced)]
        if exact:
            return exact
        parsed = _parse(name)
        return [entry for entry in self._entries if _fits(entry, parsed)]

    def _nearest(self, name: str) -> list[str]:
        """Return up to four rows whose family the name begins with, else those that are written alike."""
        parsed = _parse(name)
        near = [(_likeness(entry.families, parsed.family), entry) for entry in self._entries]
        best = max(likeness for likeness, _ in near)
        near = [(likeness, entry) for likeness, entry in near if likeness >= (best if best > 1.0 else _ALIKE)]
        form = parsed.form or "sxm"
        near.sort(key=lambda item: (item[0], item[1].form == form), reverse=True)
        return [entry.gpu.name for _, entry in near[:4]]


def _likeness(families: frozenset[str], name: str) -> float:
    """Return how much a name is written like one of a row's families: above 1, by length, where it begins with it."""
    begins = [len(family) for family in families if len(family) > 2 and name.startswith(family)]
    if begins:
        return 1.0 + max(begins)
    return max(difflib.SequenceMatcher(None, name, family).ratio() for family in families)


def _fits(entry: _Entry, parsed: _Parsed) -> bool:
    if parsed.family not in entry.families:
        return False
    if parsed.form and entry.form and parsed.form != entry.form:
        return False
    memory = entry.gpu.memory_gib
    if parsed.memory_gb is None or memory is None:
        return True
    return abs(parsed.memory_gb - memory) <= _MEMORY_TOLERANCE * memory


def _parse(name: str) -> _Parsed:
    """Split a name into family ("rtx6000ada", "h100"), form factor and memory; words that say nothing are dropped."""
    lowered = _COUNT.sub("", name).lower().replace("blackwell ultra", "")
    lowered = re.sub(r"max[\s-]?q", "maxq", lowered)
    lowered = _SEPARATORS.sub(" ", lowered)
    while _VENDOR.match(lowered):
        lowered = _VENDOR.sub("", lowered)
    lowered = re.sub(r"pci ?e(xpress)?\b", "pcie", lowered)
    lowered = _GLUED.sub(r" \1 ", lowered)
    memory = _MEMORY.search(lowered)
    words = re.findall(r"[a-z0-9]+", _MEMORY.sub(" ", lowered))
    form = None
    family = []
    for word in words:
        if re.fullmatch(r"sxm\d?", word):
            form = "sxm"
        elif word in _FORMS:
            form = form or _FORMS[word]
        elif word not in _NOISE and not re.fullmatch(r"nvl\d+", word):
            family.append(word)
    return _Parsed("".join(family), form, float(memory.group(1)) if memory else None)


def _entry(row: rows.Row) -> _Entry:
    peaks = {name: rows.optional(row, f"{name}_tflops") for name in FORMATS}
    gpu = Gpu(
        name=row["name"],
        architecture=row["architecture"],
        form_factor=row["form_factor"],
        tdp_w=rows.number(row, "tdp_w"),
        memory_gib=rows.optional(row, "memory_gib"),
        idle_w=rows.optional(row, "idle_w"),
        dense_tflops={name: peak for name, peak in peaks.items() if peak is not None},
        citation=rows.citation(row),
        embodied_kgco2e=rows.optional(row, "embodied_kgco2e"),
        embodied_citation=rows.citation(row, "embodied_") if row["embodied_source"] else None,
        idle_citation=rows.citation(row, "idle_") if row["idle_source"] else None,
        default_limit_w=rows.optional(row, "default_limit_w"),
    )
    return _Entry(
        gpu=gpu,
        families=frozenset(_parse(family).family for family in row["families"].split("|")),
        form=rows.text(row, "form"),
        pattern=re.compile(row["device_name_pattern"], re.IGNORECASE),
    )
