"""The page as people use it: from a file, by keyboard, on a phone, shared by its address."""

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from calculator.test_parity import differences
from calculator.vectors import requests
from ecoaudit.estimate.cli import estimate as command
from ecoaudit.reference import load

pytestmark = pytest.mark.browser
Open = Callable[..., Any]
TWO = "#v1/2/name=first&model=llama2-7b&gpu=NVIDIA+H200&gpus=16/params=3e9&tokens=1e12&gpu=NVIDIA+B200&zone=SE&mfu=0.4"


def request(tab: Any) -> dict[str, Any]:
    """The fields of the selected scenario."""
    found: dict[str, Any] = tab.evaluate("ecoaudit.app.current().request")
    return found


def settled(tab: Any) -> Any:
    """Wait until the comparisons are drawn, too."""
    tab.wait_for_selector("#tradeoff")
    return tab


def test_opens_with_every_section_filled(open_page: Open) -> None:
    tab = settled(open_page())
    assert tab.locator(".card .value").count() == 4
    for section in ("all", "where", "drivers", "halve", "regions", "tradeoff", "share", "paper", "constants"):
        assert tab.locator(f"section[aria-labelledby={section}]").inner_text().count("\n") > 2, section
    assert tab.locator("figure svg").count() == 5
    assert "82,533" in tab.locator("section[aria-labelledby=paper]").inner_text()


def test_the_address_holds_the_state(open_page: Open) -> None:
    tab = open_page(TWO)
    assert request(tab) == {"params": 3e9, "tokens": 1e12, "gpu": "NVIDIA B200", "zone": "SE", "mfu": 0.4}
    tab.get_by_role("button", name="first").click()
    assert request(tab) == {"model": "llama2-7b", "gpu": "NVIDIA H200", "gpus": 16}
    assert settled(tab).locator("section[aria-labelledby=compare] tbody tr").count() == 7
    again = open_page(tab.evaluate("location.hash"))
    assert again.evaluate("ecoaudit.app.state") == tab.evaluate("ecoaudit.app.state")


def test_every_request_survives_its_address(open_page: Open) -> None:
    asked = requests(load(), 60, seed=11)
    script = """asked => asked.map((request) => {
      const hash = ecoaudit.writeState({ scenarios: [{ name: "a/b & c", request }], selected: 0 });
      const [scenario] = ecoaudit.readState(hash).scenarios;
      return [scenario.name, ecoaudit.complete(request), ecoaudit.complete(scenario.request)];
    })"""
    for name, before, after in open_page().evaluate(script, asked):
        assert name == "a/b & c"
        assert before == after


@pytest.mark.parametrize("fragment", ["#v1/9/gpu=nothing&gpus=-3&mfu=x", "#v2/1/gpus=4", "#%E0%A4%A/b", "#v1//"])
def test_a_broken_address_opens_the_page(open_page: Open, fragment: str) -> None:
    assert open_page(fragment).locator(".card .value").count() == 4


def test_the_command_prints_the_same_figures(open_page: Open) -> None:
    asked = requests(load(), 40, seed=7)
    script = "asked => asked.map((one) => [ecoaudit.asCommand(one), ecoaudit.asJson(ecoaudit.estimate(one))])"
    for text, page in open_page().evaluate(script, asked):
        words = shlex.split(text)
        assert words[:2] == ["ecoaudit", "estimate"]
        found = CliRunner().invoke(command, [*words[2:], "--json"], catch_exceptions=False)
        assert differences(json.loads(found.output), json.loads(page)) == [], text


def test_by_keyboard_alone(open_page: Open) -> None:
    tab = open_page()
    tab.get_by_role("combobox", name="Cloud region").focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("gcp finland")
    assert tab.locator("li[role=option]").count() == 1
    tab.keyboard.press("Enter")
    assert request(tab)["region"] == "gcp:europe-north1"
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Escape")
    assert request(tab)["region"] == "gcp:europe-north1"
    count = tab.get_by_role("textbox", name="Number of GPUs")
    count.focus()
    tab.keyboard.press("Control+A")
    tab.keyboard.type("1k")
    tab.keyboard.press("Tab")
    assert request(tab)["gpus"] == 1000
    assert tab.evaluate("document.activeElement.type") == "range", "the slider follows its number"
    tab.keyboard.press("ArrowRight")
    assert request(tab)["gpus"] > 1000


