"""The blocks a Markdown report is built of: each comes out whole, with everything from outside made inert."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from ecoaudit.judge.verdict import Verdict
from ecoaudit.markdown_text import WORD_JOINER, escape
from ecoaudit.model.audit import Audit
from ecoaudit.report import numbers, view, words

_MAX_URL = 400

# What a figure with a unit of the known form is made of: nothing that Markdown reads as syntax, but for a "$".
_PLAIN_FIGURE = re.compile(r"[$€£]?[^\W_](?:[^\W_]|[ .,%/()×·–−∞]){0,59}")

# A command of this program within a text that was made inert.
_COMMAND = re.compile(r"\\`(ecoaudit [a-z -]+)\\`")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a level of detail allows: table rows, characters of a free text, and where mermaid charts stand."""

    rows: int
    text: int
    charts: Literal["open", "folded", "none"]


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a section may read."""

    audit: Audit
    verdict: Verdict
    earlier: tuple[Audit, ...]
    links: dict[str, str]
    limits: Limits

    def text(self, untrusted: str, limit: int | None = None) -> str:
        """Return text from outside, inert in Markdown and cut to the level's length."""
        most = min(limit or self.limits.text, self.limits.text)
        # What is cut away is not read first: a flood of text must cost no time either.
        return _COMMAND.sub(r"`\1`", escape(untrusted[: 4 * most], limit=most))


def safe_url(url: str) -> str | None:
    """Return an http(s) address that cannot end its own link, None for anything else."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    quoted = quote(url, safe=":/?#[]@!$&'()*+,;=%-._~")
    return quoted if scheme in {"http", "https"} and len(quoted) <= _MAX_URL else None


def figure_text(text: str) -> str:
    """Return a number with its unit, or an interval, inert and so that a narrow table cell does not break it.

    The unit comes from the audit, so it is no more to be trusted than any other text.
    """
    plain = _PLAIN_FIGURE.fullmatch(text)
    kept = text.replace("$", "\\$") if plain else escape(text, limit=60)
    kept = kept.replace(" ", "\N{NO-BREAK SPACE}")
    return kept.replace(numbers.RANGE, f"{WORD_JOINER}{numbers.RANGE}{WORD_JOINER}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: set[int]) -> str:
    """Return a Markdown table; `right` holds the columns of numbers. Cells must be inert already."""
    rule = ["--:" if i in right else ":--" for i in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def details(summary: str, body: str) -> str:
    """Return `body` folded under `summary`; both must be inert already."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def bullets(lines: Sequence[str], total: int | None) -> str:
    shown = [f"- {line}" for line in lines if line]
    more = more_than(total, len(lines)) if total is not None else ""
    return "\n".join([*shown, f"- {more}"] if more else shown)


def more_than(total: int, shown: int) -> str:
    return f"and {total - shown:,} more in `audit.json`" if total > shown else ""


def figure_table(context: Context, rows: Sequence[view.Row], label: str) -> str:
    """Return figures as a table with interval, boundary, basis and source, or why one is not known.

    Four columns: six leave so little to the last that sources stand a word a line in a comment's width.
    """
    body = []
    for row in rows:
        shown, quantity = row.shown, row.quantity
        name = context.text(row.label, 120)
        if shown is None or quantity is None:
            body.append([name, words.NOT_KNOWN, "", context.text(row.reason, 300)])
            continue
        value = figure_text(shown.text())
        value = f"**{value}**" if row.headline else value
        interval = f" ({figure_text(shown.interval)})" if shown.interval != numbers.NO_INTERVAL else ""
        ground = f"{context.text(row.boundary, 120)}; {quantity.basis.value}"
        body.append([name, value + interval, ground, context.text(quantity.source, 200)])
    return table([label, "Value (90 % interval)", "Boundary; basis", "Source"], body, right={1})
