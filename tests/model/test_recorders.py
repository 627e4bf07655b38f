"""Several recorders of one node at one time: each board's energy counts once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.ingest.records import Clock, Event, FloatArray, GpuInfo, Telemetry
from ecoaudit.model.audit import Audit
from ecoaudit.model.inputs import StatedHardware
from model.runs import START, Signal, audit, constant, telemetry

W = 600.0
WH = 3600.0


def sidecar(signal: Signal, start: float = 0.0, end: float = 1000.0, host: str = "n1", gpus: int = 2) -> Telemetry:
    """Return what our recorder writes: host, UUIDs and the energy counter."""
    times = np.arange(start, end + 1.0)

    def counter(t: FloatArray) -> FloatArray:
        return np.concatenate(([0.0], np.cumsum(0.5 * (signal(t)[1:] + signal(t)[:-1]) * np.diff(t))))

    log = telemetry([signal] * gpus, times, counters=[counter] * gpus, host=host)
    return replace(log, source=replace(log.source, path=f"{host}.jsonl"))


def nvidia_smi(
    signal: Signal, start: float = 0.0, end: float = 1000.0, gpus: int = 2, clock: Clock = "utc"
) -> Telemetry:
    """Return what `nvidia-smi --query-gpu=timestamp,index,power.draw` writes: neither host nor UUID."""
    log = telemetry([signal] * gpus, np.arange(start, end + 1.0, 5.0), log_format="nvidia_smi_csv", clock=clock)
    boards = tuple(GpuInfo(index=i, name=gpu.name) for i, gpu in enumerate(log.gpus))
    return replace(log, host=None, gpus=boards, source=replace(log.source, path="smi.csv"))


def codecarbon(kwh: float, start: float = 0.0, end: float = 1000.0, gpus: int = 2) -> Telemetry:
    """Return what CodeCarbon's table gives: one rise of energy, shared equally over the boards."""
    log = nvidia_smi(constant(0.0), start, end, gpus)
    energy = np.repeat(np.array([0.0, kwh * 3.6e6])[:, None] / gpus, gpus, axis=1)
    times = START + np.array([start, end])
    source = replace(log.source, path="emissions.csv", format="codecarbon")
    return replace(log, time_s=times, power_w=np.full((2, gpus), np.nan), energy_j=energy, source=source)


def boards_j(found: Audit) -> float:
    assert found.energy.levels.L2 and found.energy.levels.L2.gpu
    return found.energy.levels.L2.gpu.value * 3.6e6


def told(found: Audit) -> list[str]:
    return [text for text in found.quality.warnings if "recordings of one node" in text]


@pytest.mark.parametrize("other", [nvidia_smi(constant(W * 1.02)), codecarbon(2 * W * 1000.0 / 3.6e6)])
def test_a_second_recorder_that_names_no_node_is_of_the_node_that_worked_alike(other: Telemetry) -> None:
    found = audit(telemetry=[other, sidecar(constant(W))])
    assert boards_j(found) == pytest.approx(2 * W * 1000.0)
    assert (found.hardware.nodes, found.hardware.gpu_count) == (1, 2)
    assert len(told(found)) == 1


def test_phases_that_only_the_lesser_recorder_marked_hold() -> None:
    """Zeus's windows beside nvidia-smi's power."""
    zeus = codecarbon(2 * W * 1000.0 / 3.6e6)
    windows = (Event(START, "phase", "train"), Event(START + 900.0, "phase", "eval"))
    found = audit(telemetry=[replace(zeus, events=windows), nvidia_smi(constant(W))])
    assert {p.name: p.duration_s for p in found.energy.phases} == pytest.approx({"train": 900.0, "eval": 100.0})


def test_three_recorders_are_one_node_too() -> None:
    found = audit(telemetry=[nvidia_smi(constant(W)), codecarbon(2 * W / 3600.0), sidecar(constant(W))])
    assert boards_j(found) == pytest.approx(2 * W * 1000.0)
    assert len(told(found)) == 2


def test_boards_that_worked_otherwise_are_of_another_node() -> None:
    found = audit(telemetry=[nvidia_smi(constant(0.5 * W)), sidecar(constant(W))])
    assert boards_j(found) == pytest.approx(3 * W * 1000.0)
    assert found.hardware.nodes == 2
    assert not told(found)


def test_two_stated_nodes_stay_two() -> None:
    found = audit(telemetry=[nvidia_smi(constant(W)), sidecar(constant(W))], hardware=StatedHardware(nodes=2))
    assert boards_j(found) == pytest.approx(4 * W * 1000.0)


