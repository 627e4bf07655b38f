"""Untrusted text in a comment shows as written and does nothing: no markup, no mention, no reference, no link."""

import html
import re

import cmarkgfm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.markdown_text import WORD_JOINER, clean, code, escape

HOSTILE = [
    "a | b",
    "`rm -rf`",
    "``two`` and ` one",
    "<img src=x onerror=alert(1)>",
    "</details><script>alert(1)</script>",
    "@octocat please",
    "fixes #12",
    "see GH-12 and octo/repo#3",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "https://evil.example",
    "www.evil.example",
    "someone@evil.example",
    "**bold** _it_ ~~no~~ $x^2$",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "# heading",
    "> quote",
    "===",
    "--- | ---",
    "a\nb\n\n## c",
    "&amp; &lt;b&gt; &#64;x",
    "tail \\",
    "\\| \\\\|",
    "<!-- ecoaudit -->",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
]
TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.text(
    alphabet="ab1 |`<>@#[]()!*_~\\&;:/.-+=wGH$\n", max_size=40
)


def rendered(markdown: str) -> str:
    options = cmarkgfm.Options.CMARK_OPT_UNSAFE | cmarkgfm.Options.CMARK_OPT_FOOTNOTES
    return cmarkgfm.github_flavored_markdown_to_html(markdown, options=options)


def tags(page: str) -> list[str]:
    return re.findall(r"</?([a-z0-9]+)", page)


def shown(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).replace(WORD_JOINER, "").split())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_in_a_paragraph(text: str) -> None:
    page = rendered(escape(text))
    assert tags(page) == ["p", "p"]
    assert shown(page) == clean(text)


@settings(max_examples=150, deadline=None)
@given(TEXT)
def test_any_text_stays_in_its_table_cell(text: str) -> None:
    page = rendered(f"| a | b |\n| --- | --- |\n| x{escape(text)} | {code(text)} |\n")
    cells = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)
    assert len(cells) == 2
    assert shown(cells[0]) == " ".join(f"x{clean(text)}".split())
    assert shown(cells[1]) == clean(text)
    assert set(tags(cells[0])) == set()
    assert set(tags(cells[1])) <= {"code"}


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_any_text_is_one_paragraph(text: str) -> None:
    page = rendered(escape(text))
    assert tags(page) == (["p", "p"] if clean(text) else [])


@pytest.mark.parametrize("text", ["@octocat", "hi @octo/team", "#12", "GH-12", "octo/repo#12", "a@b.example"])
def test_nobody_is_mentioned_and_nothing_is_referenced(text: str) -> None:
    visible = html.unescape(re.sub(r"<[^>]*>", "", rendered(escape(text))))
    assert not re.search(r"@\w", visible)
    assert not re.search(r"#\d", visible)
    assert not re.search(r"(?i)gh-\d", visible)


def test_code_grows_its_fence_and_takes_pipes() -> None:
    assert code("plain") == "`plain`"
    assert code("`x`") == "`` `x` ``"
    assert "|" not in code("a|b")
    assert code("\n") == ""


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert clean("abcdef", limit=4) == "abc…"
    assert clean("abcd", limit=4) == "abcd"
    assert escape("|" * 10, limit=3) == "\\|\\|…"


def test_invisible_and_control_characters_are_dropped() -> None:
    assert clean("a\x00b\x1b[31m\N{ZERO WIDTH SPACE}c\N{RIGHT-TO-LEFT OVERRIDE}d") == "ab[31mcd"
