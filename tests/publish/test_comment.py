"""How sections share a comment: who may write over whom, what goes when space is short, what nobody can forge."""

import cmarkgfm
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.judge.verdict import Outcome
from ecoaudit.markdown_text import code, escape
from ecoaudit.publish import comment
from ecoaudit.publish.comment import Kept, Placed
from ecoaudit.publish.effects import Order, Row, Section
from github_fake import sha

HEAD, OLD_HEAD = sha(11), sha(10)


def section(
    project: str = "a",
    *,
    run: int = 41,
    attempt: int = 1,
    head: str = HEAD,
    texts: tuple[str, ...] = ("full report", "short"),
    outcome: Outcome = Outcome.PASS,
    fingerprint: str = "f1",
    workflow: str = "train",
) -> Section:
    return Section(
        project=project,
        order=Order(run, attempt),
        workflow=workflow,
        head_sha=head,
        fingerprint=fingerprint,
        row=Row(outcome=outcome, project=project, carbon="3 kg", energy="8 kWh", cost="$24", change="+2 %"),
        texts=texts,
        links=(("check run", "https://github.com/octo/train/runs/1"),),
    )


def joined(present: list[Placed], new: Section, head: str = HEAD) -> list[Placed]:
    result = comment.join(present, new, head)
    assert isinstance(result, list), result
    return result


def test_one_project_is_shown_as_it_is_and_read_back() -> None:
    body = comment.render(joined([], section()))
    assert comment.is_ours(body)
    assert "full report" in body
    assert "<details>" not in body
    [placed] = comment.parse(body)
    assert placed.text == "full report"
    assert placed.meta.order == Order(41, 1)


def test_a_run_held_against_no_limit_has_a_neutral_sign() -> None:
    placed: list[Placed] = []
    for project in "ab":
        new = section(project)
        placed = joined(placed, msgspec.structs.replace(new, row=msgspec.structs.replace(new.row, judged=False)))
    body = comment.render(placed)
    assert "✅" not in body and body.count("ℹ️") >= 3
    assert "### ✅" in comment.render(joined(placed, section("c"))), "one of them was held against its budget"


def test_the_jobs_of_a_matrix_share_one_comment() -> None:
    """EnricoMi #38 #39, eco-ci: a comment for each of twenty jobs is noise."""
    placed: list[Placed] = []
    for number in range(20):
        new = section(f"p{number:02d}", texts=(f"report of {number}",))
        placed = joined(comment.parse(comment.render(placed)) if placed else [], new)
    body = comment.render(placed)
    assert len(comment.parse(body)) == 20
    assert all(f"report of {n}" in body for n in range(20))
    assert "20 projects" in body
    assert body.count("<details>") == body.count("</details>") == 20


def test_an_older_run_never_overwrites_a_newer_one() -> None:
    newer = joined([], section(run=42))
    assert isinstance(comment.join(newer, section(run=41), HEAD), Kept)
    assert isinstance(comment.join(joined([], section(attempt=2)), section(attempt=1), HEAD), Kept)


def test_an_equal_run_may_write_again() -> None:
    again = joined(joined([], section()), section(texts=("corrected",)))
    assert again[0].text == "corrected"


def test_a_run_of_the_current_head_beats_a_later_run_of_an_old_head() -> None:
    late_but_old = joined([], section(run=50, head=OLD_HEAD))
    assert joined(late_but_old, section(run=41, head=HEAD))[0].meta.head_sha == HEAD
    kept = comment.join(joined([], section(run=41, head=HEAD)), section(run=50, head=OLD_HEAD), HEAD)
    assert isinstance(kept, Kept)
    assert not kept.conflict


def test_two_audits_of_one_run_that_claim_the_same_project_are_an_error() -> None:
    """EnricoMi #200, bencher #944: the second job of a matrix must not silently replace the first."""
    kept = comment.join(joined([], section(fingerprint="f1")), section(fingerprint="f2"), HEAD)
    assert isinstance(kept, Kept)
    assert kept.conflict
    assert "project" in kept.reason


def test_another_workflow_has_run_numbers_of_its_own() -> None:
    other = joined([], section(run=900, workflow="nightly"))
    assert joined(other, section(run=3))[0].meta.order.run_number == 3


