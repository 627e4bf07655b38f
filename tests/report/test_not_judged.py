"""A run that was held against no limit passes, but no report says that it was found good."""

import pytest

from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.report import console, html, markdown
from report import examples

AUDIT = examples.csv_run()
LIMIT = Budget(metric="energy_kwh", max=1e6, boundary="gpu")  # type: ignore[arg-type]
RISE = Budget(metric="energy_kwh", max_increase_percent=5)


def told(*budgets: Budget) -> dict[str, str]:
    verdict = judge(AUDIT, budgets)
    return {
        "console": console.summary(AUDIT, verdict, []).splitlines()[0],
        "markdown": markdown.render(AUDIT, verdict, max_bytes=60_000).splitlines()[0],
        "title": html.render(AUDIT, verdict, images={}).split("<title>")[1].split("</title>")[0],
        "chip": html.render(AUDIT, verdict, images={}).split('<span class="chip">')[1].split("<")[0],
    }


@pytest.mark.parametrize("budgets", [(), (RISE,)], ids=["no budget", "a relative budget without a baseline"])
def test_nothing_judged_is_said_so_everywhere(budgets: tuple[Budget, ...]) -> None:
    for where, text in told(*budgets).items():
        assert "not judged" in text.lower() and "pass" not in text.lower() and "✅" not in text, where
    assert judge(AUDIT, budgets).outcome == "pass", "the exit code and the check's conclusion stay"


def test_a_budget_that_is_kept_is_a_pass_everywhere() -> None:
    for where, text in told(LIMIT).items():
        assert "pass" in text.lower(), where


def test_a_relative_budget_without_a_baseline_says_what_is_missing() -> None:
    assert judge(AUDIT, (RISE,)).headline == "No baseline was found"


@pytest.mark.parametrize("budgets", [(RISE,), (LIMIT, RISE)], ids=["alone", "beside another"])
def test_every_form_says_which_budgets_wait_for_a_baseline(budgets: tuple[Budget, ...]) -> None:
    verdict = judge(AUDIT, budgets)
    said = "No baseline was found: 1 relative budget is not judged"
    assert f"\nNot compared: {said.lower()}" in console.summary(AUDIT, verdict, [])
    assert f"\n{said}" in markdown.render(AUDIT, verdict, max_bytes=60_000)
    assert html.render(AUDIT, verdict, images={}).count(said) == 1
