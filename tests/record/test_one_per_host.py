"""One recorder per host and job under launchers; the others step aside; no GPU is recorded twice or forgotten."""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from ecoaudit.record.lock import acquire, holder, job_key, local_rank, runtime_dir
from record.machine import Machine, Records, lines_in, wait_for

FAST = ("--interval", "0.02")


# A rank's work: it begins after its recorder's place is decided, and lasts until the test says so.
WORK = "touch started.$$; while [ ! -e go ]; do sleep 0.02; done"


def ranks(machine: Machine, count: int, common: dict[str, str], each: Any) -> list[Any]:
    """Start ranks as a launcher on one host does, each with `ecoaudit record -- …` and a file name of its own."""
    return [
        machine.start("-o", f"rank{i}.jsonl", *FAST, "--", "sh", "-c", WORK, env=common | each(i)) for i in range(count)
    ]


def recorders(machine: Machine) -> list[int]:
    """Return the processes of `ecoaudit record`: one a rank that runs its command, and those that record."""
    found = []
    for pid in machine.processes():
        with contextlib.suppress(OSError):
            if b"ecoaudit" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def work(machine: Machine, count: int, recordings: int = 1) -> None:
    """Let all ranks begin, so many recordings run and the other recorders step aside, then let the work end."""
    wait_for(lambda: len(list(machine.folder.glob("started.*"))) == count)
    steady = 0

    def settled() -> bool:
        nonlocal steady
        steady = steady + 1 if len(recorders(machine)) == count + recordings else 0
        return steady == 20

    wait_for(settled)
    wait_for(lambda: sum(lines_in(path) > 3 for path in machine.folder.glob("*.jsonl")) >= recordings)
    (machine.folder / "go").touch()


def finish(machine: Machine, processes: list[Any], recordings: int = 1) -> list[str]:
    """Let all work and end; return what each said."""
    work(machine, len(processes), recordings)
    said = []
    for process in processes:
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        said.append(err)
    return said


def recorded(machine: Machine) -> list[Records]:
    return [Records(path) for path in sorted(machine.folder.glob("rank*.jsonl"))]


def test_torchrun(machine: Machine) -> None:
    each = lambda i: {"LOCAL_RANK": str(i), "RANK": str(8 + i)}  # noqa: E731
    said = finish(machine, ranks(machine, 4, {"TORCHELASTIC_RUN_ID": "r42"}, each))
    (only,) = recorded(machine)
    assert len(only.header["gpus"]) == 8
    assert only.header["run_id"] == "r42"
    assert [len(err.splitlines()) for err in said] == [1, 0, 0, 0]  # the first rank's line at the end


def test_torchrun_without_a_run_id_by_the_common_launcher(machine: Machine) -> None:
    """torchrun's default run id is "none" for every job: the ranks know each other by their parent process."""
    script = (
        "for i in 0 1 2; do LOCAL_RANK=$i TORCHELASTIC_RUN_ID=none "
        f"{sys.executable} -m ecoaudit record -o $1$i.jsonl --interval 0.02 -- sh -c '{WORK}' & done; wait"
    )
    two_jobs = [machine.popen(["sh", "-c", script, "sh", name]) for name in ("a", "b")]
    work(machine, 6, recordings=2)
    for job in two_jobs:
        with job:
            assert job.wait(20) == 0
    assert len(list(machine.folder.glob("a*.jsonl"))) == 1
    assert len(list(machine.folder.glob("b*.jsonl"))) == 1  # another job on the same host has its own


def test_mpirun_with_a_shell_around_each_rank(machine: Machine) -> None:
    (machine.folder / "rank").write_text(
        f"{sys.executable} -m ecoaudit record -o rank$OMPI_COMM_WORLD_LOCAL_RANK.jsonl --interval 0.02 "
        f"-- sh -c '{WORK}'; true\n"
    )
    launcher = "for i in 0 1 2; do OMPI_COMM_WORLD_LOCAL_RANK=$i sh ./rank & done; wait"
    with machine.popen(["sh", "-c", launcher]) as process:
        work(machine, 3)
        assert process.wait(20) == 0
    assert len(recorded(machine)) == 1


def test_srun_with_a_gpu_for_each_task(machine: Machine) -> None:
    """Tasks that are confined to different GPUs: each GPU is in exactly one file, host meters in one."""
    each = lambda i: {"SLURM_LOCALID": str(i), "CUDA_VISIBLE_DEVICES": str(i)}  # noqa: E731
    finish(machine, ranks(machine, 3, {"SLURM_JOB_ID": "77"}, each), recordings=3)
    files = recorded(machine)
    assert sorted(g["index"] for f in files for g in f.header["gpus"]) == [0, 1, 2]
    assert {f.header["run_id"] for f in files} == {"slurm-77"}
    assert sum("node_power" in f.header.get("absent", {}) for f in files) == 1


