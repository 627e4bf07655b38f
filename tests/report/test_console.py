"""The summary on stdout."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from msgspec import structs

from ecoaudit.judge.verdict import Outcome
from ecoaudit.report import console
from report import examples, strategies

PAIRS = examples.pairs()
PATHS = [Path("out/audit.json"), Path("out/report.md"), Path("out/report.html"), Path("out/charts")]


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_summary(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"console-{name}.txt", console.summary(*PAIRS[name], PATHS))


@given(strategies.CASES)
@strategies.examples(40)
def test_any_audit_is_told_in_40_plain_lines(case: strategies.Case) -> None:
    audit, verdict = case.audit(), case.verdict()
    text = console.summary(audit, verdict, PATHS)
    lines = text.splitlines()
    assert len(lines) <= console.MAX_LINES
    assert "\x1b" not in text
    # Nothing that a runner would take for a command.
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in lines)


@given(strategies.CASES)
@strategies.examples(20)
def test_a_table_fits_its_terminal(case: strategies.Case) -> None:
    head, table, *_ = console.summary(case.audit(), case.verdict(), width=60).split("\n\n")
    assert all(len(line) <= 60 for line in (*head.splitlines(), *table.splitlines()))


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_nothing_is_cut_where_there_is_no_terminal(name: str) -> None:
    assert "…" not in console.summary(*PAIRS[name], PATHS)


@pytest.mark.parametrize("width", [60, 200, None])
def test_budgets_and_warnings_are_never_cut_and_the_gravest_comes_first(width: int | None) -> None:
    audit, verdict = PAIRS["llm-over"]
    told = structs.replace(verdict.checks[0], message="an absolute " + "very " * 40 + "long message")
    passed = structs.replace(told, outcome=Outcome.PASS)
    warnings = [f"{number} {'why ' * 40}end" for number in range(7)]
    audit = structs.replace(audit, quality=structs.replace(audit.quality, warnings=warnings))
    text = console.summary(audit, structs.replace(verdict, checks=[passed, told]), width=width)
    assert f"\n\nFail: {told.message}\nPass: {told.message}\n" in text
    assert "\n7 warnings:\n" in text and all(f"\n  - {warning}\n" in text for warning in warnings[:5])
    assert warnings[5] not in text and "\n  and 2 more in report.md\n" in text
