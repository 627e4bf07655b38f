"""Phases out of console lines that tell a time for both ends, or a duration and one end; nothing is guessed."""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecoaudit.ingest import values
from ecoaudit.ingest.records import Phase, ReadOptions

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?)")
# A collector's or a logger's stamp before the framework's own line.
_COLLECTOR = re.compile(r"\W{0,3}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[-+]\d\d:?\d\d)[\]\s]")
_LOGGER = re.compile(r"\W{0,3}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \| \w+ +\| ")
_LONGEST_S = 86_400.0
"""A phase above a day is a line lost in between, not a checkpoint."""

# Begin and end as the framework's own lines have them; both carry a stamp. Where every rank prints the end, a `tag`
# names the checkpoint and the last rank's line counts. A checkpoint that is written in the background has no end here:
# training goes on meanwhile.
_PAIRS = (
    # DeepSpeed's checkpoint engine (2023 to 2025), also under Megatron-DeepSpeed, GPT-NeoX and the Trainer
    (
        "checkpoint",
        re.compile(r"Checkpoint (?P<tag>\S+) is (?:about to be saved|begin to save)"),
        re.compile(r"Checkpoint (?P<tag>\S+) is ready now!"),
    ),
    # DeepSpeed before it: the model's file first, then the optimizer's of each rank
    (
        "checkpoint",
        re.compile(r"Saving model checkpoint: \S*?(?P<tag>global_step\d+)"),
        re.compile(r"zero checkpoint saved \S*?(?P<tag>global_step\d+)"),
    ),
    # OLMo, OLMo-core
    (
        "checkpoint",
        re.compile(r"Saving (?:[\w-]+ ){0,3}checkpoint(?:\.\.\.| for step \d+(?!.*asynchronously))"),
        re.compile(r"[Cc]heckpoint saved(?: to|$)"),
    ),
)
# torchtitan: what it calls staging is the blocking part of a checkpoint that is written in the background
_FINISHED = re.compile(
    r"(?:Finished (saving|staging|loading) the checkpoint.{0,60}?|Last step checkpoint completed )in (\d+(?:\.\d+)?) ?s"
)


def stamp_of(text: str) -> float:
    """Return the line's own first stamp as if it were UTC, NaN without one; a collector's has another zone."""
    collected = _COLLECTOR.match(text)
    before = collected or _LOGGER.match(text)
    match = _STAMP.search(text, before.end()) if before else None
    if match is None and collected is None:
        match = _STAMP.search(text)
    try:
        return values.parse_time(match[1])[0] if match else math.nan
    except ValueError:
        return math.nan


@dataclass
class Phases:
    """Collects phases on the log's own clock; `localised` moves them to UTC."""

    found: list[tuple[str, float, float]] = field(default_factory=list)
    _open: dict[int, float] = field(default_factory=dict)
    _begun: dict[tuple[int, str], float] = field(default_factory=dict)

    def notice(self, text: str) -> bool:
        """Take a line that begins or ends a phase; return whether it was one."""
        if "heckpoint" not in text and "ready now" not in text:
            return False
        if match := _FINISHED.search(text):
            if match[1] != "loading":
                end = stamp_of(text)
                self.span("checkpoint", end - float(match[2]), end)
            return True
        for number, (name, begin, end_line) in enumerate(_PAIRS):
            if match := begin.search(text):
                start = self._open.setdefault(number, stamp_of(text))  # the first of many ranks
                self._begun[number, match.groupdict().get("tag", "")] = start
                return True
            if match := end_line.search(text):
                tag = match.groupdict().get("tag")
                start = self._open.pop(number, math.nan) if tag is None else self._begun.get((number, tag), math.nan)
                self._open.pop(number, None)
                self.span(name, start, stamp_of(text))
                return True
        return False

    def span(self, name: str, start: float, end: float) -> None:
        """Add a phase whose two ends are known; one that is empty, unknown or longer than a day is left out."""
        if math.isfinite(start) and math.isfinite(end) and 0 < end - start <= _LONGEST_S:
            self.found.append((name, start, end))

    def localised(self, options: ReadOptions) -> tuple[Phase, ...]:
        """Return the phases in UTC where the zone is known, in the order of time."""
        if not self.found:
            return ()
        starts = values.localise(np.array([start for _, start, _ in self.found]), options.zone)
        ends = values.localise(np.array([end for _, _, end in self.found]), options.zone)
        phases: list[Phase] = []
        spans = zip((name for name, _, _ in self.found), starts.tolist(), ends.tolist(), strict=True)
        for name, start, end in sorted(spans, key=lambda span: span[1]):
            if end <= start:  # a clock change inside a phase
                continue
            last = phases[-1] if phases else None
            if last is not None and last.name == name and start <= last.end_s:  # other ranks, lines of two layers
                phases[-1] = Phase(name, last.start_s, max(end, last.end_s))
            else:
                phases.append(Phase(name, start, end))
        return tuple(phases)


CONFIGURED = 10
"""After so many steps a console says nothing more of its configuration; a restart says the same again."""

_LAYERS = re.compile(r"[\"']?\b(?:num_hidden_layers|n_layers?|num_layers)\b[\"']?\s*[:=]\s*(\d{1,4})\b")
_HIDDEN = re.compile(r"[\"']?\b(?:hidden_size|n_embd|d_model)\b[\"']?\s*[:=]\s*(\d{1,6})\b")
_ATTENTION = re.compile(r"\b_?attn_(?:implementation|backend|type)\b[\"']?\s*[:=]\s*[\"']?([A-Za-z]\w*)")
_TRUE = re.compile(r"^\s*[\"']?(bf16|fp16|fp8)[\"']?\s*[:=]\s*[Tt]rue\b")


def notice_model(text: str, into: dict[str, str]) -> None:
    """Keep the first number of layers, hidden size, attention and number format that a configuration dump tells."""
    for name, pattern in (("layers", _LAYERS), ("hidden", _HIDDEN), ("attention", _ATTENTION), ("precision", _TRUE)):
        if name not in into and (match := pattern.search(text)):
            into[name] = match[1]


def model_facts(facts: dict[str, str]) -> dict[str, Any]:
    """Return the fields of `TrainingLog` that `notice_model` found; layers and hidden size only together."""
    known: dict[str, Any] = {"attention": facts.get("attention"), "precision": facts.get("precision")}
    if "layers" in facts and "hidden" in facts:
        known |= {"layers": int(facts["layers"]), "hidden_size": int(facts["hidden"])}
    return {name: value for name, value in known.items() if value is not None}
