"""Phases, number format, attention and shape out of consoles: only what the log places on the clock."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import TrainingLog


def at(clock: str) -> float:
    return datetime.fromisoformat(f"2026-02-06T{clock}").replace(tzinfo=UTC).timestamp()


def read(tmp_path: Path, text: str) -> TrainingLog:
    path = tmp_path / "run.log"
    path.write_text(text)
    (log,) = ingest.read([str(path)], timezone="UTC").training
    return log


def phases(log: TrainingLog) -> list[tuple[str, float, float]]:
    return [(p.name, p.start_s, p.end_s) for p in log.phases]


def iteration(step: int, clock: str) -> str:
    return (
        f" [2026-02-06 {clock}] iteration {step:8d}/     100 | consumed samples: {16 * step} | elapsed time per "
        "iteration (ms): 1000.0 | global batch size: 16 | lm loss: 8.0E+00 |\n"
    )


MEGATRON_ARGUMENTS = """  attention_backend ............................... AttnBackend.flash
  bf16 ............................................ True
  hidden_size ..................................... 4096
  num_layers ...................................... 32
  seq_length ...................................... 2048
"""


def test_megatron_evaluation_and_checkpoint_follow_the_iteration_that_they_belong_to(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        MEGATRON_ARGUMENTS
        + iteration(10, "10:00:10.000")
        + "(min, max) time across ranks (ms):\n    evaluate .......................: (3990.00, 4000.00)\n"
        + " validation loss at iteration 10 | lm loss value: 7.9E+00 | lm loss PPL: 2.7E+03 |\n"
        + "saving checkpoint at iteration      10 to /ckpt in torch_dist format\n"
        + "(min, max) time across ranks (ms):\n    save-checkpoint ................: (5500.00, 6000.00)\n"
        + iteration(20, "10:00:30.000"),
    )
    assert phases(log) == [
        ("eval", at("10:00:10"), pytest.approx(at("10:00:14"))),
        ("checkpoint", pytest.approx(at("10:00:14")), pytest.approx(at("10:00:20"))),
    ]
    assert (log.precision, log.attention, log.layers, log.hidden_size) == ("bf16", "flash", 32, 4096)


def test_a_megatron_checkpoint_between_two_logged_iterations_has_no_place(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        iteration(10, "10:00:10.000")
        + "saving checkpoint at iteration      15 to /ckpt\n    save-checkpoint ......: (5500.00, 6000.00)\n"
        + iteration(20, "10:00:30.000"),
    )
    assert log.phases == ()


def test_megatron_fp8_wins_over_the_format_of_the_parameters(tmp_path: Path) -> None:
    arguments = MEGATRON_ARGUMENTS + "  fp8 ............................................. hybrid\n"
    assert read(tmp_path, arguments + iteration(1, "10:00:10.000")).precision == "fp8"


def titan(clock: str, text: str) -> str:
    return f"[rank0]:[titan] 2026-02-06 {clock},000 - root - INFO - {text}\n"


def test_torchtitan_tells_checkpoints_and_the_time_that_compiling_took(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        titan("10:00:00", "Compiling each TransformerBlock with torch.compile")
        + titan("10:00:10", "Training starts at step 1")
        + titan("10:00:42", "step:  1  loss: 11.9  grad_norm: 2.7  memory: 60GiB(76%)  tps: 360  tflops: 4.0  mfu: 2%")
        + titan("10:01:00", "step: 10  loss: 11.0  grad_norm: 2.7  memory: 60GiB(76%)  tps: 700  tflops: 4.0  mfu: 4%")
        + titan("10:01:00", "Saving the checkpoint (or staging if async is enabled).")
        + titan("10:01:12", "Finished saving the checkpoint (or staging if async is enabled)in 11.50 seconds.")
        + titan("10:01:32", "step: 20  loss: 10.0  grad_norm: 2.7  memory: 60GiB(76%)  tps: 700  tflops: 4.0  mfu: 4%"),
    )
    (compiled, saved) = log.phases
    assert (compiled.name, compiled.start_s) == ("compile", at("10:00:10"))
    assert at("10:00:38") < compiled.end_s < at("10:00:42")  # the first step itself is not compilation
    assert (saved.name, saved.start_s, saved.end_s) == ("checkpoint", at("10:01:00.500"), at("10:01:12"))


def test_torchtitan_without_a_compile_line_has_no_compile_phase(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        titan("10:00:10", "Training starts at step 1")
        + titan("10:00:42", "step:  1  loss: 11.9  memory: 60GiB(76%)  tps: 360  tflops: 4.0  mfu: 2%")
        + titan("10:01:00", "step: 10  loss: 11.0  memory: 60GiB(76%)  tps: 700  tflops: 4.0  mfu: 4%"),
    )
    assert log.phases == ()


def hf(clock: str, text: str) -> str:
    return f"[INFO|trainer.py:1812] 2026-02-06 {clock},000 >> {text}\n"


HF_CONFIG = """  "_attn_implementation": "flash_attention_2",
  "hidden_size": 2048,
  "num_hidden_layers": 24,
