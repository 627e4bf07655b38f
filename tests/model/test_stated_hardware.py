"""A training log alone, with the hardware stated by the user: energy, clashes with the logs, what is still open."""

from dataclasses import replace

import numpy as np
import pytest

from ecoaudit import reference
from ecoaudit.model.audit import Audit
from ecoaudit.model.inputs import GIVEN, StatedHardware
from model.runs import H100, audit, constant, described, telemetry, training

TABLES = reference.load()
HOUR = 3600.0


def stated(gpu: str | None = None, gpus: int | None = None, nodes: int | None = None) -> StatedHardware:
    return StatedHardware(TABLES.gpu(gpu) if gpu else None, gpus, nodes)


def of_a_log(hardware: StatedHardware | None, **known: object) -> Audit:
    options = {name: known.pop(name) for name in ("node_gpu_count", "cooling") if name in known}
    return audit(training=[training(0.0, HOUR, tokens=1e9, **known)], hardware=hardware, **options)


def warned(found: Audit, *words: str) -> bool:
    return any(all(word in text for word in words) for text in found.quality.warnings)


def test_a_named_gpu_gives_a_log_alone_its_tdp_and_node_figures() -> None:
    found = of_a_log(stated("H100 SXM", 8, 1))
    levels = found.energy.levels
    assert levels.L1 and levels.L1.gpu and levels.L1.gpu.value == pytest.approx(8 * 0.7)
    assert levels.L1.gpu.basis == "assumed"
    assert levels.L3 and levels.L3.node and 4.0 < levels.L3.node.value < 8.0
    assert levels.L3.node.basis == "modelled"
    assert found.energy.headline and (found.energy.headline.level, found.energy.headline.boundary) == ("L3", "facility")
    assert found.hardware.source == GIVEN
    assert {(p.what, p.value) for p in found.provenance if p.source.startswith(GIVEN)} >= {
        ("GPU", H100),
        ("number of GPUs", "8"),
        ("number of nodes", "1"),
    }


def test_the_logs_number_of_gpus_serves_where_only_the_gpu_is_stated() -> None:
    found = of_a_log(stated("H100 SXM"), world_size=16)
    assert (found.hardware.gpu_count, found.hardware.nodes) == (16, 2)
    assert warned(found, "16 GPUs are taken for 2 nodes of 8", "--nodes")


@pytest.mark.parametrize(
    ("hardware", "world", "options"),
    [(None, None, ["--gpu", "--gpus"]), (None, 8, ["--gpu"]), (stated("H100 SXM"), None, ["--gpus"])],
)
def test_a_figure_that_lacks_hardware_names_the_option_that_gives_it(
    hardware: StatedHardware | None, world: int | None, options: list[str]
) -> None:
    unknown = of_a_log(hardware, world_size=world).quality.unknown
    keys = ("energy.levels.L1", "energy.levels.L3", "energy.headline", "carbon.embodied", "cost.total")
    for reason in (unknown[key] for key in keys if key in unknown):
        assert [word for word in reason.replace(",", " ").split() if word.startswith("--")] == options, reason
    assert "energy.headline" in unknown


def test_what_is_stated_holds_against_the_log_and_both_are_named() -> None:
    found = of_a_log(stated("H100 SXM", 8, 1), world_size=16)
    assert found.hardware.gpu_count == 8
    assert warned(found, "16 GPUs", "8 are given")


def test_what_is_stated_holds_against_a_system_description_and_both_are_named() -> None:
    found = audit(training=[training(0.0, HOUR)], systems=[described()], hardware=stated("B200", 8, 1))
    assert [(g.model, g.count) for g in found.hardware.gpus] == [("NVIDIA B200", 8)]
    assert warned(found, H100, "NVIDIA B200", "given")


def test_more_gpus_than_described_nodes_hold_are_on_more_nodes() -> None:
    found = audit(training=[training(0.0, HOUR)], systems=[described()], hardware=stated(gpus=16))
    assert (found.hardware.gpu_count, found.hardware.nodes) == (16, 2)


def test_part_of_a_node_counts_its_share_of_the_node() -> None:
    whole = of_a_log(stated("H100 SXM", 8, 1)).energy.levels.L3
    half = of_a_log(stated("H100 SXM", 4, 1), node_gpu_count=8).energy.levels.L3
    assert whole and half and whole.node and half.node
    assert half.node.value == pytest.approx(whole.node.value / 2)


@pytest.mark.parametrize("logged", ["H100", None])
def test_a_stated_gpu_names_the_boards_that_the_telemetry_does_not(logged: str | None) -> None:
    read = telemetry([constant(300.0)] * 8, np.arange(0.0, 101.0), gpu=logged)
    found = audit(telemetry=[read], hardware=stated("H100 SXM"))
    assert [(g.model, g.count) for g in found.hardware.gpus] == [(H100, 8)]
    assert found.energy.levels.L3 is not None
    assert not warned(found, "is given"), "a name that leaves the variant open is completed, not contradicted"


def test_another_gpu_than_the_telemetrys_is_named_with_it() -> None:
    read = telemetry([constant(300.0)] * 8, np.arange(0.0, 101.0), gpu="NVIDIA A100-SXM4-80GB")
    found = audit(telemetry=[read], hardware=stated("H100 SXM"))
    assert [g.model for g in found.hardware.gpus] == [H100]
    assert warned(found, "NVIDIA A100-SXM4-80GB", H100)


def test_a_stated_number_adds_no_energy_to_the_boards_that_were_read() -> None:
    read = telemetry([constant(300.0)] * 8, np.arange(0.0, 101.0))
    plain = audit(telemetry=[read], training=[training(0.0, 100.0, tokens=1e6)])
    found = audit(telemetry=[read], training=[training(0.0, 100.0, tokens=1e6)], hardware=stated(gpus=16, nodes=2))
    assert found.energy.levels == plain.energy.levels
    assert plain.efficiency.j_per_token is not None and found.efficiency.j_per_token is None
    assert warned(found, "16 GPUs are given", "holds 8") and warned(found, "2 nodes are given", "holds 1")


def test_files_of_one_node_that_name_no_host_are_one_node_when_so_stated() -> None:
    times = np.arange(0.0, 101.0)
    files = [telemetry([constant(300.0)] * 4, times, host=host, path=f"{host}.csv") for host in ("a", "b")]
    two, one = audit(telemetry=files), audit(telemetry=files, hardware=stated(nodes=1))
    assert (two.hardware.nodes, one.hardware.nodes) == (2, 1)
    assert one.energy.levels.L3 is not None, "eight GPUs of one node: the metered kind"
    assert warned(one, "2 nodes", "one node is given")


def test_a_node_without_gpus_beside_one_with_gpus_takes_no_part_of_its_host() -> None:
    times = np.arange(0.0, 101.0)
    with_gpus = telemetry([constant(300.0)] * 8, times, host="n01")
    without = replace(telemetry([constant(0.0)], times, host="n02"), gpus=(), power_w=np.empty((101, 0)))
    alone, both = audit(telemetry=[with_gpus]), audit(telemetry=[with_gpus, without])
    assert both.hardware.nodes == 1 and both.hardware.hosts == ["n01", "n02"]
    assert both.energy.levels == alone.energy.levels
    assert warned(both, "one node recorded no GPU")
