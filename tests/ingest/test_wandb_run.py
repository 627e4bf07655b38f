"""The binary run file of W&B: every record once, torn and damaged files, and nothing of whose run it was."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import leveldb
from ecoaudit.ingest.lines import Account
from ecoaudit.ingest.records import Telemetry, TrainingLog
from ecoaudit.model.identity import nodes_of
from ecoaudit.model.notes import Notes

from . import wandb_writer as w

START = 1764000000.0
Write = Callable[[str, str | bytes], str]


def read(path: str) -> tuple[TrainingLog, Telemetry | None]:
    found = ingest.read([path])
    (log,) = found.training
    return log, found.telemetry[0] if found.telemetry else None


def rows(count: int, width: int = 0, first: int = 0) -> list[bytes]:
    return [
        w.history({"train/loss": 1.0, "_timestamp": START + i, "_step": i, "text": "x" * width})
        for i in range(first, first + count)
    ]


def test_the_fixture_is_what_the_writer_writes(fixtures: Path) -> None:
    assert (fixtures / "wandb_run" / "run-abc.wandb").read_bytes() == w.log(w.sample())


def test_a_run_file_tells_steps_config_gpus_evaluation_and_exit(fixtures: Path) -> None:
    log, one = read(str(fixtures / "wandb_run" / "run-abc.wandb"))
    assert (log.framework, log.clock, log.status) == ("Weights & Biases", "utc", "success")
    assert (log.job_start_s, log.job_end_s) == (START, START + 70)
    assert (log.step_count, log.tokens, log.params, log.precision) == (60, 491520, 124e6, "bf16")
    assert (log.layers, log.hidden_size, log.sequence_length) == (12, 768, 1024)
    assert [(p.name, p.start_s, p.end_s) for p in log.phases] == [("eval", START + 62, START + 66)]
    assert one is not None
    (gpu,) = one.gpus  # the other one is not the process's and did nothing
    assert (gpu.index, gpu.uuid, gpu.name, gpu.power_limit_w) == (0, "GPU-0", "NVIDIA H100 80GB HBM3", 700.0)
    assert gpu.memory_mib == pytest.approx(81559, abs=1)
    assert one.power_w[:, 0].tolist() == [401.0, 402.0, 403.0, 404.0, 405.0, 406.0]
    assert one.node_gpu_count == 2


def test_names_of_people_stay_in_the_file_and_the_hosts_is_the_nodes_alone(fixtures: Path) -> None:
    found = ingest.read([str(fixtures / "wandb_run" / "run-abc.wandb")])
    assert b"alice" in w.log(w.sample()) and "alice" not in repr(found)
    (one,) = found.telemetry
    assert one.host == "secret-host"  # as other telemetry has it: published reports number the nodes instead
    assert "secret-host" not in repr(dataclasses.replace(found, telemetry=()))


def test_run_files_of_one_host_are_of_one_node_without_the_boards_uuids(write: Write) -> None:
    """Older SDKs tell no UUIDs; ranks of a node log the same GPUs, each into a run of its own."""
    rows = [w.stats(START + t, {"gpu.0.powerWatts": 400.0, "gpu.1.powerWatts": 410.0}) for t in range(0, 60, 15)]
    paths = [write(f"run-{key}.wandb", w.log([w.run(START, run_id=key), *rows])) for key in ("one", "two")]
    telemetry = ingest.read(paths).telemetry
    assert len(nodes_of(telemetry, Notes())) == 1 < len(telemetry)


@pytest.mark.parametrize("origin", [0, 7])
def test_records_that_span_blocks_are_whole_wherever_the_blocks_begin(write: Write, origin: int) -> None:
    wide = [w.run(START), *rows(400, 311), *(w.history({"blob": "y" * 90_000, "_step": 400}),), *rows(50, 33, 401)]
    path = write("run.wandb", w.log(wide, origin=origin))
    found = ingest.inspect(path)
    assert (found.records, found.bad_lines, found.warnings) == (451, 0, ())


def test_a_torn_end_keeps_everything_before_it(write: Write) -> None:
    data = w.log([w.run(START), *rows(300, 200)])
    whole = ingest.inspect(write("whole.wandb", data))
    for cut in (len(data) - 1, len(data) - 260, 40_000, 32 * 1024 + 3):
        found = ingest.inspect(write("cut.wandb", data[:cut]))
        assert 0 < found.records < whole.records == 300
        assert found.bad_lines == 0
        assert found.warnings == ("the file ends inside a record: its writer was stopped, everything before is read",)
    log, _ = read(write("cut.wandb", data[:40_000]))
    assert (log.status, log.job_end_s) == (None, START + log.last_step)  # type: ignore[operator]


def test_a_file_cut_at_any_byte_gives_the_records_before_the_cut(write: Write) -> None:
    data = w.log(w.sample())
    counts = []
    for cut in range(0, len(data), 23):
        try:
            found = ingest.inspect(write("cut.wandb", data[:cut]))
        except EcoauditError as error:
            assert counts == [] and ("no history row" in str(error) or "not a log" in str(error))
        else:
            counts.append(found.records)
            assert found.bad_lines == 0
    assert counts == sorted(counts) and counts[0] == 1 and counts[-1] >= 12


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 70_000), max_size=12),
    origin=st.sampled_from([0, 7]),
    cut=st.integers(0, 400_000),
    piece=st.integers(1, 300_000),
)
def test_framing_gives_back_whole_records_up_to_any_cut(sizes: list[int], origin: int, cut: int, piece: int) -> None:
    records = [bytes([65 + i % 26]) * size for i, size in enumerate(sizes)]
    whole = w.frames(records, origin=origin)
    data, account = whole[:cut], Account()
    found = list(leveldb.records((data[i : i + piece] for i in range(0, len(data), piece)), account))
    assert found == records[: len(found)]
    assert account.bad_lines == 0
    if cut >= len(whole):
        assert (found, account.warnings) == (records, [])


def test_damage_costs_the_rest_of_its_block_and_is_counted(write: Write) -> None:
    data = bytearray(w.log([w.run(START), *rows(600, 200)]))
    data[35_000] ^= 0xFF
    found = ingest.inspect(write("run.wandb", bytes(data)))
    assert found.bad_lines == 1
    assert 600 - 2 * 32_768 / 200 < found.records < 600 and found.last_step == 599


def test_numbers_of_every_sdk_are_numbers(write: Write) -> None:
    typed = w.part(2, w.part(1, w.part(1, "_step") + w.number(5, 2 * 7)))  # sint64 in zigzag
    nested = w.history({"train.loss": 2.0, "_step": 8, "_timestamp": START}, nested=True)
    log, _ = read(write("run.wandb", w.log([w.history({"train/loss": "NaN", "_step": 6}), typed, nested])))
    assert (log.first_step, log.last_step) == (6, 6)
    assert any("NaN in every step" in text for text in log.quality.warnings)


def test_the_trainers_totals_come_from_the_summary_and_place_the_training(write: Write) -> None:
    steps = [
        w.history({"train/loss": 1.0, "train/global_step": s, "_timestamp": START + s, "_step": s}) for s in (100, 200)
    ]
    end = w.history({"train/global_step": 210, "_timestamp": START + 215, "_step": 201})
    totals = {"train_samples_per_second": 8.0, "train_steps_per_second": 1.0, "total_flos": 1e15}
    data = w.log([w.run(START), *steps, end, w.summary({"train_runtime": 210.0}), w.summary(totals)])
    log, _ = read(write("run.wandb", data))
    assert (log.runtime_s, log.samples, log.flops, log.flops_kind) == (210.0, 1680.0, 1e15, "model")
    assert (log.train_start_s, log.train_end_s) == (START + 5, START + 215)


@pytest.mark.parametrize(("world_size", "gpus"), [(1, [1]), (None, [0, 1]), (2, [0, 1])])
def test_a_run_that_says_it_was_alone_is_not_charged_for_busy_neighbours(
    write: Write, world_size: int | None, gpus: list[int]
) -> None:
    busy = {f"gpu.{g}.{name}": value for g in (0, 1) for name, value in (("powerWatts", 300.0), ("gpu", 99.0))}
    records = [w.run(START, {"world_size": world_size} if world_size else {})]
    records += [w.stats(START + 15 * t, busy | {"gpu.process.1.gpu": 99.0}) for t in range(3)]
    (one,) = ingest.read([write("run.wandb", w.log(records))]).telemetry
    assert [gpu.index for gpu in one.gpus] == gpus


@pytest.mark.parametrize(("code", "status"), [(0, "success"), (1, "aborted"), (255, "aborted")])
def test_the_exit_code_is_the_runs_status(write: Write, code: int, status: str) -> None:
    assert read(write("run.wandb", w.log([*rows(3), w.finish(code, 3)])))[0].status == status


@pytest.mark.parametrize("data", [w.HEADER, w.log([w.run(START)])])
def test_a_run_without_rows_is_refused(write: Write, data: bytes) -> None:
    with pytest.raises(EcoauditError, match="no history row"):
        ingest.inspect(write("run.wandb", data))


def folder(write: Write, records: list[bytes]) -> str:
    """Write a run's folder as W&B lays it out; return the folder."""
    path = Path(write("run-1/run-abc.wandb", w.log(records)))
    metadata = {"gpu": "NVIDIA A100-SXM4-80GB", "gpu_count": 2, "email": "alice@example.org", "host": "secret-host"}
    write("run-1/files/wandb-metadata.json", json.dumps(metadata))
    last = {"_timestamp": START + 66, "_runtime": 66.0, "_step": 6, "train/global_step": 60}
    write("run-1/files/wandb-summary.json", json.dumps(last))
    write("run-1/files/config.yaml", "seq_len:\n  desc: null\n  value: 1024\nbf16:\n  value: true\n")
    write("run-1/files/requirements.txt", "torch==2.5.0\n")
    return str(path.parent)


