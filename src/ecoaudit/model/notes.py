"""What the model has to say beside its figures: warnings, reasons for unknown figures, and where figures come from."""

from dataclasses import dataclass, field

from ecoaudit.model.audit import Provenance
from ecoaudit.reference.types import Citation

LEVEL_KEYS = {f"energy.levels.{level}": level for level in ("L1", "L2", "L3")}


@dataclass(slots=True)
class Notes:
    """Collects warnings (each once, in order), reasons of null figures by their key, and provenance of one audit."""

    warnings: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    provenance: list[Provenance] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Add a warning unless it was given already."""
        if text not in self.warnings:
            self.warnings.append(text)

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
