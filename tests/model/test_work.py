"""FLOPs, MFU, energy per unit of work, and the stand beside metered runs."""

import numpy as np
import pytest

from ecoaudit import reference
from ecoaudit.ingest.records import TOKENS_UNKNOWN, ReadQuality, StepSeries
from ecoaudit.model.efficiency import number_format
from ecoaudit.model.flops import BENCHMARKS, count_work
from ecoaudit.model.inputs import StatedModel
from ecoaudit.reference.types import Throughput
from model.runs import START, audit, constant, described, meter, mlperf_result, telemetry, training

HOUR = np.arange(0.0, 3601.0)
NODE = telemetry([constant(600.0)] * 8, HOUR)


def test_flops_per_token_of_known_models() -> None:
    assert BENCHMARKS["gpt3"].flops_per_token() == pytest.approx(6 * 174.6e9 + 6 * 96 * 12288 * 2048)
    lora = BENCHMARKS["llama2_70b_lora"]
    assert lora.flops_per_token() == pytest.approx(4 * 68.98e9 + 6 * 80 * 8192 * 8192)


def test_a_benchmarks_shape_goes_first_and_lora_is_4n() -> None:
    work = count_work(mlperf_result(100.0, samples=1000.0), 8)
    assert work.tokens == 1000.0 * 8192
    assert work.flops is not None and work.flops.value == pytest.approx(
        8.192e6 * BENCHMARKS["llama2_70b_lora"].flops_per_token()
    )


def test_attention_is_guessed_from_the_parameters_with_doubt() -> None:
    """LLaMA 7B (L = 32, h = 4096, s = 4096): the guess of 6Lhs lies within a tenth of the truth."""
    work = count_work(training(tokens=1e9, params=6.738e9, sequence_length=4096), 8)
    truth = 1e9 * (6 * 6.738e9 + 6 * 32 * 4096 * 4096)
    assert work.flops is not None
    low, high = work.flops.interval()
    assert work.flops.value == pytest.approx(truth, rel=0.01)
    assert low < truth < high


def test_hardware_flops_are_not_model_flops() -> None:
    recomputed = training(tokens=1e9, params=7e9, flops=9e19, flops_kind="hardware")
    work = count_work(recomputed, 8)
    assert work.flops is not None and work.flops.value == pytest.approx(4.2e19)


def test_unknown_work_is_unknown() -> None:
    found = audit(telemetry=[NODE], training=[training(0.0, 3600.0, step_count=100)])
    assert found.training.flops is None and found.training.mfu is None
    assert found.efficiency.j_per_token is None and found.efficiency.j_per_step is not None
    assert {"training.mfu", "training.hfu", "efficiency.j_per_token", "efficiency.pj_per_flop"} <= set(
        found.quality.unknown
    )


def test_mfu_is_model_flops_over_the_dense_peak() -> None:
    run = training(0.0, 3600.0, tokens=3e8, params=7e9, precision="bf16")
    found = audit(telemetry=[NODE], training=[run])
    assert found.training.mfu is not None
    assert found.training.mfu.value == pytest.approx(1.26e19 / (3600 * 8 * 989.4e12), rel=1e-3)


def test_recomputed_flops_are_hfu_beside_mfu() -> None:
    run = training(0.0, 3600.0, tokens=3e8, params=7e9, precision="bf16", flops=1.68e19, flops_kind="hardware")
    found = audit(telemetry=[NODE], training=[run]).training
    assert found.mfu and found.hfu
    assert found.hfu.value / found.mfu.value == pytest.approx(5.6 / 4.2)


def test_an_adapter_on_a_frozen_base_is_4n_where_the_log_tells() -> None:
    run = training(tokens=1e9, params=7e9, lora=True)
    assert count_work(run, 8).flops_per_token == pytest.approx(4 * 7e9)
    counted = training(tokens=1e9, flops=4.2e19, flops_kind="model", lora=True)
    assert count_work(counted, 8).flops_per_token == pytest.approx(4 * 7e9)
    stated = count_work(run, 8, StatedModel("given by the user", params=8e9))
    assert stated.flops_per_token == pytest.approx(4 * 8e9)


