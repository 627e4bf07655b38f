"""Every bundled row says where it comes from, on what basis, and holds a figure that can be true."""

import re
from itertools import pairwise

import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.reference import load, rows
from ecoaudit.reference.sources import TABLES

NAMES = [name for name, *_ in TABLES]
BASES = {
    "grid": {"lifecycle", "direct", "marginal"},
    "coefficients": {"calibrated"},
    "mlperf_pairs": {"measured"},
    "mlperf_runs": {"measured"},
    "power_priors": {"assumed"},
    "pue": {"measured", "modelled", "assumed"},
}
KEYS = {
    "gpus": ("name",),
    "grid": ("zone", "basis", "source"),
    "regions": ("provider", "region"),
    "pue": ("key",),
    "gpu_prices": ("provider", "instance", "gpu", "region"),
    "nodes": ("node",),
    "coefficients": ("id",),
    "mlperf_runs": ("path", "boundary"),
    "mlperf_pairs": ("system", "workload", "nodes"),
    "power_priors": ("parameter", "cooling"),
    "training_runs": ("id",),
    "models": ("id",),
    "mlperf_throughput": ("gpu", "workload", "gpu_count"),
    "mfu_benchmarks": ("gpu", "params_b", "sequence_length", "gpu_count", "number_format"),
}
FORBIDDEN = re.compile(r"ODbL|CC.BY.NC|AGPL|non.?commercial", re.IGNORECASE)


@pytest.mark.parametrize("name", NAMES)
def test_every_row_has_source_year_licence_and_basis(name: str) -> None:
    found = rows.read(name)
    assert found
    for row in found:
        assert row["source"].strip(), row
        assert re.match(r"(19|20)\d\d", row["year"]), row
        assert row["licence"].strip(), row
        assert row["basis"] in BASES.get(name, {"stated", "measured", "modelled", "assumed"}), row


