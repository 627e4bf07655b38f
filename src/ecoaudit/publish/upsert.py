"""The comment on the server: found on any page, written once, shared with the other jobs of the run.

GitHub offers no compare-and-swap, so the comment is brought to a fixed point: read all pages, compute what one comment
of ours should hold, act if it differs, and read again. Two jobs that write at the same time both end with both
sections, and comments that they created at the same time collapse into the one with the lowest id.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from ecoaudit.publish import comment
from ecoaudit.publish.api import DEFAULT_BOT, Api, Comment, Pull
from ecoaudit.publish.effects import PullQuery, Section, UpsertComment

ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Upserted:
    """The comment's address; `reason` says why it was left as it is, `conflict` that this is the user's to fix."""

    url: str
    reason: str = ""
    conflict: bool = False


def upsert(effect: UpsertComment, api: Api, *, check_url: str = "") -> Upserted:
    """Bring the effect's section into the pull request's comment. Raises `ApiFailure`."""
    pull = _find(effect.pull, api)
    if pull is None:
        return Upserted("", f"No open pull request from {effect.pull.owner}:{effect.pull.branch} is at this commit.")
    section = effect.section
    if check_url:
        section = msgspec.structs.replace(section, links=(("check run", check_url), *section.links))
    if effect.mode == "new":
        return Upserted(_create(api, pull.number, comment.render_once(section)).url)
    return _settle(section, api, pull)


def _settle(section: Section, api: Api, pull: Pull) -> Upserted:
    me: int | None = None
    url = ""
    for _ in range(ROUNDS):
        ours = _own(api, [c for c in api.comments(pull.number) if comment.is_ours(c.body)], me)
        present = comment.unite([comment.parse(c.body) for c in ours])
        wanted = comment.join(present, section, pull.head_sha)
        if isinstance(wanted, comment.Kept):
            return Upserted(ours[0].url, wanted.reason, wanted.conflict)
        body = comment.render(wanted, section)
        if not ours:
            created = _create(api, pull.number, body)
            me, url = created.author_id, created.url
            continue
        url = ours[0].url
        if len(ours) == 1 and comment.same(ours[0].body, body):
            return Upserted(url)
        if not comment.same(ours[0].body, body):
            api.edit_comment(ours[0].id, body)
        for duplicate in ours[1:]:
            api.delete_comment(duplicate.id)
    return Upserted(url, "Other jobs kept changing the comment; this job's section may be missing from it.")


def _find(query: PullQuery, api: Api) -> Pull | None:
    if query.number is not None:
        return api.pull(query.number)
    assert query.owner is not None
    assert query.branch is not None
    pulls = api.open_pulls_from(query.owner, query.branch)
    return next((pull for pull in pulls if pull.head_sha == query.head_sha), None)


def _create(api: Api, number: int, body: str) -> Comment:
    before = {c.id for c in api.comments(number)}

    def look() -> Comment | None:
        new = (c for c in api.comments(number) if c.id not in before)
        return next((c for c in new if comment.same(c.body, body)), None)

    return api.create_comment(number, body, look)


def _own(api: Api, candidates: Iterable[Comment], me: int | None) -> list[Comment]:
    """Return the candidates that this token wrote, lowest id first.

    Anyone can copy our marker into a comment of theirs. The author is the default bot, or the author of what this
    execution created, or else whoever the token belongs to; that last question is asked only when it matters.
    """
    own = []
    for candidate in candidates:
        known = candidate.author == DEFAULT_BOT or (me is not None and candidate.author_id == me)
        if known or _is_viewer(api, candidate):
            own.append(candidate)
    return sorted(own, key=lambda c: c.id)


def _is_viewer(api: Api, candidate: Comment) -> bool:
    viewer = api.viewer
    # GraphQL may name an app without the suffix that the REST API gives its account.
    return viewer is not None and candidate.author in {viewer, f"{viewer}[bot]"}