def test_a_logged_rate_with_recomputation_is_hfu_and_no_mfu() -> None:
    """Megatron-DeepSpeed counts the second forward pass; without the model's size nothing tells the FLOPs without."""
    count = np.arange(1, 101)
    unknown = np.full(100, np.nan)
    steps = StepSeries(count, START + 36.0 * count, np.full(100, 36.0), unknown, unknown, unknown)
    run = training(
        0.0, 3600.0, steps=steps, step_count=100, tflops_per_gpu=400.0, flops_kind="hardware", precision="bf16"
    )
    found = audit(telemetry=[NODE], training=[run])
    assert found.training.mfu is None and "--params" in found.quality.unknown["training.mfu"]
    assert found.training.hfu and found.training.hfu.value == pytest.approx(400.0 / 989.4, rel=1e-3)


def test_more_than_the_hardware_can_do_is_no_mfu() -> None:
    run = training(0.0, 3600.0, tokens=1e9, params=7e9, precision="bf16")
    found = audit(telemetry=[NODE], training=[run])
    assert found.training.mfu is None
    assert "it would be 147 % of the bf16 dense peak" in found.quality.unknown["training.mfu"]
    assert any("MFU is not known" in text for text in found.quality.warnings)


def test_an_input_embedding_of_its_own_is_looked_up_not_multiplied() -> None:
    """LLaMA 7B: 6.738e9 weights, of which 32,000 x 4096 are the input embedding."""
    known = {"layers": 32, "hidden_size": 4096, "sequence_length": 4096}
    run = training(tokens=1e9, params=6_738_415_616.0, embedding_params=32_000 * 4096.0, **known)
    work = count_work(run, 8)
    assert work.flops_per_token == pytest.approx(6 * 6_607_343_616 + 6 * 32 * 4096 * 4096)


@pytest.mark.parametrize(("params", "exact"), [(7e9, True), (70e9, False)])
def test_a_stated_size_keeps_the_logged_shape_if_that_can_be_its(params: float, exact: bool) -> None:
    run = training(tokens=1e9, layers=32, hidden_size=4096, sequence_length=4096)
    work = count_work(run, 8, StatedModel("given by the user", params=params))
    assert ("as logged" in work.source) == exact
    if exact:
        assert work.flops_per_token == pytest.approx(6 * 7e9 + 6 * 32 * 4096 * 4096)


def test_counts_below_zero_are_unknown() -> None:
    run = training(0.0, 3600.0, tokens=-5e8, samples=-5.0, params=7e9)
    found = audit(telemetry=[NODE], training=[run])
    assert found.training.tokens is None and found.training.samples is None
    assert found.efficiency.j_per_token is None
    assert any("gives -5e+08 tokens" in text for text in found.quality.warnings)


def test_energy_per_unit_is_the_training_windows_at_the_node() -> None:
    run = training(600.0, 3000.0, tokens=1e8, samples=1e5, step_count=1000)
    found = audit(telemetry=[NODE], training=[run])
    node_j = 2400.0 * (1900.0 + 1.12 * 8 * 600.0)
    eff = found.efficiency
    assert eff.boundary == "node" and eff.j_per_token and eff.j_per_sample and eff.j_per_step
    assert eff.j_per_token.value == pytest.approx(node_j / 1e8)
    assert eff.j_per_sample.value == pytest.approx(node_j / 1e5)
    assert eff.j_per_step.value == pytest.approx(node_j / 1000)


def test_without_a_node_figure_energy_per_unit_is_the_boards_and_no_ratio_is_made() -> None:
    log = telemetry([constant(300.0)], HOUR, gpu="NVIDIA GeForce RTX 4090", limit_w=450.0)
    found = audit(telemetry=[log], training=[training(0.0, 3600.0, tokens=1e8, params=1e9)])
    assert found.efficiency.boundary == "gpu"
    assert found.efficiency.reference is None and found.efficiency.ratio_to_reference is None


def test_an_fp8_reference_beside_a_bf16_run_is_shown_not_ranked() -> None:
    run = training(0.0, 3600.0, tokens=1e9, params=7e9, precision="bf16")
    eff = (found := audit(telemetry=[NODE], training=[run])).efficiency
    assert eff.reference and eff.reference.format == "fp8" and "gpt3" in eff.reference.name
    assert eff.ratio_to_reference is None
    assert "not ranked" in found.quality.unknown["efficiency.ratio_to_reference"]