def test_two_slurm_jobs_on_one_host(machine: Machine) -> None:
    each = lambda i: {"SLURM_JOB_ID": str(70 + i), "SLURM_LOCALID": "0"}  # noqa: E731
    finish(machine, ranks(machine, 2, {}, each), recordings=2)
    assert len(recorded(machine)) == 2


def test_the_lock_goes_with_its_holder(machine: Machine) -> None:
    """After kill -9 the next recorder of the same job takes over at once; nothing stale stands in its way."""
    slurm = {"SLURM_JOB_ID": "9"}
    with machine.start("-o", "rank0.jsonl", *FAST, env=slurm) as first:
        wait_for(lambda: lines_in(machine.folder / "rank0.jsonl") > 3)
        _, _, err = machine.run("-o", "rank1.jsonl", *FAST, "--", "true", env=slurm)
        assert f"process {first.pid} already records this job on this host, into {machine.folder}/rank0.jsonl" in err
        first.send_signal(signal.SIGKILL)
        first.wait(10)
    machine.run("-o", "rank2.jsonl", *FAST, "--", "true", env=slurm)
    assert [p.name for p in sorted(machine.folder.glob("rank*.jsonl"))] == ["rank0.jsonl", "rank2.jsonl"]


def test_a_recorder_inside_a_recorded_job_steps_aside_silently(machine: Machine) -> None:
    inner = f"{sys.executable} -m ecoaudit record -o rank1.jsonl --interval 0.02 -- sleep 0.3"
    _, _, err = machine.run("-o", "rank0.jsonl", *FAST, "--", "sh", "-c", inner)
    assert len(recorded(machine)) == 1
    assert len(err.splitlines()) == 1


def test_without_a_place_for_locks_the_first_rank_records(machine: Machine) -> None:
    (machine.folder / "nowhere").write_text("")
    common = {"ECOAUDIT_RUNTIME_DIR": str(machine.folder / "nowhere" / "x"), "SLURM_JOB_ID": "5"}
    finish(machine, ranks(machine, 3, common, lambda i: {"SLURM_LOCALID": str(i)}))
    assert [p.name for p in machine.folder.glob("rank*.jsonl")] == ["rank0.jsonl"]


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"SLURM_JOB_ID": "12", "LOCAL_RANK": "3", "TORCHELASTIC_RUN_ID": "x"}, "slurm-12"),
        ({"TORCHELASTIC_RUN_ID": "a/b c", "LOCAL_RANK": "3"}, "torchelastic-a_b_c"),
        ({"ECOAUDIT_JOB": "outer", "SLURM_JOB_ID": "12"}, "outer"),
    ],
)
def test_keys(environ: dict[str, str], key: str) -> None:
    assert job_key(environ, os.getpid()) == key


def test_a_process_without_a_launcher_is_its_own_job() -> None:
    assert job_key({}, os.getpid()) != job_key({}, os.getppid())
    assert job_key({}, os.getpid()).startswith(f"process-{os.getpid()}-")


def test_local_ranks() -> None:
    assert local_rank({}) == 0
    assert local_rank({"LOCAL_RANK": "2", "SLURM_LOCALID": "0"}) == 2
    assert local_rank({"OMPI_COMM_WORLD_LOCAL_RANK": "5"}) == 5


def test_a_lock_is_exclusive_and_tells_about_its_holder(tmp_path: Path) -> None:
    lock = acquire(tmp_path, "job")
    assert lock is not None
    assert acquire(tmp_path, "job") is None
    assert holder(tmp_path, "job") == {}
    lock.publish({"pid": 7, "gpus": ["GPU-1"]})
    assert holder(tmp_path, "job") == {"pid": 7, "gpus": ["GPU-1"]}
    lock.release()
    assert list(tmp_path.iterdir()) == []
    assert acquire(tmp_path, "job") is not None


def test_somebody_elses_folder_in_tmp_is_not_trusted(tmp_path: Path) -> None:
    environ = {"TMPDIR": str(tmp_path)}
    folder = tmp_path / f"ecoaudit-{os.getuid()}"
    assert runtime_dir(environ) == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert runtime_dir(environ) is None
    folder.rmdir()
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    assert runtime_dir(environ) is None