@pytest.mark.parametrize("name", NAMES)
def test_no_row_twice(name: str) -> None:
    keys = [tuple(row[column] for column in KEYS[name]) for row in rows.read(name)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", NAMES)
def test_no_licence_that_forbids_shipping(name: str) -> None:
    for row in rows.read(name):
        assert not FORBIDDEN.search(" ".join(row.values())), row


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_finite_and_not_negative(name: str) -> None:
    figures = re.compile(r"_(w|wh|kgco2e|tflops|gib|usd|per_kwh|per_gpu_hour|b|hours|mwh)$|^pue$|^alpha$|^value$")
    for row in rows.read(name):
        for column, cell in row.items():
            if figures.search(column) and cell:
                assert 0 <= float(cell) < 1e12, (column, row)


def test_gpu_ranges() -> None:
    for gpu in load().gpus():
        assert 50 <= gpu.tdp_w <= 1500
        assert gpu.memory_gib is None or 4 <= gpu.memory_gib <= 400
        assert gpu.idle_w is None or 0.02 <= gpu.idle_w / gpu.tdp_w <= 0.35
        peaks = gpu.dense_tflops
        assert all(0 < peak < 20000 for peak in peaks.values())
        assert peaks.get("fp8", 1e9) >= peaks.get("bf16", 0.0)
        assert peaks.get("bf16", 1e9) >= peaks.get("tf32", 0.0) >= 0


def test_peaks_are_dense() -> None:
    assert load().gpu("H100 SXM").dense_tflops["bf16"] == pytest.approx(989.4)
    assert load().gpu("H200").dense_tflops["fp8"] == pytest.approx(1978.9)
    assert load().gpu("A100 SXM 80GB").dense_tflops["bf16"] == 312
    assert load().gpu("B200").dense_tflops["fp8"] == 4500


def test_grid_ranges_and_intervals() -> None:
    for zone in load().zones():
        assert 0 < zone.low < zone.g_per_kwh < zone.high < 2000, zone


def test_one_default_per_zone() -> None:
    zones = [row["zone"] for row in rows.read("grid") if row["default"] == "yes"]
    assert len(zones) == len(set(zones))


def test_pue_ranges() -> None:
    for region in load().regions():
        pue = load().pue(region.key)
        assert 1.0 <= pue.low <= pue.value <= pue.high <= 2.2, region.key


def test_every_region_has_a_grid_figure_of_its_country() -> None:
    for region in load().regions():
        factor = load().grid(region=region.key)
        assert factor.zone.split("-")[0] == region.country, region.key
        assert factor.basis in {"lifecycle", "direct"}


def test_prices_are_of_known_gpus_and_nodes_hold_known_gpus() -> None:
    names = {gpu.name for gpu in load().gpus()}
    assert {price.gpu for price in load().prices()} <= names
    assert {node.gpu for node in load().nodes()} <= names
    for price in load().prices():
        assert 0.1 < price.low <= price.usd_per_gpu_hour <= price.high < 30


def test_nodes_like_another_name_a_known_one() -> None:
    known = {node.name for node in load().nodes()}
    assert {node.like for node in load().nodes() if node.like} <= known


def test_figures_derived_from_mlperf_logs_say_so() -> None:
    for name in ("coefficients", "mlperf_pairs", "mlperf_runs"):
        for row in rows.read(name):
            assert "derived; not verified by MLCommons Association" in row["source"]


def test_a_coefficient_belongs_to_one_definition_of_u() -> None:
    lines = load().utilisation_lines()
    assert {line.u_definition for line in lines} <= {"one", "mfu", "relative_throughput"}
    for line in lines:
        assert line.u_definition != "mfu" or line.number_format, line.id
        assert 0.3 < line.alpha < 2.0
        assert line.alpha_se > 0
        assert line.static_w_se > 0


def test_metered_groups_repeat_the_published_figures() -> None:
    """Mean node power and energy per model FLOP of the seventeen metered AC groups (MLPerf Training 4.0 to 5.0)."""
    pairs = {(pair.system, pair.workload, pair.nodes): pair for pair in load().measured_pairs()}
    assert len(pairs) == 17
    gpt3 = pairs["smc-hgx-h100-immersion", "gpt3", 64]
    assert gpt3.pj_per_flop == pytest.approx(1.17, abs=0.005)
    lora = pairs["smc-hgx-h100-immersion", "llama2_70b_lora", 1]
    assert lora.pj_per_flop == pytest.approx(1.56, abs=0.005)
    assert pairs["dell-xe9680-h100", "llama2_70b_lora", 8].mean_node_w == pytest.approx(7099, abs=1)
    for (system, workload, _), pair in pairs.items():
        same = sorted((p.nodes, p.mean_node_w) for key, p in pairs.items() if key[:2] == (system, workload))
        assert all(fewer[1] >= more[1] for fewer, more in pairwise(same)), pair


def test_published_runs_name_known_models_and_originals() -> None:
    models = {model.id for model in load().models()}
    runs = {run.id: run for run in load().training_runs()}
    for run in runs.values():
        assert run.model is None or run.model in models, run.id
        assert run.copy_of is None or run.copy_of in runs
        assert not (run.copy_of and run.time_evidence), "a restated run is not a second piece of evidence"


def test_published_figures_say_whether_the_source_itself_was_read() -> None:
    assert {row["read_from"] for row in rows.read("training_runs")} == {"primary", "quotation"}
    assert not next(run for run in load().training_runs() if run.id == "bloom-176b").primary_read


def test_hours_times_tdp_is_never_evidence_for_power() -> None:
    for run in load().training_runs():
        if run.energy_basis in {"tdp_x_hours", "assumed_power_x_hours", "none"}:
            assert not run.energy_evidence, run.id


def test_model_presets_have_the_shape_of_their_parameters() -> None:
    """Dense decoders have about 12 L h^2 weights outside the embeddings, which weigh most in the smallest models."""
    for model in load().models():
        assert model.active_params <= model.params
        if model.architecture == "dense":
            low = 0.4 if model.active_params < 0.5e9 else 0.5
            assert low < 12 * model.layers * model.hidden_size**2 / model.active_params < 1.3, model.id


def test_a_model_by_its_name() -> None:
    assert load().model("Llama2 7B").params == 6.738e9
    with pytest.raises(EcoauditError, match="llama2-7b"):
        load().model("llama2-7")
