"""From request to figures: the arithmetic by hand, the boundaries in order, and nothing unknown made up."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate.engine import estimate
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.estimate.result import Estimate, encode, json_schema
from ecoaudit.estimate.text import amount, lines
from ecoaudit.quantity import Quantity
from ecoaudit.reference import load

TABLES = load()
PLAIN = {
    "gpu": "H100 SXM",
    "gpus": 64,
    "params": 7e9,
    "layers": 32,
    "hidden_size": 4096,
    "sequence_length": 4096,
    "tokens": 2e12,
}


def run(**asked: object) -> Estimate:
    return estimate(EstimateRequest(**{**PLAIN, **asked}), TABLES)  # type: ignore[arg-type]


def value(quantity: Quantity | None) -> float:
    assert quantity is not None
    return quantity.value


def test_hours_by_hand() -> None:
    found = run(mfu=0.4, goodput=0.9)
    flops = 2e12 * (6 * 7e9 + 6 * 32 * 4096 * 4096)
    assert found.gpu_hours.value == pytest.approx(flops / (0.4 * 0.9 * 989.4e12 * 3600))
    assert found.gpu_hours.low == found.gpu_hours.high
    assert found.wall_hours.value == pytest.approx(found.gpu_hours.value / 64)


def test_hfu_is_mfu_without_what_recompute_repeats() -> None:
    assert run(hfu=0.4, recompute="full").mfu.value == pytest.approx(0.4 * 6 / 8, rel=1e-9)
    assert run(mfu=0.3, recompute="full").hfu.value == pytest.approx(0.4)


def test_given_figures_go_through_exactly() -> None:
    found = run(mfu=0.4, price_per_gpu_hour=2.0, pue=1.2, intensity_g_per_kwh=100.0, network_power_w=0.0)
    assert value(found.cost.total) == pytest.approx(2 * found.gpu_hours.value)
    assert value(found.energy.facility) == pytest.approx(1.2 * value(found.energy.node))
    assert value(found.carbon.operational) == pytest.approx(0.1 * value(found.energy.facility))
    assert found.carbon.intensity_basis == "as given"


def test_stated_averages_have_the_width_that_the_method_gives_them() -> None:
    found = run(mfu=0.4, pue=1.2, intensity_g_per_kwh=100.0)
    pue, intensity = found.energy.pue, found.carbon.intensity
    assert pue is not None and intensity is not None
    assert (pue.low, pue.high) == (pytest.approx(1.14, rel=1e-3), pytest.approx(1.26, rel=1e-3))
    assert (intensity.low, intensity.high) == (pytest.approx(90.0, rel=1e-3), pytest.approx(110.0, rel=1e-3))
    alone = run(mfu=0.4, pue=1.0).energy.pue
    assert alone is not None and (alone.low, alone.high) == (1.0, 1.0)


def test_a_pue_is_assumed_however_well_it_was_metered() -> None:
    for pue in (run(mfu=0.4, region="aws:eu-north-1").energy.pue, run(mfu=0.4, pue=1.1).energy.pue):
        assert pue is not None and pue.basis == "assumed"


@pytest.mark.parametrize(("gpu", "nodes", "per_node"), [("GB200", 18, 4), ("GB300", 18, 4), ("H100 SXM", 9, 8)])
def test_a_node_of_superchips_is_a_compute_tray(gpu: str, nodes: int, per_node: int) -> None:
    found = run(gpu=gpu, gpus=72, mfu=0.4).hardware
    assert (found.nodes, found.gpus_per_node) == (nodes, per_node)


def test_a_zone_beside_a_region_says_which_figure_is_whose() -> None:
    told = "the grid is that of zone SE; PUE and price are those of aws:us-east-1"
    assert told in run(mfu=0.4, region="aws:us-east-1", zone="SE").warnings
    assert not any("zone SE" in text for text in run(mfu=0.4, region="aws:us-east-1").warnings)


def test_tdp_energy_is_the_comparison() -> None:
    found = run(mfu=0.4)
    assert value(found.energy.tdp) == pytest.approx(0.7 * found.gpu_hours.value)
    assert value(found.energy.gpu) < value(found.energy.tdp) < value(found.energy.node)


def test_the_network_is_its_own_term_under_the_pue() -> None:
    without, with_it = run(mfu=0.4, pue=1.5, network_power_w=0.0), run(mfu=0.4, pue=1.5, network_power_w=10_000.0)
    added = 10.0 * with_it.wall_hours.value * 1.5
    assert value(with_it.energy.network) == pytest.approx(10.0 * with_it.wall_hours.value)
    assert value(with_it.energy.node) == value(without.energy.node)
    assert value(with_it.energy.facility) - value(without.energy.facility) == pytest.approx(added, rel=1e-6)
    assert any("network energy is not included" in warning for warning in run().warnings)


def test_what_a_metered_node_draws_is_inside_the_range() -> None:
    """A saturated node of 8 H100 draws 6.9 to 7.2 kW, immersion-cooled (MLPerf Training v4.0 power logs)."""
    one = run(gpus=8, mfu=0.4)
    node = one.energy.node
    assert node is not None
    watts = [1000.0 * kwh / one.wall_hours.value for kwh in (node.low, node.high)]
    assert watts[0] < 6900 < 7200 < watts[1]


def test_a_workstation_has_only_its_boards_until_its_host_is_stated() -> None:
    alone = run(gpu="RTX 4090", gpus=1, zone="DE")
    assert alone.energy.node is None
    assert alone.energy.facility is None
    assert alone.energy.headline == "gpu"
    assert "no metered node is like this one" in alone.unknown["energy.levels.L3"]
    assert alone.carbon.operational is not None
    assert "GPU boundary" in alone.carbon.operational.source
    assert alone.energy.headline_label == "GPU boards only, lower bound"
    stated = run(gpu="RTX 4090", gpus=1, zone="DE", host_power_w=150.0)
    assert stated.energy.headline == "facility"
    assert value(stated.energy.node) > value(stated.energy.gpu) + 0.15 * stated.wall_hours.value * 0.9
    assert "energy.levels.L3" not in stated.unknown


def test_an_unmetered_server_is_wide_and_says_so() -> None:
    found = run(gpu="A100 SXM 80GB")
    assert found.energy.node is not None
    assert any("NVIDIA A100-SXM4-80GB node was metered" in warning for warning in found.warnings)


def test_nothing_unknown_is_made_up() -> None:
    found = run()
    assert found.carbon.operational is None
    assert "no grid intensity" in found.unknown["carbon.operational"]
    assert run(gpu="GB300", precision="bf16").cost.total is None
    assert any("survey" in warning for warning in found.warnings)


def test_market_based_stands_beside_location_based() -> None:
    found = run(region="aws:eu-north-1")
    assert value(found.carbon.market_based) == 0
    assert value(found.carbon.operational) > 0
    assert found.carbon.intensity_basis == "lifecycle"


def test_drivers_share_out_the_whole_width() -> None:
    found = run(region="aws:eu-north-1")
    assert sum(driver.share for driver in found.drivers) == pytest.approx(1.0)
    assert found.drivers[0].name == "MFU"
    assert found.drivers_of == "carbon.operational"
    assert "grid intensity" in {driver.name for driver in found.drivers}
    assert "MFU" not in {driver.name for driver in run(mfu=0.4, region="aws:eu-north-1").drivers}


def test_an_mfu_of_published_runs_says_that_lost_time_is_inside() -> None:
    assert "published runs" in run().goodput.source
    assert any("goodput is not given" in warning for warning in run(mfu=0.4).warnings)
    assert any("lost time is in it" in warning for warning in run(goodput=0.9).warnings)


def test_a_node_type_sets_gpus_and_cooling_and_must_fit_the_gpu() -> None:
    found = run(node="aws:p5.48xlarge", gpus=16)
    assert (found.hardware.nodes, found.hardware.gpus_per_node) == (2, 8)
    with pytest.raises(EcoauditError, match="not NVIDIA B200"):
        run(gpu="B200", node="aws:p5.48xlarge")


def test_part_of_a_node_pays_part_of_its_host() -> None:
    slice_, whole = run(gpus=2, mfu=0.4), run(gpus=8, mfu=0.4)
    assert slice_.hardware.nodes == 1
    assert value(slice_.energy.node) == pytest.approx(value(whole.energy.node), rel=1e-6)


def test_a_model_that_does_not_fit_is_said() -> None:
    """16 bytes a parameter: 70e9 parameters need 1,043 GiB, eight boards of 80 GiB hold 640."""
    assert any("1,043 GiB" in warning for warning in run(params=70e9, gpus=8).warnings)
    assert not any("GiB" in warning for warning in run(params=70e9, gpus=64).warnings)
    assert not any("GiB" in warning for warning in run(params=70e9, gpus=8, method="lora").warnings)


def test_the_json_has_the_promised_shape() -> None:
    found = run(region="aws:eu-north-1")
    decoded = msgspec.json.decode(encode(found))
    assert msgspec.json.decode(encode(found), type=Estimate) == found
    assert {"gpu_hours", "wall_hours", "energy", "carbon", "cost", "mfu", "drivers", "provenance"} <= decoded.keys()
    assert {"gpu", "node", "facility"} <= decoded["energy"].keys()
    for leaf in (decoded["gpu_hours"], decoded["energy"]["facility"], decoded["mfu"], decoded["cost"]["total"]):
        assert leaf.keys() == {"value", "low", "high", "unit", "basis", "source"}
    assert all(entry["source"] for entry in decoded["provenance"])
    assert json_schema()["title"] == "ecoaudit.estimate/1"


def test_the_text_names_boundaries_units_and_reasons() -> None:
    text = "\n".join(lines(run(gpu="RTX 4090", gpus=1)))
    assert "energy, nodes (AC)" in text
    assert "not known" in text
    assert "node energy not known: no metered node is like this one" in text
    assert "MWh" in "\n".join(lines(run()))


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (1234567, "1,230,000"), (99.96, "100.0"), (0.012345, "0.0123"), (7.3616, "7.36")],
)
def test_three_digits_without_an_exponent(number: float, shown: str) -> None:
    assert amount(number) == shown


@settings(max_examples=40, deadline=None)
@given(
    gpu=st.sampled_from(["H100 SXM", "H200", "B200", "A100 SXM 80GB", "RTX 4090", "L40S", "MI300X"]),
    gpus=st.integers(1, 5000),
    params=st.floats(1e7, 2e12),
    tokens=st.floats(1e6, 1e14),
    region=st.sampled_from(["aws:eu-north-1", "gcp:us-central1", "lambda:us-east-1", None]),
)
def test_every_estimate_is_ordered_finite_and_linear_in_tokens(
    gpu: str, gpus: int, params: float, tokens: float, region: str | None
) -> None:
    def one(amount_of_tokens: float) -> Estimate:
        asked = EstimateRequest(gpu=gpu, gpus=gpus, params=params, tokens=amount_of_tokens, region=region)
        return estimate(asked, TABLES)

    found, twice = one(tokens), one(2 * tokens)
    for quantity in (found.gpu_hours, found.mfu, found.energy.gpu, found.energy.node, found.energy.facility):
        if quantity is not None:
            assert 0 < quantity.low <= quantity.value <= quantity.high
    if found.energy.node is not None and found.energy.facility is not None:
        assert value(found.energy.gpu) < found.energy.node.value <= found.energy.facility.value
    assert value(found.energy.gpu) <= value(found.energy.tdp) * (1 + 1e-9)
    assert twice.gpu_hours.value == pytest.approx(2 * found.gpu_hours.value)
    assert value(twice.energy.gpu) == pytest.approx(2 * value(found.energy.gpu))
    if found.carbon.operational is not None:
        assert value(twice.carbon.operational) == pytest.approx(2 * found.carbon.operational.value)
