"""TensorBoard, W&B exports and MLflow: which scalar is the loss, a counter, an evaluation, and whose GPUs they are."""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import RunLogs, TrainingLog

from . import wandb_writer as w

START = 1764000000.0
Write = Callable[[str, str | bytes], str]


def event(time_s: float, step: int, scalars: Mapping[str, float]) -> bytes:
    values = b"".join(
        w.part(1, w.part(1, tag) + w.varint(2 << 3 | 5) + struct.pack("<f", value)) for tag, value in scalars.items()
    )
    body = w.varint(1 << 3 | 1) + struct.pack("<d", time_s) + w.number(2, step) + w.part(5, values)
    return struct.pack("<QI", len(body), 0) + body + bytes(4)


def board(*events: bytes) -> bytes:
    body = w.varint(1 << 3 | 1) + struct.pack("<d", START) + w.part(3, "brain.Event:2")
    return struct.pack("<QI", len(body), 0) + body + bytes(4) + b"".join(events)


def read(path: str) -> TrainingLog:
    (log,) = ingest.read([path]).training
    return log


def phases(log: TrainingLog) -> list[tuple[str, float, float]]:
    return [(p.name, p.start_s - START, p.end_s - START) for p in log.phases]


def test_an_evaluation_ends_where_its_runtime_is_logged(write: Write) -> None:
    log = read(
        write(
            "events.out.tfevents.1",
            board(
                event(START + 10, 10, {"train/loss": 3.0}),
                event(START + 16, 10, {"eval/loss": 2.9, "eval/runtime": 6.0}),
                event(START + 20, 10, {"eval/code_loss": 2.9, "eval/code_runtime": 2.5}),
                event(START + 30, 20, {"train/loss": 2.0}),
            ),
        )
    )
    assert phases(log) == [("eval", 10.0, 16.0), ("eval", 17.5, 20.0)]
    assert log.last_step == 20


def test_the_trainers_last_row_places_the_training(write: Write) -> None:
    totals = {"train/train_runtime": 40.0, "train/total_flos": 1e15, "train/train_samples_per_second": 8.0}
    rows = [event(START + t, t, {"train/loss": 1.0}) for t in (20, 40)]
    end = event(START + 41, 40, totals | {"train/train_steps_per_second": 1.0})
    log = read(write("events.out.tfevents.1", board(*rows, end)))
    assert (log.train_start_s, log.train_end_s) == (START + 1, START + 41)
    assert (log.runtime_s, log.samples) == (40.0, 320.0)
    assert log.flops == pytest.approx(1e15)


def test_a_run_that_stopped_early_has_the_samples_of_the_steps_done(write: Write) -> None:
    totals = {"train/train_runtime": 40.0, "train/train_samples_per_second": 80.0, "train/train_steps_per_second": 10.0}
    rows = [event(START + t, 5 * t, {"train/loss": 1.0}) for t in (20, 40)]
    log = read(write("events.out.tfevents.1", board(*rows, event(START + 41, 200, totals))))
    assert (log.step_count, log.samples) == (200, pytest.approx(80 * 40 * 200 / 400))


def test_the_log_of_a_resumed_run_does_not_tell_its_samples(write: Write) -> None:
    totals = {"train/train_runtime": 40.0, "train/train_samples_per_second": 80.0, "train/train_steps_per_second": 10.0}
    rows = [event(START + t, 360 + t, {"train/loss": 1.0}) for t in (20, 40)]
    log = read(write("events.out.tfevents.1", board(*rows, event(START + 41, 400, totals))))
    assert (log.runtime_s, log.samples) == (40.0, None)


def test_an_event_file_of_the_last_evaluation_adds_no_steps(write: Write) -> None:
    write("runs/events.out.tfevents.1.0", board(*(event(START + s, s, {"train/loss": 1.0}) for s in (50, 100))))
    path = write(
        "runs/events.out.tfevents.2.1", board(event(START + 120, 100, {"eval/loss": 0.9, "eval/runtime": 9.0}))
    )
    logs = ingest.read([str(Path(path).parent)]).training
    assert [log.step_count for log in logs] == [100, None]
    assert phases(logs[1]) == [("eval", 111.0, 120.0)]
    assert any("only of evaluation" in text for text in logs[1].quality.warnings)


