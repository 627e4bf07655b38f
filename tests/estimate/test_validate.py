"""The estimator on published runs: the goals hold out of sample, and circular energy is never evidence."""

from pathlib import Path

import pytest

from ecoaudit.estimate.mfu import default_model
from ecoaudit.estimate.validate import summarise, validate
from ecoaudit.estimate.validation_page import markdown
from ecoaudit.reference import load

ROOT = Path(__file__).resolve().parents[2]
FOUND = validate(load())


def test_gpu_hours_reach_the_goals_with_the_family_left_out() -> None:
    assert FOUND.summary.runs >= 25
    assert FOUND.summary.families >= 10
    assert FOUND.summary.within >= 0.75
    assert FOUND.summary.covered >= 0.85
    assert FOUND.summary.median_range <= 2.5
    assert FOUND.summary.typical_factor < FOUND.summary.naive_factor


def test_the_goals_hold_on_the_runs_of_one_gpu_too() -> None:
    """Ranges are no use if all the misses are on the GPU that people rent now."""
    h100 = summarise([check for check in FOUND.time if "H100" in check.run.gpu])
    assert h100.covered >= 0.8
    assert h100.typical_factor < 1.4


def test_energy_evidence_was_metered_and_lies_in_the_range() -> None:
    assert {check.run.id for check in FOUND.energy} == {"olmo-7b-a100", "olmo2-7b", "olmo2-13b", "gpt3-175b"}
    for check in FOUND.energy:
        assert (check.run.energy_basis or "").startswith("measured")
        assert check.inside, check.run.id


def test_hours_times_tdp_is_arithmetic_and_nothing_else() -> None:
    circular = {run.id for run in load().training_runs() if run.energy_basis == "tdp_x_hours"}
    assert len(circular) > 10
    assert not circular & {check.run.id for check in FOUND.energy}
    assert circular <= {check.run.id for check in FOUND.arithmetic}


def test_a_report_that_contradicts_itself_is_flagged() -> None:
    assert [check.run.id for check in FOUND.arithmetic if not check.consistent] == ["llama3.3-70b"]


def test_mixtures_of_experts_are_shown_and_not_counted() -> None:
    assert {check.run.id for check in FOUND.shown} == {"deepseek-v3", "llama4-scout", "llama4-maverick"}
    assert not any(check.evidence for check in FOUND.shown)
    assert {check.run.id for check in FOUND.time}.isdisjoint(check.run.id for check in FOUND.shown)


def test_an_empty_set_is_no_validation() -> None:
    with pytest.raises(ValueError, match="no published run"):
        summarise([])


def test_the_page_is_what_the_command_prints(request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "validation.md"
    text = markdown(FOUND, default_model(load()))
    if request.config.getoption("--regenerate-golden"):
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text, "run `ecoaudit estimate --validate > docs/validation.md`"
    assert "What a sceptic would write" in text
