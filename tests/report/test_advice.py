"""What a report tells its reader to do: commands stand as code, and the command to repeat the audit says all of it."""

import msgspec

from ecoaudit.config import Budget
from ecoaudit.judge import judge
from ecoaudit.model.audit import Provenance
from ecoaudit.model.inputs import GIVEN
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


def test_the_command_to_repeat_an_audit_states_what_the_user_stated_and_nothing_else() -> None:
    given = [
        Provenance(what="GPU", value="NVIDIA H100 80GB HBM3", source=f"{GIVEN}; NVIDIA datasheet"),
        Provenance(what="number of GPUs", value="8", source=GIVEN),
        Provenance(what="number of nodes", value="1", source=GIVEN),
    ]
    audit = msgspec.structs.replace(RUN, provenance=given)
    assert facts.reproduce(audit).endswith("--gpu 'NVIDIA H100 80GB HBM3' --gpus 8 --nodes 1")
    assert "--pue" not in facts.reproduce(audit), "a PUE of the tables is found again, with its interval"
    pue = msgspec.structs.replace(examples.llm_run().energy.pue, source=GIVEN)
    stated = msgspec.structs.replace(RUN, energy=msgspec.structs.replace(RUN.energy, pue=pue))
    assert "--pue 1.15" in facts.reproduce(stated)
