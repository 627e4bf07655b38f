"""What the model has to say beside its figures: warnings, reasons for unknown figures, and where figures come from."""

from dataclasses import dataclass, field

from ecoaudit.model.audit import LevelName, Provenance
from ecoaudit.reference.types import Citation

LEVEL_KEYS = {f"energy.levels.{level}": level for level in ("L1", "L2", "L3")}


@dataclass(slots=True)
class Notes:
    """Collects warnings (each once, in order), reasons of null figures by their key, and provenance of one audit."""

    warnings: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    provenance: list[Provenance] = field(default_factory=list)
    grave: set[str] = field(default_factory=set)

    def warn(self, text: str, *, grave: bool = False) -> None:
        """Add a warning unless it was given already; a grave one makes a figure null or takes data away."""
        if text not in self.warnings:
            self.warnings.append(text)
        if grave:
            self.grave.add(text)

    def by_consequence(self, headline: LevelName | None) -> list[str]:
        """Return the warnings, first those that make the headline null or a lower bound, then the grave, then the rest.

        `headline` is the level that was used; a level above it that is not known is why.
        """
        lost: dict[LevelName | None, list[str]] = {"L2": ["L3"], "L1": ["L2", "L3"], None: ["L2", "L1", "L3"]}
        first = [f"{level} is not known" for level in lost.get(headline, [])]

        def rank(text: str) -> int:
            why = next((place for place, start in enumerate(first) if text.startswith(start)), None)
            return why if why is not None else len(first) if text in self.grave else len(first) + 1

        return sorted(self.warnings, key=rank)

    def null(self, key: str, reason: str) -> None:
        """Say why the figure at `key` of the audit is null; a level that is null is worth a warning too."""
        self.unknown.setdefault(key, reason)
        if key in LEVEL_KEYS:
            self.warn(f"{LEVEL_KEYS[key]} is not known: {reason}")

    def cite(self, what: str, value: str, citation: Citation) -> None:
        """Record the source of a figure that came from a table or from the user."""
        entry = Provenance(what=what, value=value, source=citation.source, year=citation.year, licence=citation.licence)
        if entry not in self.provenance:
            self.provenance.append(entry)

    def state(self, what: str, value: str, source: str) -> None:
        """Record the source of a figure that a log, the user or a judgement gave."""
        self.cite(what, value, Citation(source=source))
