"""The comment as data: its markers, its sections, and how a new section joins the ones already there. Pure.

A comment begins with a marker line. Each project has a section between two marker lines; the first carries, in base64,
who wrote it and the row of the overview. Markers count only when they stand alone on a line: text of a stranger is
always one line of something else, so it cannot forge one.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ecoaudit.judge.verdict import Outcome
from ecoaudit.publish.effects import Order, Row, Section
from ecoaudit.report import words

MARKER = "<!-- ecoaudit:comment/1 -->"
ONCE_MARKER = "<!-- ecoaudit:comment/1 once -->"
MAX_BYTES = 60_000
"""GitHub's limit is 65,536 characters; bytes under it are safe however it counts."""
MAX_SECTIONS = 100

_SECTION = re.compile(
    r"^<!-- ecoaudit:section/1 ([A-Za-z0-9+/=]{1,8000}) -->\n(.*?)^<!-- /ecoaudit:section/1 -->$",
    re.DOTALL | re.MULTILINE,
)
_END = "<!-- /ecoaudit:section/1 -->"
_SEVERITY = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.FAIL]


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What a section's marker remembers."""

    project: str
    order: Order
    workflow: str
    head_sha: str
    fingerprint: str
    row: Row
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A section as it stands in a comment."""

    meta: Meta
    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The comment already holds something that this run must not overwrite; `conflict` when that is an error."""

    reason: str
    conflict: bool = False


def is_ours(body: str) -> bool:
    """Return whether `body` begins with the marker of an updatable comment."""
    return body.replace("\r\n", "\n").startswith(f"{MARKER}\n")


