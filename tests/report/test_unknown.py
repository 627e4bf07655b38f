"""What is not known is told once: with its warning where it has one, else under the reason that it shares."""

import re

import msgspec
import pytest

from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.report import console, html, markdown, view
from report import examples

WHY_L3 = "no metered node is like this one"
WHY_WORK = "the training log does not tell how many tokens"
RUN = examples.csv_run()
AUDIT = msgspec.structs.replace(
    RUN,
    quality=msgspec.structs.replace(
        RUN.quality,
        warnings=[f"L3 is not known: {WHY_L3}"],
        unknown={
            "energy.levels.L3": WHY_L3,
            "efficiency.j_per_token": WHY_WORK,
            "efficiency.pj_per_flop": WHY_WORK,
        },
    ),
)


def quality_section(form: str) -> str:
    verdict = judge(AUDIT, (Budget(metric="energy_kwh", max=9),))
    if form == "markdown":
        text = markdown.render(AUDIT, verdict, max_bytes=60_000)
        return text.split("Data quality:")[1].split("</details>")[0]
    page = html.render(AUDIT, verdict, images={})
    return re.sub(r"<[^>]+>", "", page.split('id="quality"')[1].split("</section>")[0])


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_reason_stands_once(form: str) -> None:
    section = quality_section(form).replace("\\", "")
    assert section.count(WHY_L3) == 1 and "energy.levels.L3" not in section
    assert section.count(WHY_WORK) == 1
    assert "efficiency.j_per_token, efficiency.pj_per_flop" in section


def test_reasons_without_a_warning_are_grouped_by_what_they_say() -> None:
    assert view.unknown(AUDIT) == [(("efficiency.j_per_token", "efficiency.pj_per_flop"), WHY_WORK)]


NOTHING = examples.broken_run()
NO_GPU = "no log names the GPU; give --gpu"
NO_ENERGY = f"no energy is known: no power, and {NO_GPU}"
NO_GRID = "no grid intensity: give --region, --zone or --intensity"
LOG_ONLY = msgspec.structs.replace(
    NOTHING,
    quality=msgspec.structs.replace(
        NOTHING.quality,
        warnings=[
            "L2 is not known: the logs hold no GPU power",
            *(f"{level} is not known: {NO_GPU}" for level in ("L1", "L3")),
            f"carbon is not known: {NO_GRID}",
            f"energy per token, sample and step are not known: {NO_ENERGY}",
        ],
        unknown={"energy.headline": NO_ENERGY, "carbon.total": NO_ENERGY, "efficiency": NO_ENERGY},
    ),
)


@pytest.mark.parametrize("form", ["console", "markdown", "html"])
def test_no_warning_says_again_why_a_figure_above_it_is_not_known(form: str) -> None:
    verdict = judge(LOG_ONLY)
    if form == "console":
        section = console.summary(LOG_ONLY, verdict).split("Verdict:")[1]
    elif form == "markdown":
        section = markdown.render(LOG_ONLY, verdict, max_bytes=60_000).split("Data quality:")[1]
    else:
        section = html.render(LOG_ONLY, verdict, images={}).split('id="quality"')[1].split("</section>")[0]
    assert "1 warning" in section and NO_GRID in section
    assert not any(f"{level} is not known" in section for level in ("L1", "L2", "L3"))
    assert "energy per token, sample and step" not in section


def test_why_a_level_above_the_headline_is_not_known_stays_a_warning() -> None:
    assert f"L3 is not known: {WHY_L3}" in console.summary(AUDIT, judge(AUDIT))
