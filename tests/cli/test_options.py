"""Options over the configuration file, and what they change in the audit of the sample run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import responses

from ecoaudit import pipeline
from ecoaudit.cli import load_config, main, run
from ecoaudit.config import Config, HardwareShape, ModelShape, parse
from ecoaudit.errors import EcoauditError
from ecoaudit.model.audit import Audit

SAMPLE = str(Path(__file__).resolve().parents[2] / "fixtures" / "sample_logs" / "synthetic-8xh100")
UK = re.compile(r"https://api\.carbonintensity\.org\.uk/.*")


def audited(**keys: Any) -> Audit:
    return pipeline.audit_inputs([SAMPLE], parse({"cooling": "air", **keys}, where="test"))


@pytest.fixture(scope="module")
def base() -> Audit:
    return audited(region="aws:eu-north-1")


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "ecoaudit.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_key_has_an_option_or_is_for_the_file_alone() -> None:
    command = main.get_command(None, "audit")  # type: ignore[arg-type]
    assert command is not None
    names = {parameter.name for parameter in command.params}
    only_in_file = {"budgets", "on_missing_baseline", "hardware", "model"}
    assert set(Config.__struct_fields__) - names == only_in_file
    for group, kind in (("hardware", HardwareShape), ("model", ModelShape)):
        shape = {name for name in names if name and name.startswith(f"{group}_")}
        assert shape == {f"{group}_{name}" for name in kind.__struct_fields__}


def test_a_place_on_the_command_line_replaces_the_files_place(file: Callable[[str], Path]) -> None:
    path = file("region: aws:eu-north-1\nmarket_intensity_g_per_kwh: 3\npue: 1.2\n")
    found = load_config(path, {"zone": "DE"})
    assert (found.region, found.zone, found.market_intensity_g_per_kwh, found.pue) == (None, "DE", None, 1.2)


def test_a_series_on_the_command_line_keeps_the_place_and_replaces_the_files_figure(
    file: Callable[[str], Path],
) -> None:
    path = file("region: aws:eu-north-1\ngrid_provider: electricitymaps\n")
    found = load_config(path, {"intensity_series": "grid.csv"})
    assert (found.region, found.intensity_series, found.grid_provider) == ("aws:eu-north-1", "grid.csv", None)


def test_a_model_option_completes_the_files_model(file: Callable[[str], Path]) -> None:
    found = load_config(file("model: {params: 7e9, sequence_length: 4096}\n"), {"model_sequence_length": 8192})
    assert found.model is not None
    assert (found.model.params, found.model.sequence_length) == (7e9, 8192)


def test_a_hardware_option_completes_the_files_hardware(file: Callable[[str], Path]) -> None:
    found = load_config(file("hardware: {gpu: H100 SXM, gpus: 8}\n"), {"hardware_gpus": 16})
    assert found.hardware == HardwareShape(gpu="H100 SXM", gpus=16)


def test_fewer_gpus_than_nodes_are_refused() -> None:
    with pytest.raises(EcoauditError, match="2 GPUs cannot be on 4 nodes"):
        load_config(None, {"hardware_gpus": 2, "hardware_nodes": 4})


LOG = """\
step 1/3 | loss 11.0 | norm 1.0 | lr 1.0e-04 | 1000.00 ms | 524288 tok/s
step 2/3 | loss 10.0 | norm 1.0 | lr 1.0e-04 | 1000.00 ms | 524288 tok/s
step 3/3 | loss 9.0 | norm 1.0 | lr 1.0e-04 | 1000.00 ms | 524288 tok/s
"""


def test_a_log_alone_is_audited_on_the_hardware_named_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "train.log"
    log.write_text(LOG, encoding="utf-8")
    arguments = ["audit", str(log), "-o", str(tmp_path / "report"), "--gpus", "8", "--nodes", "1"]
    assert run([*arguments, "--gpu", "H100 SXM"]) == 0
    found = pipeline.read_audit(tmp_path / "report" / "audit.json")
    assert found.energy.headline is not None and found.cost.total is not None
    assert run([*arguments, "--gpu", "H100"]) == 2
    message = capsys.readouterr().err
    assert "ambiguous" in message and "NVIDIA H100 80GB HBM3" in message and "NVIDIA H100 PCIe" in message


def test_two_answers_to_one_question_are_refused() -> None:
    with pytest.raises(EcoauditError, match="intensity_g_per_kwh and intensity_series"):
        load_config(None, {"intensity_g_per_kwh": 5.0, "intensity_series": "grid.csv"})


def test_a_series_is_weighted_by_the_run_and_labelled(tmp_path: Path, base: Audit) -> None:
    assert base.run.started_at is not None
    path = tmp_path / "grid.csv"
    start = base.run.started_at[:11]
    rows = "".join(f"{start}{hour:02d}:00Z,{100 + hour}\n" for hour in range(24))
    path.write_text(f"# basis: direct\ntimestamp,g_per_kwh\n{rows}", encoding="utf-8")
    carbon = audited(region="aws:eu-north-1", intensity_series=str(path)).carbon
    assert carbon.intensity is not None and 100 <= carbon.intensity.value <= 123
    assert (carbon.intensity_basis, carbon.zone) == ("direct", "SE-SE3")
    assert base.carbon.intensity is not None and base.carbon.intensity_basis == "lifecycle"


def test_a_provider_is_asked_only_when_it_is_named(
    base: Audit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        web.get(UK, status=404)
        silent = audited(region="aws:eu-west-2")
        assert not web.calls
        found = audited(region="aws:eu-west-2", grid_provider="ukcarbonintensity")
        assert len(web.calls) == 1
    assert found.carbon == silent.carbon
    assert any("UK Carbon Intensity gave no intensity" in text for text in found.quality.warnings)


def test_the_contract_stands_beside_the_grid(base: Audit) -> None:
    assert base.carbon.market_based is not None and "aws, annual matching" in base.carbon.market_based.source
    found = audited(region="aws:eu-north-1", market_intensity_g_per_kwh=50).carbon
    assert found.operational == base.carbon.operational
    assert found.market_based is not None and base.energy.headline is not None
    assert found.market_based.value == pytest.approx(0.05 * base.energy.headline.value.value)
    assert "contract given by the user" in found.market_based.source


def test_a_shared_node_counts_its_share_of_the_host() -> None:
    half = audited(node_gpu_count=16, host_power_w=1900)
    levels, line = half.energy.levels, half.calibration
    assert levels.L3 and levels.L3.node and levels.L2 and levels.L2.gpu and line and line.alpha and half.run.duration_s
    host_kwh = 1.9 * half.run.duration_s / 3600
    assert levels.L3.node.value == pytest.approx(line.alpha.value * levels.L2.gpu.value + host_kwh / 2, rel=1e-6)
    assert any("8 of a node's 16 GPUs" in text for text in half.quality.warnings)


def test_a_stated_model_gives_flops_mfu_and_the_references_energy() -> None:
    found = audited(model={"preset": "llama2-7b", "sequence_length": 4096, "precision": "fp8"})
    assert found.training.tokens and found.training.flops and found.training.mfu
    linear = 6 * 6.607e9 * found.training.tokens
    assert found.training.flops.value == pytest.approx(linear + 6 * 32 * 4096 * 4096 * found.training.tokens, rel=2e-3)
    assert "Llama 2 7B" in found.training.flops.source
    reference = found.efficiency.reference
    assert reference is not None and reference.format == "fp8" and reference.energy is not None
    assert reference.energy.value == pytest.approx(
        reference.pj_per_flop.value * found.training.flops.value / 1e12 / 3.6e6
    )
    assert found.efficiency.ratio_to_reference is not None


def test_a_statement_without_a_size_leaves_the_logged_one(base: Audit) -> None:
    assert base.training.flops is not None and base.training.mfu is not None
    named = audited(model={"precision": "fp8"}).training
    assert named.precision == "fp8" and named.flops == base.training.flops and named.mfu is not None
    assert named.mfu.value == pytest.approx(base.training.mfu.value / 2, rel=1e-3)  # of twice the peak
    adapters = audited(model={"method": "lora"}).training
    assert adapters.flops is not None and "4N" in adapters.flops.source and "size as logged" in adapters.flops.source
    assert 0.6 < adapters.flops.value / base.training.flops.value < 0.75


def test_a_bf16_run_beside_an_fp8_reference_is_shown_not_ranked() -> None:
    found = audited(model={"params": 7e9, "precision": "bf16"})
    assert found.efficiency.reference is not None and found.efficiency.reference.energy is not None
    assert found.efficiency.ratio_to_reference is None
    assert "shown, not ranked" in found.quality.unknown["efficiency.ratio_to_reference"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"param": 7e9}, "did you mean 'params'"),
        ({"params": 7e9, "active_params": 8e9}, "active_params exceeds params"),
        ({"params": 7e9, "layers": 32}, "belong together"),
        ({"preset": "llama2-7"}, "llama2-7b"),
        ({"params": 7e9, "method": "qlora"}, "qlora"),
    ],
)
def test_a_mistake_in_the_model_is_one_clear_line(model: dict[str, Any], message: str) -> None:
    with pytest.raises(EcoauditError, match=message):
        audited(model=model)
