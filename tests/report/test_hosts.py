"""Nodes by number: no host name and no address leaves the machine in a report."""

import msgspec
import pytest

from ecoaudit import report
from ecoaudit.report.hosts import hide, replacer
from report import examples

HOSTS = ["trn-gpu-007.cluster.example", "trn-gpu-070.cluster.example", "n1"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("trn-gpu-007: torn line", "node 1: torn line"),
        ("TRN-GPU-070.CLUSTER.EXAMPLE GPU 3", "node 2 GPU 3"),
        ("node_trn-gpu-007_power.txt", "node_node 1_power.txt"),
        ("n1 and n12", "node 3 and n12"),
        ("meter at 10.2.33.4:623", "meter at [address]:623"),
        ("fe80::1ff:fe23:4567:890a is down", "[address] is down"),
        ("2001:db8:0:1:2:3:4:5", "[address]"),
        ("driver 535.104.05 and 1.2.3", "driver 535.104.05 and 1.2.3"),
        ("started at 10:36:07 UTC", "started at 10:36:07 UTC"),
        ("300.1.2.3", "300.1.2.3"),
        ("xn1, n1x, _n1_", "xn1, n1x, _node 3_"),
        ("trn-gpu-007.cluster.example.org", "node 1.org"),
        ("", ""),
    ],
)
def test_names_and_addresses_become_numbers(text: str, shown: str) -> None:
    assert replacer(HOSTS)(text) == shown


def test_harmless_and_missing_names_change_nothing() -> None:
    assert replacer(["localhost", "gpu", "7", ""])("the gpu of localhost 7") == "the gpu of localhost 7"
    assert replacer([])("plain") == "plain"


def test_a_host_named_like_a_word_of_the_format_harms_nothing() -> None:
    audit = examples.llm_run()
    hidden = hide(audit, ["facility", "L3", "measured", "kwh"])
    assert hidden.energy.headline is not None
    assert hidden.energy.headline.boundary == "facility"
    assert hidden.energy.levels == audit.energy.levels or hidden.energy.levels.L2 is not None


def test_no_form_of_the_report_names_a_host_unless_asked() -> None:
    audit, verdict = examples.pairs()["llm"]
    note = "trn-gpu-007 was compared"
    verdict = msgspec.structs.replace(verdict, notes=[note])
    built = report.build(audit, verdict)
    for text in (built.markdown, built.html, built.console, *(c.decode() for c in built.charts.values())):
        assert "trn-gpu-007" not in text
    assert "node 1 was compared" in built.html
    assert note in report.build(audit, verdict, show_hosts=True).html


def test_names_that_are_not_ascii_are_found_too() -> None:
    assert replacer(["rüti-1", "計算機"])("RÜTI-1 / rüti-10 / 計算機: full") == "node 1 / rüti-10 / node 2: full"


def test_the_project_keeps_its_name_by_which_runs_are_compared() -> None:
    """A host called like a word of the project would make its runs another project's."""
    audit = msgspec.structs.replace(examples.llm_run(), project="llama-7b")
    assert hide(audit, ["llama"]).project == "llama-7b"


def test_a_hundred_thousand_hosts_cost_one_look_at_each_piece_of_the_text() -> None:
    """An alternation of so many names takes minutes on a long text; here only the pieces of the text count."""
    replace = replacer([f"gpu-node-{i:06d}.cluster.example" for i in range(100_000)])
    text = replace("gpu-node-000122.cluster.example and GPU-NODE-099999 at gpu-node-100000; " * 500)
    assert text == "node 123 and node 100000 at gpu-node-100000; " * 500
