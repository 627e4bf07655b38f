"""FLOPs of a planned run: 6N + 6Lhs a token, 4N for adapters, recompute apart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate.request import EstimateRequest
from ecoaudit.estimate.work import PlannedWork, hardware_ratio, plan_work
from ecoaudit.model.notes import Notes
from ecoaudit.reference import load


def work(**asked: object) -> PlannedWork:
    return plan_work(EstimateRequest(gpu="H100 SXM", **asked), load(), Notes())  # type: ignore[arg-type]


def test_a_preset_counts_active_parameters_and_causal_attention() -> None:
    found = work(model="llama2-7b", tokens=1e9)
    active = 6.738e9 - 32000 * 4096
    assert found.flops.value == pytest.approx(1e9 * (6 * active + 6 * 32 * 4096 * 4096), rel=1e-4)
    assert found.attention_share == pytest.approx(0.0752, abs=5e-4)


def test_an_adapter_needs_no_weight_gradients_of_the_base() -> None:
    shape = {"params": 68.98e9, "layers": 80, "hidden_size": 8192, "sequence_length": 8192, "tokens": 1.0}
    assert work(**shape, method="lora").flops.value == pytest.approx(4 * 68.98e9 + 6 * 80 * 8192 * 8192)
    assert work(**shape, method="full").flops.value == pytest.approx(6 * 68.98e9 + 6 * 80 * 8192 * 8192)


def test_a_mixture_of_experts_counts_what_a_token_passes_through() -> None:
    found = work(model="mixtral-8x7b", tokens=1.0, sequence_length=1)
    assert found.params == pytest.approx(46.7e9)
    assert found.flops.value == pytest.approx(6 * found.active_params, rel=1e-3)
    assert found.active_params < 13e9


@pytest.mark.parametrize("name", ["llama2-7b", "llama2-70b", "llama3.1-405b", "gpt3-175b", "bloom-176b", "pythia-1b"])
def test_attention_guessed_from_the_size_alone_covers_real_shapes(name: str) -> None:
    model = load().model(name)
    guess = work(params=model.active_params, sequence_length=model.sequence_length, tokens=1.0)
    low, high = guess.flops.interval()
    assert low < work(model=name, tokens=1.0).flops.value < high


def test_a_given_shape_is_exact() -> None:
    found = work(params=7e9, layers=32, hidden_size=4096, sequence_length=2048, tokens=1e9)
    assert found.flops.interval() == (found.flops.value, found.flops.value)


def test_samples_are_sequences() -> None:
    assert work(params=7e9, samples=1000, sequence_length=8192).tokens == 8192e3


def test_a_presets_own_tokens_are_the_default() -> None:
    assert work(model="llama2-7b").tokens == 2e12
    with pytest.raises(EcoauditError, match="--tokens"):
        work(model="mistral-7b")
    with pytest.raises(EcoauditError, match="--params"):
        work(tokens=1e9)


def test_an_unknown_sequence_length_is_said() -> None:
    notes = Notes()
    plan_work(EstimateRequest(gpu="H200", params=7e9, tokens=1e9), load(), notes)
    assert any("sequence length is not given" in warning for warning in notes.warnings)


def test_recompute_repeats_the_forward_pass() -> None:
    assert hardware_ratio(6.0, 0.0, lora=False, recompute="full") == pytest.approx(8 / 6)
    assert hardware_ratio(4.0, 0.0, lora=True, recompute="full") == pytest.approx(6 / 4)
    assert hardware_ratio(6.0, 3.0, lora=False, recompute="selective") == pytest.approx(10 / 9)
    assert hardware_ratio(6.0, 3.0, lora=False, recompute="none") == 1.0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"params": -1.0}, "--params"),
        ({"tokens": float("nan")}, "--tokens"),
        ({"gpus": 0}, "--gpus"),
        ({"mfu": 45.0}, "did you mean 0.45"),
        ({"mfu": 0.4, "hfu": 0.5}, "either mfu or hfu"),
        ({"tokens": 1e9, "samples": 1e3}, "either tokens or samples"),
        ({"pue": 0.9}, "between 1 and 4"),
        ({"params": 1e9, "active_params": 2e9}, "exceeds params"),
        ({"layers": 32}, "hidden_size"),
        ({"hidden_size": 4096}, "layers"),
        ({"price_per_gpu_hour": -1.0}, "--price"),
    ],
)
def test_a_figure_out_of_range_is_one_clear_line(asked: dict[str, float], message: str) -> None:
    with pytest.raises(EcoauditError, match=message):
        EstimateRequest(gpu="H100 SXM", **asked)  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(
    params=st.floats(1e6, 1e12),
    sequence=st.integers(1, 10**6),
    tokens=st.floats(1e3, 1e14),
    method=st.sampled_from(["full", "lora"]),
)
def test_flops_grow_with_everything(params: float, sequence: int, tokens: float, method: str) -> None:
    base = work(params=params, sequence_length=sequence, tokens=tokens, method=method)
    assert base.flops.value >= (6 if method == "full" else 4) * params * tokens * (1 - 1e-12)
    assert 0 <= base.attention_share < 1
    assert work(params=params, sequence_length=sequence, tokens=2 * tokens, method=method).flops.value == pytest.approx(
        2 * base.flops.value
    )
    assert (
        work(params=2 * params, sequence_length=sequence, tokens=tokens, method=method).flops.value > base.flops.value
    )
    low, high = base.flops.interval()
    assert low <= base.flops.value <= high