def same(one: str, other: str) -> bool:
    """Return whether two bodies differ at most in line ends and outer white space, which GitHub may change."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


def parse(body: str) -> list[Placed]:
    """Return the sections of a comment in their order; damaged ones are left out."""
    placed = []
    for match in list(_SECTION.finditer(body.replace("\r\n", "\n")))[:MAX_SECTIONS]:
        try:
            meta = msgspec.json.decode(base64.b64decode(match[1], validate=True), type=Meta)
        except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            continue
        placed.append(Placed(meta, match[2].strip("\n")))
    return placed


def join(present: Sequence[Placed], section: Section, current_head: str) -> list[Placed] | Kept:
    """Return the sections with `section` in its place, or why the present one stays.

    A section of the pull request's current head beats one of an earlier head; then the later run number and attempt of
    the same workflow win; equal ones may write, unless two different audits of one run claim the same project.
    """
    mine = Placed(_meta(section), section.texts[0])
    for old in present:
        if old.meta.project != section.project:
            continue
        kept = _kept(old.meta, section, current_head)
        if kept:
            return kept
    others = [p for p in present if p.meta.project != section.project]
    return sorted([*others, mine], key=lambda p: p.meta.project)


def unite(comments: Sequence[Sequence[Placed]]) -> list[Placed]:
    """Return the sections of several comments of ours as one list; the latest section of a project is taken."""
    latest: dict[str, Placed] = {}
    for placed in (p for comment in comments for p in comment):
        known = latest.get(placed.meta.project)
        if known is None or _pair(known.meta.order) <= _pair(placed.meta.order):
            latest[placed.meta.project] = placed
    return sorted(latest.values(), key=lambda p: p.meta.project)


def render(placed: Sequence[Placed], own: Section | None = None, *, max_bytes: int = MAX_BYTES) -> str:
    """Return the comment's body within `max_bytes`.

    One section is shown as it is; several get an overview and are folded. When they do not fit, the texts of `own` are
    tried at falling length, then the longest text gives way to its row, then the best outcomes to those that need
    attention.
    """
    shown = list(placed)
    shorter = list(own.texts[1:]) if own else []
    while True:
        body = _body(shown, left_out=len(placed) - len(shown))
        if len(body.encode()) <= max_bytes or not shown:
            return body
        longest = max(range(len(shown)), key=lambda i: len(shown[i].text.encode()))
        mine = next((i for i, p in enumerate(shown) if own and p.meta.project == own.project), None)
        if mine is not None and shorter:
            shown[mine] = Placed(shown[mine].meta, shorter.pop(0))
        elif shown[longest].text:
            shown[longest] = Placed(shown[longest].meta, "")
        else:
            least = min(range(len(shown)), key=lambda i: (i == mine, _SEVERITY.index(shown[i].meta.row.outcome), -i))
            del shown[least]


def render_once(section: Section) -> str:
    """Return the body of a comment that is written anew by each run and never looked for."""
    for text in section.texts:
        body = f"{ONCE_MARKER}\n{text}\n{_links(section.links)}"
        if len(body.encode()) <= MAX_BYTES:
            return body
    return f"{ONCE_MARKER}\n{_row_line(section.row)}\n"


def fingerprint(data: bytes) -> str:
    """Return a short name for the bytes of an audit."""
    return hashlib.sha256(data).hexdigest()[:16]


def _kept(old: Meta, new: Section, current_head: str) -> Kept | None:
    is_current = (old.head_sha == current_head, new.head_sha == current_head)
    if is_current == (True, False):
        return Kept(f"the comment already reports on the pull request's head {current_head[:7]}, this run is older")
    if is_current == (False, True) or old.workflow != new.workflow:
        return None
    if _pair(old.order) > _pair(new.order):
        return Kept(f"run {old.order.run_number} (attempt {old.order.run_attempt}) has already written to the comment")
    if _pair(old.order) == _pair(new.order) and old.fingerprint != new.fingerprint:
        return Kept(
            f"two audits of this run report as project {new.project!r}; give each job its own `project`", conflict=True
        )
    return None


def _pair(order: Order) -> tuple[int, int]:
    return order.run_number, order.run_attempt


def _meta(section: Section) -> Meta:
    return Meta(
        project=section.project,
        order=section.order,
        workflow=section.workflow,
        head_sha=section.head_sha,
        fingerprint=section.fingerprint,
        row=section.row,
        links=section.links,
    )


def _body(placed: Sequence[Placed], left_out: int) -> str:
    several = len(placed) + left_out > 1
    parts = [MARKER]
    if several:
        parts.append(_overview(placed, left_out))
    parts += [_section(p, folded=several) for p in placed]
    return "\n".join(parts) + "\n"


def _section(placed: Placed, *, folded: bool) -> str:
    packed = base64.b64encode(msgspec.json.encode(placed.meta)).decode()
    inner = f"<!-- ecoaudit:section/1 {packed} -->\n{placed.text}\n{_END}"
    links = _links(placed.meta.links)
    if not placed.text:
        # The overview has the row already when there are several.
        return inner if folded else f"{inner}\n\n{_row_line(placed.meta.row)}\n{links}"
    if not folded:
        return f"{inner}\n{links}"
    row = placed.meta.row
    heading = f"#### {_symbol(row)} {row.project}{f': {row.reason}' if row.reason else ''}"
    return f"\n{heading}\n\n<details><summary>Report</summary>\n\n{inner}\n{links}\n</details>\n"


def _overview(placed: Sequence[Placed], left_out: int) -> str:
    rows = [p.meta.row for p in placed]
    worst = max(rows, key=lambda row: (_SEVERITY.index(row.outcome), row.judged), default=None)
    sign = _symbol(worst) if worst else words.NOT_JUDGED_ICON
    lines = [
        f"### {sign} Energy and carbon of {len(placed) + left_out} projects",
        "",
        "| | project | carbon | energy | cost | change | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for p in placed:
        row = p.meta.row
        links = "".join(f"[{label}]({url})" for label, url in p.meta.links[:1])
        cells = (_symbol(row), row.project, row.carbon, row.energy, row.cost, row.change, links)
        lines.append(f"| {' | '.join(cells)} |")
    if left_out:
        lines += ["", f"{left_out} more projects did not fit here; their check runs have their reports."]
    return "\n".join([*lines, ""])


def _symbol(row: Row) -> str:
    return words.icon(row.outcome, judged=row.judged)


def _row_line(row: Row) -> str:
    reason = f"{row.reason}. " if row.reason else ""
    return f"{_symbol(row)} {row.project}: {reason}{row.carbon}, {row.energy}, {row.cost}, {row.change}"


def _links(links: Sequence[tuple[str, str]]) -> str:
    return "\n" + " · ".join(f"[{label}]({url})" for label, url in links) + "\n" if links else ""
