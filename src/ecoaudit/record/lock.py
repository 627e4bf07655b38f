"""One recorder per host and job, and each GPU recorded once, by file locks that the kernel drops with their holder."""

import fcntl
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

# A process that a launcher started carries its local rank in one of these.
LOCAL_RANK_VARIABLES = (
    "LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "PMI_LOCAL_RANK",
    "PALS_LOCAL_RANKID",
    "SLURM_LOCALID",
)
JOB_VARIABLE = "ECOAUDIT_JOB"


def local_rank(environ: Mapping[str, str]) -> int:
    """Return this process's rank on its host; 0 without a launcher."""
    for name in LOCAL_RANK_VARIABLES:
        if environ.get(name, "").isdigit():
            return int(environ[name])
    return 0


def job_key(environ: Mapping[str, str], pid: int) -> str:
    """Return a name that all processes of one job on this host share, and other jobs do not.

    In this order: what an outer recorder set, SLURM_JOB_ID, torchelastic's run id, the launcher process that the
    ranks have in common, and for a process without a launcher the process itself.
    """
    if environ.get(JOB_VARIABLE):
        return _safe(environ[JOB_VARIABLE])
    if environ.get("SLURM_JOB_ID"):
        return _safe(f"slurm-{environ['SLURM_JOB_ID']}")
    run_id = environ.get("TORCHELASTIC_RUN_ID", "none")
    if run_id != "none":  # torchrun's default for runs without a rendezvous id, the same for all of them
        return _safe(f"torchelastic-{run_id}")
    if any(name in environ for name in LOCAL_RANK_VARIABLES):
        launcher = _launcher(pid)
        return f"launcher-{launcher}-{_start_time(launcher)}"
    return f"process-{pid}-{_start_time(pid)}"


def _launcher(pid: int) -> int:
    """Return the nearest ancestor that was not itself started as a rank: mpirun, orted, torchrun, or their like.

    A shell between the launcher and the rank (`mpirun bash -c …`) inherits the rank's variables, so it is passed over.
    """
    while True:
        parent = _parent(pid)
        if parent <= 1 or not _is_rank(parent):
            return max(parent, 1)
        pid = parent


def _is_rank(pid: int) -> bool:
    try:
        names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
    except OSError:
        return False
    return any(name.encode() in names for name in LOCAL_RANK_VARIABLES)


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name in brackets (proc(5)): state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _stat_fields(pid)
    return int(fields[1]) if len(fields) > 1 else 0


def _start_time(pid: int) -> str:
    """Return the process's start in clock ticks since boot; with the number it names a process for good."""
    fields = _stat_fields(pid)
    return fields[19] if len(fields) > 19 else "0"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:100]


def runtime_dir(environ: Mapping[str, str]) -> Path | None:
    """Return the folder for locks and the markers' pipe, made if needed; None where there can be none.

    $ECOAUDIT_RUNTIME_DIR (containers of one pod share a volume by it), else a private folder in $TMPDIR or /tmp.
    """
    chosen = environ.get("ECOAUDIT_RUNTIME_DIR")
    path = Path(chosen) if chosen else Path(environ.get("TMPDIR") or "/tmp") / f"ecoaudit-{os.getuid()}"  # noqa: S108
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError:
        return None
    if not chosen and (not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022):
        return None  # somebody else's folder of that name in a shared /tmp is not to be trusted
    return path if os.access(path, os.W_OK | os.X_OK) else None


class Lock(NamedTuple):
    """A held lock; the kernel releases it when the last process that has the descriptor ends."""

    path: Path
    descriptor: int

    def publish(self, facts: Mapping[str, str | int | list[str]]) -> None:
        """Write facts about the holder into the lock file, for those who step aside."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(facts).encode(), 0)

    def touch(self) -> None:
        """Renew the file's age, so that cleaners of /tmp leave it alone."""
        os.utime(self.descriptor)

    def release(self) -> None:
        """Remove the lock file and let go."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)

    def drop_copy(self) -> None:
        """Close this process's copy; a forked recorder keeps the lock."""
        os.close(self.descriptor)


def acquire(folder: Path, name: str) -> Lock | None:
    """Take the lock of that name without waiting; None when another process holds it."""
    path = folder / f"{name}.lock"
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        try:
            # The holder before us may have removed the file between our open and our lock.
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return Lock(path, descriptor)
        except FileNotFoundError:
            pass
        os.close(descriptor)


def holder(folder: Path, name: str) -> dict[str, object]:
    """Return what the holder of a lock has published; empty while it has published nothing."""
    try:
        facts = json.loads((folder / f"{name}.lock").read_text() or "{}")
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