def test_the_reference_is_joules_per_flop_times_this_runs_flops() -> None:
    run = training(0.0, 3600.0, tokens=1e9, params=7e9, precision="fp8")
    eff = audit(telemetry=[NODE], training=[run]).efficiency
    assert eff.reference and eff.reference.j_per_token and eff.pj_per_flop and eff.ratio_to_reference
    assert eff.reference.j_per_token.value == pytest.approx(eff.reference.pj_per_flop.value * 1e-12 * 6 * 7e9)
    assert eff.ratio_to_reference.value == pytest.approx(eff.pj_per_flop.value / eff.reference.pj_per_flop.value)


def test_the_same_benchmark_is_its_own_reference() -> None:
    wall = meter(constant(7158.8), np.arange(0.0, 1689.0))
    run = mlperf_result(1688.0, samples=1688.0 * 7158.8 / 3933.4)
    eff = audit(meters=[wall], training=[run], systems=[described(name="x")]).efficiency
    assert eff.ratio_to_reference and eff.ratio_to_reference.value == pytest.approx(1.0, abs=0.01)


def test_a_stated_model_goes_before_what_the_log_says() -> None:
    log = training(tokens=1e9, params=1e9, sequence_length=1024, flops=1e18, flops_kind="model")
    stated = StatedModel("test", params=6.738e9, layers=32, hidden_size=4096, sequence_length=4096)
    work = count_work(log, 8, stated)
    assert work.flops is not None and not work.flops.factors
    assert work.flops.value == pytest.approx(1e9 * (6 * 6.738e9 + 6 * 32 * 4096 * 4096))
    assert work.source.startswith("6N + 6Lhs") and work.source.endswith("model: test")


def test_a_stated_sequence_length_makes_tokens_of_the_logged_samples() -> None:
    warned = ReadQuality(warnings=(f"the log does not print the sequence length: {TOKENS_UNKNOWN}", "another"))
    run = training(0.0, 3600.0, samples=1e5, params=7e9, quality=warned)
    plain = audit(telemetry=[NODE], training=[run])
    found = audit(telemetry=[NODE], training=[run], model=StatedModel("test", sequence_length=4096))
    assert plain.efficiency.j_per_token is None and plain.training.tokens is None
    assert found.training.tokens == pytest.approx(4.096e8) and found.efficiency.j_per_token is not None
    assert found.training.flops is not None and found.training.flops.value > 6 * 7e9 * 4.096e8
    assert set(warned.warnings) <= set(plain.quality.warnings)
    assert set(warned.warnings) & set(found.quality.warnings) == {"another"}
    assert plain.quality.unknown["efficiency.j_per_token"].endswith("; give --sequence-length")


def test_of_a_mixture_of_experts_the_active_parameters_count() -> None:
    mixtral = StatedModel("test", params=46.7e9, active_params=12.8e9, layers=32, hidden_size=4096)
    work = count_work(training(tokens=1e9, sequence_length=4096), 8, mixtral)
    assert work.flops is not None
    assert work.flops.value == pytest.approx(1e9 * (6 * 12.8e9 + 6 * 32 * 4096 * 4096))


def test_adapters_on_a_frozen_base_are_4n() -> None:
    full, lora = (
        count_work(training(tokens=1e9), 8, StatedModel("test", params=7e9, lora=lora)) for lora in (False, True)
    )
    assert full.flops and lora.flops
    assert lora.flops.value == pytest.approx(full.flops.value * 4 / 6)
    assert lora.source.startswith("4N per token; attention not counted")


@pytest.mark.parametrize(
    ("stated", "logged", "used"), [(8192, 2048, 8192), (None, 2048, 2048), (None, None, 4096)], ids=str
)
def test_the_runs_own_sequence_length_goes_before_the_presets(
    stated: int | None, logged: int | None, used: int
) -> None:
    model = StatedModel(
        "test", params=7e9, layers=32, hidden_size=4096, sequence_length=stated, preset_sequence_length=4096
    )
    work = count_work(training(tokens=1.0, sequence_length=logged), 8, model)
    assert work.flops is not None and work.flops.value == pytest.approx(6 * 7e9 + 6 * 32 * 4096 * used)


