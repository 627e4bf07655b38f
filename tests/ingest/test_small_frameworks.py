"""nanoGPT's family, litgpt, modded-nanogpt, Composer, llm.c: dialects, evaluation inside times, prefixes, totals."""

from collections.abc import Callable

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import TrainingLog

Write = Callable[[str, str | bytes], str]


def read(write: Write, text: str, expected: str) -> TrainingLog:
    path = write("run.log", text)
    assert ingest.inspect(path).format == expected
    (log,) = ingest.read([path], timezone="UTC").training
    return log


def nanogpt(step: int, ms: float) -> str:
    return f"iter {step}: loss 3.1, time {ms:.2f}ms, mfu 20.00%\n"


def test_an_evaluation_in_the_time_of_one_iteration_is_not_that_of_all_since_the_last_line(write: Write) -> None:
    text = "step 0: train loss 4.2, val loss 4.2\n" + nanogpt(0, 30_000)
    text += "".join(nanogpt(step, 100) for step in (10, 20))
    text += "step 30: train loss 3.0, val loss 3.1\nsaving checkpoint to out\n" + nanogpt(30, 5_100) + nanogpt(40, 100)
    log = read(write, text, "nanogpt")
    assert log.runtime_s == pytest.approx(30.0 + 40 * 0.1 + 5.0)


def test_nanogpt_facts_and_overrides(write: Write) -> None:
    log = read(
        write,
        "Overriding config with config/train.py:\nblock_size = 1024 # context\nn_layer = 24\nn_embd = 1024\n"
        "Overriding: block_size = 2048\n"
        "WARNING: using slow attention. Flash Attention requires PyTorch >= 2.0\n"
        "total number of tokens per iteration: 655360\nnumber of parameters: 10.65M\n"
        + nanogpt(0, 100)
        + nanogpt(1, 100),
        "nanogpt",
    )
    assert (log.sequence_length, log.layers, log.hidden_size, log.attention) == (2048, 24, 1024, "eager")
    assert (log.tokens, log.params) == (2 * 655360, 10.65e6)


def test_llama2c_lines_and_their_breakdown(write: Write) -> None:
    log = read(
        write,
        "tokens per iteration will be: 131,072\n"
        "breaks down as: 4 grad accum steps * 8 processes * 16 batch size * 256 max seq len\n"
        "0 | loss 10.4 | lr 0.000000e+00 | 9000.00ms | mfu -100.00%\n"
        "1 | loss 9.9 | lr 5.000000e-07 | 200.00ms | mfu -100.00%\n",
        "nanogpt",
    )
    assert (log.first_step, log.last_step, log.tokens) == (0, 1, 262144)
    assert (log.world_size, log.sequence_length, log.runtime_s) == (8, 256, pytest.approx(9.2))


def test_nanochat_facts(write: Write) -> None:
    row = (
        "step {0:05d}/00010 ({0}0.00%) | loss: 9.0 | lrm: 1.00 | dt: 500.00ms | tok/sec: 1,048,576 | bf16_mfu: 41.00"
        " | total time: 0.00m\n"
    )
    log = read(
        write,
        "COMPUTE_DTYPE: torch.bfloat16 (auto-detected)\n✓ Using Flash Attention 3: efficient, new and awesome.\n"
        "Parameter counts:\nwte                     : 25,165,824\ntotal                   : 560,988,160\n"
        "Estimated FLOPs per token: 3.491758e+09\nTokens / micro-batch / rank: 32 x 2048 = 65,536\n"
        "Tokens / micro-batch: 524,288\nTotal batch size 524,288 => gradient accumulation steps: 1\n"
        + "".join(row.format(step) for step in range(3)),
        "nanogpt",
    )
    assert (log.params, log.world_size, log.sequence_length) == (560988160, 8, 2048)
    assert (log.precision, log.attention) == ("bf16", "flash_attention_3")
    assert (log.tokens, log.flops, log.flops_kind) == (3 * 524288, pytest.approx(3 * 524288 * 3.491758e9), "model")


