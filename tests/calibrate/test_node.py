"""From the user's files to a calibration file that `ecoaudit audit` takes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from calibrate.metered_node import T0, Node
from ecoaudit.calibrate.node import _recorded, calibrate_node, calibrated_line
from ecoaudit.cli import main
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import read
from ecoaudit.model import calibration
from ecoaudit.model.calibration import CalibratedLine


def test_telemetry_and_a_csv_meter_give_the_line(tmp_path: Path) -> None:
    telemetry, meter = Node(meter_behind_s=25.0).write(tmp_path)
    line = calibrate_node([telemetry], [meter], meter_boundary="ac")
    assert (line.gpu, line.gpus_per_node, line.power_field) == ("NVIDIA H100 80GB HBM3", 8, "average")
    assert line.alpha == pytest.approx(1.10, abs=0.02)
    assert line.host_w == pytest.approx(1900, abs=60)
    assert line.clock_offset_s == pytest.approx(25.0, abs=1.5)
    assert line.runs == 1
    assert line.warnings == ()
    assert calibration.decode(calibration.encode(line)) == line


def test_a_meter_that_does_not_tell_its_side_is_ac_with_a_warning_and_dc_is_converted(tmp_path: Path) -> None:
    telemetry, meter = Node().write(tmp_path)
    plain = calibrate_node([telemetry], [meter])
    assert any("taken as AC" in text for text in plain.warnings)
    converted = calibrate_node([telemetry], [meter], meter_boundary="dc")
    assert converted.alpha == pytest.approx(plain.alpha / 0.96)
    assert converted.host_w == pytest.approx(plain.host_w / 0.96)
    assert converted.alpha_se > plain.alpha_se
    assert any("0.96" in text for text in converted.warnings)


def test_power_supplies_of_one_node_are_summed(tmp_path: Path) -> None:
    telemetry, meter = Node().write(tmp_path)
    rows = meter.read_text().splitlines()
    halves = []
    for i, share in enumerate((0.45, 0.55)):
        half = tmp_path / f"psu{i}.csv"
        half.write_text(
            "\n".join([rows[0], *(f"{t},{share * float(w):.4f}" for t, w in (r.split(",") for r in rows[1:]))]) + "\n"
        )
        halves.append(half)
    whole, summed = calibrate_node([telemetry], [meter]), calibrate_node([telemetry], halves)
    assert summed.alpha == pytest.approx(whole.alpha, rel=1e-6)


def test_several_runs(tmp_path: Path) -> None:
    files = [Node(seed=s, start_s=T0 + 10_000 * s, seconds=700).write(tmp_path, str(s)) for s in range(3)]
    line = calibrate_node([t for t, _ in files], [m for _, m in files])
    assert line.runs == 3
    assert line.alpha == pytest.approx(1.10, abs=0.02)


def test_node_power_in_the_telemetry_is_a_meter(tmp_path: Path) -> None:
    telemetry, _ = Node(seconds=900).write(tmp_path)
    (log,) = read([str(telemetry)]).telemetry
    total = log.power_w.sum(axis=1)
    metered = replace(log, node_power_w=1900.0 + 1.1 * total + np.random.default_rng(0).normal(0, 30, total.size))
    fitted = calibrated_line([metered], _recorded([metered]), meter_boundary="ac")
    assert fitted.alpha == pytest.approx(1.10, abs=0.02)
    assert fitted.clock_offset_s == pytest.approx(0.0, abs=0.5)
    with pytest.raises(EcoauditError, match="the telemetry holds no node power"):
        calibrate_node([telemetry], [])


def test_part_of_a_nodes_gpus_and_mixed_nodes_are_refused(tmp_path: Path) -> None:
    telemetry, meter = Node(seconds=600).write(tmp_path)
    log = read([str(telemetry)]).telemetry[0]
    meters = read([str(meter)]).meters
    with pytest.raises(EcoauditError, match="the node has 16 GPUs, the telemetry covers 8"):
        calibrated_line([replace(log, node_gpu_count=16)], meters)
    fewer = replace(log, gpus=log.gpus[:4], power_w=log.power_w[:, :4])
    with pytest.raises(EcoauditError, match="differ in GPUs"):
        calibrated_line([log, fewer], meters)
    other = replace(log, gpus=(*log.gpus[:7], replace(log.gpus[7], name="NVIDIA A100-SXM4-80GB")))
    with pytest.raises(EcoauditError, match="one kind of GPU is needed"):
        calibrated_line([other], meters)


def test_a_meter_of_another_day_is_refused(tmp_path: Path) -> None:
    telemetry, _ = Node(seconds=600).write(tmp_path)
    _, meter = Node(seconds=600, start_s=T0 + 5 * 86_400).write(tmp_path, "later")
    with pytest.raises(EcoauditError, match="no meter log is within 15 hours"):
        calibrate_node([telemetry], [meter])


def test_swapped_files_are_told(tmp_path: Path) -> None:
    telemetry, meter = Node(seconds=600).write(tmp_path)
    with pytest.raises(EcoauditError, match="no GPU telemetry"):
        calibrate_node([meter], [telemetry])


def test_options_take_several_files_each(tmp_path: Path) -> None:
    files = [Node(seed=s, start_s=T0 + 10_000 * s, seconds=700).write(tmp_path, str(s)) for s in range(2)]
    (t0, m0), (t1, m1) = files
    found = CliRunner().invoke(
        main, ["calibrate", "--telemetry", str(t0), str(t1), "--meter", str(m0), str(m1), "--json"]
    )
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["runs"] == 2


def test_the_command_writes_a_file_that_audit_uses(tmp_path: Path) -> None:
    telemetry, meter = Node(meter_behind_s=3.0).write(tmp_path)
    out = tmp_path / "node.json"
    run = CliRunner()
    fitted = run.invoke(
        main,
        ["calibrate", "--telemetry", str(telemetry), "--meter", str(meter), "--meter-boundary", "ac", "-o", str(out)],
    )
    assert fitted.exit_code == 0, fitted.output
    assert "alpha 1.1" in fitted.output
    assert "held-out error" in fitted.output
    line = calibration.decode(out.read_bytes())
    audited = run.invoke(
        main,
        [
            "audit",
            str(telemetry),
            "--calibration",
            str(out),
            "--region",
            "aws:eu-north-1",
            "-o",
            str(tmp_path / "a"),
            "--json",
        ],
    )
    assert audited.exit_code == 0, audited.output
    audit = json.loads((tmp_path / "a" / "audit.json").read_text())
    assert audit["calibration"]["id"] == line.id
    found = audit["energy"]["levels"]["L3"]["node"]
    assert found["basis"] == "calibrated"
    t, _, wall = Node().truth()
    truth_kwh = float(wall.mean()) * float(t[-1]) / 3.6e6
    assert found["value"] == pytest.approx(truth_kwh, rel=0.01)
    assert found["low"] < truth_kwh < found["high"]


def line(**changes: object) -> CalibratedLine:
    fields = {
        "tool": "t",
        "id": "own",
        "gpu": "NVIDIA B200",
        "gpus_per_node": 8,
        "power_field": "instant",
        "host_w": 1900.0,
        "alpha": 1.1,
        "covariance": ((400.0, -0.1), (-0.1, 1e-4)),
        "residual_w": 30.0,
        "held_out_error": 0.02,
        "gpu_power_range_w": (800.0, 7000.0),
        "samples": 300,
        "duration_s": 3000.0,
        "source": "own meter",
    }
    return CalibratedLine(**(fields | changes))  # type: ignore[arg-type]


def test_standard_errors_and_correlation() -> None:
    assert (line().host_w_se, line().alpha_se, line().correlation) == pytest.approx((20.0, 0.01, -0.5))


def test_a_calibration_may_be_written_in_yaml() -> None:
    text = "\n".join(f"{key}: {json.dumps(value)}" for key, value in json.loads(calibration.encode(line())).items())
    assert calibration.decode(text.encode()) == line()


@pytest.mark.parametrize(
    "changes",
    [
        {"covariance": ((1.0, 2.0), (2.0, 1.0))},
        {"covariance": ((1.0, 0.1), (0.2, 1.0))},
        {"host_w": float("nan")},
        {"gpu_power_range_w": (2.0, 1.0)},
    ],
)
def test_figures_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"finite|semidefinite|lowest"):
        line(**changes)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}", "schema None"),
        (b"- 1", "schema None"),
        (b"a: [", "not JSON or YAML"),
        (b'{"schema": "ecoaudit.calibration/1"}', "missing required field"),
        (calibration.encode(line()).replace(b'"alpha": 1.1', b'"alpha": -1'), "alpha"),
        (calibration.encode(line()).replace(b'"alpha": 1.1', b'"alpa": 1.1'), "alpa"),
    ],
)
def test_a_file_that_is_no_calibration_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(EcoauditError, match=message) as error:
        calibration.decode(data, where="node.json")
    assert error.value.line().startswith("node.json: ")
    assert "\n" not in error.value.line()
