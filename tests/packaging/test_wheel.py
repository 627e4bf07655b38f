"""What users install: the wheel works without the checkout, and the source distribution gives the same wheel."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from .building import ROOT, build

SAMPLE = "synthetic-8xh100"


def run(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command in `cwd` with an environment that knows nothing of the checkout."""
    environment = {"PATH": os.defpath, "HOME": str(cwd), "LANG": "C.UTF-8"}
    return subprocess.run([program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_the_wheel_holds_the_package_and_what_lives_beside_it(wheel: Path) -> None:
    held = names(wheel)
    expected = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "ecoaudit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for folder, name in (("templates", "templates"), ("fixtures/sample_logs", "sample_logs")):
        expected |= {
            f"ecoaudit/_bundled/{name}/{path.relative_to(ROOT / folder).as_posix()}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
        }
    metadata = {name for name in held if ".dist-info/" in name}
    assert held - metadata == expected
    assert {Path(name).name for name in metadata} >= {"LICENSE", "NOTICE", "METADATA", "entry_points.txt"}


def test_the_source_distribution_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    again = build(sdist, "wheel", tmp_path)
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert {i.filename: i.CRC for i in first.infolist()} == {i.filename: i.CRC for i in second.infolist()}


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "NOTICE", "Makefile", "Dockerfile", "action.yml", "tests"])
def test_the_source_distribution_can_be_tested_and_packaged(sdist: Path, name: str) -> None:
    assert (sdist / name).exists()


def test_the_installed_command_says_its_version(installed: Path, wheel: Path, tmp_path: Path) -> None:
    answer = run(installed, "--version", cwd=tmp_path)
    assert answer.stdout == f"ecoaudit {wheel.name.split('-')[1]}\n"
    where = run(installed.parent / "python", "-c", "import ecoaudit; print(ecoaudit.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed.parents[1]), "the test must not see the checkout"


def test_the_installed_demo_writes_the_report(installed: Path, tmp_path: Path) -> None:
    answer = run(installed, "demo", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    report = tmp_path / "ecoaudit-demo"
    for name in ("audit.json", "report.md", "report.html"):
        assert (report / name).stat().st_size > 0
        assert name == "audit.json" or f"ecoaudit-demo/{name}" in answer.stdout


def test_the_installed_audit_reads_logs_of_the_users_own(installed: Path, tmp_path: Path) -> None:
    logs = ROOT / "fixtures" / "sample_logs" / SAMPLE
    inputs = [str(logs / "telemetry.jsonl.gz"), str(logs / "megatron.log")]
    answer = run(installed, "audit", *inputs, "--region", "aws:eu-north-1", "-o", "out", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    truth = json.loads((logs / "truth.json").read_text(encoding="utf-8"))
    audit = json.loads(answer.stdout)
    assert audit["energy"]["levels"]["L2"]["gpu"]["value"] == pytest.approx(truth["gpu_energy_kwh"], rel=0.005)
