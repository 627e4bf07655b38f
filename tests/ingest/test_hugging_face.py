"""Trainer consoles of several ranks, what their dumps tell, and LLaMA-Factory logs that hold no training."""

import json
from collections.abc import Callable

import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
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
        + info("10:00:00,500", "  Num Epochs = 1")
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


def test_the_stamp_of_the_end_stands_on_a_line_of_its_own(write: Write) -> None:
    end = info("10:14:00,000", "") + "\n\nTraining completed. Do not forget to share your model\n\n\n"
    log = read(write("run.out", ranks(end).replace("{'train_runtime'", "{'other'")))
    assert log.train_start_s is not None and log.train_end_s is not None
    assert log.train_end_s - log.train_start_s == pytest.approx(839.9)


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


PEFT = "trainable params: 1,949,696 || all params: 6,245,533,696 || trainable%: 0.0312\n"
FULL = "trainable params: 6,245,533,696 || all params: 6,245,533,696 || trainable%: 100.0\n"
TRAINABLE = "[INFO|trainer.py:1793] 2026-02-06 10:00:00,000 >>   Number of trainable parameters = {}\n"


@pytest.mark.parametrize(
    ("text", "params", "lora"),
    [
        (TRAINABLE.format("124,439,808"), 124439808, False),
        (PEFT + TRAINABLE.format("1,949,696"), 6245533696, True),
        ("adapter: lora\n" + TRAINABLE.format("1,949,696"), None, True),
        (PEFT, 6245533696, True),
        (FULL, 6245533696, False),
    ],
)
def test_an_adapters_parameters_are_not_the_models(write: Write, text: str, params: int | None, lora: bool) -> None:
    log = read(write("run.log", text + "{'loss': 1.0, 'learning_rate': 2e-05, 'epoch': 0.1}\n"))
    assert (log.params, log.lora) == (params, lora)


def test_an_architectures_longest_sequence_is_not_the_runs(write: Write) -> None:
    text = '  "seq_length": 32768,\n' + "{'loss': 1.0, 'learning_rate': 2e-05, 'epoch': 0.1}\n"
    assert read(write("run.log", text)).sequence_length is None


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("first", [[], [1]])
def test_rows_every_ten_steps_are_at_multiples_of_ten_whatever_the_epochs_round_to(
    write: Write, whole: bool, first: list[int]
) -> None:
    info_lines = info("10:00:00,000", "  Num Epochs = 25") + info("10:00:00,000", "  Total optimization steps = 11,900")
    steps = [*first, *range(10, 11_901, 10)]
    rows = "".join(f"{{'loss': 1.{s:05d}, 'learning_rate': 0.1, 'epoch': {s * 4 / 1907:.2f}}}\n" for s in steps)
    end = "{'train_runtime': 13190.0, 'train_loss': 1.0, 'epoch': 24.96}\n" if whole else ""
    log = read(write("run.log", info_lines + rows + end))
    assert log.steps is not None and log.steps.step.tolist() == steps


def test_a_prediction_log_of_llama_factory_is_no_training(write: Write) -> None:
    rows = "".join(
        f'{{"current_steps": {5 * i}, "total_steps": 50, "percentage": {10 * i}.0, "elapsed_time": "0:00:{i:02d}"}}\n'
        for i in range(1, 11)
    )
    log = read(write("trainer_log.jsonl", rows))
    assert (log.steps, log.runtime_s) == (None, None)
    assert any("no row has a training loss" in text for text in log.quality.warnings)


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_a_containers_clock_in_front_of_lines_places_rows_evaluations_and_training(
    write: Write, zone: str | None
) -> None:
    def line(second: int, text: str) -> str:
        return f"2026-02-06T10:00:{second:02d}.250000000Z {text}\n"

    text = (
        line(10, "{'loss': 8.1, 'learning_rate': 0.0001, 'epoch': 0.5}")
        + line(10, " 50%|#####     | 5/10 [00:10<00:10,  2.00s/it]")
        + line(20, "{'loss': 7.1, 'learning_rate': 0.0001, 'epoch': 1.0}")
        + line(20, "100%|##########| 10/10 [00:20<00:00,  2.00s/it]")
        + line(26, "{'eval_loss': 7.0, 'eval_runtime': 5.0, 'epoch': 1.0}")
        + line(27, "{'train_runtime': 25.0, 'train_loss': 7.6, 'epoch': 1.0}")
    )
    (log,) = ingest.read([write("run.log", text)], timezone=zone).training
    start = 1770372000.25
    assert log.clock == "utc"
    assert log.steps is not None and log.steps.time_s.tolist() == pytest.approx([start + 10, start + 20])
    assert [(p.name, p.start_s, p.end_s) for p in log.phases] == [("eval", start + 21, start + 26)]
    assert (log.train_start_s, log.train_end_s) == (start + 2, start + 27)


