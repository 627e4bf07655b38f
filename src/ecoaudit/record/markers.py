"""Phase and step markers from the training process to the recorder, through a named pipe.

Writes up to PIPE_BUF bytes are atomic, a full pipe or a dead reader is an error at once: the training process is never
blocked, and many ranks may write to one recorder.
"""

import json
import os
from pathlib import Path

PIPE_VARIABLE = "ECOAUDIT_MARKERS"
LONGEST_MESSAGE = 4096
_BUFFERED = 1 << 16

Scalar = str | float | int | bool | None


class MarkerInbox:
    """The recorder's end: drained once a tick."""

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        """Make the pipe and open it; `shared` lets other users of a common folder write to it."""
        self.path = path
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        if shared:
            path.chmod(0o622)
        # Open for writing too: the pipe then never signals end-of-file between two writers.
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._rest = b""

    def drain(self) -> list[dict[str, Scalar]]:
        """Return the markers that have arrived; what is not a marker is left out."""
        data = self._rest
        try:
            while piece := os.read(self.descriptor, _BUFFERED):
                data += piece
        except BlockingIOError:
            pass
        *lines, self._rest = data.split(b"\n")
        if len(self._rest) > LONGEST_MESSAGE:
            self._rest = b""
        return [marker for line in lines if (marker := _parse(line)) is not None]

    def close(self, *, remove: bool = True) -> None:
        """Close the pipe, and take it away unless another process goes on using it."""
        os.close(self.descriptor)
        if remove:
            self.path.unlink(missing_ok=True)


def _parse(line: bytes) -> dict[str, Scalar] | None:
    try:
        marker = json.loads(line)
    except ValueError:
        return None
    if not isinstance(marker, dict) or not isinstance(marker.get("name"), str):
        return None
    if not all(isinstance(marker.get(key), int | float) for key in ("t", "boot")):
        return None
    if not all(isinstance(value, str | int | float | None) for value in marker.values()):
        return None
    return marker


class MarkerOutbox:
    """A training process's end. Sending never blocks and never raises; it returns whether the marker went out."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def send(self, marker: dict[str, Scalar]) -> bool:
        """Send one marker; False when there is no recorder, its pipe is full or the marker is too long."""
        line = json.dumps(marker, separators=(",", ":")).encode() + b"\n"
        if len(line) > LONGEST_MESSAGE:
            return False
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(self._descriptor, line)
        except BlockingIOError:
            return False
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Close the pipe; the next marker opens it anew."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
