"""P_static and alpha: recovered from runs that were made with them, and the bundled runs' figures as published."""

import msgspec
import pytest

from ecoaudit.calibrate.fits import Group, at_ac, groups, static_powers
from ecoaudit.calibrate.runs import MeteredRun
from ecoaudit.calibrate.tables import bundled_runs


def made(run: MeteredRun, **changes: object) -> MeteredRun:
    return msgspec.structs.replace(run, **changes)


@pytest.fixture(scope="module")
def bundled() -> dict[tuple[str, str, int, str], Group]:
    return {(g.operator, g.workload, g.nodes, g.boundary): g for g in groups(bundled_runs())}


def test_alpha_is_what_the_runs_were_made_with() -> None:
    like = next(run for run in bundled_runs() if run.workload == "llama2_70b_lora" and run.nodes == 8 and run.used)
    runs = []
    for number, (u, mfu) in enumerate([(0.5, 0.3), (0.7, 0.42), (0.9, 0.54)]):
        power = 2600.0 + 0.8 * like.rated_w * u
        runs.append(
            made(
                like,
                start_ms=number,
                mean_node_w=power,
                resident_w=2600.0,
                samples=u * 8 * like.duration_s * 2.0,
                saturated_samples_per_s=2.0,
                mfu=mfu,
            )
        )
    (group,) = groups(runs)
    assert group.static is not None
    assert group.static.value_w == 2600.0
    assert group.alpha_throughput is not None
    assert group.alpha_throughput.value == pytest.approx(0.8)
    assert group.alpha_throughput.sd == pytest.approx(0.0, abs=1e-12)
    assert group.alpha_mfu is not None
    assert group.alpha_mfu.value == pytest.approx(0.8 / 0.6)
    assert group.alpha_one is not None
    assert group.alpha_one.value == pytest.approx(0.8 * 0.7)
    assert group.alpha_one.sd == pytest.approx(0.8 * 0.2)
    assert group.alpha_one.runs == 3


def test_excluded_runs_take_no_part_in_fits_but_in_the_official_score() -> None:
    runs = [run for run in bundled_runs() if run.workload == "retinanet" and run.nodes == 8 and run.boundary == "ac"]
    (group,) = groups(runs)
    assert (group.runs, group.official_runs) == (4, 5)
    assert group.mean_node_w > 6000


def test_static_power_is_the_lowest_level_at_which_a_systems_gpus_wait() -> None:
    like = next(run for run in bundled_runs() if run.used)
    waiting = [
        made(like, workload="a", resident_w=level, start_ms=i) for i, level in enumerate((2600.0, 2610.0, 2620.0))
    ]
    busy = [made(like, workload="b", resident_w=level, start_ms=i) for i, level in enumerate((3400.0, 3500.0))]
    rarely = [made(like, workload="c", resident_w=1000.0 if i == 0 else None, start_ms=i) for i in range(3)]
    (static,) = static_powers([*waiting, *busy, *rarely]).values()
    assert static.value_w == 2610.0
    assert static.se_w == 150.0
    assert static.groups == 1


def test_a_system_that_never_waits_borrows_from_other_runs_of_it_or_has_no_alpha() -> None:
    lenovo = [run for run in bundled_runs() if run.operator == "Lenovo"]
    bert = [run for run in lenovo if run.workload == "bert"]
    (alone,) = groups(bert)
    assert alone.static is None
    assert alone.alpha_one is None
    (helped,) = groups(bert, lenovo)
    assert helped.static is not None
    assert helped.static.borrowed
    assert helped.alpha_one is not None


@pytest.mark.parametrize(
    ("operator", "workload", "nodes", "boundary", "watts", "alpha"),
    [
        ("Sustainable Metal Cloud", "llama2_70b_lora", 1, "ac", 7159, 0.82),
        ("Sustainable Metal Cloud", "llama2_70b_lora", 64, "ac", 5087, 0.45),
        ("Sustainable Metal Cloud", "gpt3", 64, "ac", 6849, 0.77),
        ("Dell", "llama2_70b_lora", 8, "ac", 7099, 0.70),
        ("Lenovo", "stable_diffusion", 1, "ac", 10045, 0.84),
    ],
)
def test_bundled_groups(
    bundled: dict[tuple[str, str, int, str], Group],
    operator: str,
    workload: str,
    nodes: int,
    boundary: str,
    watts: int,
    alpha: float,
) -> None:
    group = bundled[operator, workload, nodes, boundary]
    assert group.mean_node_w == pytest.approx(watts, abs=1)
    assert group.alpha_one is not None
    assert group.alpha_one.value == pytest.approx(alpha, abs=0.01)


def test_dc_reads_two_to_three_percent_below_ac(bundled: dict[tuple[str, str, int, str], Group]) -> None:
    for (operator, workload, nodes, boundary), group in bundled.items():
        if boundary == "dc":
            ratio = group.mean_node_w / bundled[operator, workload, nodes, "ac"].mean_node_w
            assert 0.965 < ratio < 0.99


def test_seventeen_groups_at_ac(bundled: dict[tuple[str, str, int, str], Group]) -> None:
    assert len(at_ac(bundled.values())) == 17
    assert sum(group.runs for group in at_ac(bundled.values())) == 192


def test_gpt3_and_lora_energy_per_model_flop(bundled: dict[tuple[str, str, int, str], Group]) -> None:
    smc = "Sustainable Metal Cloud"
    assert bundled[smc, "gpt3", 64, "ac"].pj_per_flop == pytest.approx(1.17, abs=0.01)
    assert bundled[smc, "llama2_70b_lora", 1, "ac"].pj_per_flop == pytest.approx(1.56, abs=0.01)
