"""One small file in each format and dialect: what it is taken for, and every count that it gives."""

from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.ingest.records import RunLogs, Telemetry, TrainingLog

# file: (records, bad lines, first step, last step, tokens, samples, GPUs)
EXPECTED: dict[str, tuple[int, int, int | None, int | None, float | None, float | None, int | None]] = {
    "codecarbon/emissions.csv": (4, 1, None, None, None, None, 2),
    "codecarbon/old.csv": (2, 0, None, None, None, None, None),
    "composer/run.log": (3, 0, 1, 3, 2 * 512 * 2048, 1024, 16),
    "cray/capmc.json": (6, 1, None, None, None, None, None),
    "cray/counters.txt": (9, 1, None, None, None, None, 2),
    "dcgmi_dmon/dmon.txt": (7, 1, None, None, None, None, 2),
    "deepspeed/chat.log": (1, 0, 10, 10, None, None, None),
    "deepspeed/old.log": (4, 0, 10, 40, None, 2560, None),
    "deepspeed/pipeline.log": (3, 0, 1, 3, None, 3072, None),
    "deepspeed/timer.log": (3, 1, 10, 30, None, 3840, None),
    "dllogger/epochs.json": (6, 0, 0, 50, None, None, 8),
    "dllogger/nemo.json": (4, 1, 0, 3, 1024 * 4096, 1024, 16),
    "ecoaudit/telemetry.jsonl": (11, 0, None, None, None, None, 2),
    "gpustat/log.json": (3, 1, None, None, None, None, 2),
    "hf_console/v4.log": (4, 0, 10, 40, None, 320, None),
    "hf_console/v5.log": (2, 0, 20, 40, None, 320, None),
    "hf_results/train_results.json": (1, 0, None, None, None, 320, None),
    "hf_trainer_state/nan_loss.json": (4, 0, 10, 40, 163840, 320, None),
    "hf_trainer_state/trainer_state.json": (4, 0, 10, 40, 163840, 320, None),
    "ipmi/dcmi.txt": (3, 1, None, None, None, None, None),
    "ipmi/freeipmi.txt": (3, 0, None, None, None, None, None),
    "lightning_csv/metrics.csv": (6, 0, 49, 199, None, None, None),
    "litgpt/console.log": (3, 0, 1, 3, None, None, None),
    "litgpt/metrics.csv": (3, 0, 1, 3, 24576, None, 8),
    "litgpt/old.log": (6, 0, 1, 3, None, None, None),
    "llama_factory/trainer_log.jsonl": (5, 1, 5, 20, 163840, None, None),
    "llmc/main.log": (2, 0, 1, 2, None, None, None),
    "llmc/train.log": (4, 1, 1, 4, 4 * 524288, 2048, 8),
    "maxtext/config.log": (4, 0, 0, 3, 4 * 64 * 2048, 256, 8),
    "maxtext/run.log": (4, 1, 0, 3, 4 * 163840, None, 4),
    "megatron/energy.log": (5, 1, 1, 5, 5 * 16 * 2048, 80, 8),
    "megatron/experts.log": (3, 0, 20, 60, 3840 * 2048, 3840, 8),
    "megatron/neox.log": (2, 0, 10, 20, None, 20480, None),
    "megatron/neox_clock.log": (2, 0, 10, 20, 20 * 1024 * 2048, 20480, 96),
    "megatron/restart.log": (7, 0, 10, 50, None, 400, None),
    "megatron/seconds_ranks.log": (4, 0, 1, 4, 4 * 4194304, 8192, None),
    "megatron/stamped.log": (3, 0, 10, 30, 960 * 4096, 960, 16),
    "mlflow_db/mlflow.db": (12, 0, 1, 6, None, None, 1),
    "mlflow/mlruns/1/abc/meta.yaml": (16, 1, 10, 40, 327680, None, 1),
    "mllog/result_0.txt": (11, 0, 10, 24, 192 * 8192, 192, None),
    "mlperf_power/node_0.txt": (11, 1, None, None, None, None, None),
    "mlperf_power/sw_0.txt": (1, 0, None, None, None, None, None),
    "modded_nanogpt/run.txt": (4, 0, 1, 4, None, None, 1),
    "nanogpt/build.log": (3, 0, 0, 2, 3 * 524288, None, None),
    "nanogpt/log.txt": (3, 0, 0, 2, None, None, None),
    "nanogpt/nanochat.log": (4, 0, 0, 3, 4 * 524288, None, None),
    "nanogpt/nanogpt.log": (3, 0, 0, 20, 21 * 491520, None, None),
    "nanotron/run.log": (5, 0, 1, 5, 5 * 16 * 2048, 80, 8),
    "nanotron/tokens.log": (4, 0, 1, 4, 4 * 512 * 2048, 2048, 8),
    "nemo/clock.log": (3, 0, 0, 2, 12 * 8192, 12, None),
    "nemo/launcher.log": (2, 0, 9, 10, 64 * 4096, 64, None),
    "nemo/nemo1.log": (2, 0, 794, 795, None, None, None),
    "nemo/nemo1_rounded.log": (3, 0, 1997, 2004, None, 2560, None),
    "nemo/nemo2.log": (5, 1, 0, 4, 640 * 4096, 640, None),
    "nvidia_smi_csv/units.csv": (8, 1, None, None, None, None, 2),
    "nvidia_smi_dmon/dates.txt": (2, 0, None, None, None, None, 1),
    "nvidia_smi_dmon/plain.txt": (4, 1, None, None, None, None, 2),
    "nvidia_smi_dmon/times.txt": (3, 0, None, None, None, None, 1),
    "nvidia_smi_query/power.txt": (6, 0, None, None, None, None, 2),
    "nvidia_smi_table/loop.txt": (5, 1, None, None, None, None, 2),
    "nvidia_smi_xml/log.xml": (3, 1, None, None, None, None, 1),
    "olmo/core.log": (2, 0, 10, 20, 20 * 4194304, None, 280),
    "olmo/core_phases.log": (4, 0, 1, 4, 4 * 4194304, None, 8),
    "olmo/olmo.log": (4, 0, 1, 4, 4 * 4194304, None, 8),
    "olmo/phases.log": (3, 0, 1, 3, 3 * 4194304, 6144, 8),
    "powermetrics/log.plist": (3, 1, None, None, None, None, 1),
    "powermetrics/log.txt": (3, 0, None, None, None, None, 1),
    "prometheus/energy.json": (4, 0, None, None, None, None, 1),
    "prometheus/grafana.csv": (5, 1, None, None, None, None, 2),
    "prometheus/metrics.txt": (15, 0, None, None, None, None, 2),
    "prometheus/range.json": (16, 0, None, None, None, None, 4),
    "redfish/power.jsonl": (3, 1, None, None, None, None, None),
    "redfish/report.json": (4, 0, None, None, None, None, None),
    "rocm_smi/amd.json": (1, 0, None, None, None, None, 2),
    "rocm_smi/rocm.json": (3, 0, None, None, None, None, 2),
    "rocm_smi_csv/amd.csv": (6, 0, None, None, None, None, 2),
    "rocm_smi_csv/rocm.csv": (9, 1, None, None, None, None, 3),
    "sacct/parsable.txt": (4, 1, None, None, None, None, None),
    "tensorboard/events.out.tfevents.1764000000.host.1.0": (8, 1, 0, 30, 122880, None, None),
    "torchtitan/flame.log": (2, 0, 638, 640, 4 * 64 * 4096, 256, 16),
    "torchtitan/phases.log": (4, 0, 1, 30, 30 * 262144, 960, 8),
    "torchtitan/run.log": (3, 1, 1, 20, 20 * 16 * 4096, 320, 8),
    "wandb/history.jsonl": (6, 1, 100, 300, None, None, 1),
    "wandb/wandb-summary.json": (1, 0, None, 90, None, None, None),
    "wandb_run/run-abc.wandb": (13, 0, 10, 60, 491520, None, 1),
    "watts_csv/gpus.csv": (4, 1, None, None, None, None, 2),
    "watts_csv/hioki.csv": (3, 3, None, None, None, None, None),
    "watts_csv/pdu.csv": (3, 1, None, None, None, None, None),
    "zeus/log.csv": (3, 1, None, None, None, None, 2),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_is_taken_for_its_format_and_gives_its_counts(fixtures: Path, name: str) -> None:
    found = ingest.inspect(str(fixtures / name))
    assert found.format == name.split("/", maxsplit=1)[0]
    assert found.why
    counts = (found.records, found.bad_lines, found.first_step, found.last_step)
    assert (*counts, found.tokens, found.samples, found.gpus) == EXPECTED[name]


def test_every_format_has_a_fixture_and_every_fixture_a_line_above(fixtures: Path) -> None:
    assert {name.split("/")[0] for name in EXPECTED} == {f.format for f in ingest.formats()}
    companions = {"metrics", "params"}
    files = {p.relative_to(fixtures).as_posix() for p in fixtures.rglob("*") if p.is_file()}
    assert {f for f in files if not companions & set(f.split("/"))} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_name_does_not_matter(fixtures: Path, name: str, tmp_path: Path) -> None:
    if name.startswith(("mlflow", "mlperf_power")):
        pytest.skip("a folder, and a switch that only its name tells, keep their names")
    plain = tmp_path / "x"
    plain.write_bytes((fixtures / name).read_bytes())
    assert ingest.inspect(str(plain)).format == name.split("/", maxsplit=1)[0]


def logs(fixtures: Path, name: str, **options: str) -> RunLogs:
    return ingest.read([str(fixtures / name)], **options)  # type: ignore[arg-type]


def telemetry(fixtures: Path, name: str, **options: str) -> Telemetry:
    (one,) = logs(fixtures, name, **options).telemetry
    return one


def training(fixtures: Path, name: str) -> TrainingLog:
    (one,) = logs(fixtures, name).training
    return one


def test_megatron_energy_lines_carry_joules_a_step_of_one_gpu(fixtures: Path) -> None:
    log = training(fixtures, "megatron/energy.log")
    assert log.gpu_energy_j_per_step is not None and log.gpu_energy_j_per_step.tolist() == [650.0] * 5
    assert (log.tflops_per_gpu, log.flops_kind, log.precision, log.world_size) == (478.0, "model", "bf16", 8)
    assert log.runtime_s == pytest.approx(5.0)
    assert log.clock == "naive"


def test_megatron_seconds_are_not_milliseconds(fixtures: Path) -> None:
    log = training(fixtures, "megatron/seconds_ranks.log")
    assert log.steps is not None and log.steps.duration_s.tolist() == [105.0] * 4
    assert log.flops_kind == "hardware"  # Megatron-DeepSpeed counts recomputation


def test_steps_trained_again_after_a_restart_are_rework_and_count_once(fixtures: Path) -> None:
    log = training(fixtures, "megatron/restart.log")
    assert (log.rework_steps, log.step_count, log.samples) == (20, 50, 400.0)
    assert log.runtime_s == pytest.approx(70 * 0.5)  # the time of both passes


def test_hf_runs_tell_flops_rates_and_parameters(fixtures: Path) -> None:
    state = training(fixtures, "hf_trainer_state/trainer_state.json")
    assert (state.flops, state.runtime_s, state.step_count) == (1.2e15, 80.0, 40)
    console = training(fixtures, "hf_console/v4.log")
    assert (console.params, console.global_batch_size, console.step_count) == (124439808, 8, 40)
    assert console.steps is not None and np.isnan(console.steps.loss[1])


def test_a_cut_trainer_state_gives_the_rows_before_the_cut(fixtures: Path, tmp_path: Path) -> None:
    text = (fixtures / "hf_trainer_state/trainer_state.json").read_text()
    path = tmp_path / "state.json"
    path.write_text(text[: text.index('"step": 30')])
    (log,) = ingest.read([str(path)]).training
    assert (log.last_step, log.quality.bad_lines) == (20, 1)


def test_torchtitan_rates_are_of_a_device_and_exclude_the_first_interval(fixtures: Path) -> None:
    log = training(fixtures, "torchtitan/run.log")
    assert log.throughput_tokens_per_s == pytest.approx(7050 * 8)
    assert (log.world_size, log.params, log.mfu) == (8, 8030261248, pytest.approx(0.405))


def test_nanotron_thousands_of_milliseconds(fixtures: Path) -> None:
    log = training(fixtures, "nanotron/run.log")
    assert log.steps is not None and log.steps.duration_s[0] == pytest.approx(4.71)
    assert log.params == pytest.approx(1.2e9)


def test_tracker_runs_carry_clock_and_window(fixtures: Path) -> None:
    run = logs(fixtures, "mlflow/mlruns/1/abc")
    (log,) = run.training
    assert (log.job_start_s, log.job_end_s, log.status) == (1764000000.0, 1764000100.0, "success")
    assert run.telemetry[0].power_w.tolist() == [[300.5]] * 4
    assert run.ignored == ()
    board = training(fixtures, "tensorboard/events.out.tfevents.1764000000.host.1.0")
    assert board.steps is not None and board.steps.loss.tolist() == [3.0, 2.0, 1.0, 0.0]


def test_a_deleted_mlflow_run_is_refused(fixtures: Path, tmp_path: Path) -> None:
    text = (fixtures / "mlflow/mlruns/1/abc/meta.yaml").read_text()
    path = tmp_path / "meta.yaml"
    path.write_text(text.replace("active", "deleted"))
    with pytest.raises(ingest_error(), match="deleted"):
        ingest.read([str(path)])


def ingest_error() -> type[Exception]:
    from ecoaudit.errors import EcoauditError

    return EcoauditError


def test_wandb_leaves_out_the_process_copy_and_a_gpu_that_the_process_left_idle(fixtures: Path) -> None:
    one = telemetry(fixtures, "wandb/history.jsonl")
    assert one.power_w[0].tolist() == [352.0]
    assert one.node_gpu_count == 2
    assert one.gpus[0].power_limit_w == 450.0


def test_dmon_times_run_over_midnight(fixtures: Path) -> None:
    assert np.diff(telemetry(fixtures, "nvidia_smi_dmon/times.txt").time_s).tolist() == [1.0, 1.0]
    assert np.isnan(telemetry(fixtures, "nvidia_smi_dmon/plain.txt").power_w[1, 1])


def test_dcgm_counters_are_millijoules_and_sentinels_are_unknown(fixtures: Path) -> None:
    dcgmi = telemetry(fixtures, "dcgmi_dmon/dmon.txt")
    assert dcgmi.energy_j is not None and dcgmi.energy_j[1, 0] - dcgmi.energy_j[0, 0] == pytest.approx(300.0)
    assert np.isnan(dcgmi.power_w[3, 0])
    scraped = telemetry(fixtures, "prometheus/metrics.txt")
    assert scraped.energy_j is not None and scraped.energy_j[:, 0].tolist() == [1000.0, 13000.0, 25000.0]
    assert (scraped.host, scraped.gpus[0].name) == ("n01", "NVIDIA H100 80GB HBM3")
    assert scraped.power_w[0].tolist() == [400.5, 401.5]  # no MIG instance among them


def test_a_range_query_over_nodes_is_a_record_a_node(fixtures: Path) -> None:
    assert [t.host for t in logs(fixtures, "prometheus/range.json").telemetry] == ["n01", "n02"]


def test_xml_of_every_driver_generation_gives_average_before_instant(fixtures: Path) -> None:
    assert telemetry(fixtures, "nvidia_smi_xml/log.xml").power_w[:, 0].tolist() == [250.1, 260.1, 270.1]


def test_codecarbon_counts_a_run_once_and_a_machine_once(fixtures: Path) -> None:
    run = logs(fixtures, "codecarbon/emissions.csv")
    (reported,) = run.reported
    assert reported.energy_kwh == pytest.approx(1.15 * 0.3)
    assert reported.gpu_kwh == pytest.approx(0.3)
    (one,) = run.telemetry
    assert one.energy_j is not None and one.energy_j[-1].sum() == pytest.approx(0.3 * 3.6e6)
    (old,) = logs(fixtures, "codecarbon/old.csv").reported
    assert old.energy_kwh == pytest.approx(0.00759) and old.gpu_kwh is None


def test_zeus_windows_inside_others_are_not_counted_again(fixtures: Path) -> None:
    one = telemetry(fixtures, "zeus/log.csv")
    assert one.energy_j is not None and one.energy_j[-1].tolist() == [60500.0, 62500.0]


def test_sacct_gives_the_energy_of_the_job_once(fixtures: Path) -> None:
    meters = logs(fixtures, "sacct/parsable.txt").meters
    assert len(meters) == 2
    assert sum(float(np.trapezoid(m.power_w, m.time_s)) for m in meters) == pytest.approx(8_000_000)


def test_meters_without_a_reading_are_bad_lines_not_zeros(fixtures: Path) -> None:
    (ipmi,) = logs(fixtures, "ipmi/dcmi.txt").meters
    assert ipmi.power_w.tolist() == [1200.0, 1201.0, 1202.0]
    (pdu,) = logs(fixtures, "watts_csv/pdu.csv").meters
    assert pdu.power_w.tolist() == [5120.0, 5200.0, 5300.0]


def test_readings_without_any_time_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Current Power : 332 Watts\nCurrent Power : 333 Watts\n")
    with pytest.raises(ingest_error(), match="carry no times"):
        ingest.read([str(path)])


@pytest.mark.parametrize(("said", "side"), [(None, None), ("ac", "ac"), ("dc", "dc")])
def test_the_side_of_a_meter_is_the_users_word_where_the_log_is_silent(
    fixtures: Path, said: str | None, side: str | None
) -> None:
    options = {"meter_boundary": said} if said else {}
    (meter,) = logs(fixtures, "ipmi/freeipmi.txt", **options).meters
    assert meter.boundary == side
    (own,) = logs(fixtures, "mlperf_power/node_0.txt", **options).meters
    assert own.boundary == "ac"  # the log's own metadata wins