@pytest.mark.parametrize(
    "line",
    [
        "step {0:05d} (42.3%) | loss: 4.1 | lrm: 1.00 | dt: 500ms | tok/sec: 1,048,576 | mfu: 45.2% | remaining: 173s",
        "step {0} | loss: 4.1 | dt: 500.00ms | tok/sec: 1048576.00 | norm: 6.74 | lr: 0.000010",
        "step {0}, loss: 4.1, dt: 500.00ms, tok/sec: 1048576.00",
        "step {0:4d} | loss: 4.1 | dt: 500.00ms | tok/sec: 1048576.00 | BS: 256 | SL:  1024 | TOKENS: 524288",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r"])
def test_step_lines_of_the_familys_forks(write: Write, line: str, end: str) -> None:
    log = read(write, "".join(line.format(step) + end for step in range(3)) + "\n", "nanogpt")
    assert (log.last_step, log.tokens, log.runtime_s) == (2, 3 * 524288, pytest.approx(1.5))


@pytest.mark.parametrize(
    "line",
    [
        "iter {i} step {s}: loss 10.8, iter time: 200.00ms{done}",
        "iter {i} | step {s}: loss 1.59, iter time: 200.00 ms{done}",
        "iter {i} | step {s}: loss train 0.274, val 1.725 | iter time: 200.00 ms{done}",
        "Epoch 1 | iter {i} step {s} | loss train: 2.846, val: n/a | iter time: 200.00 ms{done} remaining time: 0:01",
    ],
)
def test_litgpt_lines_of_every_year(write: Write, line: str) -> None:
    mark = " (step)" if line.startswith("Epoch") else " (optimizer.step)"
    rows = [(1, 0, ""), (2, 1, mark), (3, 1, ""), (4, 2, mark), (5, 2, "")]
    log = read(write, "".join(line.format(i=i, s=s, done=done) + "\n" for i, s, done in rows), "litgpt")
    assert (log.first_step, log.last_step, log.step_count) == (1, 2, 2)
    assert log.steps is not None and log.steps.duration_s.tolist() == pytest.approx([0.4, 0.4])


def test_litgpt_steps_go_on_behind_the_last_line_that_ends_one(write: Write) -> None:
    rows = "iter 80 | step 10: loss 1.6, iter time: 260.0 ms (optimizer.step)\n"
    rows += "iter 90 | step 11: loss 1.5, iter time: 90.0 ms\n"
    assert read(write, rows, "litgpt").step_count == 11


def test_litgpt_adapters_stand_on_a_frozen_model(write: Write) -> None:
    row = "Epoch 1 | iter 2 step 1 | loss train: 10.9, val: n/a | iter time: 100.00 ms (step)\n"
    full = read(write, "Number of trainable parameters: 2,779,683,840\n" + row, "litgpt")
    lora = "Number of trainable parameters: 12,226,560\nNumber of non-trainable parameters: 2,779,683,840\n"
    adapter = read(write, " 'devices': 4,\n 'num_nodes': 2,\n" + lora + row, "litgpt")
    assert (full.params, full.world_size) == (2779683840, None)
    assert (adapter.params, adapter.lora, adapter.world_size) == (2_779_683_840 + 12_226_560, True, 8)


def test_litgpt_closing_lines_and_hyperparameters(write: Write) -> None:
    log = read(
        write,
        "{'devices': 4,\n 'precision': 'bf16-true',\n"
        " 'train': TrainArgs(save_interval=1000, global_batch_size=512, micro_batch_size=4, max_seq_length=2048)}\n"
        "Total parameters: 162,322,944\n"
        "Epoch 1 | iter 2 step 1 | loss train: 10.9, val: n/a | iter time: 100.00 ms (step)\n"
        "iter 2: val loss 10.8, val time: 3778.02 ms\n"
        "| - Total tokens  : 999,424\n| - Training Time : 48.30 s\n| - Tok/sec       : 60.93 tok/s\n",
        "litgpt",
    )
    assert (log.precision, log.global_batch_size, log.sequence_length) == ("bf16", 512, 2048)
    assert (log.tokens, log.runtime_s, log.params) == (999424, 48.3, 162322944)


def test_litgpt_validations_end_at_their_line_where_a_clock_stands_before_it(write: Write) -> None:
    stamp = "2026-01-01T00:00:{0:02d}.0Z "
    rows = [
        stamp.format(10) + "Epoch 1 | iter 2 step 1 | loss train: 10.9, val: n/a | iter time: 100.00 ms (step)",
        stamp.format(14) + "iter 2: val loss 10.8, val time: 3500.00 ms",
        stamp.format(20) + "Epoch 1 | iter 4 step 2 | loss train: 10.9, val: 10.8 | iter time: 100.00 ms (step)",
    ]
    log = read(write, "\n".join(rows) + "\n", "litgpt")
    start = 1767225600.0
    assert [(p.name, p.start_s, p.end_s) for p in log.phases] == [("eval", start + 10.5, start + 14)]
    assert log.steps is not None and log.steps.time_s.tolist() == [start + 10, start + 20]


def test_litgpt_csv_rows_of_validation_and_elapsed_time(write: Write) -> None:
    log = read(
        write,
        "iter,iter_time,loss,step,time,tokens,total_tokens,val_loss\n"
        "40,0.1,9.0,10,20.0,81920,327680,\n,,,,,,,8.8\n80,0.1,8.0,20,40.0,163840,655360,\n",
        "litgpt",
    )
    assert (log.quality.bad_lines, log.last_step, log.tokens, log.world_size) == (0, 20, 655360, 4)
    assert log.runtime_s == pytest.approx(40.0)


SCRIPT = """import os
    batch_size : int = 8*64 # batch size, in sequences, across all devices
    sequence_length : int = 1024 # sequence length, in tokens
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:19:00.0 Off |                    0 |
|   1  NVIDIA H100 80GB HBM3          On  |   00000000:3B:00.0 Off |                    0 |
"""


def test_modded_nanogpt_tokens_follow_from_the_scripts_constants(write: Write) -> None:
    rows = "".join(f"step:{s}/3 train_loss:9.0 train_time:{s}00ms step_avg:nanms\n" for s in (1, 2, 3))
    log = read(write, SCRIPT + rows, "modded_nanogpt")
    assert (log.tokens, log.global_batch_size, log.sequence_length) == (3 * 512 * 1024, 512, 1024)
    assert (log.samples, log.world_size) == (None, 2)


def test_modded_nanogpt_with_validation_rows_only(write: Write) -> None:
    rows = "step:0/250 val_loss:10.8 train_time:0.001s step_avg:nanms\n"
    rows += "step:125/250 val_loss:4.6 train_time:22.870s step_avg:182.95ms\n"
    rows += "step:250/250 val_loss:4.1 train_time:41.354s step_avg:147.87ms\n"
    log = read(write, rows, "modded_nanogpt")
    assert (log.last_step, log.step_count, log.runtime_s) == (250, 251, pytest.approx(41.354))


COMPOSER = """max_seq_len: 2048
model:
  d_model: 768
  n_layers: 12
  attn_config:
    attn_impl: triton
global_train_batch_size: 256
precision: amp_bf16
[batch=1/20]:
         Train time/batch: 0
         Train time/token: 0
         Train loss/train/total: 12.0
[Eval batch=1/5] Eval on eval data:
[Eval batch=5/5] Eval on eval data:
         Eval metrics/eval/LanguageCrossEntropy: 9.1
[batch=2/20]:
         Train time/batch: 1
         Train time/token: 524288
         Train loss/train/total: 11.0
"""


@pytest.mark.parametrize("prefix", ["", "0: ", "[rank0]: ", "trainer-0 | "])
def test_composer_with_a_rank_or_a_container_in_front(write: Write, prefix: str) -> None:
    text = "".join(prefix + line + "\n" for line in COMPOSER.splitlines())
    log = read(write, text, "composer")
    assert (log.last_step, log.tokens) == (2, 524288)
    assert log.phases == ()
    if not prefix.startswith("trainer"):
        assert (log.precision, log.attention, log.sequence_length) == ("bf16", "triton", 2048)
        assert (log.global_batch_size, log.layers, log.hidden_size) == (256, 12, 768)


def test_a_ci_runners_clock_in_front_of_lines_places_steps_and_evaluations(write: Write) -> None:
    lines = COMPOSER.splitlines()
    text = "".join(f"2026-01-01T00:00:{i:02d}.1234567Z {line}\n" for i, line in enumerate(lines))
    log = read(write, text, "composer")
    start = 1767225600.1234567
    assert (log.clock, log.train_end_s) == ("utc", pytest.approx(start + lines.index("[batch=2/20]:")))
    (phase,) = log.phases
    first = lines.index("[Eval batch=1/5] Eval on eval data:")
    assert phase.name == "eval"
    assert (phase.start_s, phase.end_s) == (pytest.approx(start + first), pytest.approx(start + first + 1))


def composer(label: str, before: int | None) -> str:
    counter = "" if before is None else f"\t Train time/batch: {before}\n"
    return f"[{label}]:\n{counter}\t Train time/token: {(before or 0) * 1024}\n\t Train loss/train/total: 9.0\n"


@pytest.mark.parametrize("counted", [True, False])
def test_composer_batches_of_later_epochs_are_later_steps(write: Write, counted: bool) -> None:
    labels = ("epoch=1][batch=2/3", "epoch=1][batch=3/3", "epoch=2][batch=1/3", "epoch=2][batch=3/3")
    text = "".join(composer(label, b if counted else None) for label, b in zip(labels, (1, 2, 3, 5), strict=True))
    log = read(write, text, "composer")
    assert (log.first_step, log.last_step, log.rework_steps) == (2, 6, 0)


def test_composer_runs_that_are_planned_in_tokens(write: Write) -> None:
    log = read(write, composer("token=4096/9999", 3) + composer("token=8192/9999", 7), "composer")
    assert (log.first_step, log.last_step, log.tokens) == (4, 8, 7 * 1024)


LLMC = """| num_parameters        | 124475904                                          |
| precision             | BF16                                               |
| sequence length T     | 1024                                               |
| total batch size      | 524288 => gradient accumulation steps: 1           |
| num_processes         | 8                                                  |
step    1/10 | loss 11.009662 (+nanz)| norm 15.0 (+nanz)| lr 8.57e-07 | 500.00 ms | 31.9% bf16 MFU | 1048576 tok/s
step    2/10 | loss 10.009662 (+nanz)| norm 15.0 (+nanz)| lr 8.57e-07 | 500.00 ms | 31.9% bf16 MFU | 1048576 tok/s
"""


@pytest.mark.parametrize("prefix", ["", "0: ", "2026-01-01T00:00:10.5Z "])
def test_llmc_with_prefixes(write: Write, prefix: str) -> None:
    log = read(write, "".join(prefix + line + "\n" for line in LLMC.splitlines()), "llmc")
    assert (log.params, log.world_size, log.sequence_length, log.tokens) == (124475904, 8, 1024, 2 * 524288)
    assert log.clock == ("utc" if prefix.startswith("2026") else "none")


@pytest.mark.parametrize(
    ("text", "expected", "last"),
    [
        ("0 val 10.95\n0 train 10.95\n1 train 9.1\n2 train 8.7\n", "nanogpt", 2),
        ("s:0 tel:11.0\ns:1 trl:10.9 lr:0.0001 norm:1.0\ns:2 trl:10.8 lr:0.0001 norm:1.0\n", "llmc", 2),
        (LLMC, "llmc", 2),
        (nanogpt(0, 100) + nanogpt(10, 100), "nanogpt", 10),
    ],
)
@pytest.mark.parametrize(
    "wrap", ["\x1b[32m{}\x1b[0m", "2026-01-01 00:00:10.123 | INFO     | __main__:main:12 - {}", "> {}"]
)
def test_colours_loggers_and_quotes_around_lines(write: Write, text: str, expected: str, last: int, wrap: str) -> None:
    log = read(write, "".join(wrap.format(line) + "\n" for line in text.splitlines()), expected)
    assert log.last_step == last
    if text == LLMC:
        assert (log.tokens, log.world_size) == (2 * 524288, 8)


def test_a_utf16_console_is_looked_through_behind_a_long_preamble(write: Write) -> None:
    text = "installing packages\n" * 5000 + nanogpt(0, 100) + nanogpt(10, 100)
    assert ingest.inspect(write("run.log", text.encode("utf-16"))).last_step == 10
