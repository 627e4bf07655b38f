"""Charts: what is drawn when, and that text from outside stays text."""

from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given

from ecoaudit.judge import judge
from ecoaudit.model.audit import Driver, MeasuredEnergy, StepEnergy, TimelinePoint
from ecoaudit.report import charts, view
from ecoaudit.report.charts.style import THEMES
from report import examples, strategies

SVG = "{http://www.w3.org/2000/svg}"
PAIRS = examples.pairs()


def texts(image: bytes) -> list[str]:
    return ["".join(t.itertext()) for t in ElementTree.fromstring(image).iter(f"{SVG}text")]


def draw(name: str, theme: str = "light", **options: object) -> dict[str, bytes]:
    return charts.draw(*PAIRS[name], theme=theme, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("llm", ["power", "steps", "levels", "carbon", "drivers"]),
        ("mlperf", ["power", "levels", "carbon", "drivers"]),
        ("csv", ["power", "levels", "carbon", "drivers"]),
        ("broken", []),
    ],
)
def test_a_chart_is_drawn_where_there_is_data(name: str, drawn: list[str]) -> None:
    assert list(draw(name)) == drawn


def test_power_names_its_lines_units_and_phases() -> None:
    found = texts(draw("llm")["power"])
    for text in ("nodes, AC", "GPU boards", "GPU limit", "power, kW", "minutes since the start", "eval", "checkpoint"):
        assert text in found
    assert "train" not in found


def test_a_meter_that_the_figures_do_not_use_is_not_drawn_as_the_nodes_power() -> None:
    audit = examples.llm_run()
    node = examples.around(3.0, 2, "kWh", "measured", "a meter that reads less than its boards")
    energy = msgspec.structs.replace(audit.energy, measured=MeasuredEnergy(node=node))
    demoted = msgspec.structs.replace(audit, energy=energy)
    image = charts.draw(demoted, judge(demoted), theme="light")["power"]
    drawn = " ".join(texts(image)) + image.decode()
    assert "not used" in drawn and "nodes, AC" not in drawn and "all nodes (AC)" not in drawn
    assert view.power_series(demoted) == ([p.gpu_w for p in audit.timeline], "all GPU boards")
    blind = msgspec.structs.replace(demoted, timeline=[msgspec.structs.replace(p, gpu_w=None) for p in audit.timeline])
    assert view.power_series(blind)[1] == "node meter, not used"


def test_power_without_gpu_readings_shows_the_nodes_alone() -> None:
    found = texts(draw("mlperf")["power"])
    assert "nodes, AC" in found
    assert not {"GPU boards", "GPU TDP", "one GPU, W"} & set(found)


def test_steps_show_energy_a_token_over_time_and_what_was_computed_again() -> None:
    image = draw("llm")["steps"]
    words = texts(image)
    assert "energy per token, J/token" in words and "steps computed again" in words
    assert "minutes since the start" in words
    assert b"Energy per token of steps 1 to 250 in 6 stretches, node (AC)" in image


def test_without_tokens_the_steps_energy_is_shown_and_few_stretches_are_not() -> None:
    audit, verdict = PAIRS["llm"]
    bare = [msgspec.structs.replace(p, tokens=None, j_per_token=None) for p in audit.energy.steps]

    def drawn(parts: list[StepEnergy]) -> dict[str, bytes]:
        energy = msgspec.structs.replace(audit.energy, steps=parts)
        return charts.draw(msgspec.structs.replace(audit, energy=energy), verdict, theme="light")

    assert "energy per step, kJ/step" in texts(drawn(bare)["steps"])
    assert "steps" not in drawn(bare[:2])


def test_levels_print_value_interval_and_boundary() -> None:
    found = texts(draw("llm")["levels"])
    assert "8.1 kWh (7.4–9.0)" in found
    assert "L3 grounded, facility" in found
    assert "5.6 kWh" in found


def test_carbon_stands_against_its_budget_or_in_its_parts() -> None:
    with_budget = texts(draw("llm")["carbon"])
    assert "budget 2.50 kg CO₂e" in with_budget
    assert "this run 2.21 kg CO₂e (1.91–2.54)" in with_budget
    assert "Embodied" in texts(draw("mlperf")["carbon"])


def test_trend_needs_earlier_runs_and_shows_the_noise() -> None:
    history = examples.llm_history()
    assert "trend" not in draw("llm")
    found = texts(draw("llm", history=history[:-1], base=history[-1])["trend"])
    assert {"this run", "noise, 90 %", "energy per token, J/token"} <= set(found)
    assert "902ba3c" in found


def test_every_image_says_what_it_shows_and_has_its_own_ids() -> None:
    ids: list[str] = []
    for theme in THEMES:
        for image in draw("llm", theme).values():
            root = ElementTree.fromstring(image)
            assert root.get("role") == "img"
            title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
            assert title is not None
            assert title.text
            assert description is not None
            assert description.text
            assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
            ids += [i for e in root.iter() if (i := e.get("id"))]
    assert len(ids) == len(set(ids))


def test_the_same_audit_draws_the_same_bytes_without_a_date() -> None:
    first = draw("llm")
    assert first == draw("llm")
    assert b"<dc:date>" not in first["power"]


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw("llm")
    assert dict(matplotlib.rcParams) == before


def test_text_is_drawn_as_it_stands() -> None:
    audit = examples.llm_run()
    hostile = "$\\frac{a}{b}$ <script>&\x00"
    energy = msgspec.structs.replace(audit.energy, drivers=[Driver(name=hostile, share=1.0, source="")])
    timeline = [msgspec.structs.replace(p, phase="</svg>" if p.phase == "eval" else p.phase) for p in audit.timeline]
    audit = msgspec.structs.replace(audit, energy=energy, timeline=timeline)
    drawn = charts.draw(audit, judge(audit), theme="light")
    assert "$\\frac{a}{b}$ <script>&" in texts(drawn["drivers"])
    assert "</svg>" in texts(drawn["power"])


def test_a_timeline_out_of_order_is_not_drawn() -> None:
    points = [TimelinePoint(t_s=t, gpu_w=500.0) for t in (0.0, 10.0, 5.0)]
    audit = msgspec.structs.replace(examples.llm_run(), timeline=points)
    assert "power" not in charts.draw(audit, judge(audit), theme="light")


@given(strategies.CASES)
@strategies.examples(12)
def test_any_audit_draws_valid_images_or_none(case: strategies.Case) -> None:
    audit, verdict = case.audit(), case.verdict()
    for image in charts.draw(audit, verdict, theme="dark", history=[audit]).values():
        ElementTree.fromstring(image)


@pytest.mark.parametrize("theme", sorted(THEMES))
def test_colours_of_lines_and_text_stand_out_from_the_page(theme: str) -> None:
    colours = THEMES[theme]  # type: ignore[index]
    for role, least in (("ink", 7), ("muted", 4.5), ("gpu", 3), ("node", 3), ("facility", 3), ("limit", 3)):
        assert contrast(getattr(colours, role), colours.page) >= least, role


def contrast(first: str, second: str) -> float:
    """Return the WCAG 2.2 contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)
