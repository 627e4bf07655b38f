"""Which GPUs are recorded: `--gpus` and CUDA_VISIBLE_DEVICES in every form, and what the file says about it."""

from typing import Any

import pytest

from ecoaudit.record.selection import Chosen, Device, MigDevice, select
from record.machine import Machine


def gpu(index: int, bus: int | None = None, name: str = "NVIDIA H100", **more: Any) -> Device:
    return Device(index, f"GPU-{index:08x}-1111", name, f"00000000:{index if bus is None else bus:02X}:00.0", **more)


EIGHT = [gpu(i) for i in range(8)]
SPLIT = gpu(
    0,
    mig=True,
    mig_slices=7,
    mig_devices=(
        MigDevice("MIG-0a1b2c3d-aaaa", 1, 0, 3),
        MigDevice("MIG-0a1b9999-bbbb", 2, 0, 2),
        MigDevice("MIG-77777777-cccc", 3, 0, 1),
    ),
)


def visible(value: str | None, devices: list[Device] = EIGHT, **environ: str) -> list[int]:
    given = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    return [c.device.nvml_index for c in select(devices, None, given | environ).chosen]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("2,3", [2, 3]),
        (" 2 , 3 ", [2, 3]),
        ("3,2", [2, 3]),
        ("GPU-00000003", [3]),
        ("gpu-00000003-1111,GPU-00000005-1111", [3, 5]),
        ("GPU-0000000", []),
        ("GPU-ffffffff", []),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,9,2", [1]),
        ("1,-1,2", [1]),
        ("2,2", [2]),
        ("007", [7]),
        ("1,GPU-00000004", [1, 4]),
    ],
)
def test_cuda_visible_devices(value: str | None, expected: list[int]) -> None:
    assert visible(value) == expected


def test_an_empty_choice_says_why() -> None:
    assert select(EIGHT, None, {"CUDA_VISIBLE_DEVICES": ""}).reason == "CUDA_VISIBLE_DEVICES is '': no GPU selected"
    reason = select(EIGHT, None, {"CUDA_VISIBLE_DEVICES": "9"}).reason
    assert reason is not None
    assert "no GPU '9' among 8" in reason
    assert "GPU-0000000 fits 8 GPUs" in str(select(EIGHT, None, {"CUDA_VISIBLE_DEVICES": "GPU-0000000"}).reason)
    assert select([], None, {}).reason == "the driver lists no GPU"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("all", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("none", []),
        ("", []),
        ("1,9,2", [1, 2]),
        ("GPU-00000006,0", [0, 6]),
    ],
)
def test_gpus_wins_over_the_environment(value: str, expected: list[int]) -> None:
    selection = select(EIGHT, value, {"CUDA_VISIBLE_DEVICES": "7"})
    assert [c.device.nvml_index for c in selection.chosen] == expected


def test_what_gpus_does_not_find_is_noted() -> None:
    assert select(EIGHT, "1,9", {}).notes == ("no GPU '9' among 8",)


def test_cuda_counts_in_pci_order_and_gpus_as_nvidia_smi_does() -> None:
    devices = [gpu(0, bus=0x40), gpu(1, bus=0x10), gpu(2, bus=0x20)]
    assert visible("0", devices) == [1]
    assert visible("0,2", devices) == [1, 0]
    assert [c.device.nvml_index for c in select(devices, "0", {}).chosen] == [0]


def test_mixed_models_without_pci_order_are_pointed_out() -> None:
    devices = [gpu(0, name="NVIDIA A100"), gpu(1, name="NVIDIA T4")]
    (note,) = select(devices, None, {"CUDA_VISIBLE_DEVICES": "0"}).notes
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in note
    in_order = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert select(devices, None, in_order).notes == ()
    assert select(devices, None, {"CUDA_VISIBLE_DEVICES": "GPU-00000000"}).notes == ()


@pytest.mark.parametrize(
    ("value", "share"),
    [
        ("MIG-0a1b2c3d-aaaa", 3 / 7),
        ("MIG-0a1b2", 3 / 7),
        ("mig-77777777", 1 / 7),
        ("MIG-0a1b2c3d-aaaa,MIG-77777777-cccc", 4 / 7),
        ("MIG-0a1b2c3d-aaaa,MIG-0a1b2c3d-aaaa", 3 / 7),
        ("MIG-GPU-00000000-1111/2/0", 2 / 7),
        ("0:1", 2 / 7),
    ],
)
def test_mig_devices_choose_their_gpu_with_a_share(value: str, share: float) -> None:
    selection = select([SPLIT, gpu(1)], value if ":" in value else None, {"CUDA_VISIBLE_DEVICES": value})
    (chosen,) = selection.chosen
    assert chosen.device is SPLIT
    assert chosen.share == pytest.approx(share, abs=1e-4)


