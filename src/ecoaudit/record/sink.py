"""Where lines go: one whole line per write, appended; survives a full disk, rotation and a file taken away.

A line that cannot be written is dropped, never waited for. Whatever opens a file anew (a start, a rotated
log, the next day's segment) asks for a header, so that every file restates all.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from .compress import start_compressor

RETRY_S = 2.0

Target = Callable[[float], Path]
"""Gives the file that a line at a wall time belongs to."""


def one_file(path: Path) -> Target:
    """Return a target that is always the same file."""
    return lambda _wall_s: path


def daily_segments(folder: Path, host: str, run_id: str) -> Target:
    """Return a target with one file per host, run and day (UTC) in a folder."""
    return lambda wall_s: folder / f"{host}-{run_id}-{datetime.fromtimestamp(wall_s, UTC):%Y%m%d}.jsonl"


class Sink:
    """Appends lines to the target's file; `needs_header` is true while the open file lacks this recorder's header."""

    def __init__(self, target: Target, own_name: str, compress: str | None = None) -> None:
        """`own_name` marks this recorder's file where another live recorder already writes to the target's."""
        self.path: Path | None = None
        self.needs_header = True
        self.problem: str | None = None
        self._target = target
        self._own_name = own_name
        self._compress = compress
        self._wanted: Path | None = None
        self._descriptor = -1
        self._identity = (0, 0)
        self._size = 0
        self._retry_at_s = float("-inf")
        self._compressors: list[int] = []

    def prepare(self, wall_s: float, now_s: float) -> None:
        """Make the right file ready before a tick: the day's segment, a new file where the old one was moved away."""
        self._reap()
        wanted = self._target(wall_s)
        if self._descriptor >= 0:
            if wanted == self._wanted and not self._moved():
                return
            finished = self.path if wanted != self._wanted else None
            self._close_file()
            if finished is not None and self._compress is not None:
                self._compressors.append(start_compressor(self._compress, finished))
        elif now_s < self._retry_at_s and wanted == self._wanted:
            return
        self._retry_at_s = now_s + RETRY_S
        self._wanted = wanted
        self._open(wanted)

    def _open(self, wanted: Path) -> None:
        try:
            self._descriptor, self.path = self._open_unshared(wanted)
            status = os.fstat(self._descriptor)
            self._identity, self._size = (status.st_dev, status.st_ino), status.st_size
            if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
                self._size += os.write(self._descriptor, b"\n")  # a line that was cut when its writer was killed
        except OSError as error:
            self.problem = f"cannot write {wanted}: {error.strerror}"
            self._close_file()
            return
        self.needs_header = True

    def _open_unshared(self, wanted: Path) -> tuple[int, Path]:
        """Open the file, or one of our own beside it when another live recorder (on any host) writes to it."""
        wanted.parent.mkdir(parents=True, exist_ok=True)
        own = wanted.with_name(f"{wanted.stem}.{self._own_name}{wanted.suffix}")
        for path in (wanted, own):
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            except OSError:
                pass  # a file system without locks
            return descriptor, path
        raise BlockingIOError(0, "another recorder writes to it")

    def _moved(self) -> bool:
        """Return whether the path names another file by now, or the file was cut short under us."""
        assert self.path is not None
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return (status.st_dev, status.st_ino) != self._identity or status.st_size < self._size

    def write(self, line: bytes) -> bool:
        """Append one whole line; False when it was dropped. A part of a line is taken back."""
        if self._descriptor < 0:
            return False
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            written, self.problem = 0, f"cannot write {self.path}: {error.strerror}"
        if written < len(line):
            self.problem = self.problem or f"cannot write {self.path}: no space for a whole line"
            self._close_file()  # a stale handle is cured by opening anew; a full disk costs no more by it
            return False
        self._size += written
        return True

    def close(self) -> None:
        """Bring the file to the disk and close it."""
        if self._descriptor >= 0:
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                self.problem = f"cannot sync {self.path}: {error.strerror}"
        self._close_file()
        self._reap()

    def _close_file(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # a full quota or a lost server may first be told of here
                os.close(self._descriptor)
            self._descriptor = -1
        self.needs_header = True

    def _reap(self) -> None:
        self._compressors = [pid for pid in self._compressors if os.waitpid(pid, os.WNOHANG)[0] == 0]