def test_the_files_of_a_runs_folder_are_one_run(write: Write) -> None:
    without_environment = [record for record in w.sample() if b"alice@" not in record]
    found = ingest.read([folder(write, without_environment)])
    (log,), (one,) = found.training, found.telemetry
    assert (log.source.format, log.tokens) == ("wandb_run", 491520)
    assert one.gpus[0].name == "NVIDIA A100-SXM4-80GB"
    assert found.ignored == ()
    assert "alice" not in repr(dataclasses.asdict(found))


def test_a_summary_alone_is_read_with_the_config_beside_it(write: Write) -> None:
    path = Path(folder(write, w.sample()))
    (log,) = ingest.read([str(path / "files" / "wandb-summary.json")]).training
    assert (log.step_count, log.sequence_length, log.precision) == (60, 1024, "bf16")
    assert (log.job_start_s, log.job_end_s) == (START, START + 66)


def test_an_export_takes_the_boards_names_from_the_metadata_beside_it(write: Write) -> None:
    write("wandb-metadata.json", json.dumps({"gpu_amd": [{"id": 0, "series": "AMD Instinct MI300X"}], "host": "n01"}))
    rows = [{"_timestamp": START + t, "_runtime": t, "_step": t, "system.gpu.0.powerWatts": 700.0} for t in range(3)]
    (one,) = ingest.read([write("events.jsonl", "".join(json.dumps(row) + "\n" for row in rows))]).telemetry
    assert (one.gpus[0].name, one.host) == ("AMD Instinct MI300X", "n01")


