"""Which of an audit's warnings a report lists: those that its figures do not tell already."""

import re

from ecoaudit.judge.verdict import Verdict
from ecoaudit.model.audit import Audit, LevelName
from ecoaudit.report import view

_NOT_KNOWN = re.compile(r"(?:(L[123]) is|.+) not known: (.+)", re.DOTALL)
_WHY_LOWER: dict[LevelName | None, tuple[str, ...]] = {"L2": ("L3",), "L1": ("L2", "L3")}
"""By the headline's level, the levels above it: why they are not known is why the headline is no better."""


def warnings(audit: Audit, verdict: Verdict) -> list[str]:
    """Return the warnings without those that say again why a figure is not known, where its row says it.

    Of the levels of energy only those stay that would have been the headline: the table of levels tells of all.
    """
    told = {row.reason for row in view.main_rows(audit, verdict) if row.quantity is None}
    headline = audit.energy.headline
    wanted = _WHY_LOWER.get(headline.level if headline else None, ())
    return [text for text in audit.quality.warnings if _adds(text, told, wanted)]


def _adds(text: str, told: set[str], wanted: tuple[str, ...]) -> bool:
    said = _NOT_KNOWN.fullmatch(text)
    if said is None:
        return True
    level, why = said.groups()
    return level in wanted if level else why not in told