@pytest.mark.parametrize("value", ["MIG-0a1b", "MIG-ffff", "MIG-GPU-00000000-1111/9/0"])
def test_unknown_or_ambiguous_mig_ids_choose_nothing(value: str) -> None:
    assert select([SPLIT, gpu(1)], None, {"CUDA_VISIBLE_DEVICES": value}).chosen == ()


def test_shares() -> None:
    assert Chosen(gpu(0)).share == 1.0
    assert Chosen(SPLIT).share is None  # the whole of a divided GPU: whose instances are the job's is not known
    unknown = MigDevice("MIG-1", 1, 0, None)
    assert Chosen(SPLIT, (unknown,)).share is None


# The matrix on which the usual tools fail, through the command line: the recorded power is that of the right GPUs.


@pytest.mark.parametrize(
    ("value", "watts"),
    [(None, 4000), ("2,3", 1000), ("GPU-00000003", 500), ("", None), ("0,GPU-00000007", 1000)],
)
def test_recorded_power_by_cuda_visible_devices(machine: Machine, value: str | None, watts: float | None) -> None:
    env = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    code, _, err = machine.run("-o", "run.jsonl", "--interval", "0.1", "--", "sleep", "0.15", env=env)
    assert code == 0
    records = machine.read()
    if watts is None:
        assert records.header["gpus"] == []
        assert records.header["reason"] == "CUDA_VISIBLE_DEVICES is '': no GPU selected"
        assert all(sample.keys() <= {"type", "t", "m", "node_w", "rapl_j"} for sample in records.samples)
        assert err.splitlines() == ["ecoaudit: no GPU is recorded: CUDA_VISIBLE_DEVICES is '': no GPU selected"]
    else:
        assert sum(records.samples[0]["power_w"]) == watts
        assert records.header["node_gpu_count"] == 8


def test_a_mig_share_through_the_command_line(machine: Machine) -> None:
    machine.configure(
        "gpus 2\ntrace * 0 500000 90\n"
        "mig 0 MIG-0a1b0000-1111-2222-3333-444444444444 1 0 3\n"
        "mig 0 MIG-0c2d0000-1111-2222-3333-444444444444 2 0 4\n"
    )
    env = {"CUDA_VISIBLE_DEVICES": "MIG-0a1b0000-1111-2222-3333-444444444444"}
    machine.run("-o", "run.jsonl", "--", "true", env=env)
    (described,) = machine.read().header["gpus"]
    assert described["mig"] is True
    assert described["share"] == pytest.approx(3 / 7, abs=1e-4)
    assert described["mig_devices"] == [
        {"uuid": env["CUDA_VISIBLE_DEVICES"], "gpu_instance": 1, "compute_instance": 0, "slices": 3}
    ]
    assert "energy and power are the whole GPU's" in described["share_rule"]
    assert machine.read().samples[0]["power_w"] == [500.0]
    assert machine.read().samples[0]["util"] == [None]  # NVML does not tell it for a divided GPU


def test_the_job_runs_without_nvml(bare_machine: Machine) -> None:
    code, out, err = bare_machine.run("-o", "run.jsonl", "--", "sh", "-c", "echo ran; exit 4")
    assert (code, out) == (4, "ran\n")
    assert err == "ecoaudit: no GPU is recorded: NVML: NVML Shared Library Not Found\n"
    records = bare_machine.read()
    assert records.header["gpus"] == []
    assert records.header["reason"] == "NVML: NVML Shared Library Not Found"
    assert records.footer["reason"] == "exit"


def test_a_container_with_a_subset_needs_no_environment(machine: Machine) -> None:
    machine.configure("gpus 2\ntrace * 0 300000 50\nuuid 0 GPU-aaaaaaaa-1\nuuid 1 GPU-bbbbbbbb-1\n")
    machine.run("-o", "run.jsonl", "--", "true")
    assert [g["uuid"] for g in machine.read().header["gpus"]] == ["GPU-aaaaaaaa-1", "GPU-bbbbbbbb-1"]
