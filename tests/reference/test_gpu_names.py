"""A GPU is found by what NVML, MLPerf, catalogues and people call it; never by half of its name."""

import re

import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.reference import load, rows

# Device names as NVML and ROCm report them.
DEVICE_NAMES = [
    *("Tesla P4", "Tesla P40", "Tesla P100-PCIE-16GB", "Tesla P100-SXM2-16GB", "Tesla V100-PCIE-16GB"),
    *(
        "Tesla V100-PCIE-32GB",
        "Tesla V100-SXM2-16GB",
        "Tesla V100-SXM2-32GB",
        "Tesla V100S-PCIE-32GB",
        "NVIDIA TITAN V",
    ),
    *("Tesla T4", "NVIDIA T4", "NVIDIA TITAN RTX", "Quadro RTX 6000", "Quadro RTX 8000", "NVIDIA GeForce RTX 2080 Ti"),
    *("NVIDIA A2", "NVIDIA A10", "NVIDIA A10G", "NVIDIA A16", "NVIDIA A30", "NVIDIA A40", "NVIDIA A100-PCIE-40GB"),
    *("A100-PCIE-40GB", "NVIDIA A100 80GB PCIe", "NVIDIA A100-SXM4-40GB", "A100-SXM4-40GB", "NVIDIA A100-SXM4-80GB"),
    *("NVIDIA A800-SXM4-80GB", "NVIDIA RTX A4000", "NVIDIA RTX A5000", "NVIDIA RTX A6000", "NVIDIA GeForce RTX 3060"),
    *("NVIDIA GeForce RTX 3060 Ti", "NVIDIA GeForce RTX 3080", "NVIDIA GeForce RTX 3080 Ti", "GeForce RTX 3090"),
    *("NVIDIA GeForce RTX 3090 Ti", "NVIDIA L4", "NVIDIA L20", "NVIDIA L40", "NVIDIA L40S"),
    *("NVIDIA RTX 4000 Ada Generation", "NVIDIA RTX 6000 Ada Generation", "NVIDIA GeForce RTX 4070 Ti SUPER"),
    *("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090 D", "NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3"),
    *("NVIDIA H100 NVL", "NVIDIA H800", "NVIDIA H20", "NVIDIA H200", "NVIDIA H200 NVL", "NVIDIA GH200 480GB"),
    *("NVIDIA GH200 120GB", "NVIDIA GH200 144G HBM3e", "NVIDIA B200", "NVIDIA GB200", "NVIDIA B300 SXM6 AC"),
    *("NVIDIA GB300", "NVIDIA GeForce RTX 5070 Ti", "NVIDIA GeForce RTX 5080", "NVIDIA GeForce RTX 5090"),
    *("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
    *("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "NVIDIA RTX PRO 4500 Blackwell"),
    *("AMD Instinct MI210", "AMD Instinct MI250X", "AMD Instinct MI300A", "AMD Instinct MI300X", "AMD Instinct MI355X"),
]
VENDOR = re.compile(r"^(NVIDIA |AMD |Tesla |GeForce |Instinct )+")


@pytest.mark.parametrize("name", DEVICE_NAMES)
def test_a_device_name_matches_exactly_one_row(name: str) -> None:
    bare = VENDOR.sub("", name)
    matched = [row["name"] for row in rows.read("gpus") if re.fullmatch(row["device_name_pattern"], bare)]
    assert len(matched) == 1
    assert load().gpu(name).name == matched[0]


def test_every_row_is_found_by_its_own_name() -> None:
    for gpu in load().gpus():
        assert load().gpu(gpu.name) is gpu
        assert load().gpu(gpu.name.upper()) is gpu


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("H100 SXM", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA H100-SXM5-80GB", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA H100-SXM-80GB", "NVIDIA H100 80GB HBM3"),
        ("H100-80G-SXM5", "NVIDIA H100 80GB HBM3"),
        ("DGX H100", "NVIDIA H100 80GB HBM3"),
        ("8 x NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3"),
        ("H100 PCIe", "NVIDIA H100 PCIe"),
        ("NVIDIA H100-PCIe-80GB", "NVIDIA H100 PCIe"),
        ("h200", "NVIDIA H200"),
        ("NVIDIA H200-SXM5-141GB", "NVIDIA H200"),
        ("NVIDIA H200-NVL-141GB", "NVIDIA H200 NVL"),
        ("A100 SXM 80GB", "NVIDIA A100-SXM4-80GB"),
        ("a100-40gb-sxm4", "NVIDIA A100-SXM4-40GB"),
        ("NVIDIA A100 - PCIe - 80 GB", "NVIDIA A100 80GB PCIe"),
        ("NVIDIA-B200-SXM-180GB", "NVIDIA B200"),
        ("B200 192GB", "NVIDIA B200"),
        ("NVIDIA Blackwell GPU (B200-SXM-180GB)", "NVIDIA B200"),
        ("NVIDIA Blackwell GPU (GB200)", "NVIDIA GB200"),
        ("NVIDIA Blackwell Ultra GPU (GB300)", "NVIDIA GB300"),
        ("NVIDIA Blackwell Ultra GPU (B300-SXM-270GB)", "NVIDIA B300 SXM6 AC"),
        ("AMD Instinct MI300X 192GB HBM3", "AMD Instinct MI300X"),
        ("AMD Instinct MI325X 256GB HBM3E DLC", "AMD Instinct MI325X"),
        ("mi250x", "AMD Instinct MI250X"),
        ("rtx6000ada", "NVIDIA RTX 6000 Ada Generation"),
        ("4090", "GeForce RTX 4090"),
        ("A6000", "NVIDIA RTX A6000"),
        ("l40s", "NVIDIA L40S"),
        ("L4", "NVIDIA L4"),
        ("h100sxm", "NVIDIA H100 80GB HBM3"),
        ("H100SXM5-80GB", "NVIDIA H100 80GB HBM3"),
        ("nvidiah100sxm", "NVIDIA H100 80GB HBM3"),
        ("nvidia_h100_80gb_hbm3", "NVIDIA H100 80GB HBM3"),
        ("H100-80GB-HBM3", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA-H100-80GB-HBM3", "NVIDIA H100 80GB HBM3"),
        ("h100pcie", "NVIDIA H100 PCIe"),
        ("h200nvl", "NVIDIA H200 NVL"),
        ("gb200nvl72", "NVIDIA GB200"),
        ("a100-sxm4-80gb", "NVIDIA A100-SXM4-80GB"),
        ("a100_sxm4_40gb", "NVIDIA A100-SXM4-40GB"),
        ("a100sxm4-80gb", "NVIDIA A100-SXM4-80GB"),
        ("rtx4090", "GeForce RTX 4090"),
        ("geforce_rtx_4090", "GeForce RTX 4090"),
        ("NVIDIA-GeForce-RTX-4090", "GeForce RTX 4090"),
        ("Tesla-T4", "Tesla T4"),
        ("amd_instinct_mi300x", "AMD Instinct MI300X"),
    ],
)
def test_forgiving_names(called: str, name: str) -> None:
    assert load().gpu(called).name == name


@pytest.mark.parametrize(
    ("called", "candidates"),
    [
        ("H100", ["H100 PCIe", "H100 80GB HBM3", "H100 NVL"]),
        ("A100", ["A100-PCIE-40GB", "A100 80GB PCIe", "A100-SXM4-40GB", "A100-SXM4-80GB"]),
        ("A100 SXM", ["A100-SXM4-40GB", "A100-SXM4-80GB"]),
        ("V100-SXM2", ["V100-SXM2-16GB", "V100-SXM2-32GB"]),
        ("RTX 6000", ["Quadro RTX 6000", "RTX 6000 Ada Generation"]),
    ],
)
def test_an_ambiguous_name_lists_its_candidates(called: str, candidates: list[str]) -> None:
    with pytest.raises(EcoauditError, match="ambiguous") as caught:
        load().gpu(called)
    assert all(candidate in caught.value.line() for candidate in candidates)
    assert load().find_gpu(called) is None
    listed = [gpu.name for gpu in load().gpu_candidates(called)]
    assert all(any(candidate in name for name in listed) for candidate in candidates)


@pytest.mark.parametrize(
    "called",
    [
        "RTX 4090 Laptop GPU",
        "NVIDIA H100 SXM5 96GB",
        "H1000",
        "AMD Radeon RX 7900 XTX",
        "TPU-v5p",
        "",
        "GPU",
        "A100 60GB",
    ],
)
def test_an_unknown_name_is_refused_not_guessed(called: str) -> None:
    with pytest.raises(EcoauditError, match="unknown GPU"):
        load().gpu(called)
    assert load().find_gpu(called) is None
    assert load().gpu_candidates(called) == ()


@pytest.mark.parametrize(
    ("called", "nearest"),
    [
        ("h100smx", {"NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe", "NVIDIA H100 NVL"}),
        ("A100 60GB", {gpu.name for gpu in load().gpu_candidates("A100")}),
        ("4090ti", {"GeForce RTX 4090"}),
        ("mi300", {"AMD Instinct MI300X", "AMD Instinct MI300A"}),
    ],
)
def test_the_nearest_names_are_those_of_the_same_family(called: str, nearest: set[str]) -> None:
    with pytest.raises(EcoauditError) as caught:
        load().gpu(called)
    listed = (caught.value.fix or "").removeprefix("nearest names are: ").split(", ")
    assert nearest <= set(listed)
    assert not any(name.startswith("Tesla") for name in listed)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(EcoauditError, match="H100 80GB HBM3"):
        load().gpu("NVIDIA H100 SXM5 96GB")
    assert load().find_gpu(None) is None