@pytest.mark.parametrize(("rate", "known"), [(0.031, False), (0.748, True)])
def test_counts_by_rates_of_few_digits_are_unknown(write: Write, rate: float, known: bool) -> None:
    totals = f'{{"train_runtime": 10000.0, "train_samples_per_second": {8 * rate}, "train_steps_per_second": {rate}}}'
    log = read(write("train_results.json", totals))
    assert (log.step_count is not None) is known
    assert any("rounded" in text for text in log.quality.warnings) is not known


def test_llama_factorys_closing_row_tells_the_last_step(write: Write) -> None:
    row = '{{"current_steps": {0}, "total_steps": 12, "loss": {1}, "epoch": 1.0, "elapsed_time": "0:00:{0:02d}"}}\n'
    log = read(write("trainer_log.jsonl", row.format(5, 1.5) + row.format(10, 1.4) + row.format(12, "null")))
    assert (log.last_step, log.step_count, log.runtime_s) == (10, 12, 12.0)


def test_a_resumed_lightning_run_counts_its_own_steps(write: Write) -> None:
    rows = "".join(f"0,{step},1.5\n" for step in range(1049, 2050, 50))
    assert read(write("metrics.csv", "epoch,step,train_loss\n" + rows)).step_count == 21 * 50


def test_lightning_evaluations_after_training_are_no_step(write: Write) -> None:
    rows = "".join(f"0,{n},1.5,,\n" for n in range(8)) + "0,7,,0.4,\n0,8,,,0.5\n0,8,,0.4,\n"
    log = read(write("metrics.csv", "epoch,step,train_loss,val_loss,test_acc\n" + rows))
    assert (log.quality.records, log.step_count, log.last_step) == (11, 8, 7)


def test_flops_of_parameters_that_the_trainer_did_not_see_are_unknown(write: Write) -> None:
    state = '{"log_history": [{"step": 10, "loss": 1.0}, {"step": 10, "train_runtime": 5000.0}], "global_step": 10, '
    seen = read(write("trainer_state.json", state + '"total_flos": 1.2e18}'))
    hidden = read(write("trainer_state.json", state + '"total_flos": 1.1e14}'))
    assert (seen.flops, hidden.flops, hidden.flops_kind) == (1.2e18, None, None)
    assert any("did not see the parameters" in text for text in hidden.quality.warnings)


@pytest.mark.parametrize("name", ["num_input_tokens_seen", "num_tokens", "tokens/total"])
def test_tokens_by_the_count_of_each_trainer(write: Write, name: str) -> None:
    rows = [f'{{"step": {step}, "loss": 1.0, "{name}": {4096 * step}}}' for step in (10, 20)]
    state = read(write("trainer_state.json", f'{{"log_history": [{", ".join(rows)}], "global_step": 20}}'))
    assert state.tokens == 81920
    bar = " 50%|#####     | 20/40 [00:10<00:10,  2.00s/it]\n"
    console = read(write("run.log", bar + f"{{'loss': 1.0, 'learning_rate': 0.1, '{name}': 81920.0, 'epoch': 0.5}}\n"))
    assert console.tokens == 81920


def counted(loss: float, epoch: float, tokens: int, runtime: float) -> str:
    rate = f"'train_runtime': '{runtime}', 'train_tokens_per_second': '{tokens / runtime:.4g}'"
    return f"{{'loss': '{loss}', 'epoch': '{epoch}', 'num_input_tokens_seen': {tokens}, {rate}}}\n"


COUNTED = (
    """***** Running training *****
  Num examples = 400
  Num Epochs = 1
  Num update steps per epoch = 50
  Instantaneous batch size per device = 4
  Total train batch size (w. parallel, distributed & accumulation) = 8
  Gradient Accumulation steps = 2
  Total optimization steps = 24
"""
    + counted(4.468, 0.04, 512, 0.6)
    + counted(4.461, 0.08, 1024, 1.2)
    + counted(4.459, 0.48, 6144, 12.0)
    + """{'train_runtime': '12.9', 'train_samples_per_second': '14.9', 'train_steps_per_second': '1.9', 'epoch': '0.48'}
100%|----------| 24/24 [00:12<00:00, 1.86it/s]
"""
)


