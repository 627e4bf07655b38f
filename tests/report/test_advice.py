"""What a report tells its reader to do: commands stand as code, and the command to repeat the audit says all of it."""

import msgspec

from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.report import facts, html, markdown, view
from report import examples

RUN = examples.csv_run()


def warned(text: str) -> tuple[str, str]:
    audit = msgspec.structs.replace(RUN, quality=msgspec.structs.replace(RUN.quality, warnings=[text]))
    verdict = judge(audit, (Budget(metric="energy_kwh", max=9),))
    return html.render(audit, verdict, images={}), markdown.render(audit, verdict, max_bytes=60_000)


def test_a_command_of_ours_is_code() -> None:
    page, text = warned("fit the node with `ecoaudit calibrate`")
    assert "<li>fit the node with <code>ecoaudit calibrate</code></li>" in page
    assert "- fit the node with `ecoaudit calibrate`" in text


def test_other_text_between_backticks_stays_text() -> None:
    page, text = warned("`<img src=x>` and `ecoaudit <b>`")
    assert "<li>`&lt;img src=x&gt;` and `ecoaudit &lt;b&gt;`</li>" in page
    assert "\\`&lt;img src=x&gt;\\`" in text and "\\`ecoaudit &lt;b&gt;\\`" in text


def test_a_pue_that_no_figure_uses_is_not_among_the_factors() -> None:
    energy = msgspec.structs.replace(RUN.energy, pue=examples.llm_run().energy.pue)
    assert energy.levels.L3 is None
    assert view.factor_rows(msgspec.structs.replace(RUN, energy=energy)) == []
    assert view.factor_rows(examples.llm_run())[0].label == "PUE"


def test_the_command_to_repeat_an_audit_states_what_was_configured() -> None:
    audit = msgspec.structs.replace(RUN, options=["--gpu", "H100 SXM", "--pue", "1.15"])
    assert facts.reproduce(audit) == "ecoaudit audit LOGS... --gpu 'H100 SXM' --pue 1.15"
    assert facts.reproduce(RUN) == "ecoaudit audit LOGS..."
