"""Trainer consoles of several ranks, what their dumps tell, and LLaMA-Factory logs that hold no training."""

from collections.abc import Callable

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import TrainingLog

Write = Callable[[str, str | bytes], str]


def read(path: str) -> TrainingLog:
    (log,) = ingest.read([path], timezone="UTC").training
    return log


def info(clock: str, text: str) -> str:
    return f"[INFO|trainer.py:1143] 2026-02-06 {clock} >> {text}\n"


def ranks(completed: str) -> str:
    """Return a console of four ranks on two nodes that begin and end at slightly different times."""
    begin = "".join(info(f"10:00:00,{100 * rank}", "***** Running training *****") for rank in range(1, 5))
    facts = (
        info("10:00:00,500", "  Num examples = 1000")
        + info("10:00:00,500", "  Instantaneous batch size per device = 4")
        + info("10:00:00,500", "  Total train batch size (w. parallel, distributed & accumulation) = 64")
        + info("10:00:00,500", "  Gradient Accumulation steps = 2")
        + info("10:00:00,500", "  Total optimization steps = 16")
    )
    row = "{'loss': 8.1, 'learning_rate': 0.0001, 'epoch': 0.5}\n"
    end = "{'train_runtime': 900.0, 'train_samples_per_second': 1.111, 'train_loss': 8.1, 'epoch': 1.0}\n"
    return begin + facts + row + completed + end * 4


def test_the_window_of_many_ranks_runs_from_the_first_begin_for_the_runtime(write: Write) -> None:
    log = read(write("run.out", ranks("Training completed. Do not forget to share your model\n" * 4)))
    assert log.train_start_s is not None and log.train_end_s is not None
    assert log.train_end_s - log.train_start_s == pytest.approx(900.0)


def test_the_window_of_many_ranks_ends_with_the_last_that_completes(write: Write) -> None:
    completed = "".join(info(f"10:15:0{rank},000", "Training completed. Do not forget") for rank in range(4))
    log = read(write("run.out", ranks(completed)))
    assert log.train_start_s is not None and log.train_end_s is not None
    assert log.train_end_s - log.train_start_s == pytest.approx(902.9)


def test_the_total_batch_tells_how_many_gpus_share_it(write: Write) -> None:
    assert read(write("run.out", ranks(""))).world_size == 64 / (4 * 2)
    assert read(write("odd.out", ranks("").replace("accumulation) = 64", "accumulation) = 60"))).world_size is None


def test_an_axolotl_configuration_is_read(write: Write) -> None:
    dump = """[2026-02-06 10:00:00,000] [INFO] [axolotl.cli.config:346] [PID:1] config:
{
  "base_model": "some/model",
  "bf16": true,
  "flash_attention": true,
  "micro_batch_size": 2,
  "sequence_len": 8192,
  "world_size": 8
}
"""
    row = "{'loss': 1.0, 'grad_norm': 0.5, 'learning_rate': 2e-05, 'epoch': 0.1, 'tokens/total': 65536}\n"
    log = read(write("run.log", dump + "  1%|          | 5/500 [00:10<10:00,  1.21s/it]\n" + row))
    assert (log.precision, log.attention, log.sequence_length, log.world_size) == ("bf16", "flash_attention", 8192, 8)
    assert log.tokens == 65536


def test_printed_training_arguments_tell_the_number_format(write: Write) -> None:
    dump = "INFO:__main__:Training/evaluation parameters TrainingArguments(bf16=False, fp16=True, seed=1)\n"
    assert read(write("run.log", dump + "{'loss': 1.0, 'learning_rate': 2e-05, 'epoch': 0.1}\n")).precision == "fp16"


def test_a_prediction_log_of_llama_factory_is_no_training(write: Write) -> None:
    rows = "".join(
        f'{{"current_steps": {5 * i}, "total_steps": 50, "percentage": {10 * i}.0, "elapsed_time": "0:00:{i:02d}"}}\n'
        for i in range(1, 11)
    )
    log = read(write("trainer_log.jsonl", rows))
    assert (log.steps, log.runtime_s) == (None, None)
    assert any("no row has a training loss" in text for text in log.quality.warnings)
