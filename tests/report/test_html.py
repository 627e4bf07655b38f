"""The page: self-contained, complete, and closed to what the logs say."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given

from ecoaudit.model.audit_json import decode
from ecoaudit.report import html
from report import examples, strategies

PAIRS = examples.pairs()


@pytest.fixture(scope="module")
def llm() -> str:
    return html.render(*PAIRS["llm"], history=examples.llm_history())


def test_the_page_asks_for_nothing_from_outside(llm: str) -> None:
    addresses = re.findall(r"""\b(?:src|srcset|href|action|data|poster)\s*=\s*["']?([^"'\s>]*)""", llm)
    assert addresses
    assert all(address.startswith("#") for address in addresses)
    assert "@import" not in llm
    assert not re.search(r"url\((?!#)", llm)
    assert re.findall(r"<script[^>]*>", llm) == ['<script type="application/json" id="audit-json">']
    assert "default-src 'none'" in llm


def test_both_themes_of_every_chart_are_inline(llm: str) -> None:
    for name in ("power", "levels", "carbon", "drivers", "trend"):
        for theme in ("light", "dark"):
            assert f'id="{name}-{theme}-title"' in llm


def test_a_figure_comes_with_interval_boundary_basis_and_source(llm: str) -> None:
    row = re.search(r'<tr class="headline"><th scope="row">L3 grounded</th>(.*?)</tr>', llm, re.DOTALL)
    assert row is not None
    cells = [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row[1], re.DOTALL)]
    assert cells == ["8.1 kWh", "7.4–9.0", "facility", "modelled", "equation (1), L3"]


def test_headings_form_one_outline(llm: str) -> None:
    levels = [int(n) for n in re.findall(r"<h([1-6])", llm)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_part_a_signer_needs_is_there(llm: str) -> None:
    for anchor in (
        "budgets",
        "change",
        "energy",
        "carbon",
        "cost",
        "findings",
        "quality",
        "method",
        "run",
        "statement",
    ):
        assert f'id="{anchor}"' in llm
    assert "used 8.1 kWh (7.4–9.0) of electricity (facility, level L3; modelled)" in llm
    assert "ecoaudit audit LOGS... --project llama-7b-sft --region aws:us-east-1</code>" in llm
    assert "CC BY 4.0" in llm


def test_a_figure_not_known_gives_its_reason() -> None:
    page = html.render(*PAIRS["csv"])
    assert "<strong>not known</strong>: node power is not known for a 4-GPU workstation" in page


def test_the_audit_inside_the_page_can_be_read_back(llm: str) -> None:
    data = re.search(r'id="audit-json">(.*?)</script>', llm, re.DOTALL)
    assert data is not None
    audit = decode(data[1].encode())
    assert audit.energy == PAIRS["llm"][0].energy
    assert json.loads(data[1])["schema"] == "ecoaudit.audit/1"


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_every_example_renders(name: str) -> None:
    page = html.render(*PAIRS[name], images={})
    assert page.startswith("<!DOCTYPE html>")
    assert "None" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


@given(strategies.CASES)
@strategies.examples(25)
def test_no_text_becomes_markup(case: strategies.Case) -> None:
    audit, verdict = case.audit(), case.verdict()
    page = html.render(audit, verdict, images={})
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.seen.count("script") == 1
    assert not {"img", "iframe", "b", "svg", "form"} & set(tags.seen)


def test_hostile_text_shows_as_written() -> None:
    audit, verdict = PAIRS["llm"]
    audit = msgspec.structs.replace(audit, project="</title><script>alert(1)</script>")
    page = html.render(audit, verdict, images={})
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script") == 1
