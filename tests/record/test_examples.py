"""The examples do what they say, as far as that can be tried without a cluster: its programs are stood in for."""

import shutil
import signal
import sys
from pathlib import Path

import pytest
import yaml

from record.machine import ROOT, Machine, Records, lines_in, wait_for

EXAMPLES = ROOT / "examples"


@pytest.fixture
def programs(machine: Machine) -> dict[str, str]:
    """Put `ecoaudit` (which only notes that it was to audit), `srun`, `torchrun` and `python` on the path."""
    folder = machine.folder / "bin"
    folder.mkdir()
    scripts = {
        "ecoaudit": f'[ "$1" = audit ] && {{ echo "$@" >> {machine.folder}/audited; exit 0; }}\n'
        f'exec {sys.executable} -m ecoaudit "$@"',
        # Two nodes' worth of ranks would need two hosts: three ranks of one.
        "srun": 'for i in 0 1 2; do SLURM_LOCALID=$i "$@" & done; wait $!',
        "torchrun": "echo torchrun $*; sleep 0.3; exit 3",
        "python": "sleep 0.5; exit 4",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{machine.environ()['PATH']}"}


def recordings(folder: Path) -> list[Records]:
    return [Records(path) for path in folder.glob("*.jsonl")]


def test_shell(machine: Machine, programs: dict[str, str]) -> None:
    command = ["sh", str(EXAMPLES / "record.sh"), "python", "train.py"]
    with machine.popen(command, env=programs | {"REGION": "aws:eu-north-1"}) as process:
        assert process.wait(20) == 4
    (records,) = recordings(machine.folder / "telemetry")
    assert len(records.header["gpus"]) == 8
    assert (machine.folder / "audited").read_text() == ("audit telemetry/ --region aws:eu-north-1 -o ecoaudit-report\n")


def test_torchrun(machine: Machine, programs: dict[str, str]) -> None:
    with machine.popen(["sh", str(EXAMPLES / "torchrun.sh"), "train.py"], env=programs) as process:
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 3
    assert out.startswith("torchrun --nproc-per-node 8 --nnodes 1")
    assert len(recordings(machine.folder / "telemetry")) == 1


def test_slurm(machine: Machine, programs: dict[str, str]) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    env = programs | {"SLURM_JOB_ID": "4711", "SLURM_SUBMIT_DIR": str(machine.folder)}
    with machine.popen([bash, str(EXAMPLES / "slurm.sh")], env=env) as process:
        assert process.wait(20) == 4
    folder = machine.folder / "telemetry-4711"
    wait_for(lambda: all(r.of("footer") for r in recordings(folder)))
    (records,) = recordings(folder)
    assert records.header["run_id"] == "slurm-4711"
    assert (machine.folder / "audited").read_text() == f"audit {folder} -o {folder}/report\n"


def test_kubernetes_sidecar(machine: Machine) -> None:
    """The sidecar's own command and environment beside a training container's, on a shared folder."""
    job = yaml.safe_load((EXAMPLES / "kubernetes.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (sidecar,), (training,) = pod["initContainers"], pod["containers"]
    assert sidecar["restartPolicy"] == "Always"
    mounted = {v["mountPath"] for v in sidecar["volumeMounts"]}

    def environment(container: dict[str, list[dict[str, str]]]) -> dict[str, str]:
        out = {e["name"]: e.get("value", "train-x7") for e in container["env"]}
        assert out["ECOAUDIT_RUNTIME_DIR"] in mounted & {v["mountPath"] for v in container["volumeMounts"]}
        return out | {"ECOAUDIT_RUNTIME_DIR": str(machine.folder / "shared")}

    program, verb, *arguments = [a.replace("$(POD_NAME)", "train-x7") for a in sidecar["command"]]
    assert (program, verb) == ("ecoaudit", "record")
    arguments = [a.replace("/telemetry/", "telemetry/") for a in arguments]
    with machine.start(*arguments, "--interval", "0.05", env=environment(sidecar)) as recorder:
        folder = machine.folder / "telemetry"
        path = wait_for(lambda: next(iter(folder.glob("*-train-x7-*.jsonl")), None) if folder.exists() else None)
        wait_for(lambda: lines_in(path) > 2)
        script = "import ecoaudit; ecoaudit.phase('train'); ecoaudit.step(5, tokens=10)"
        with machine.popen([sys.executable, "-c", script], env=environment(training)) as process:
            assert process.wait(10) == 0
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(10) == 0
    records = Records(path)
    assert [(e["name"], e["value"]) for e in records.of("event")] == [("phase", "train"), ("step", 5)]
    assert records.footer["reason"] == "SIGTERM"