@pytest.mark.parametrize(("folder", "steps"), [("train", 2), ("validation", None)])
def test_keras_tells_evaluations_by_the_folder(write: Write, folder: str, steps: int | None) -> None:
    events = [event(START + s, s, {"epoch_loss": 1.0}) for s in (0, 1)]
    assert read(write(f"{folder}/events.out.tfevents.1.v2", board(*events))).step_count == steps


def test_an_event_file_cut_at_any_byte_gives_the_events_before_the_cut(write: Write) -> None:
    data = board(*(event(START + s, s, {"train/loss": 3.0 - s / 10}) for s in range(1, 9)))
    size = len(event(START, 1, {"train/loss": 3.0}))
    head = len(board())
    for cut in range(head + size, len(data), 7):
        found = ingest.inspect(write("events.out.tfevents.1", data[:cut]))
        assert found.records == (cut - head) // size
        assert found.bad_lines == ((cut - head) % size != 0)


@pytest.mark.parametrize(
    ("loss", "tokens", "samples"),
    [
        ("loss/train/total", "time/token", "time/sample"),  # Composer
        ("train/CrossEntropyLoss", "throughput/total_tokens", None),  # OLMo
        ("train/CE loss", "throughput/total tokens", None),  # OLMo-core
        ("loss_metrics/global_avg_loss", "n_tokens_seen", None),  # torchtitan
        ("train/loss", "train/num_tokens", None),  # TRL
        ("lm loss", "consumed-tokens", "consumed samples"),  # Megatron-LM; the middle one is unknown
        ("reduced_train_loss", None, "consumed_samples"),  # NeMo, whose loss has another name
    ],
)
def test_counters_go_by_the_names_of_many_frameworks(
    write: Write, loss: str, tokens: str | None, samples: str | None
) -> None:
    rows = [
        {loss: 3.0 - 0.1 * s, "_step": s, "_timestamp": START + s, "_runtime": s}
        | ({tokens: 1000.0 * s} if tokens else {})
        | ({samples: 10.0 * s} if samples else {})
        for s in (1, 2, 3)
    ]
    log = read(write("history.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert log.tokens == (3000.0 if tokens and tokens != "consumed-tokens" else None)
    assert log.samples == (30.0 if samples else None)


def test_a_scalar_that_falls_is_no_counter(write: Write) -> None:
    rows = [
        {
            "train/loss": 1.0,
            "tokens_seen": 9e3 - 1e3 * s,
            "step": 7.5,
            "_step": s,
            "_timestamp": START + s,
            "_runtime": s,
        }
        for s in range(9)
    ]
    log = read(write("history.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert (log.tokens, log.last_step) == (None, 8)


def test_rows_over_samples_become_steps(write: Write) -> None:
    events = [
        event(START + s, 64 * s, {name: 1.0})
        for s in (1, 2, 3)
        for name in ("Train/Samples/train_loss", "Train/Samples/lr")
    ]
    log = read(write("events.out.tfevents.1", board(*events)))
    assert (log.first_step, log.last_step, log.samples) == (1, 3, 192.0)


ROWS = [
    {"_step": s, "_timestamp": START + s, "_runtime": float(s), "train/loss": 3.0 if s else "NaN", "note": "a, b"}
    for s in range(3)
]


def csv(rows: list[dict[str, object]]) -> str:
    lines = [",".join(["", *rows[0]])]
    lines += [
        ",".join([str(i), *(f'"{v}"' if isinstance(v, str) else str(v) for v in r.values())])
        for i, r in enumerate(rows)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text", ["".join(json.dumps(row) + "\n" for row in ROWS), json.dumps(ROWS), json.dumps(ROWS, indent=1), csv(ROWS)]
)
def test_a_history_export_is_read_in_every_form(write: Write, text: str) -> None:
    found = ingest.inspect(write("history", text))
    assert (found.format, found.records, found.first_step, found.last_step) == ("wandb", 3, 0, 2)
    log = read(write("history", text))
    assert log.steps is not None and log.steps.loss[1:].tolist() == [3.0, 3.0]
    assert log.quality.bad_lines == 0


def test_a_cut_array_keeps_its_whole_rows(write: Write) -> None:
    found = ingest.inspect(write("history.json", json.dumps(ROWS)[:-30]))
    assert (found.records, found.bad_lines, found.last_step) == (2, 1, 1)


def test_a_csv_export_of_the_system_rows_is_telemetry(write: Write) -> None:
    rows = [
        {"_timestamp": START + 15 * t, "_runtime": 15.0 * t, "system.gpu.0.powerWatts": 300.0 + t} for t in range(3)
    ]
    (one,) = ingest.read([write("events.csv", csv(rows))]).telemetry
    assert one.power_w[:, 0].tolist() == [300.0, 301.0, 302.0]


def mlflow(write: Write, metrics: Mapping[str, list[float]], params: Mapping[str, str]) -> RunLogs:
    path = write(
        "mlruns/1/abc/meta.yaml",
        "run_id: abc\nlifecycle_stage: active\nstatus: 3\n"
        f"start_time: {START * 1000:.0f}\nend_time: {START * 1000 + 60000:.0f}\n",
    )
    for name, found in metrics.items():
        rows = "".join(f"{(START + 10 * i) * 1000:.0f} {value} {i}\n" for i, value in enumerate(found, 1))
        write(f"mlruns/1/abc/metrics/{name}", rows)
    for name, value in params.items():
        write(f"mlruns/1/abc/params/{name}", value)
    return ingest.read([str(Path(path).parent)])


def test_mlflow_parameters_and_evaluations(write: Write) -> None:
    params = {"bf16": "True", "max_seq_length": "2048", "num_hidden_layers": "24", "hidden_size": "1024"}
    found = mlflow(write, {"loss": [3.0, 2.0], "eval_loss": [2.5], "eval_runtime": [4.0]}, params)
    (log,) = found.training
    assert (log.precision, log.sequence_length, log.layers, log.hidden_size) == ("bf16", 2048, 24, 1024)
    assert phases(log) == [("eval", 6.0, 10.0)]


def test_mlflow_runs_of_one_experiment_are_audited_one_by_one(write: Write) -> None:
    for number in range(2):
        start = (START + 1000 * number) * 1000
        meta = f"run_id: r{number}\nlifecycle_stage: active\nstatus: 3\nstart_time: {start:.0f}\n"
        meta += f"end_time: {start + 60000:.0f}\n"
        path = write(f"mlruns/1/r{number}/meta.yaml", meta)
        write(f"mlruns/1/r{number}/metrics/loss", f"{start + 10000:.0f} 1.0 1\n")
    with pytest.raises(EcoauditError, match="2 runs of the tracker"):
        ingest.read([str(Path(path).parents[1])])


def test_mlflow_tells_nodes_apart(write: Write) -> None:
    metrics = {f"system/{node}/gpu_0_power_usage_watts": [300.0, 310.0] for node in ("node-0", "node-1")}
    one, two = mlflow(write, metrics | {"loss": [1.0]}, {}).telemetry
    assert {one.host, two.host} == {"node-0", "node-1"}
    assert one.power_w[:, 0].tolist() == [300.0, 310.0]


@pytest.mark.parametrize(("other", "warned"), [([0.0, 1.0], True), ([0.0, 90.0], False)])
def test_a_gpu_that_never_worked_is_named(write: Write, other: list[float], warned: bool) -> None:
    metrics = {f"system/gpu_{gpu}_power_usage_watts": [300.0, 310.0] for gpu in (0, 1)}
    metrics |= {f"system/gpu_{gpu}_utilization_percentage": util for gpu, util in ((0, [99.0, 98.0]), (1, other))}
    (one,) = mlflow(write, metrics | {"loss": [1.0]}, {}).telemetry
    assert any("GPU 1 did no work" in text for text in one.quality.warnings) is warned
    assert len(one.gpus) == 2  # whose it is cannot be known


def test_a_git_lfs_pointer_is_named(write: Write) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 4096\n"
    with pytest.raises(EcoauditError, match="git lfs pull"):
        ingest.inspect(write("events.out.tfevents.1", pointer))
