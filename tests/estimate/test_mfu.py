"""The MFU to expect: from published 16-bit runs, each family the same weight, wide where nothing is published."""

import math
from dataclasses import replace

import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.estimate.mfu import default_model, fit, peak, run_mfus
from ecoaudit.reference import load

TABLES = load()
MODEL = default_model(TABLES)
A100, H100 = TABLES.gpu("A100 SXM 80GB"), TABLES.gpu("H100 SXM")


def test_no_mlperf_result_is_in_the_fit() -> None:
    sources = [run.run.citation.source for run in run_mfus(TABLES)]
    sources += [one.citation.source for one in TABLES.mfu_benchmarks()]
    assert sources
    assert not any("MLPerf" in source for source in sources)


def test_a_restated_run_a_tpu_and_a_mixture_of_experts_are_not_in_the_fit() -> None:
    runs = run_mfus(TABLES)
    assert not any(run.run.copy_of for run in runs)
    assert {TABLES.model(run.run.model or "").architecture for run in runs} == {"dense"}
    assert {run.gpu.name for run in runs} == {A100.name, "NVIDIA A100-SXM4-40GB", H100.name}


def test_mfu_of_a_published_run_by_hand() -> None:
    """Llama 2 7B: 2e12 tokens in 184,320 A100-hours (arXiv:2307.09288, Table 2)."""
    run = next(run for run in run_mfus(TABLES) if run.run.id == "llama2-7b")
    active = 6.738e9 - 32000 * 4096
    flops = 2e12 * (6 * active + 6 * 32 * 4096 * 4096)
    assert run.mfu == pytest.approx(flops / (184320 * 3600 * 312e12), rel=1e-4)
    assert run.mfu == pytest.approx(0.414, abs=0.001)


def test_a_left_out_family_does_not_touch_the_fit() -> None:
    runs = run_mfus(TABLES)
    changed = [replace(run, mfu=run.mfu / 10) if run.family == "llama1" else run for run in runs]
    benchmarks = TABLES.mfu_benchmarks()
    assert fit(changed, benchmarks, without="llama1") == fit(runs, benchmarks, without="llama1")
    assert fit(changed, benchmarks).level < fit(runs, benchmarks).level


def test_a_family_of_many_runs_weighs_as_one() -> None:
    runs = run_mfus(TABLES)
    again = [*runs, *(run for run in runs if run.family == "pythia")]
    assert fit(again, TABLES.mfu_benchmarks()).level == pytest.approx(MODEL.level, abs=1e-12)


def test_h100_reaches_less_of_its_peak_than_a100() -> None:
    ratio = math.exp(MODEL.h100)
    assert 0.6 < ratio < 0.8
    large = MODEL.expect(A100, "bf16", 70e9)
    assert MODEL.expect(H100, "bf16", 70e9).value == pytest.approx(ratio * large.value)


def test_small_models_reach_less_and_large_ones_do_not_differ() -> None:
    values = [MODEL.expect(A100, "bf16", size).value for size in (50e6, 125e6, 350e6, 1e9, 1.3e9)]
    assert values == sorted(values)
    assert MODEL.expect(A100, "bf16", 1.3e9) == MODEL.expect(A100, "bf16", 500e9)


def test_a_gpu_without_a_published_run_gets_a_wider_range_and_says_so() -> None:
    known, unknown = MODEL.expect(H100, "bf16", 7e9), MODEL.expect(TABLES.gpu("B200"), "bf16", 7e9)
    assert not known.extrapolated
    assert "no published run on NVIDIA B200" in unknown.extrapolated[0]
    assert unknown.high / unknown.low > known.high / known.low


def test_fp8_is_faster_than_bf16_and_its_mfu_stands_on_the_fp8_peak() -> None:
    bf16, fp8 = MODEL.expect(H100, "bf16", 7e9), MODEL.expect(H100, "fp8", 7e9)
    speed_up = fp8.value * peak(H100, "fp8") / (bf16.value * peak(H100, "bf16"))
    assert 1.05 < speed_up < 1.5
    assert fp8.extrapolated


def test_fp16_is_bf16_and_other_formats_are_wider() -> None:
    assert MODEL.expect(A100, "fp16", 7e9) == MODEL.expect(A100, "bf16", 7e9)
    tf32, bf16 = MODEL.expect(A100, "tf32", 7e9), MODEL.expect(A100, "bf16", 7e9)
    assert tf32.value == bf16.value
    assert tf32.high > bf16.high
    with pytest.raises(EcoauditError, match="FP4"):
        MODEL.expect(TABLES.gpu("B200"), "fp4", 7e9)


def test_a_format_without_a_peak_names_the_known_ones() -> None:
    with pytest.raises(EcoauditError, match="fp16"):
        peak(TABLES.gpu("Tesla V100-SXM2-32GB"), "bf16")
