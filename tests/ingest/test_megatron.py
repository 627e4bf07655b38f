"""Megatron-LM of all years and GPT-NeoX: where evaluation and checkpoints lie, and what the arguments tell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import TrainingLog

Read = Callable[[str], TrainingLog]
Spans = Callable[[TrainingLog], list[tuple[str, str, float]]]
Write = Callable[[str, str], str]


def test_stamps_and_missing_time_place_evaluation_and_checkpoint_without_timers(run_of: Read, spans: Spans) -> None:
    log = run_of("megatron/stamped.log")
    # 58 s between two lines of 10 x 5 s leave 8 s for the evaluation; the checkpoint has stamps of its own.
    assert spans(log) == [("eval", "20:00:50", 8.0), ("checkpoint", "20:01:48", 12.0), ("eval", "20:02:51", 4.0)]
    assert (log.precision, log.attention, log.world_size, log.tokens) == ("fp8", "flash", 16, 960 * 4096)
    assert (log.params, log.layers, log.hidden_size) == (8030261248, 32, 4096)


def attempt(begin: str, first: int, end: str | None) -> str:
    """Return what a Megatron of 2021 prints of two iterations of 50 s: no stamps but those around the training."""
    lines = [f"[before the start of training step] datetime: 2021-06-10 {begin} "]
    lines += [
        f" iteration {n:8d}/ 1000 | consumed samples: {n * 512} | elapsed time per iteration (ms): 50000.0 | "
        "global batch size: 512 | lm loss: 2.0E+00 |"
        for n in (first, first + 1)
    ]
    return "\n".join(lines + ([f"[after training is done] datetime: 2021-06-10 {end} "] if end else [])) + "\n"


def test_without_stamps_at_iterations_the_lines_around_the_training_place_it(run_of: Read, write: Write) -> None:
    whole = run_of(write("a.log", attempt("10:00:00", 1, "10:02:00")))
    assert whole.train_start_s is not None
    assert whole.train_end_s == whole.train_start_s + 120.0
    killed = run_of(write("a.log", attempt("10:00:00", 1, None)))
    assert (killed.train_start_s, killed.train_end_s, killed.runtime_s) == (whole.train_start_s, None, 100.0)
    # A second attempt that was killed too tells not how long each trained, nor how long the pause was.
    twice = run_of(write("a.log", attempt("10:00:00", 1, None) + attempt("11:00:00", 3, None)))
    assert (twice.train_start_s, twice.train_end_s, twice.step_count) == (None, None, 4)
    resumed = run_of(write("a.log", attempt("10:00:00", 1, None) + attempt("11:00:00", 3, "11:02:00")))
    assert (resumed.train_start_s, resumed.train_end_s) == (whole.train_start_s, whole.train_start_s + 3720.0)


@pytest.mark.parametrize(
    ("async_save", "timer", "checkpoint_s"),
    [
        ("True", "", 12.5),  # what is missing between two iterations is the blocking part
        ("True", "    save-checkpoint ................................: (1400.00, 1500.00)\n", 1.5),
        ("False", "    save-checkpoint ................................: 12000.00\n", 12.0),
    ],
)
def test_a_checkpoint_in_the_background_counts_until_training_goes_on(
    run_of: Read, fixtures: Path, write: Write, async_save: str, timer: str, checkpoint_s: float
) -> None:
    text = (fixtures / "megatron/stamped.log").read_text()
    text = text.replace("async_save ...................................... False", f"async_save ........ {async_save}")
    begun = "to /ckpt in torch_dist format\n"
    assert begun in text
    (found,) = [p for p in run_of(write("a.log", text.replace(begun, begun + timer))).phases if p.name == "checkpoint"]
    assert found.end_s - found.start_s == pytest.approx(checkpoint_s, abs=1e-3)


def test_an_evaluation_and_a_checkpoint_after_one_iteration_do_not_share_the_missing_time(
    run_of: Read, fixtures: Path, write: Write
) -> None:
    text = (fixtures / "megatron/stamped.log").read_text()
    both = " validation loss at iteration 10 | lm loss value: 8.9E+00 |\nsaving checkpoint at iteration 10 to /ckpt\n"
    start = text.index("-----")
    end = text.index(" [2026-02-06 20:01:48")
    log = run_of(write("a.log", text[:start] + both + text[end:]))
    assert [p.name for p in log.phases] == ["checkpoint", "eval"]  # of iteration 20 and of the end


def test_an_evaluation_after_a_checkpoint_of_unknown_length_has_no_place(
    run_of: Read, fixtures: Path, write: Write
) -> None:
    text = (fixtures / "megatron/stamped.log").read_text()
    head, done, rest = text.partition("[after training is done]")
    stamp, _, timers = rest.partition("\n")
    log = run_of(write("a.log", head + done + stamp + "\nsaving checkpoint at iteration      30 to /ckpt\n" + timers))
    assert [p.name for p in log.phases] == ["eval", "checkpoint"]


def test_neox_has_the_clock_of_deepspeeds_line_for_the_same_step(run_of: Read, spans: Spans) -> None:
    log = run_of("megatron/neox_clock.log")
    assert (log.framework, log.clock) == ("GPT-NeoX", "utc")
    assert log.steps is not None and log.steps.time_s[1] - log.steps.time_s[0] == 70.0
    # The checkpoint ends when the slowest rank has written its part; the evaluation's place is not told.
    assert spans(log) == [("checkpoint", "10:00:50", 12.0)]
    assert (log.samples, log.tokens) == (20 * 1024, 20 * 1024 * 2048)
    assert (log.precision, log.attention, log.world_size, log.params) == ("bf16", "flash", 96, 20556201984)
    assert (log.layers, log.hidden_size, log.flops_kind) == (44, 6144, "hardware")


def test_neox_without_its_arguments_tells_the_batch_by_samples_a_second(run_of: Read) -> None:
    log = run_of("megatron/neox.log")
    assert (log.global_batch_size, log.samples) == (1024, 20480)  # 21.1 samples/s x 48.5311 s
    assert log.tokens is None


def test_rounded_tokens_give_way_to_samples_times_sequence_length(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "megatron/stamped.log").read_text()
    text = text.replace("          320 | elapsed", "          320 | consumed tokens: 1.31M | elapsed")
    assert run_of(write("a.log", text)).tokens == 960 * 4096


def test_printed_tokens_need_no_sequence_length(run_of: Read, fixtures: Path, write: Write) -> None:
    lines = (fixtures / "megatron/seconds_ranks.log").read_text().splitlines()
    log = run_of(write("a.log", "\n".join(line.replace("actual seqlen", "x") for line in lines)))
    assert log.tokens == 4 * 4194304
    assert not any("tokens are unknown" in w for w in log.quality.warnings)


@pytest.mark.parametrize(
    ("argument", "attention"),
    [
        ("attention_backend ............................... AttnBackend.auto", None),
        ("use_flash_attn_v2 ............................... True", "flash"),
        ("attention_config ................................ ['global', 'flash']", None),
    ],
)
def test_attention_is_what_the_arguments_name(
    run_of: Read, fixtures: Path, write: Write, argument: str, attention: str | None
) -> None:
    text = (fixtures / "megatron/stamped.log").read_text()
    text = text.replace("attention_backend ............................... AttnBackend.flash", argument)
    assert run_of(write("a.log", text)).attention == attention


def test_arguments_are_read_behind_the_prefix_of_a_rank(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "megatron/stamped.log").read_text()
    log = run_of(write("a.log", "".join(f"7: {line}\n" for line in text.splitlines())))
    assert (log.sequence_length, log.world_size, log.tokens) == (4096, 16, 960 * 4096)
    assert len(log.phases) == 3


def test_a_collectors_stamps_are_the_clock_of_lines_without_one(run_of: Read, fixtures: Path, write: Write) -> None:
    lines = (fixtures / "megatron/restart.log").read_text().splitlines()
    log = run_of(write("a.log", "\n".join(f"2026-01-01T00:00:{i:02d}.5Z {line}" for i, line in enumerate(lines))))
    assert log.clock == "utc" and log.steps is not None
    assert (log.steps.time_s - log.steps.time_s[0]).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_a_first_iteration_that_the_second_line_counts_again_counts_once(run_of: Read, write: Write) -> None:
    line = (
        " [2026-06-18 16:59:{}] iteration {:8d}/ 200 | consumed samples: {} | elapsed time per iteration (ms): {} | "
        "global batch size: 4 | lm loss: 9.0E+00 |"
    )
    first, second = line.format("08.700", 1, 4, 4938.9), line.format("08.900", 10, 40, 511.89)
    assert run_of(write("a.log", f"{first}\n{second}\n")).runtime_s == pytest.approx(5.1189)


def test_the_training_begins_with_the_first_attempt(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "megatron/stamped.log").read_text()
    log = run_of(write("a.log", text + text.replace("20:0", "21:0")))
    once = run_of("megatron/stamped.log")
    assert log.train_start_s == once.train_start_s
    assert once.train_end_s is not None and log.train_end_s == once.train_end_s + 3600
    assert any("begin anew once: several runs in one file count as one run" in w for w in log.quality.warnings)


def test_neox_prints_flops_with_their_prefix(run_of: Read, fixtures: Path, write: Write) -> None:
    text = (fixtures / "megatron/neox_clock.log").read_text().replace("66.0TFLOPS", "0.2PFLOPS")
    assert run_of(write("a.log", text)).tflops_per_gpu == pytest.approx(200.0)


@pytest.mark.parametrize(("untied", "looked_up"), [("True", 32_000 * 4096.0), ("False", None)])
def test_an_untied_input_embedding_is_told_apart(tmp_path: Path, untied: str, looked_up: float | None) -> None:
    """Tied weights are multiplied in the output layer, and count; an input embedding of its own is only looked up."""
    arguments = {"hidden_size": 4096, "padded_vocab_size": 32000, "untie_embeddings_and_output_weights": untied}
    log = tmp_path / "train.log"
    log.write_text(
        "".join(f"  {name} {'.' * 40} {value}\n" for name, value in arguments.items())
        + " > number of parameters on (tensor, pipeline) model parallel rank (0, 0): 6738415616\n"
        + " iteration        1/     100 | consumed samples:            8 | elapsed time per iteration (ms): 1000.0 |\n"
    )
    (found,) = ingest.read([str(log)]).training
    assert (found.params, found.embedding_params) == (6_738_415_616, looked_up)
