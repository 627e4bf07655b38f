"""From an activity, an audit and a verdict to the list of effects. Pure: no clock, network, file or environment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ecoaudit.judge.verdict import Outcome, Verdict
from ecoaudit.markdown_text import clean, escape
from ecoaudit.model.audit import Audit, Headline
from ecoaudit.model.audit_json import encode
from ecoaudit.publish import comment
from ecoaudit.publish.activity import Activity, FindPull, OnPull
from ecoaudit.publish.effects import (
    Annotation,
    Announce,
    CreateCheck,
    Effect,
    Order,
    PullQuery,
    Row,
    Section,
    SetOutputs,
    StoreCharts,
    UpsertComment,
    WriteSummary,
)
from ecoaudit.publish.event import Context
from ecoaudit.report import markdown, numbers, view, words
from ecoaudit.report.hosts import hide

Render = Callable[[int], str]
"""Returns the report in at most so many bytes."""

COMMENT_SIZES = (comment.MAX_BYTES - 3_000, 24_000, markdown.MIN_BYTES)
"""Sizes that a section is rendered at, so that several can share a comment; the rest is for markers and links."""
CHECK_BYTES = 65_000
SUMMARY_BYTES = 900_000
"""Under the runner's 1 MiB a step, with room for what could not be published."""

PRIVATE = (
    "The repository is private: its stored pictures show to readers who are signed in and may see it, and in no e-mail."
)

