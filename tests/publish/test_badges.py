"""Badges from our own figures: in the form of shields.io's endpoint, and drawn without it."""

import json
import xml.etree.ElementTree as ET

import msgspec
import pytest

from audits import l2_audit, l3_audit
from ecoaudit.judge.verdict import Outcome
from ecoaudit.publish import badges

AUDIT = l3_audit()


@pytest.mark.parametrize("name", ["carbon", "energy", "cost"])
def test_the_data_are_what_shields_io_reads(name: str) -> None:
    """https://shields.io/badges/endpoint-badge: an unknown key is an error there, and so is a missing one."""
    data = json.loads(badges.files(badges.of(AUDIT, Outcome.PASS, judged=True))[f"badge-{name}.json"])
    assert data.keys() == {"schemaVersion", "label", "message", "color"}
    assert data["schemaVersion"] == 1
    assert data["label"] == f"training {name}"


def test_a_figure_comes_with_its_boundary_and_basis() -> None:
    made = badges.of(AUDIT, Outcome.PASS, judged=True)
    assert AUDIT.energy.headline
    assert made["energy"].message.endswith(f"(facility, {AUDIT.energy.headline.value.basis.value})")
    assert "(gpu, " in badges.of(l2_audit(), Outcome.PASS, judged=True)["energy"].message


@pytest.mark.parametrize(
    ("outcome", "judged", "colour"),
    [
        (Outcome.PASS, True, "brightgreen"),
        (Outcome.PASS, False, "blue"),
        (Outcome.INCONCLUSIVE, True, "lightgrey"),
        (Outcome.WARN, True, "orange"),
        (Outcome.FAIL, True, "red"),
    ],
)
def test_the_colour_is_the_verdicts(outcome: Outcome, judged: bool, colour: str) -> None:
    assert badges.of(AUDIT, outcome, judged=judged)["carbon"].color == colour


def test_what_is_not_known_is_said_and_not_green() -> None:
    audit = msgspec.structs.replace(AUDIT, cost=msgspec.structs.replace(AUDIT.cost, total=None))
    badge = badges.of(audit, Outcome.PASS, judged=True)["cost"]
    assert (badge.message, badge.color) == ("not known", "lightgrey")


@pytest.mark.parametrize("outcome", Outcome)
def test_the_drawing_is_whole_speaks_and_can_be_read(outcome: Outcome) -> None:
    badge = badges.of(AUDIT, outcome, judged=True)["carbon"]
    root = ET.fromstring(badges.svg(badge))
    assert root.get("aria-label") == f"{badge.label}: {badge.message}"
    colours = [found for e in root.iter() if (found := e.get("fill")) and found != "#fff"]
    assert len(colours) == 2
    assert all(contrast_to_white(colour) >= 4.5 for colour in colours)


def test_text_of_a_stranger_is_text_in_the_drawing() -> None:
    drawn = badges.svg(badges.Badge(label="<script>", message='"&', color="blue"))
    assert ET.fromstring(drawn).get("aria-label") == '<script>: "&'


def contrast_to_white(colour: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (luminance + 0.05)