def test_comments_that_two_jobs_created_at_once_unite() -> None:
    first, second = joined([], section("a")), joined([], section("b"))
    assert [p.meta.project for p in comment.unite([first, second])] == ["a", "b"]
    newer = joined([], section("a", run=43, texts=("new",)))
    assert [p.text for p in comment.unite([newer, first])] == ["new"]


def test_a_text_that_does_not_fit_is_tried_shorter_before_others_lose_theirs() -> None:
    """infracost #1958, bencher #534: a body over 65,536 characters is refused whole."""
    others = joined([], section("b", texts=("B" * 40_000,)))
    own = section("a", texts=("A" * 50_000, "a" * 10_000))
    body = comment.render(joined(others, own), own)
    assert len(body.encode()) <= comment.MAX_BYTES
    assert "a" * 10_000 in body
    assert "B" * 40_000 in body


def test_what_cannot_be_shortened_keeps_its_row() -> None:
    placed: list[Placed] = []
    for number in range(10):
        placed = joined(placed, section(f"p{number}", texts=(f"{number}" * 20_000,)))
    body = comment.render(placed)
    assert len(body.encode()) <= comment.MAX_BYTES
    assert all(f"| p{n} |" in body for n in range(10))
    assert len(comment.parse(body)) == 10


def test_what_needs_attention_is_the_last_to_go() -> None:
    placed: list[Placed] = []
    for number in range(150):
        outcome = Outcome.FAIL if number == 77 else Outcome.PASS
        placed = joined(placed, section(f"project-{number:03d}-{'x' * 60}", outcome=outcome, texts=("t" * 500,)))
    body = comment.render(placed)
    assert len(body.encode()) <= comment.MAX_BYTES
    assert "project-077" in body
    assert "more projects did not fit" in body


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 70_000), st.sampled_from(list(Outcome))),
        min_size=1,
        max_size=6,
    ),
    st.integers(20_000, 60_000),
)
def test_any_comment_fits_and_is_closed(items: list[tuple[str, int, Outcome]], budget: int) -> None:
    placed: list[Placed] = []
    for project, size, outcome in items:
        text = "<details><summary>x</summary>\n\n" + "ö" * (size // 2) + "\n\n</details>"
        own = section(project, outcome=outcome, texts=(text, "short"))
        placed = joined(placed, own)
    body = comment.render(placed, own, max_bytes=budget)
    assert len(body.encode()) <= budget
    assert body.count("<details>") == body.count("</details>")
    assert {p.meta.project for p in comment.parse(body)} == {project for project, _, _ in items}


@pytest.mark.parametrize("hostile", [comment.MARKER, "<!-- /ecoaudit:section/1 -->", "<!-- ecoaudit:section/1 e3= -->"])
def test_text_of_a_stranger_cannot_forge_a_marker(hostile: str) -> None:
    text = "\n".join([escape(hostile), code(hostile), escape(f"x\n{hostile}\n")])
    body = comment.render(joined([], section(texts=(text,))))
    [placed] = comment.parse(body)
    assert placed.text == text


@pytest.mark.parametrize("body", ["", "lgtm", f"> {comment.MARKER}\n", f"look:\n{comment.MARKER}\n"])
def test_a_comment_that_quotes_our_marker_is_not_ours(body: str) -> None:
    assert not comment.is_ours(body)


def test_a_damaged_section_is_left_out() -> None:
    body = comment.render(joined([], section()))
    assert comment.parse(body.replace("section/1 ey", "section/1 AA")) == []


def test_line_ends_that_github_changed_make_no_difference() -> None:
    body = comment.render(joined([], section()))
    stored = body.replace("\n", "\r\n").strip()
    assert comment.same(stored, body)
    assert comment.is_ours(stored)
    assert comment.parse(stored)[0].text == "full report"


def test_the_overview_is_a_table_and_the_reports_are_folded() -> None:
    placed = joined(joined([], section("a", outcome=Outcome.FAIL)), section("b"))
    page = cmarkgfm.github_flavored_markdown_to_html(comment.render(placed), options=cmarkgfm.Options.CMARK_OPT_UNSAFE)
    assert page.count("<table>") == 1
    assert page.index("❌") < page.index("<table>")
    assert page.count("<details>") == 2