def test_tab_reaches_every_control(open_page: Open) -> None:
    tab = settled(open_page())
    script = """() => [...document.querySelectorAll("button, input, select, summary, a[href], [tabindex]")]
      .filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex < 0 && !one.closest("ul")).length"""
    assert tab.evaluate(script) == 0
    tab.get_by_role("button", name="source: GPU", exact=True).focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog")
    assert "Licence" in dialog.inner_text() and "NVIDIA" in dialog.inner_text()
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "source: GPU"


def test_a_preset_becomes_a_custom_model_with_the_same_figures(open_page: Open) -> None:
    tab = open_page("#v1/1/model=deepseek-v3&gpu=NVIDIA+H200&gpus=2048&hfu=0.4")
    before = tab.evaluate("ecoaudit.app.current().found.training")
    tab.get_by_role("combobox", name="Model").click()
    tab.get_by_role("option", name="Custom: by parameters").click()
    after = tab.evaluate("ecoaudit.app.current().found.training")
    assert after["model"] is None
    for same in ("params", "active_params", "tokens", "sequence_length"):
        assert after[same] == before[same], same
    field = tab.get_by_role("textbox", name="MFU")
    field.fill("40%")
    field.press("Tab")
    assert request(tab)["mfu"] == pytest.approx(0.4)
    assert "hfu" not in request(tab), "one of the two holds"


def test_wrong_numbers_are_refused_beside_their_field(open_page: Open) -> None:
    tab = open_page()
    before = request(tab)
    field = tab.get_by_role("textbox", name="MFU")
    field.fill("much")
    field.press("Tab")
    assert field.get_attribute("aria-invalid") == "true"
    assert request(tab) == before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("MFU", "150 %", "a number from 0.1 % to 100 %"),
        ("Goodput", "200%", "a number from 1 % to 100 %"),
        ("Number of GPUs", "2.5", "a whole number from 1 to 10,000,000"),
    ],
)
def test_a_number_out_of_range_is_not_bent_into_it(open_page: Open, name: str, text: str, said: str) -> None:
    tab = open_page()
    before = request(tab)
    field = tab.get_by_role("textbox", name=name)
    field.fill(text)
    field.press("Tab")
    assert tab.locator(f"#{field.get_attribute('id')}-error").inner_text() == said
    assert request(tab) == before


def test_tab_takes_the_only_choice_that_was_found_and_an_emptied_field_is_none(open_page: Open) -> None:
    tab = open_page("#v1/1/model=llama2-7b&params=8e9&gpu=NVIDIA+H200&gpus=16&region=aws:us-east-1")
    region = tab.get_by_role("combobox", name="Cloud region")
    region.click()
    region.fill("gcp finland")
    region.press("Tab")
    assert request(tab)["region"] == "gcp:europe-north1"
    gpu = tab.get_by_role("combobox", name="GPU")
    gpu.fill("H100")
    gpu.press("Tab")
    assert request(tab)["gpu"] == "NVIDIA H200", "several fit"
    region.fill("")
    region.press("Tab")
    assert "region" not in request(tab)
    tab.get_by_role("combobox", name="Model").click()
    tab.keyboard.press("Tab")
    assert request(tab)["params"] == 8e9, "nothing was typed, so nothing was chosen"


def test_what_cannot_be_estimated_says_why(open_page: Open) -> None:
    tab = open_page("#v1/1/model=llama2-7b&gpu=Tesla+P4&gpus=8")
    assert "no dense peak in bf16" in tab.get_by_role("alert").inner_text()


