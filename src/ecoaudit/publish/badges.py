"""Badges for a README, made from our own figures: as data in the form of shields.io's endpoint, and drawn as SVG. Pure.

The data follow https://shields.io/badges/endpoint-badge (schemaVersion 1); the drawing needs no other party at all.
"""

from html import escape

import msgspec

from ecoaudit.judge.verdict import Outcome
from ecoaudit.markdown_text import clean
from ecoaudit.model.audit import Audit
from ecoaudit.quantity import Quantity
from ecoaudit.report import numbers, view

_NOT_KNOWN = "not known"
_COLOURS = {
    # All are dark enough for white letters (contrast of 4.5 and more, WCAG 2.2 AA).
    "brightgreen": "#2a7d2e",
    "orange": "#a85b00",
    "red": "#c0332b",
    "blue": "#1f6fb2",
    "lightgrey": "#656d76",
}
_CHAR_PX = 6.3
"""Mean width of a letter of 11 px Verdana; `textLength` fits what another font makes of it."""


class Badge(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One badge; `color` is one of shields.io's names."""

    schema_version: int = 1
    label: str
    message: str
    color: str


def of(audit: Audit, outcome: Outcome, *, judged: bool) -> dict[str, Badge]:
    """Return the badges of `audit` by name; the colour is the verdict's, blue where no budget was `judged`.

    A figure comes with its boundary and basis, since a number without them can be anything.
    """
    _, carbon, _ = view.carbon_figure(audit)
    headline, cost = audit.energy.headline, audit.cost.total
    energy = headline.value if headline else None
    where = headline.boundary.value if headline else ""
    colour = {
        Outcome.PASS: "brightgreen" if judged else "blue",
        Outcome.INCONCLUSIVE: "lightgrey",
        Outcome.WARN: "orange",
        Outcome.FAIL: "red",
    }[outcome]
    return {
        "carbon": _badge("training carbon", carbon, where, colour),
        "energy": _badge("training energy", energy, where, colour),
        "cost": _badge("training cost", cost, "", colour),
    }


def files(badges: dict[str, Badge]) -> dict[str, str]:
    """Return the files of `badges`: `badge-NAME.json` for shields.io or a server of one's own, and `badge-NAME.svg`."""
    made = {}
    for name, badge in badges.items():
        made[f"badge-{name}.json"] = msgspec.json.encode(badge).decode() + "\n"
        made[f"badge-{name}.svg"] = svg(badge)
    return made


def svg(badge: Badge) -> str:
    """Return `badge` as an SVG of its own colours, legible on any page and read aloud by its title."""
    left, right = (round(len(text) * _CHAR_PX + 12) for text in (badge.label, badge.message))
    label, message = escape(badge.label), escape(badge.message)
    texts = "".join(
        f'<text x="{x + 6}" y="14" textLength="{width - 12}" lengthAdjust="spacingAndGlyphs">{text}</text>'
        for x, width, text in ((0, left, label), (left, right, message))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f' aria-label="{label}: {message}"><title>{label}: {message}</title>'
        f'<rect rx="3" width="{left + right}" height="20" fill="#444c56"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{left}z" fill="{_COLOURS[badge.color]}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>\n'
    )


def _badge(label: str, quantity: Quantity | None, where: str, colour: str) -> Badge:
    if quantity is None:
        return Badge(label=label, message=_NOT_KNOWN, color="lightgrey")
    ground = ", ".join(part for part in (where, quantity.basis.value) if part)
    return Badge(label=label, message=clean(f"{numbers.show(quantity).text()} ({ground})", limit=80), color=colour)
