"""Mixtures of experts: FLOPs as the framework counted them, never six times all parameters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]
Write = Callable[[str, str], str]
WARNING = "the model is a mixture of experts"


def warned(log: TrainingLog) -> bool:
    return any(w.startswith(WARNING) for w in log.quality.warnings)


def test_megatron_counts_by_the_rate_it_prints(run_of: Read) -> None:
    log = run_of("megatron/experts.log")
    # Rate x time x GPUs of each line, 60 steps of their mean; all weights, not the quarter that rank 0 holds.
    mean = (9.6 * 2.0273 + 39.3 * 0.4943 + 37.8 * 0.5151) / 3
    assert log.flops == pytest.approx(mean * 1e12 * 8 * 60)
    assert (log.flops_kind, log.params, log.world_size) == ("model", 4.37e9, 8)
    assert log.tflops_per_gpu == pytest.approx((39.3 * 0.4943 + 37.8 * 0.5151) / (0.4943 + 0.5151))
    assert not warned(log)


@pytest.mark.parametrize(("lost", "blind"), [("throughput per GPU (TFLOP/s/GPU)", True), ("using world size", False)])
def test_without_rate_or_devices_the_size_is_left_out(
    run_of: Read, fixtures: Path, write: Write, lost: str, blind: bool
) -> None:
    log = run_of(write("a.log", (fixtures / "megatron/experts.log").read_text().replace(lost, "x")))
    assert (log.flops, log.params) == (None, None)
    assert warned(log) is blind  # a rate tells the FLOPs once telemetry tells the number of GPUs
    assert (log.tflops_per_gpu is None) is blind


def test_deepspeed_lists_the_experts_of_its_layers(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "megatron/experts.log").read_text()
    assert run_of(write("a.log", text.replace(". 64", ". [64]"))).flops is not None
    dense = run_of(write("b.log", text.replace(". 64", ". [1]").replace("size ...................... 4", "size ... 1")))
    assert (dense.flops, dense.params) == (None, 1204838912)


def test_a_restart_counts_the_steps_once(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "megatron/experts.log").read_text()
    lines = text.splitlines(keepends=True)
    again = run_of(write("a.log", text + lines[-2] + lines[-1]))
    assert again.rework_steps == 40
    once = run_of("megatron/experts.log")
    assert once.flops and again.flops == pytest.approx(once.flops, rel=5e-3)


@pytest.mark.parametrize(("sparse", "counted"), [("7,000,000,000", True), ("0", False)])
def test_torchtitan_tells_its_sparse_parameters(
    run_of: Read, fixtures: Path, write: Write, sparse: str, counted: bool
) -> None:
    lines = (fixtures / "torchtitan/phases.log").read_text().splitlines()
    count = f"Total parameter count: dense 1,030,261,248, sparse {sparse}, vision 0, active 2,000,000,000"
    at = next(i for i, line in enumerate(lines) if "step:" in line)
    prefix = "[rank0]:[titan] 2026-08-19 10:00:02,100 - root - INFO - "
    log = run_of(write("a.log", "\n".join([*lines[:at], prefix + count, *lines[at:]])))
    assert (log.flops is not None) is counted and log.flops_kind == "model"
    assert not warned(log)


def test_maxtext_names_the_experts_in_its_configuration(run_of: Read, fixtures: Path, write: Write) -> None:
    text = "I0317 pyconfig.py:413] Config param num_experts: 8\n" + (fixtures / "maxtext/config.log").read_text()
    log = run_of(write("a.log", text))
    assert log.flops == pytest.approx(480e12 * 8 * 4, rel=1e-3)
    assert run_of("maxtext/config.log").flops is None


def test_megatron_bridge_prints_the_rate_before_the_iteration(run_of: Read, write: Write) -> None:
    text = "".join(
        f" Step Time : {s}s GPU utilization: {rate}MODEL_TFLOP/s/GPU\n [2025-12-22 15:{i:02d}:00] iteration {i}/ 3 | "
        f"consumed samples: {512 * i} | elapsed time per iteration (ms): {s * 1e3} | global batch size: 512 | "
        "lm loss: 8.1E+00 |\n"
        for i, (s, rate) in enumerate([(125.37, 20.9), (6.0, 400.0), (3.0, 800.0)], 1)
    )
    log = run_of(write("a.log", text))
    assert log.tflops_per_gpu == pytest.approx((6 * 400 + 3 * 800) / 9)
    assert log.flops_kind == "model"
    hybrid = run_of(write("b.log", text.replace("20.9M", "0.0M").replace("400.0M", "0.0M").replace("800.0M", "0.0M")))
    assert (hybrid.tflops_per_gpu, hybrid.flops_kind) == (None, None)


@pytest.mark.parametrize(
    ("active", "params", "told"),
    [("6,919,161,856", 6919161856, False), ("1,279,000,000", None, True)],
)
def test_olmo_core_tells_how_many_parameters_are_active(
    run_of: Read, fixtures: Path, write: Write, active: str, params: float | None, told: bool
) -> None:
    sizes = f"Total parameters:         6,919,161,856 ({active} active)\n"
    log = run_of(write("a.log", sizes + (fixtures / "olmo/core_phases.log").read_text()))
    assert (log.params, warned(log)) == (params, told)
    assert any("1279000000" in w for w in log.quality.warnings) is told


def test_olmoe_names_its_blocks(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "olmo/phases.log").read_text()
    log = run_of(write("a.log", text[: text.index("\n")] + "\n  block_type: moe\n" + text[text.index("\n") + 1 :]))
    assert log.params is None and warned(log)


def test_nanotrons_rate_is_a_dense_models(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "nanotron/tokens.log").read_text()
    hidden = "LlamaConfig(hidden_size=2048,"
    assert hidden in text
    log = run_of(write("a.log", text.replace(hidden, f"{hidden} moe_config=MoEConfig(num_experts=8),")))
    assert (log.params, log.tflops_per_gpu, log.flops) == (None, None, None)
    assert warned(log)
    assert run_of("nanotron/tokens.log").tflops_per_gpu
