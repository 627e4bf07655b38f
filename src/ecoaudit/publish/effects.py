"""What is to be done on GitHub, as data: planned purely, printed by a dry run, carried out by the executor."""

from typing import Literal

import msgspec

from ecoaudit.judge.verdict import Outcome


class _Effect(msgspec.Struct, frozen=True, kw_only=True, tag_field="effect"):
    pass


class Order(msgspec.Struct, frozen=True):
    """When a section was written: later runs of the same workflow have the larger pair."""

    run_number: int
    run_attempt: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a comment's overview; the texts are already safe Markdown. `reason` says why the outcome is so,
    `judged` whether anything was held against a limit."""

    outcome: Outcome
    project: str
    reason: str = ""
    carbon: str
    energy: str
    cost: str
    change: str
    judged: bool = True


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One project's part of the comment.

    `texts` are the same report at falling length: the longest that fits is used. `fingerprint` tells two audits apart
    that claim the same project in one run. `links` go under the section.
    """

    project: str
    order: Order
    workflow: str
    head_sha: str
    fingerprint: str
    row: Row
    texts: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()


class PullQuery(msgspec.Struct, frozen=True):
    """A pull request by number, or to be found by the branch it comes from; its head must be `head_sha` then."""

    number: int | None
    owner: str | None
    branch: str | None
    head_sha: str


class UpsertComment(_Effect, frozen=True, kw_only=True, tag="comment"):
    """Bring `section` into the pull request's comment; `new` writes a comment of its own every time."""

    pull: PullQuery
    mode: Literal["update", "new"]
    section: Section


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """A remark at a place in a file of the repository; `level` as the checks API names it."""

    path: str
    start_line: int
    end_line: int
    level: Literal["notice", "warning", "failure"]
    title: str
    message: str


class CreateCheck(_Effect, frozen=True, kw_only=True, tag="check"):
    """Create a completed check run. `external_id` is this execution's own, so that it can be recognised."""

    name: str
    head_sha: str
    conclusion: Literal["success", "neutral", "failure"]
    title: str
    summary: str
    text: str
    external_id: str
    details_url: str
    annotations: tuple[Annotation, ...] = ()


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A chart in both themes, SVG; `name` as the report calls it."""

    name: str
    light: bytes
    dark: bytes


class StoreCharts(_Effect, frozen=True, kw_only=True, tag="charts"):
    """Put a run's pictures, and its project's badges (file name to content), on the branch that is kept for them."""

    branch: str
    project: str
    commit: str
    run_id: int
    pictures: tuple[Picture, ...]
    badges: dict[str, str] = {}


class WriteSummary(_Effect, frozen=True, kw_only=True, tag="summary"):
    """Append `text` to the job summary."""

    text: str


class Announce(_Effect, frozen=True, kw_only=True, tag="announce"):
    """Print a workflow command that GitHub shows on the run's page."""

    level: Literal["notice", "warning", "error"]
    title: str
    message: str


class SetOutputs(_Effect, frozen=True, kw_only=True, tag="outputs"):
    """Set the action's outputs; the executor adds `comment-url` and `check-url` once it knows them."""

    values: dict[str, str]


Effect = UpsertComment | CreateCheck | StoreCharts | WriteSummary | Announce | SetOutputs


def to_json(effects: list[Effect]) -> str:
    """Return the effects as indented JSON, for a dry run."""
    return msgspec.json.format(msgspec.json.encode(effects), indent=2).decode()