bf16=True,
"""
HF_STEPS = "{'loss': 8.3368, 'learning_rate': 0.00016, 'epoch': 0.5}\n"
HF_END = "{'train_runtime': 110.0, 'train_samples_per_second': 2.9, 'train_loss': 8.1, 'epoch': 1.0}\n"


def test_the_trainers_own_log_lines_give_its_console_a_clock(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        HF_CONFIG
        + hf("10:00:00", "***** Running training *****")
        + HF_STEPS
        + hf("10:00:50", "***** Running Evaluation *****")
        + "{'eval_loss': 7.9, 'eval_runtime': 6.5, 'epoch': 0.5}\n"
        + hf("10:01:00", "Saving model checkpoint to out/checkpoint-10")
        + hf("10:01:01", "Configuration saved in out/checkpoint-10/config.json")
        + hf("10:01:09", "Model weights saved in out/checkpoint-10/model.safetensors")
        + hf("10:01:50", "Training completed. Do not forget to share your model")
        + HF_END,
    )
    assert (log.clock, log.train_start_s, log.train_end_s) == ("utc", at("10:00:00"), at("10:01:50"))
    assert phases(log) == [
        ("eval", at("10:00:50"), at("10:00:56.500")),
        ("checkpoint", at("10:01:00"), at("10:01:09")),
    ]
    assert (log.precision, log.attention, log.layers, log.hidden_size) == ("bf16", "flash_attention_2", 24, 2048)


def test_an_evaluation_without_a_clock_is_not_placed(tmp_path: Path) -> None:
    log = read(tmp_path, HF_STEPS + "{'eval_loss': 7.9, 'eval_runtime': 6.5, 'epoch': 0.5}\n" + HF_END)
    assert (log.phases, log.clock, log.train_start_s) == ((), "none", None)


def deepspeed(clock: str, text: str) -> str:
    return f"[2026-02-06 {clock},000] [INFO] [engine.py:1:f] {text}\n"


def test_deepspeed_checkpoints_last_from_about_to_be_saved_to_ready(tmp_path: Path) -> None:
    timer = (
        "epoch=0/micro_step={0}/global_step={0}, RunningAvgSamplesPerSec=9.0, CurrSamplesPerSec=9.0, MemAllocated=1GB"
    )
    log = read(
        tmp_path,
        deepspeed("10:00:10", timer.format(10))
        + deepspeed("10:00:11", "[Torch] Checkpoint global_step10 is about to be saved!")
        + deepspeed("10:00:12", "[Torch] Checkpoint global_step10 is about to be saved!")
        + deepspeed("10:00:31", "[Torch] Checkpoint global_step10 is ready now!")
        + deepspeed("10:00:50", timer.format(20))
        + deepspeed("10:00:51", "[Torch] Checkpoint global_step20 is about to be saved!"),  # never ready
    )
    assert phases(log) == [("checkpoint", at("10:00:11"), at("10:00:31"))]


def test_olmo_checkpoints_last_from_saving_to_saved(tmp_path: Path) -> None:
    def line(clock: str, text: str) -> str:
        return f"[2026-02-06 {clock}] INFO     [olmo.train:816, rank=0] {text}\n"

    step = "[step={0}/100]\n    train/CrossEntropyLoss=9.5\n    throughput/total_tokens={1}"
    log = read(
        tmp_path,
        line("10:00:10", step.format(1, "1,000"))
        + line("10:00:11", "Saving checkpoint...")
        + line("10:00:21", "Checkpoint saved to /ckpt/step1")
        + line("10:00:30", step.format(2, "2,000")),
    )
    assert phases(log) == [("checkpoint", at("10:00:11"), at("10:00:21"))]