def test_samples_of_a_stated_length_are_tokens() -> None:
    found = audit(
        telemetry=[NODE],
        training=[training(0.0, 3600.0, samples=1000.0)],
        model=StatedModel("test", params=7e9, sequence_length=2048, precision="fp8"),
    )
    assert found.training.tokens == 2_048_000
    assert (found.training.params, found.training.precision) == (7e9, "fp8")
    assert found.training.mfu and "fp8 dense peak" in found.training.mfu.source
    assert found.efficiency.j_per_token and found.efficiency.ratio_to_reference


def test_what_the_reference_would_have_used_is_in_the_audit() -> None:
    """Energy of the run over its ratio to the reference: the same FLOPs at the reference's joules per FLOP."""
    run = training(0.0, 3600.0, tokens=1e9, params=7e9, precision="fp8")
    eff = audit(telemetry=[NODE], training=[run]).efficiency
    assert eff.reference and eff.reference.energy and eff.ratio_to_reference
    node_kwh = 1.9 + 1.12 * 8 * 0.6
    assert eff.reference.energy.value == pytest.approx(node_kwh / eff.ratio_to_reference.value)
    assert eff.reference.energy.unit == "kWh" and "fp8" in eff.reference.energy.source


def test_another_kind_of_training_is_shown_not_ranked() -> None:
    """The only metered B200 pairs with known FLOPs are LoRA: full training in the same format is another kind."""
    b200 = telemetry([constant(800.0)] * 8, HOUR, gpu="NVIDIA B200", limit_w=1000.0)
    run = training(0.0, 3600.0, tokens=1e9, params=7e9, precision="fp8")
    full = audit(telemetry=[b200], training=[run])
    assert full.efficiency.reference and "lora" in full.efficiency.reference.name
    assert full.efficiency.ratio_to_reference is None
    assert "another kind" in full.quality.unknown["efficiency.ratio_to_reference"]
    lora = audit(telemetry=[b200], training=[run], model=StatedModel("test", params=7e9, lora=True))
    assert lora.efficiency.ratio_to_reference is not None


def test_the_fastest_published_run_of_the_gpu_is_the_nearest_in_size() -> None:
    run = training(0.0, 3600.0, tokens=1e9, params=7e9, precision="bf16")
    full = audit(telemetry=[NODE], training=[run]).efficiency.throughput_reference
    assert full and full.name.startswith("llama31_8b on 64 × NVIDIA H100") and "FP8" in full.format
    lora = audit(telemetry=[NODE], training=[run], model=StatedModel("test", params=7e9, lora=True))
    fastest = lora.efficiency.throughput_reference
    assert fastest and fastest.name.startswith("llama2_70b_lora on 8 × NVIDIA H100") and fastest.mfu
    assert fastest.mfu.value == pytest.approx(608.6 / 989.4, rel=1e-3)


def test_nothing_is_published_of_other_boards() -> None:
    log = telemetry([constant(300.0)], HOUR, gpu="NVIDIA GeForce RTX 4090", limit_w=450.0)
    found = audit(telemetry=[log], training=[training(0.0, 3600.0, tokens=1e8, params=1e9)])
    assert found.efficiency.throughput_reference is None


@pytest.mark.parametrize("result", reference.load().throughputs(), ids=lambda r: f"{r.gpu}-{r.workload}-{r.gpu_count}")
def test_published_flops_follow_from_samples_and_shape(result: Throughput) -> None:
    shape = BENCHMARKS[result.workload]
    assert result.sequence_length == shape.sequence
    flops = result.samples_per_s * shape.sequence * shape.flops_per_token()
    assert result.tflops_per_gpu == pytest.approx(flops / result.gpu_count / 1e12, rel=2e-3)


@pytest.mark.parametrize(
    ("text", "name"),
    [("bf16-mixed", "bf16"), ("FP8 hybrid", "fp8"), ("torch.float16", "fp16"), (None, None), ("32", None)],
)
def test_number_formats_as_logs_name_them(text: str | None, name: str | None) -> None:
    assert number_format(text) == name


def test_a_logged_shape_leaves_nothing_to_guess() -> None:
    log = training(params=8e9, tokens=1e9, sequence_length=4096, layers=32, hidden_size=4096)
    work = count_work(log, 8)
    assert work.flops is not None
    assert work.flops.value == pytest.approx(1e9 * (6 * 8e9 + 6 * 32 * 4096 * 4096))
    assert work.flops.interval() == (work.flops.value, work.flops.value)
    assert "as logged" in work.source
