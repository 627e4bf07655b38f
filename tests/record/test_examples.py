"""The examples run: with stand-ins for srun and torchrun, and for the cluster what can be checked without one."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from record.machine import ROOT, Machine, Records, wait_for

EXAMPLES = ROOT / "examples"

# Starts every rank of this node, as srun does on each: SLURM_LOCALID counts them, the job's number is common.
SRUN = """#!/bin/sh
for i in 0 1 2 3; do SLURM_LOCALID=$i SLURM_PROCID=$i "$@" & done
status=0
for job in $(jobs -p); do wait "$job" || status=$?; done
exit $status
"""
# Starts as many ranks as --nproc-per-node says, of the script that follows the options.
TORCHRUN = """#!/bin/sh
while :; do case "$1" in --*) [ "$1" = --nproc-per-node ] && n=$2; shift 2;; *) break;; esac; done
i=0
while [ $i -lt "$n" ]; do LOCAL_RANK=$i RANK=$i TORCHELASTIC_RUN_ID=run PYTHON "$@" & i=$((i+1)); done
wait
"""
TRAIN = """
import time
import ecoaudit
ecoaudit.phase("train")
for n in range(1, 4):
    time.sleep(0.15)
    ecoaudit.step(n, tokens=1000)
"""


@pytest.fixture
def programs(machine: Machine) -> dict[str, str]:
    """Put srun, torchrun, python and ecoaudit on the search path; return the environment."""
    folder = machine.folder / "bin"
    folder.mkdir()
    python = shlex.quote(sys.executable)
    texts = {
        "srun": SRUN,
        "torchrun": TORCHRUN.replace("PYTHON", python),
        "python": f'#!/bin/sh\nexec {python} "$@"\n',
        "ecoaudit": f'#!/bin/sh\nexec {python} -m ecoaudit "$@"\n',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (machine.folder / "train.py").write_text(TRAIN)
    path = f"{folder}:{machine.environ()['PATH']}"
    return {"PATH": path, "PYTHONWARNINGS": "default", "MPLBACKEND": "agg", "REGION": "aws:eu-north-1"}


def run(machine: Machine, command: list[str], env: dict[str, str]) -> str:
    with machine.popen(command, env=env, stderr=subprocess.STDOUT) as process:
        out, _ = process.communicate(timeout=25)
    assert process.returncode == 0, out
    return str(out)


def the_recording(folder: Path) -> Records:
    """Return the only recording in a folder: of four ranks one has recorded, with its steps."""
    (path,) = folder.glob("*.jsonl")
    records = Records(path)
    assert len(records.header["gpus"]) == 8
    assert [e["value"] for e in records.events("step")] == [1, 2, 3]
    assert records.footer["reason"] == "exit"
    return records


def test_slurm(machine: Machine, programs: dict[str, str]) -> None:
    run(machine, ["bash", str(EXAMPLES / "slurm.sh")], programs | {"SLURM_JOB_ID": "77"})
    assert the_recording(machine.folder / "telemetry-77").header["run_id"] == "slurm-77"
    audit = json.loads((machine.folder / "telemetry-77" / "report" / "audit.json").read_text())
    assert audit["hardware"]["gpu_count"] == 8
    assert audit["quality"]["bad_lines"] == 0


def test_torchrun(machine: Machine, programs: dict[str, str]) -> None:
    run(machine, ["sh", str(EXAMPLES / "torchrun.sh"), "train.py"], programs | {"GPUS_PER_NODE": "4"})
    the_recording(machine.folder / "telemetry")


def test_shell(machine: Machine, programs: dict[str, str]) -> None:
    """A job that fails is audited too, and the script fails as it did."""
    job = "python train.py; exit 9"
    with machine.popen(["sh", str(EXAMPLES / "record.sh"), "sh", "-c", job], env=programs) as process:
        process.communicate(timeout=25)
    assert process.returncode == 9
    the_recording(machine.folder / "telemetry")
    assert (machine.folder / "ecoaudit-report" / "report.md").exists()


def test_the_kubernetes_sidecar(machine: Machine) -> None:
    """Its containers name only volumes that there are, and its command and environment do record."""
    job = yaml.safe_load((EXAMPLES / "kubernetes.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    (sidecar,), (train,) = pod["initContainers"], pod["containers"]
    assert sidecar["restartPolicy"] == "Always"  # what makes an init container a sidecar
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for c in (sidecar, train) for mount in c["volumeMounts"]} == volumes

    program, *arguments = sidecar["command"]
    assert program == "ecoaudit"
    names = {"$(POD_NAME)": "train-x7k2p", "/telemetry/": "out/"}
    env = {"ECOAUDIT_JOB": "train-x7k2p"}
    assert {e["name"] for e in sidecar["env"]} >= {"POD_NAME", "ECOAUDIT_JOB", "ECOAUDIT_RUNTIME_DIR"}
    with machine.start(*(names.get(a, a) for a in arguments[1:]), env=env) as recorder:
        out = machine.folder / "out"
        marks = machine.folder / "runtime" / "train-x7k2p.markers"
        wait_for(marks.exists)
        with machine.popen([sys.executable, "-c", "import ecoaudit; ecoaudit.step(1)"], env=env) as training:
            assert training.wait(10) == 0
        recorder.terminate()
        assert recorder.wait(10) == 0
    (path,) = out.glob("*-train-x7k2p-*.jsonl")
    assert [e["value"] for e in Records(path).events("step")] == [1]
    assert Records(path).footer["reason"] == "SIGTERM"
