"""Reading a checkout: every defect that public power logs have is handled or excluded, and the run says which."""

import csv
import json
import tarfile
from pathlib import Path

import pytest

from calibrate.mlperf_checkout import START_MS, Checkout
from ecoaudit.calibrate.extract import Found, extract
from ecoaudit.calibrate.fits import groups
from ecoaudit.calibrate.mllog import events
from ecoaudit.calibrate.runs import MeteredRun, distinct_runs
from ecoaudit.errors import EcoauditError
from ecoaudit.reference import load


@pytest.fixture
def site(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "training_results_v4.1")


def read(site: Checkout, **options: object) -> Found:
    return extract([site.root], load().find_gpu, **options)  # type: ignore[arg-type]


def only(site: Checkout, **options: object) -> MeteredRun:
    found = read(site, **options)
    assert len(found.runs) == 1, found.skipped
    return found.runs[0]


def test_a_clean_run(site: Checkout) -> None:
    site.run(switch_w=800.0)
    run = only(site)
    assert (run.round, run.operator, run.system, run.nodes) == ("v4.1", "Maker", "BOX-8xH100-SXM-80GB", 2)
    assert (run.gpu, run.gpu_tdp_w, run.cooling) == ("NVIDIA H100 80GB HBM3", 700.0, "air")
    assert (run.boundary, run.workload, run.number_format) == ("ac", "llama2_70b_lora", "fp8")
    assert run.duration_s == 400.0
    # 60 s at 2600 W, 340 s at 6000 W (node 1: 6010 W); the step up is a trapezoid over one second.
    assert run.mean_node_w == pytest.approx((60 * 2600 + 340 * 6005) / 400, rel=2e-3)
    assert run.resident_w == pytest.approx(2600.0)
    assert (run.network_w, run.network_kind) == (800.0, "stated")
    assert run.used
    assert run.notes == ""
    assert run.path == ("training_results_v4.1: Maker/results/2xBOX-8xH100-SXM-80GB/llama2_70b_lora/power/result_0")
    assert "not verified by MLCommons Association" in run.source
    assert run.licence == "no licence file in the repository"


@pytest.mark.parametrize(
    ("defect", "note"),
    [
        ({"padding_s": 55, "stop_is_start": True}, "stamp of start"),
        ({"distinct": False}, "2 node logs hold 1 distinct traces"),
        ({"gap": slice(200, 230)}, "gaps up to 31 s"),
        ({"repeat": True}, "% of stamps repeated"),
        ({"clock_offset_s": -18_000}, "node clocks moved by +5.0 h"),
    ],
)
def test_defects_that_are_handled_leave_the_power_and_a_note(site: Checkout, defect: dict, note: str) -> None:
    site.run(**defect)
    run = only(site)
    assert run.mean_node_w == pytest.approx((60 * 2600 + 340 * 6005) / 400, rel=5e-3)
    assert run.used
    assert note in run.notes


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ({"drop_out": slice(200, 220)}, "sensor drop-outs over 5"),
        ({"node_count": 1}, "1 of 2 nodes have a power log"),
        ({"status": "aborted"}, "status is aborted"),
        ({"status": None}, "status is not stated"),
        ({"broken_off": True}, "status is no run_stop"),
        ({"gap": slice(100, 300)}, "no readings over 50 % of node-time"),
    ],
)
def test_defects_that_forbid_a_fit_exclude_the_run_with_the_reason(site: Checkout, defect: dict, reason: str) -> None:
    site.run(**defect)
    run = only(site)
    assert not run.used
    assert reason in run.excluded


@pytest.mark.parametrize(
    "oddity",
    [
        {"prefix": "0: "},
        {"prefix": "  3: "},
        {"first_node": 1},
        {"efficiency": None},
        {"name": "result_5119-240510190348838227199_06"},
    ],
)
def test_odd_names_and_prefixes_read_alike(site: Checkout, oddity: dict) -> None:
    site.run(**oddity)
    assert only(site).mean_node_w == pytest.approx((60 * 2600 + 340 * 6005) / 400, rel=2e-3)


def test_glued_and_broken_lines_are_survived(tmp_path: Path) -> None:
    log = tmp_path / "node_0.txt"
    good = ':::MLLOG {"time_ms": %d, "key": "power_reading", "value": 5, "metadata": ""}'
    log.write_text(f'{good % 1} 3: {good % 2}\n:::MLLOG {{"time_ms": 3, "key"\nnoise\n{good % 4}\n')
    assert [event.time_ms for event in events(log)] == [1, 2, 4]


def test_ac_and_dc_logs_of_one_run_are_one_run(tmp_path: Path) -> None:
    root = tmp_path / "training_results_v4.0"
    for submitter, power in (("box-ac-power", 6000.0), ("box-dc-power", 5800.0)):
        site = Checkout(root, submitter=submitter)
        site.run(power_w=power, efficiency=None)
        site.sheet(submitter="Box")
    found = extract([root], load().find_gpu)
    assert sorted(run.boundary for run in found.runs) == ["ac", "dc"]
    assert distinct_runs(found.runs) == 1
    assert {group.boundary: group.runs for group in groups(found.runs)} == {"ac": 1, "dc": 1}


