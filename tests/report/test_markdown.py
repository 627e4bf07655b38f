"""The comment: what it says, what it never lets through, and that it always fits."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import cmarkgfm
import msgspec
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given

from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.quantity import Boundary
from ecoaudit.report import markdown, words
from ecoaudit.report.markdown import Detail
from report import examples, strategies

PAIRS = examples.pairs()
BUDGETS = [markdown.COMMENT_BYTES, markdown.CHECK_BYTES, markdown.SUMMARY_BYTES, markdown.MIN_BYTES]


def render(name: str, **options: object) -> str:
    audit, verdict = PAIRS[name]
    return markdown.render(audit, verdict, **{"max_bytes": markdown.COMMENT_BYTES, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_comment(name: str, golden: Callable[[str, str], None]) -> None:
    history = examples.llm_history() if name == "llm" else []
    golden(f"comment-{name}.md", render(name, history=history, links={"HTML report": "https://github.com/o/r/runs/1"}))


def test_a_reader_with_ten_seconds_gets_verdict_carbon_interval_and_change_first() -> None:
    heading, lead = render("llm").split("\n\n")[:2]
    assert heading == "### ✅ Pass: 2.21\u00a0kg\u00a0CO₂e (1.91\u2060–\u20602.54) · llama-7b-sft"
    assert "Energy per token against the base: **−5.1 %**" in lead


def test_a_budget_that_fails_stands_before_those_that_hold_and_its_change_is_told_once() -> None:
    base, head = examples.llm_run(), examples.llm_run(scale=1.2)
    rise = Budget(metric="j_per_token", max_increase_percent=5)
    text = markdown.render(head, judge(head, [Budget(metric="energy_kwh", max=1e6), rise], base=base), max_bytes=60_000)
    lead, listed = text.split("\n\n")[1], text.split("**Budgets**\n\n")[1]
    assert lead.startswith("Over budget: energy per token +20.0 % against the base") and lead.count("+20") == 1
    assert listed.startswith("- ❌ energy per token") and "\n- ✅" in listed


def test_the_baseline_line_names_source_commit_age_and_distance() -> None:
    text = render("llm")
    assert re.search(
        r"Baseline: `[0-9a-f]{12}`, check run of the base commit, the base commit itself, 2 days old", text
    )


def test_a_change_inside_the_noise_is_called_that() -> None:
    base = examples.llm_run(scale=1.01)
    head = examples.llm_run()
    text = markdown.render(head, judge(head, base=base), max_bytes=60_000, base=base)
    assert "Energy per token against the base: no detectable change (−1.0 %, noise ±5 %)." in text


def test_grid_change_stands_apart_from_workload_change() -> None:
    base, head = examples.llm_run(intensity_g=300.0), examples.llm_run()
    text = markdown.render(head, judge(head, base=base), max_bytes=60_000, base=base)
    assert "grid −11 %, apart from the workload" in text
    assert "Energy per token against the base: no detectable change (0.0 %" in text


def test_runs_that_cannot_be_compared_say_why() -> None:
    head, base = examples.llm_run(), msgspec.structs.replace(examples.llm_run(), project="other")
    text = markdown.render(head, judge(head, base=base), max_bytes=60_000, base=base)
    assert "Not comparable with the base (other project" in text


@pytest.mark.parametrize(("level", "label"), [("L2", "GPU boards only, lower bound"), ("L1", "TDP figure")])
def test_a_gpu_boundary_headline_says_what_it_leaves_out(level: str, label: str) -> None:
    audit = examples.csv_run()
    headline = audit.energy.headline
    assert headline is not None
    headline = msgspec.structs.replace(headline, level=level, boundary=Boundary.GPU, label="the whole facility")
    audit = msgspec.structs.replace(audit, energy=msgspec.structs.replace(audit.energy, headline=headline))
    text = markdown.render(audit, judge(audit), max_bytes=60_000)
    assert label in text.split("\n\n")[0]
    assert "the whole facility" not in text


def test_a_figure_that_is_not_known_gives_its_reason_and_no_zero() -> None:
    text = render("csv")
    assert "| Cost | not known |" in text
    assert "no price for NVIDIA RTX A6000" in text
    assert "| L3 grounded | not known |  | node power is not known for a 4-GPU workstation" in text


def test_every_figure_has_interval_boundary_basis_and_source() -> None:
    rows = [line for line in render("llm").splitlines() if line.startswith("| ")]
    figures = [line for line in rows if (line.count("|") == 5 and "measured" in line) or "modelled" in line]
    assert len(figures) > 15
    for line in figures:
        assert all(cell.strip() for cell in line.strip("|").split(" | ")), line


def test_only_web_addresses_become_links() -> None:
    links = {
        "good": "https://github.com/o/r?a=1&b=(2)",
        "script": "javascript:alert(1)",
        "data": "data:text/html,x",
        "broken": "http://[",
        "breakout": "https://x.example/>) [y](z",
        "long": "https://x.example/" + "a" * 5000,
    }
    page = html(render("llm", links=links))
    assert re.findall(r'<a href="([^"]*)"', page) == [
        "https://github.com/o/r?a=1&amp;b=(2)",
        "https://x.example/%3E)%20%5By%5D(z",
    ]


def test_detail_falls_in_steps_that_are_complete_in_themselves() -> None:
    audit, verdict = PAIRS["llm"]
    warnings = [f"warning number {i}: " + "x" * 300 for i in range(300)]
    audit = msgspec.structs.replace(audit, quality=msgspec.structs.replace(audit.quality, warnings=warnings))
    full = markdown.fit(audit, verdict, max_bytes=markdown.SUMMARY_BYTES, detail=Detail.FULL)
    folded = markdown.fit(audit, verdict, max_bytes=markdown.COMMENT_BYTES)
    capped = markdown.fit(audit, verdict, max_bytes=30_000)
    headline = markdown.fit(audit, verdict, max_bytes=markdown.MIN_BYTES, detail=Detail.HEADLINE)
    assert [r.detail for r in (full, folded, capped, headline)] == list(Detail)
    assert "<summary>Charts</summary>" not in full.text
    assert "<summary>Charts</summary>" in folded.text
    assert "mermaid" not in capped.text
    assert "more in `audit.json`" in capped.text
    assert "<details>" not in headline.text
    assert [len(r.text) for r in (full, folded, capped, headline)] == sorted(
        (len(r.text) for r in (full, folded, capped, headline)), reverse=True
    )


def test_a_budget_too_small_for_any_report_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 12000 bytes"):
        render("llm", max_bytes=markdown.MIN_BYTES - 1)


def test_an_over_full_budget_reads_as_such() -> None:
    audit = examples.llm_run(scale=1.3)
    text = markdown.render(audit, judge(audit, [Budget(metric="carbon_kg", max=2.0)]), max_bytes=60_000)
    assert "- ❌ `▰▰▰▰▰▰▰▰▰▰▶` 143 % · carbon 2.863 kg CO₂e at the facility is over the budget" in text


def html(text: str) -> str:
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    return str(cmarkgfm.github_flavored_markdown_to_html(text, options=options))


class Structure(HTMLParser):
    """Checks that elements nest, and collects what kinds there are."""

    VOID = frozenset({"br", "hr", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment came through: {data!r}")


OWN_ELEMENTS = frozenset(
    "h3 p br strong em code pre sub table thead tbody tr th td ul li details summary".split()  # noqa: SIM905
)


@given(strategies.CASES)
@strategies.examples(50)
def test_any_audit_fits_every_budget_and_nothing_breaks_out(case: strategies.Case) -> None:
    audit, verdict = case.audit(), case.verdict()
    for limit in BUDGETS:
        detail = Detail.FULL if limit == markdown.SUMMARY_BYTES else Detail.CHARTS_FOLDED
        text = markdown.render(audit, verdict, max_bytes=limit, history=[audit], detail=detail)
        assert len(text.encode()) <= limit
        assert text.startswith(
            f"### {words.icon(verdict.outcome, judged=verdict.judged)} {words.verdict_name(verdict)}:"
        )
    page = html(text)
    structure = Structure()
    structure.feed(page)
    structure.close()
    assert structure.open == []
    assert structure.seen <= OWN_ELEMENTS
    assert structure.addresses == []
    visible = re.sub(r"<code.*?</code>|<[^>]*>", "", page, flags=re.DOTALL)  # GitHub links no mention inside code
    assert not re.search(r"@\w", visible)


def test_a_flood_still_fits() -> None:
    audit, verdict = PAIRS["llm"]
    flood = "😀|`<b>@a#1" * 200
    findings = [msgspec.structs.replace(audit.findings[0], title=flood, evidence=flood, advice=flood)] * 150
    quality = msgspec.structs.replace(audit.quality, warnings=[flood] * 200, unknown={flood: flood})
    checks = [msgspec.structs.replace(verdict.checks[0], message=flood)] * 200
    audit = msgspec.structs.replace(audit, project=flood, tool=flood, findings=findings, quality=quality)
    verdict = msgspec.structs.replace(verdict, headline=flood, checks=checks, notes=[flood] * 100)
    for limit in (markdown.COMMENT_BYTES, markdown.MIN_BYTES):
        text = markdown.render(audit, verdict, max_bytes=limit, detail=Detail.FULL)
        assert len(text.encode()) <= limit
        assert text.startswith("### ✅ Pass: 2.21")
        assert text.count("<details>") == text.count("</details>")


def test_a_change_of_method_is_told_beside_the_change_and_not_as_the_workloads() -> None:
    """The same run with another PUE: the carbon rose, the workload did not, and the comment says at once why."""
    base = examples.llm_run()
    assert base.energy.headline is not None
    assert base.energy.pue is not None
    facility = examples.q(9.9, 9.0, 10.9, "kWh", "modelled", "L3")
    pue = examples.q(1.4, 1.3, 1.5, "1", "assumed", "another site")
    headline = msgspec.structs.replace(base.energy.headline, value=facility)
    head = msgspec.structs.replace(base, energy=msgspec.structs.replace(base.energy, headline=headline, pue=pue))
    text = markdown.render(head, judge(head, base=base), max_bytes=markdown.COMMENT_BYTES)
    lead = text.split("\n\n")[1]
    assert "no detectable change" in lead
    assert f"; PUE differs \\({base.energy.pue.value:.4g} in the base, 1.4 here\\)." in lead
    row = next(line for line in text.splitlines() if line.startswith("| Carbon"))
    assert re.search(r"\| \+22 % \(operational, method \+22 %\) \|", row)
    energy = next(line for line in text.splitlines() if line.startswith("| Energy |"))
    assert "no detectable change (0.0 %, node \\(AC\\), noise ±5 %)" in energy
