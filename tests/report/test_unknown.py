"""What is not known is told once: with its warning where it has one, else under the reason that it shares."""

import re

import msgspec
import pytest

from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.report import html, markdown, view
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