def test_a_run_filed_under_two_names_counts_once(site: Checkout) -> None:
    site.run("result_1")
    site.run("result_raw_1")
    found = read(site)
    assert [run.excluded for run in found.runs] == ["", "the same run as result_1 under another name"]
    assert groups(found.runs)[0].runs == 1


@pytest.mark.parametrize(
    ("submitter", "metadata", "given", "expected"),
    [
        ("Maker", "DC", "ac", "dc"),
        ("Maker", None, "dc", "dc"),
        ("maker-dc-power", None, None, "dc"),
        ("Maker", None, None, "ac"),
    ],
)
def test_boundary_metadata_then_caller_then_folder_then_ac(
    tmp_path: Path, submitter: str, metadata: str | None, given: str | None, expected: str
) -> None:
    site = Checkout(tmp_path / "training_results_v4.0", submitter=submitter)
    site.run(efficiency=0.96 if metadata else None, measurement=metadata)
    run = only(site, boundary=given)
    assert run.boundary == expected
    assert ("taken as AC" in run.notes) == (expected == "ac")


def test_u_is_relative_to_other_submitters_one_node_result(tmp_path: Path) -> None:
    root = tmp_path / "training_results_v4.1"
    Checkout(root).run(samples=3072, seconds=400)
    Checkout(root, submitter="Other", system="1xOTHER", nodes=1).run(samples=3072, seconds=600, power=False)
    Checkout(root, submitter="Maker", system="1xBOX-8xH100-SXM-80GB", nodes=1).run(
        samples=3072, seconds=300, power=False
    )
    run = only(Checkout(root))
    assert run.u == pytest.approx((3072 / 400 / 2) / (3072 / 600))
    assert run.saturated_source == "v4.1 one node: Other"


def test_without_any_one_node_result_u_is_not_known(site: Checkout) -> None:
    site.run()
    assert only(site).u is None


def test_mfu_counts_lora_at_four_flops_per_parameter_and_token(site: Checkout) -> None:
    site.run(samples=3072, seconds=400)
    flops = (4 * 68.98e9 + 6 * 80 * 8192 * 8192) * 8192 * 3072
    assert only(site).mfu == pytest.approx(flops / 400 / (16 * 989.4e12), rel=1e-3)


def test_what_cannot_be_read_is_named_with_its_reason(site: Checkout) -> None:
    site.run("result_0")
    site.run("result_1")
    (site.folder / "result_1.txt").write_text("nothing of use\n")
    assert read(site).skipped == (
        "training_results_v4.1: Maker/results/2xBOX-8xH100-SXM-80GB/llama2_70b_lora/power/result_1: "
        "the result log has no run_start",
    )


def test_an_unknown_accelerator_is_named(tmp_path: Path) -> None:
    site = Checkout(tmp_path / "training_results_v5.1", gpu="Acme Q9")
    site.run()
    found = read(site)
    assert not found.runs
    assert "'Acme Q9' is not in the GPU table" in found.skipped[0]


@pytest.mark.parametrize("depth", ["root", "submitter", "system", "benchmark", "power", "result"])
def test_any_folder_of_the_checkout_may_be_given(site: Checkout, depth: str) -> None:
    site.run(start_ms=START_MS)
    folder = site.folder
    place = {
        "root": site.root,
        "submitter": folder.parents[2],
        "system": folder.parent,
        "benchmark": folder,
        "power": folder / "power",
        "result": folder / "power" / "result_0",
    }[depth]
    assert len(extract([place], load().find_gpu).runs) == 1


def test_a_bad_scaling_factor_is_one_line(site: Checkout) -> None:
    site.run()
    site.scaling(0.5)
    with pytest.raises(EcoauditError, match=r"scaling\.json: scaling_factor is 0\.5"):
        read(site)


def test_public_logs_agree_with_an_independent_extraction(shared_dir: Path, tmp_path: Path) -> None:
    """Four packages of public logs against figures that another program took from them."""
    for package in sorted((shared_dir / "mlperf" / "raw").glob("*.tar.gz")):
        with tarfile.open(package) as archive:
            archive.extractall(tmp_path, filter="data")
    found = {run.path.rstrip("/"): run for run in extract([tmp_path], load().find_gpu).runs}
    with (shared_dir / "mlperf" / "power_runs.csv").open(encoding="utf-8") as rows:
        key = {row["source"].rstrip("/"): row for row in csv.DictReader(rows)}
    assert len(found) >= 31
    for path, run in found.items():
        row = key[path]
        expected_w = float(row["e_nodes_window_raw_trapz_j"]) / run.nodes / run.duration_s
        assert run.mean_node_w == pytest.approx(expected_w, rel=1e-4), path
        assert run.samples == pytest.approx(float(row["samples"]), rel=1e-9), path
        energy = run.official_v40_j if run.round == "v4.0" else run.official_v41_j
        assert energy == pytest.approx(float(row["official_total_j"]), abs=0.1), path
    expected = json.loads((shared_dir / "mlperf" / "raw" / "expected.json").read_text(encoding="utf-8"))
    scores = {
        round(entry["official_score_j_recomputed"])
        for entry in expected.values()
        if entry["official_score_j_recomputed"]
    }
    assert {round(g.official_energy_j) for g in groups(found.values()) if g.official_energy_j is not None} == scores