def two(write: Write, second: float, first_step: int, run_id: str) -> str:
    """Write two runs of 100 s each below one folder; the second one begins at `second`."""
    for name, start, step, key in (("run-1", 0.0, 0, "one"), ("run-2", second, first_step, run_id)):
        rows_of_it = [
            w.history({"train/loss": 1.0, "_timestamp": START + start + 10 * i, "_step": step + i}) for i in range(11)
        ]
        path = write(f"wandb/{name}/run-{key}.wandb", w.log([w.run(START + start, run_id=key), *rows_of_it]))
    return str(Path(path).parents[1])


def test_runs_one_after_the_other_are_not_one_run(write: Write) -> None:
    with pytest.raises(EcoauditError, match="2 runs of the tracker"):
        ingest.read([two(write, second=500.0, first_step=0, run_id="two")])


def test_the_summary_of_another_run_is_another_run(write: Write) -> None:
    last = {"_timestamp": START + 5000, "_runtime": 100.0, "_step": 6}
    write("wandb/run-20251124_180000-two/files/wandb-summary.json", json.dumps(last))
    path = write("wandb/run-20251124_160000-abc/run-abc.wandb", w.log(w.sample()))
    with pytest.raises(EcoauditError, match="2 runs of the tracker"):
        ingest.read([str(Path(path).parents[1])])


@pytest.mark.parametrize(
    ("second", "first_step", "run_id"),
    [(50.0, 0, "two"), (500.0, 11, "two"), (500.0, 0, "one")],
    ids=["at the same time", "going on", "resumed under its name"],
)
def test_ranks_and_attempts_of_a_run_belong_together(write: Write, second: float, first_step: int, run_id: str) -> None:
    assert len(ingest.read([two(write, second, first_step, run_id)]).training) == 2
