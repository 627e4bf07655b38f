"""The summary on stdout."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given

from ecoaudit.report import console
from report import examples, strategies

PAIRS = examples.pairs()
PATHS = [Path("out/audit.json"), Path("out/report.md"), Path("out/report.html"), Path("out/charts")]


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_summary(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"console-{name}.txt", console.summary(*PAIRS[name], PATHS))


@given(strategies.CASES)
@strategies.examples(40)
def test_any_audit_is_told_in_25_plain_lines(case: strategies.Case) -> None:
    audit, verdict = case.audit(), case.verdict()
    text = console.summary(audit, verdict, PATHS)
    lines = text.splitlines()
    assert len(lines) <= console.MAX_LINES
    assert all(len(line) <= 100 for line in lines)
    assert "\x1b" not in text
    # Nothing that a runner would take for a command.
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in lines)