_CONCLUSIONS: dict[Outcome, Literal["success", "neutral", "failure"]] = {
    Outcome.PASS: "success",
    Outcome.INCONCLUSIVE: "neutral",
    Outcome.WARN: "neutral",
    Outcome.FAIL: "failure",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user wants on GitHub."""

    comment: Literal["update", "new", "off"] = "update"
    check: Literal["on", "off"] = "on"


def plan(
    context: Context,
    activity: Activity,
    audit: Audit,
    verdict: Verdict,
    *,
    render: Render,
    policy: Policy,
    digest: str | None,
    outputs: dict[str, str],
    annotations: Sequence[Annotation] = (),
    pictures: str = "",
    store: StoreCharts | None = None,
) -> list[Effect]:
    """Return the effects that publish `verdict` on `audit`, in the order in which they are to be done.

    The check comes first, so that the comment can link to it. `digest` is the text that the check carries for later
    runs; `outputs` are those of the action that are known before publishing; `pictures` is Markdown to put under the
    comment's report; `store` puts this run's own charts on their branch.
    """
    effects: list[Effect] = []
    if policy.check == "on" and activity.check_sha:
        effects.append(_check(context, activity, audit, verdict, render, digest, annotations))
    if policy.comment != "off" and activity.comment:
        effects.append(_comment(context, activity, audit, verdict, render, policy.comment, pictures))
    if store is not None:
        effects.append(store)
        if context.private:
            effects.append(Announce(level="notice", title="ecoaudit", message=PRIVATE))
    effects.append(WriteSummary(text=render(SUMMARY_BYTES)))
    effects += [Announce(level="notice", title="ecoaudit", message=note) for note in activity.notes]
    announcement = _announce(audit, verdict)
    if announcement:
        effects.append(announcement)
    effects.append(SetOutputs(values=outputs))
    return effects


def refusal(
    context: Context, activity: Activity, error: str, *, policy: Policy, project: str | None = None
) -> list[Effect]:
    """Return the effects for input that could not be audited: a failed check, the summary, an error."""
    text = f"### ❌ ecoaudit could not audit this run\n\n{escape(error)}\n"
    checks = _failed_check(context, activity, "The run could not be audited", text, policy, project)
    return [*checks, WriteSummary(text=text), Announce(level="error", title="ecoaudit", message=error)]


def fault(
    context: Context, activity: Activity, error: str, *, policy: Policy, project: str | None = None
) -> list[Effect]:
    """Return the effect for a fault of the program: a failed check, since a budget that nobody judged is not kept."""
    text = f"### ❌ ecoaudit could not run\n\n{escape(error)}\n"
    return _failed_check(context, activity, "ecoaudit could not run", text, policy, project)


def _failed_check(
    context: Context, activity: Activity, title: str, text: str, policy: Policy, project: str | None
) -> list[Effect]:
    if policy.check == "off" or not activity.check_sha:
        return []
    return [
        CreateCheck(
            name=check_name(project),
            head_sha=activity.check_sha,
            conclusion="failure",
            title=title,
            summary=text,
            text="",
            external_id=_execution(context, "refused"),
            details_url=context.run_url,
        )
    ]


def check_name(project: str | None) -> str:
    """Return the check run's name; projects of one repository have checks of their own."""
    return f"ecoaudit / {clean(project, limit=80)}" if project else "ecoaudit"


def conclusion(outcome: Outcome) -> Literal["success", "neutral", "failure"]:
    """Return the check run's conclusion for a verdict."""
    return _CONCLUSIONS[outcome]


def _check(
    context: Context,
    activity: Activity,
    audit: Audit,
    verdict: Verdict,
    render: Render,
    digest: str | None,
    annotations: Sequence[Annotation],
) -> CreateCheck:
    assert activity.check_sha is not None
    return CreateCheck(
        name=check_name(audit.project),
        head_sha=activity.check_sha,
        conclusion=conclusion(verdict.outcome),
        title=clean(verdict.headline, limit=200),
        summary=render(CHECK_BYTES),
        text=digest or "",
        external_id=_execution(context, comment.fingerprint(encode(audit))),
        details_url=context.run_url,
        annotations=tuple(annotations),
    )


def _comment(
    context: Context,
    activity: Activity,
    audit: Audit,
    verdict: Verdict,
    render: Render,
    mode: Literal["update", "new"],
    pictures: str,
) -> UpsertComment:
    match activity.comment:
        case OnPull(number):
            pull = PullQuery(number, None, None, activity.head_sha)
        case FindPull(owner, branch):
            pull = PullQuery(None, owner, branch, activity.head_sha)
        case None:
            raise ValueError("there is nothing to comment on")
    largest, *shorter = COMMENT_SIZES
    section = Section(
        project=clean(audit.project or "", limit=80),
        order=Order(activity.run_number, activity.run_attempt),
        workflow=clean(activity.workflow, limit=80),
        head_sha=activity.head_sha,
        fingerprint=comment.fingerprint(encode(audit)),
        row=_row(audit, verdict),
        texts=(render(largest - len(pictures.encode())) + pictures, *map(render, shorter)),
        links=(("workflow run", context.run_url),),
    )
    return UpsertComment(pull=pull, mode=mode, section=section)


def _row(audit: Audit, verdict: Verdict) -> Row:
    _, carbon, _ = view.carbon_figure(audit)
    headline, cost = audit.energy.headline, audit.cost.total
    delta = view.work_delta(verdict)
    change = "–"
    if delta and delta.percent is not None:
        noise = " (noise)" if delta.detectable is False else ""
        change = f"{numbers.signed_percent(delta.percent)} {words.metric_name(delta.metric).lower()}{noise}"
    return Row(
        outcome=verdict.outcome,
        project=escape(audit.project or "this repository", limit=60),
        reason=escape(verdict.headline, limit=160),
        carbon=numbers.show(carbon).full() if carbon else "not known",
        energy=f"{numbers.show(headline.value).full()}, {_ground(headline)}" if headline else "not known",
        cost=numbers.show(cost).text() if cost else "not known",
        change=change,
        judged=verdict.judged,
    )


def _ground(headline: Headline) -> str:
    """Return what an energy figure includes and how it was found, in as few words as a table's cell has room for."""
    return f"{headline.boundary.value}, {headline.level}, {headline.value.basis.value}"


def _announce(audit: Audit, verdict: Verdict) -> Announce | None:
    title = check_name(audit.project)
    headline = clean(verdict.headline, limit=500)
    match verdict.outcome:
        case Outcome.FAIL:
            return Announce(level="error", title=title, message=headline)
        case Outcome.WARN | Outcome.INCONCLUSIVE:
            return Announce(level="warning", title=title, message=headline)
        case Outcome.PASS:
            return None


def _execution(context: Context, fingerprint: str) -> str:
    """Return a name for this execution and audit, by which a check run is recognised as this execution's own."""
    job = clean(context.job, limit=60)
    return f"ecoaudit:{context.run_id}:{context.run_attempt}:{job}:{fingerprint}"


def run_of(external_id: str) -> int | None:
    """Return the workflow run that a check run of ours was made by."""
    parts = external_id.split(":")
    return int(parts[1]) if len(parts) >= 2 and parts[0] == "ecoaudit" and parts[1].isdigit() else None


def known_outputs(audit: Audit, verdict: Verdict) -> dict[str, str]:
    """Return the outputs that are figures; an unknown one is empty."""
    _, carbon, _ = view.carbon_figure(audit)
    headline, cost = audit.energy.headline, audit.cost.total
    total = next((d for d in verdict.deltas if d.metric == "carbon_kg" and d.part == "total"), None)
    return {
        "verdict": verdict.outcome.value,
        "carbon-kg": _number(carbon.value if carbon else None),
        "energy-kwh": _number(headline.value.value if headline else None),
        "cost-usd": _number(cost.value if cost and audit.cost.currency == "USD" else None),
        "carbon-delta-percent": _number(total.percent if total else None),
    }


def _number(value: float | None) -> str:
    return "" if value is None else format(value, ".6g")


def audit_for_publishing(audit: Audit) -> Audit:
    """Return `audit` without host names and addresses: what a digest may show to the repository's readers."""
    return hide(audit, audit.hardware.hosts)
