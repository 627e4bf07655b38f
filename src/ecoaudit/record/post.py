"""A recorder's place on its host: what it was asked, whether it is the one for the job, where markers arrive."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .clock import Clock
from .lock import JOB_VARIABLE, Lock, acquire, holder, job_key, local_rank, runtime_dir
from .markers import MarkerInbox
from .stops import Stop

FIRST_RANK_S = 3.0


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
    shared: bool

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
    """Try to become the recorder of the job of process `pid` on this host. Takes well under a millisecond.

    Ranks other than the first of a host leave it to the first for a while: see `stand_by`.
    """
    shared = "ECOAUDIT_RUNTIME_DIR" in environ
    nested = JOB_VARIABLE in environ
    post = Post(job_key(environ, pid), runtime_dir(environ), None, None, local_rank(environ), nested, shared)
    return _taken(post) if post.rank == 0 else post


def stand_by(post: Post, stops: Sequence[Stop], clock: Clock) -> Post:
    """Return the post; a rank other than the first takes it once it is plain that the first rank does not.

    A recording ends with the process that it stands beside, and the first rank is the one that works on after the
    others (a last evaluation, a last checkpoint) and sets the markers.
    """
    if post.rank == 0 or post.folder is None:
        return post
    deadline = clock.boot() + FIRST_RANK_S
    while not holder(post.folder, post.key) and clock.boot() < deadline and not any(s.reason() for s in stops):
        clock.wait(0.05, ())
    return _taken(post)


def _taken(post: Post) -> Post:
    """Return the post with its lock and pipe where they can be had."""
    lock = inbox = None
    if post.folder is not None:
        with contextlib.suppress(OSError):
            lock = acquire(post.folder, post.key)
        if lock is not None:
            with contextlib.suppress(OSError):
                inbox = MarkerInbox(post.folder / f"{post.key}.markers", shared=post.shared)
    return post._replace(lock=lock, inbox=inbox)
