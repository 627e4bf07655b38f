"""What ships is what the command makes: coefficients, metered pairs and the fidelity page, from the run table alone."""

from pathlib import Path

import pytest

from ecoaudit.calibrate import fidelity, tables
from ecoaudit.calibrate.fits import at_ac, groups
from ecoaudit.calibrate.heldout import Evaluation, evaluate
from ecoaudit.calibrate.lines import Coefficients, coefficients
from ecoaudit.reference import load

ROOT = Path(__file__).resolve().parents[2]
TABLES = ROOT / "src" / "ecoaudit" / "reference" / "tables"
COMMAND = "ecoaudit calibrate --evaluate --report docs/fidelity.md"


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(at_ac(groups(tables.bundled_runs())))


@pytest.fixture(scope="module")
def made(evaluation: Evaluation) -> Coefficients:
    return coefficients(evaluation, tables.system_names(load().nodes()))


def test_shipped_tables_are_what_the_command_makes(made: Coefficients, request: pytest.FixtureRequest) -> None:
    texts = {tables.LINES: tables.lines_csv(made.lines), tables.PAIRS: tables.pairs_csv(made.pairs)}
    for name, text in texts.items():
        if request.config.getoption("--regenerate-golden"):
            (TABLES / name).write_text(text, encoding="utf-8")
        assert (TABLES / name).read_text(encoding="utf-8") == text, f"{name}: run pytest --regenerate-golden"


def test_the_fidelity_page_is_what_the_command_makes(evaluation: Evaluation, request: pytest.FixtureRequest) -> None:
    page = ROOT / "docs" / "fidelity.md"
    text = fidelity.render(evaluation, tables.bundled_runs(), "fidelity.svg", COMMAND)
    if request.config.getoption("--regenerate-golden"):
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text, "run pytest --regenerate-golden"
    assert (ROOT / "docs" / "fidelity.svg").is_file()


def test_the_page_says_what_a_sceptic_would_and_which_goals_were_missed() -> None:
    text = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert "What a sceptic would write" in text
    assert "**not reached**" in text
    assert "not verified by MLCommons Association" in text


def test_the_loader_reads_what_was_written(made: Coefficients) -> None:
    lines, pairs = load().utilisation_lines(), load().measured_pairs()
    assert [line.id for line in lines] == [line.id for line in made.lines]
    for ours, read in zip(made.lines, lines, strict=True):
        assert read.alpha == pytest.approx(ours.alpha, abs=1e-4)
        assert read.u_exponent == pytest.approx(ours.u_exponent, abs=1e-4)
        assert (read.pooled, read.fitted_on) == (ours.pooled, ours.fitted_on)
    assert len(pairs) == 17
    assert all(pair.held_out_percent is not None for pair in pairs)


def test_every_line_has_an_error_on_systems_it_has_not_seen() -> None:
    for line in load().utilisation_lines():
        assert 0.02 < line.transfer_error < 0.45, line.id


def test_a_pooled_line_is_wider_than_the_line_of_a_metered_system() -> None:
    lines = {line.id: line for line in load().utilisation_lines()}
    pooled = lines["pooled-nvidia-h100-80gb-hbm3-immersion"]
    assert lines["smc-hgx-h100-immersion-system"].transfer_error < pooled.transfer_error
    assert pooled.transfer_error < lines["pooled-nvidia-h100-80gb-hbm3-unknown-cooling"].transfer_error


@pytest.mark.parametrize("operator", ["dell", "lenovo", "sustainable-metal-cloud"])
def test_the_law_without_an_operator_gives_its_held_out_residual(operator: str) -> None:
    """Held-out residuals of the pairs are those of the shipped line that was fitted without their operator."""
    lines = {line.id: line for line in load().utilisation_lines()}
    pairs = [p for p in load().measured_pairs() if p.operator.lower().replace(" ", "-") == operator]
    assert pairs
    for pair in pairs:
        gpu = pair.gpu.lower().replace(" ", "-")
        line = lines[f"pooled-without-{operator}-{gpu}-{pair.cooling}"]
        assert pair.system not in line.fitted_on
        rated = pair.gpus_per_node * load().gpu(pair.gpu).tdp_w
        assert pair.u is not None
        predicted = line.static_w + line.alpha * rated * pair.u**line.u_exponent
        assert 100 * (predicted / pair.mean_node_w - 1) == pytest.approx(pair.held_out_percent, abs=0.15)