def test_each_node_takes_one_second_recording_at_a_time_the_most_alike() -> None:
    nodes = [sidecar(constant(W), host="n1"), sidecar(constant(0.9 * W), host="n2")]
    again = [nvidia_smi(constant(0.9 * W)), nvidia_smi(constant(W))]
    found = audit(telemetry=[*again, *nodes])
    assert boards_j(found) == pytest.approx(2 * 1.9 * W * 1000.0)
    third = audit(telemetry=[*again, nvidia_smi(constant(W)), *nodes])
    assert boards_j(third) == pytest.approx(2 * 2.9 * W * 1000.0, rel=1e-6)


def test_a_host_name_tells_whatever_the_power() -> None:
    """W&B names the host, and its boards by number only."""
    other = replace(nvidia_smi(constant(0.5 * W)), host="n1.cluster.example")
    found = audit(telemetry=[other, sidecar(constant(W))])
    assert boards_j(found) == pytest.approx(2 * W * 1000.0)
    elsewhere = replace(nvidia_smi(constant(W)), host="n9")
    assert boards_j(audit(telemetry=[elsewhere, sidecar(constant(W))])) == pytest.approx(4 * W * 1000.0)


def test_what_only_the_other_recorder_saw_is_kept_as_of_the_same_boards() -> None:
    found = audit(telemetry=[nvidia_smi(constant(W), 0.0, 2000.0), sidecar(constant(W), 800.0, 1900.0)])
    assert found.hardware.gpu_count == 2
    assert boards_j(found) == pytest.approx(2 * W * 2000.0, rel=0.01)


def test_a_recorder_that_knows_uuids_may_be_the_lesser_one() -> None:
    """gpustat names host and boards, but rounds to whole watts every five seconds."""
    named = nvidia_smi(constant(W))
    boards = tuple(replace(gpu, uuid=f"GPU-{gpu.index}") for gpu in named.gpus)
    gpustat = replace(named, host="n1", gpus=boards, source=replace(named.source, format="gpustat"))
    times = np.arange(0.0, 1001.0)
    fine = replace(telemetry([constant(W)] * 2, times, log_format="nvidia_smi_csv"), host=None, gpus=named.gpus)
    found = audit(telemetry=[fine, gpustat])
    assert (found.hardware.nodes, found.hardware.gpu_count) == (1, 2)
    assert boards_j(found) == pytest.approx(2 * W * 1000.0)


def test_what_a_local_clock_seems_to_tell_beside_a_zoned_one_is_not_kept() -> None:
    """Recorded for the same ten hours, one hour apart by the clocks."""
    ten_h = 10 * WH
    local = nvidia_smi(constant(W), WH, ten_h + WH, clock="naive")
    found = audit(telemetry=[local, sidecar(constant(W), 0.0, ten_h)])
    assert boards_j(found) == pytest.approx(2 * W * ten_h)


def test_boards_that_our_recorder_left_out_are_not_the_runs() -> None:
    """Four of eight GPUs are the run's; nvidia-smi saw them all, the others idle."""
    whole = nvidia_smi(constant(W), gpus=4)
    idle = np.where(np.arange(4) < 2, whole.power_w, 70.0)
    found = audit(telemetry=[replace(whole, power_w=idle), sidecar(constant(W))])
    assert boards_j(found) == pytest.approx(2 * W * 1000.0)


def test_boards_that_only_one_of_two_foreign_recorders_saw_count() -> None:
    some = replace(nvidia_smi(constant(W), gpus=1), source=replace(nvidia_smi(constant(W)).source, format="gpustat"))
    fine = replace(some, time_s=np.repeat(some.time_s, 1))
    found = audit(telemetry=[nvidia_smi(constant(W), gpus=2), fine])
    assert found.hardware.gpu_count == 2
    assert boards_j(found) == pytest.approx(2 * W * 1000.0)


@settings(max_examples=40, deadline=None)
@given(
    start=st.floats(-500.0, 500.0),
    length=st.floats(200.0, 2000.0),
    watts=st.floats(100.0, 700.0),
    factor=st.floats(0.95, 1.05),
)
def test_a_second_recording_adds_no_energy_where_the_first_one_reaches(
    start: float, length: float, watts: float, factor: float
) -> None:
    second = nvidia_smi(constant(watts * factor), round(start), round(start + length))
    inside_s = min(1000.0, start + length) - max(0.0, start)
    if inside_s < 0.5 * length + 5.0:
        return
    found = audit(telemetry=[second, sidecar(constant(watts))])
    outside_s = length - inside_s
    assert boards_j(found) <= 2 * watts * (1000.0 + factor * outside_s + 10.0)  # a sample around each cut
    assert boards_j(found) >= 2 * watts * 1000.0 * (1 - 1e-9)


def test_a_short_coarse_recording_before_a_fine_one_has_no_gaps() -> None:
    before = replace(nvidia_smi(constant(300.0), -214.0, 300.0), host="n1")
    found = audit(telemetry=[before, sidecar(constant(W))])
    assert boards_j(found) == pytest.approx(2 * (300.0 * 214 + W * 1000.0), rel=0.005)
    assert not found.quality.gaps