@pytest.mark.parametrize("left_out", ["Num update steps per epoch", "none"])
def test_a_trainer_that_counts_tokens_tells_the_runtime_in_each_row(write: Write, left_out: str) -> None:
    """A run of 24 steps, by `max_steps`: the one epoch of its plan has 50."""
    text = "".join(line for line in COUNTED.splitlines(keepends=True) if left_out not in line)
    log = read(write("run.out", text))
    assert (log.quality.records, log.tokens, log.samples, log.runtime_s) == (3, 6144, 192, 12.9)
    assert log.step_count == 24
    assert log.steps is not None and log.steps.step.tolist() == [2, 4, 24]


def test_a_console_that_resumes_counts_its_own_steps_and_samples(write: Write) -> None:
    """Resumed after step 12: the summary's rates and the bar are of this attempt and of the whole run."""
    head = COUNTED[: COUNTED.index("{'loss'")]
    rows = "".join(counted(4.4, step / 50, 256 * step, float(step - 12)) for step in range(14, 25, 2))
    log = read(write("run.out", head + rows + COUNTED[COUNTED.index("{'train_runtime'") :]))
    assert (log.step_count, log.samples, log.tokens) == (12, 96, 3072)


def state(rate: float, steps_rate: float) -> str:
    rows = [{"loss": 1.0, "step": n, "epoch": n / 50, "train_runtime": float(n)} for n in (2, 4, 6)]
    end = {"step": 6, "train_runtime": 10.0, "train_samples_per_second": rate, "train_steps_per_second": steps_rate}
    return json.dumps({"global_step": 6, "max_steps": 24, "log_history": [*rows, end]})


@pytest.mark.parametrize(("rate", "steps_rate"), [(19.2, 2.4), (4.8, 0.6)])
def test_a_state_of_a_run_that_stopped_early_by_either_way_of_counting(
    write: Write, rate: float, steps_rate: float
) -> None:
    """Rates of the 24 steps planned, as transformers 4 gives them, or of the 6 done; rows have a runtime too."""
    log = read(write("trainer_state.json", state(rate, steps_rate)))
    assert log.samples == pytest.approx(6 * 8)
    assert log.steps is not None and log.steps.step.tolist() == [2, 4, 6]
    assert log.runtime_s == 10.0


def test_samples_are_those_of_the_plan_and_the_share_that_was_done(write: Write) -> None:
    text = ranks("")
    assert read(write("whole.out", text)).samples == 1000  # 1.111 a second for 900 s is the same, rounded
    assert read(write("early.out", text.replace("'epoch': 1.0}", "'epoch': 0.75}"))).samples == 750
    killed = text[: text.index("{'train_runtime'")]
    assert read(write("killed.out", killed)).samples == 8 * 64  # half of 16 steps


@pytest.mark.parametrize("wrap", ["0: {}", "2026-01-01T00:00:10.123456789Z {}", "[pod/train-0] {}", "{}"])
def test_llama_factory_rows_behind_a_prefix_or_in_an_issue(write: Write, wrap: str) -> None:
    row = '{{"current_steps": {0}, "total_steps": 12, "loss": 1.5, "epoch": 1.0, "elapsed_time": "0:00:{0:02d}"}}'
    text = "Here is my log:\n```\n" + "".join(wrap.format(row.format(s)) + "\n" for s in (5, 10)) + "```\n"
    log = read(write("trainer_log.jsonl", text))
    assert (log.last_step, log.quality.bad_lines) == (10, 0)


@pytest.mark.parametrize("line", ["compile_config = {'loss': 'mse', 'lr': 0.1}", "plots = {'loss': [], 'epoch': 0}"])
def test_a_script_with_a_dict_of_that_name_is_no_log(write: Write, line: str) -> None:
    with pytest.raises(EcoauditError, match="not a log"):
        ingest.inspect(write("train.py", f"import keras\n{line}\nmodel.compile(**compile_config)\n"))


def test_a_collapsed_run_repeats_its_rows_but_not_its_steps(write: Write) -> None:
    row = "{'loss': 0.0, 'grad_norm': nan, 'learning_rate': 1e-05, 'epoch': 0.4}\n"
    text = "".join(f" 50%|#####     | {step}/400 [00:10<00:10,  2.00s/it]\n" + row * 2 for step in (160, 161, 162))
    log = read(write("run.log", text))
    assert (log.quality.records, log.first_step, log.last_step) == (3, 160, 162)
