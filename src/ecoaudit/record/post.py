"""A recorder's place on its host: what it was asked, whether it is the one for the job, where markers arrive."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .lock import JOB_VARIABLE, Lock, acquire, job_key, local_rank, runtime_dir
from .markers import MarkerInbox


class Options(NamedTuple):
    """What the user asked for. `output` ends in a slash (or is a folder) for daily segments."""

    output: str
    interval_s: float = 1.0
    gpus: str | None = None
    run_id: str | None = None
    compress: str | None = None
    node_power: str = "auto"
    node_power_command: str | None = None
    quiet: bool = False


class Post(NamedTuple):
    """This recorder's place on the host: the lock if it is the host's recorder, and the pipe for markers."""

    key: str
    folder: Path | None
    lock: Lock | None
    inbox: MarkerInbox | None
    rank: int
    nested: bool

    @property
    def marker_path(self) -> str | None:
        """Return the pipe's path, whichever recorder of the job reads it."""
        return None if self.folder is None else str(self.folder / f"{self.key}.markers")

    def leave(self) -> None:
        """Give the post up."""
        if self.inbox is not None:
            self.inbox.close()
        if self.lock is not None:
            self.lock.release()

    def hand_over(self) -> None:
        """Close this process's copies; a forked recorder keeps the post."""
        if self.inbox is not None:
            self.inbox.close(remove=False)
        if self.lock is not None:
            self.lock.drop_copy()


def take_post(environ: Mapping[str, str], pid: int) -> Post:
    """Try to become the recorder of the job of process `pid` on this host. Takes well under a millisecond."""
    key, folder = job_key(environ, pid), runtime_dir(environ)
    lock = inbox = None
    if folder is not None:
        with contextlib.suppress(OSError):
            lock = acquire(folder, key)
        if lock is not None:
            with contextlib.suppress(OSError):
                inbox = MarkerInbox(folder / f"{key}.markers", shared="ECOAUDIT_RUNTIME_DIR" in environ)
    return Post(key, folder, lock, inbox, local_rank(environ), nested=JOB_VARIABLE in environ)
