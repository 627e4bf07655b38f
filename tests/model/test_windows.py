"""Job and training windows, phases, clocks, and attempts of one run."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import NO_ZONE, Phase, ReadQuality, TrainingLog
from ecoaudit.model.audit import Audit
from ecoaudit.model.clock import iso
from model.runs import START, audit, constant, described, meter, mlperf_result, telemetry, training

T = np.arange(0.0, 1001.0)


def seconds(found: Audit) -> tuple[float | None, float | None]:
    job, run = found.windows.job, found.windows.training
    return (job.duration_s if job else None, run.duration_s if run else None)


def busy(start: float, end: float):  # type: ignore[no-untyped-def]
    """Return a signal of 600 W between two times and 70 W outside."""
    return lambda t: np.where((t >= start) & (t < end), 600.0, 70.0)


def test_the_job_is_the_recording_and_training_the_logged_steps() -> None:
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[training(100.0, 900.0)])
    assert seconds(found) == pytest.approx((1000.0, 800.0))
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu and found.energy.training
    assert found.energy.levels.L2.gpu.value == pytest.approx(600.0 * 1000 / 3.6e6)
    assert found.energy.training.value.value == pytest.approx(600.0 * 800 / 3.6e6)


def test_an_mlperf_run_has_one_window_and_both_take_it() -> None:
    wall = meter(constant(7000.0), np.arange(-60.0, 400.0))
    found = audit(meters=[wall], training=[mlperf_result(300.0)], systems=[described()])
    assert seconds(found) == (300.0, 300.0)


def test_telemetry_alone_is_the_whole_file_and_idle_ends_are_told() -> None:
    found = audit(telemetry=[telemetry([busy(200.0, 900.0)], T)])
    assert seconds(found) == (1000.0, 1000.0)
    assert any("200 s at its start and 101 s at its end" in text for text in found.quality.warnings)
    steady = audit(telemetry=[telemetry([busy(10.0, 990.0)], T)])
    assert not any("idle" in text for text in steady.quality.warnings)


def test_a_foreign_recording_that_goes_on_is_cut_to_the_process() -> None:
    log = telemetry([busy(100.0, 300.0)], T, log_format="nvidia_smi_csv")
    run = training(110.0, 290.0, job_start_s=START + 100.0, job_end_s=START + 300.0)
    found = audit(telemetry=[log], training=[run])
    assert seconds(found) == pytest.approx((200.0, 180.0))
    (told,) = (text for text in found.quality.warnings if "left out of the job" in text)
    assert "100 s before it (the boards took about 0.00202 kWh) and 700 s after it (0.0136 kWh)" in told
    own = audit(telemetry=[telemetry([busy(100.0, 300.0)], T)], training=[run])
    assert seconds(own)[0] == pytest.approx(1000.0)


def test_of_two_phases_marked_in_one_millisecond_the_later_one_counts() -> None:
    log = telemetry([constant(600.0)], T, events=[(0.0, "train"), (500.0, "train"), (500.0, "checkpoint")])
    found = audit(telemetry=[log], training=[training()]).training
    assert found is not None
    assert {p.name: p.duration_s for p in found.phases} == pytest.approx({"train": 500.0, "checkpoint": 500.0})


def test_a_log_without_a_clock_is_placed_by_phase_events() -> None:
    log = telemetry([busy(200.0, 800.0)], T, events=[(0.0, "idle"), (200.0, "train"), (800.0, "idle")])
    found = audit(telemetry=[log], training=[training(None, None, runtime_s=600.0, tokens=6e6)])
    assert seconds(found) == pytest.approx((1000.0, 600.0))
    assert found.energy.training
    assert found.energy.training.value.value == pytest.approx(600.0 * 600 / 3.6e6, rel=1e-3)


def test_a_log_without_a_clock_is_else_placed_where_the_boards_drew_most() -> None:
    found = audit(
        telemetry=[telemetry([busy(200.0, 800.0)], T)], training=[training(None, None, runtime_s=600.0, tokens=6e6)]
    )
    assert seconds(found) == pytest.approx((1000.0, 600.0))
    assert found.energy.training
    assert found.energy.training.value.value == pytest.approx(600.0 * 600 / 3.6e6, rel=5e-3)
    assert any("has no clock" in text for text in found.quality.warnings)


def test_a_log_that_tells_when_training_began_ends_when_its_steps_were_done() -> None:
    """A killed Megatron run without stamps at its iterations: the begin is printed, the end is not."""
    log = training(200.0, None, runtime_s=300.0, tokens=6e6)
    found = audit(telemetry=[telemetry([busy(100.0, 900.0)], T)], training=[log])
    assert found.windows.training
    assert found.windows.training.start == iso(START + 200.0)
    assert found.windows.training.duration_s == pytest.approx(300.0)
    assert found.windows.training.source == "begin and run time in the training log"
    assert found.windows.job
    assert found.windows.job.duration_s == pytest.approx(1000.0)  # whether it went on is not known


def test_local_time_is_moved_by_whole_half_hours_onto_the_recording() -> None:
    run = training(100.0 + 7200.0, 900.0 + 7200.0, clock="naive")
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[run])
    assert seconds(found) == pytest.approx((1000.0, 800.0))
    assert any("-2 h" in text for text in found.quality.warnings)


def test_local_time_that_overlaps_by_chance_is_still_moved() -> None:
    """Ten hours of telemetry and a log an hour ahead: they meet, but only one place fits."""
    long = np.arange(0.0, 36_001.0, 10.0)
    run = training(3600.0 + 100.0, 3600.0 + 35_900.0, clock="naive")
    found = audit(telemetry=[telemetry([constant(600.0)], long)], training=[run])
    assert found.windows.training and found.windows.training.start
    assert seconds(found)[1] == pytest.approx(35_800.0)
    assert any("-1 h" in text for text in found.quality.warnings)


def test_local_time_that_fits_only_as_utc_needs_no_warning() -> None:
    run = training(100.0, 900.0, clock="naive")
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[run])
    assert seconds(found)[1] == pytest.approx(800.0)
    assert not any("zone" in text for text in found.quality.warnings)


def test_a_stated_network_counts_even_where_the_run_has_no_place_on_the_clock() -> None:
    run = training(None, None, runtime_s=3600.0, world_size=8)
    found = audit(training=[run], systems=[described()], network_power_w=500.0)
    assert found.energy.measured and found.energy.measured.network
    assert found.energy.measured.network.value == pytest.approx(0.5)


def test_logs_of_different_days_are_not_forced_together() -> None:
    run = training(90_000.0, 90_800.0, tokens=1e6)
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[run])
    assert seconds(found) == pytest.approx((1000.0, 1000.0))
    assert any("do not meet" in text for text in found.quality.warnings)


def test_phases_add_up_to_the_job() -> None:
    events = [
        (0.0, "idle"),
        (50.0, "train"),
        (400.0, "eval"),
        (450.0, "train"),
        (900.0, "checkpoint"),
        (920.5, "train"),
    ]
    found = audit(telemetry=[telemetry([lambda t: 300.0 + 0.3 * t] * 8, T, events=events)])
    assert found.energy.headline
    assert sum(p.energy.value for p in found.energy.phases) == pytest.approx(found.energy.headline.value.value)
    assert sum(p.duration_s for p in found.energy.phases) == pytest.approx(1000.0)


def test_the_logs_phases_serve_where_the_recorder_has_none() -> None:
    run = training(0.0, 1000.0, phases=(Phase("eval", START + 100.0, START + 150.0),))
    found = audit(telemetry=[telemetry([constant(600.0)] * 8, T)], training=[run])
    parts = {p.name: p.duration_s for p in found.energy.phases}
    assert parts == pytest.approx({"eval": 50.0, "train": 950.0})


def test_attempts_are_added_up_and_repeated_steps_count_once() -> None:
    first = training(0.0, 400.0, first_step=1, last_step=40, step_count=40, tokens=4000.0, samples=40.0)
    second = training(500.0, 1000.0, first_step=31, last_step=80, step_count=50, tokens=5000.0, samples=50.0)
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[second, first])
    assert found.training.steps == 80
    assert found.training.tokens == pytest.approx(8000.0)
    assert (found.training.rework_steps, found.training.rework_tokens) == (10, pytest.approx(1000.0))
    assert seconds(found)[1] == pytest.approx(1000.0)


def test_a_resumed_log_without_a_clock_is_a_second_attempt() -> None:
    first = training(None, None, first_step=1, last_step=50, step_count=50, tokens=5000.0, runtime_s=500.0)
    second = training(None, None, first_step=41, last_step=80, step_count=40, tokens=4000.0, runtime_s=400.0)
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[second, first])
    assert (found.training.steps, found.training.rework_steps) == (80, 10)
    assert found.training.tokens == pytest.approx(8000.0)


def test_what_a_rotated_logs_first_part_says_of_the_model_holds_for_its_second() -> None:
    first = training(
        0.0,
        400.0,
        first_step=1,
        last_step=40,
        step_count=40,
        samples=40.0,
        tokens=4e4,
        tokens_per_sample=1000.0,
        params=7e9,
    )
    second = training(400.0, 1000.0, first_step=41, last_step=100, step_count=60, samples=60.0)
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[first, second])
    assert (found.training.tokens, found.training.params) == (pytest.approx(1e5), 7e9)


def test_a_later_checkpoints_state_tells_of_the_earlier_steps_too() -> None:
    early = training(None, None, first_step=1, last_step=50, step_count=50, tokens=5000.0)
    late = training(None, None, first_step=1, last_step=80, step_count=80, tokens=8000.0)
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[early, late])
    assert (found.training.steps, found.training.tokens, found.training.rework_steps) == (80, 8000.0, None)


def test_several_mlperf_results_are_several_runs() -> None:
    runs = [mlperf_result(300.0), training(600.0, 900.0, framework="MLPerf", benchmark="llama2_70b_lora")]
    with pytest.raises(EcoauditError, match="each a run of its own"):
        audit(training=runs, systems=[described()])


def test_not_a_number_in_a_log_is_unknown() -> None:
    run = training(0.0, 1000.0, tokens=float("nan"), samples=float("nan"), step_count=10)
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[run])
    assert found.training.tokens is None and found.efficiency.j_per_token is None
    assert found.efficiency.j_per_step is not None


def test_several_logs_of_one_run_fill_each_other() -> None:
    console = training(100.0, 900.0, step_count=80)
    state = training(None, None, framework="HF Trainer", tokens=8e6, params=7e9, runtime_s=800.0)
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[state, console])
    assert found.training.tokens == 8e6 and found.training.steps == 80
    assert seconds(found)[1] == pytest.approx(800.0)


def test_phases_that_only_a_second_log_tells_are_kept() -> None:
    """A console with its checkpoints, and an event file of the evaluations (which the console has, too, by name)."""
    console = training(100.0, 900.0, step_count=80, phases=(Phase("checkpoint", START + 400.0, START + 420.0),))
    events = training(
        100.0,
        900.0,
        framework="TensorBoard",
        phases=(Phase("checkpoint", START + 401.0, START + 419.0), Phase("eval", START + 850.0, START + 900.0)),
    )
    found = audit(telemetry=[telemetry([constant(600.0)], T)], training=[console, events])
    seconds = {p.name: p.duration_s for p in found.energy.phases}
    assert (seconds["checkpoint"], seconds["eval"]) == (pytest.approx(20.0), pytest.approx(50.0))


def test_a_training_log_alone_still_gives_a_duration_and_l1() -> None:
    found = audit(training=[training(None, None, runtime_s=3600.0, world_size=8)], systems=[described()])
    assert found.run.duration_s == 3600.0
    assert found.energy.levels.L1 and found.energy.levels.L1.gpu
    assert found.energy.levels.L1.gpu.value == pytest.approx(5.6)
    assert found.energy.headline and found.energy.headline.level == "L3"


def test_nothing_at_all_is_an_audit_of_unknowns() -> None:
    found = audit()
    assert found.energy.headline is None
    assert {"energy.levels.L1", "energy.levels.L2", "energy.levels.L3", "carbon.embodied", "cost.total"} <= set(
        found.quality.unknown
    )


def test_the_timeline_holds_the_energy_of_the_job() -> None:
    log = telemetry([lambda t: 300.0 + 0.3 * t] * 8, T, events=[(0.0, "train"), (500.0, "eval")])
    found = audit(telemetry=[log])
    points = found.timeline
    step = points[1].t_s - points[0].t_s
    assert len(points) <= 1000
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert sum((p.gpu_w or 0.0) * step for p in points) == pytest.approx(
        found.energy.levels.L2.gpu.value * 3.6e6, rel=1e-3
    )
    assert [p.phase for p in (points[0], points[-1])] == ["train", "eval"]


TELEMETRY = np.arange(0.0, 601.0)
WORK = {"tokens": 6e6, "samples": 6e3, "step_count": 600, "flops": 6e15, "flops_kind": "model"}


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (training(None, None, runtime_s=9060.0, **WORK), "9,060 s of work"),
        (training(-86400.0, -80760.0, **WORK), "do not meet"),
        (training(0.0, 1200.0, **WORK), "1,200 s of work"),
        (training(-300.0, 300.0, **WORK), "lie outside the recording"),
        (training(0.0, 600.0, world_size=16, **WORK), "16 GPUs"),
    ],
)
def test_work_of_a_longer_another_or_a_larger_run_is_not_divided_by_this_energy(log: TrainingLog, why: str) -> None:
    found = audit(telemetry=[telemetry([constant(500.0)] * 2, TELEMETRY)], training=[log])
    per_work = found.efficiency
    assert per_work.j_per_token is per_work.j_per_sample is per_work.j_per_step is per_work.pj_per_flop is None
    assert found.training.mfu is found.training.tokens_per_s is found.training.samples_per_s is None
    assert found.carbon.sci is None
    for key in ("efficiency.j_per_token", "efficiency.j_per_step", "efficiency.pj_per_flop", "training.mfu"):
        assert why in found.quality.unknown[key]
    assert any(why in text for text in found.quality.warnings)
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    assert found.energy.levels.L2.gpu.value == pytest.approx(2 * 500.0 * 600 / 3.6e6)


def test_a_log_a_little_longer_than_its_recording_is_still_divided() -> None:
    log = training(-5.0, 605.0, world_size=2, **WORK)
    found = audit(telemetry=[telemetry([constant(500.0)] * 2, TELEMETRY)], training=[log])
    assert found.efficiency.j_per_step is not None
    assert found.efficiency.j_per_step.value == pytest.approx(2 * 500.0 * 600 / 600)


def test_an_end_without_readings_is_not_called_idle() -> None:
    times = np.arange(0.0, 1001.0)
    lost = telemetry([lambda t: np.where(t < 600, 500.0, np.nan)] * 8, times)
    assert not any("GPUs idle" in text for text in audit(telemetry=[lost]).quality.warnings)
    idle = telemetry([lambda t: np.where(t < 600, 500.0, 70.0)] * 8, times)
    assert any("0 s at its start and 401 s at its end" in text for text in audit(telemetry=[idle]).quality.warnings)


def test_local_time_without_a_zone_is_told_once_by_reader_and_model() -> None:
    read = ReadQuality(warnings=(NO_ZONE,))
    log = replace(telemetry([constant(600.0)], np.arange(0.0, 101.0), clock="naive"), quality=read)
    found = audit(telemetry=[log], training=[training(0.0, 100.0, clock="naive")])
    assert [text for text in found.quality.warnings if "zone" in text] == [NO_ZONE]