def test_levers_are_the_engines_own_figures(open_page: Open) -> None:
    script = """() => {
      const { request } = ecoaudit.app.current();
      const metrics = { carbon: (x) => x.carbon.total, cost: (x) => x.cost.total, gpu_hours: (x) => x.gpu_hours };
      return Object.entries(metrics).flatMap(([metric, of]) => ecoaudit.levers(request, metric).map((lever) => ({
        metric, lever: lever.lever, ratio: lever.ratio,
        kind: ecoaudit.estimate({ ...request, ...lever.change }).carbon.intensity_basis,
        again: of(ecoaudit.estimate({ ...request, ...lever.change })).value / of(ecoaudit.estimate(request)).value,
      })));
    }"""
    found = open_page("#v1/1/model=llama2-7b&gpu=NVIDIA+H100+80GB+HBM3&gpus=64&region=aws:eu-central-1").evaluate(
        script
    )
    assert {"Tokens", "GPU", "Software", "Region, same provider"} <= {one["lever"] for one in found}
    for one in found:
        assert one["again"] == pytest.approx(one["ratio"]), one
        assert one["ratio"] < 1
        assert one["metric"] != "carbon" or one["kind"] == "lifecycle", "grid bases are never crossed"
    assert next(one for one in found if one["lever"] == "Tokens")["ratio"] == pytest.approx(0.5)


def test_grid_bases_are_drawn_apart(open_page: Open) -> None:
    tab = settled(open_page())
    titles = tab.locator("section[aria-labelledby=regions] h3").all_inner_texts()
    assert [title.split()[0] for title in titles] == ["Lifecycle", "Direct"]
    script = """() => [...document.querySelectorAll("section[aria-labelledby=regions] figure")].map((figure) =>
      [...figure.querySelectorAll("tbody th")].map((cell) => cell.textContent.split(",")[0]))"""
    for title, keys in zip(titles, tab.evaluate(script), strict=True):
        assert {load().grid(region=key).basis for key in keys} == {title.split()[0].lower()}


def test_copies_markdown_for_a_pull_request(open_page: Open) -> None:
    cmarkgfm = pytest.importorskip("cmarkgfm")
    text = open_page().evaluate(
        "(() => { const { request, found } = ecoaudit.app.current(); return ecoaudit.asMarkdown(found, request); })()"
    )
    html = cmarkgfm.github_flavored_markdown_to_html(text)
    assert html.count("<tr>") == 14
    assert "90 % range" in text and "facility" in text and "ecoaudit estimate --model llama2-7b" in text


def test_on_paper_it_says_what_was_asked_and_shows_no_controls(open_page: Open) -> None:
    tab = settled(open_page())
    tab.emulate_media(media="print")
    line = tab.get_by_text("Llama 2 7B, 2T tokens in BF16 on 64 × NVIDIA H100 80GB HBM3; aws:eu-north-1", exact=True)
    assert line.is_visible()
    assert not [one for one in tab.locator("button, input, select, summary").all() if one.is_visible()]


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows_sideways(open_page: Open, width: int) -> None:
    tab = settled(open_page(TWO, viewport={"width": width, "height": 740}))
    tab.evaluate("document.querySelector('details.more').open = true")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture(scope="module")
def axe(require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker's script."""
    folder = tmp_path_factory.mktemp("axe")
    npm = [require_tool("npm"), "install", "--no-audit", "--no-fund", "--prefix", str(folder), "axe-core@4"]
    subprocess.run(npm, check=True, capture_output=True, timeout=120)
    return (Path(folder) / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.mark.npm
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, axe: str, scheme: str) -> None:
    tab = settled(open_page(TWO, color_scheme=scheme))
    tab.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = one.className !== 'constants'))")
    tab.evaluate(axe + ";0")
    check = "async (where) => (await axe.run(where)).violations.map((one) => [one.id, one.nodes.map((n) => n.html)])"
    assert tab.evaluate(check, "html") == []
    tab.get_by_role("button", name="source: GPU", exact=True).click()
    assert tab.evaluate(check, "dialog") == []
    tab.keyboard.press("Escape")
    tab.get_by_role("combobox", name="GPU").click()
    assert tab.evaluate(check, "form") == []
