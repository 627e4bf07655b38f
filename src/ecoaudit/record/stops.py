"""What ends a recording: the job's end, a word from the process that started us, a signal."""

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType
from typing import Protocol


class Stop(Protocol):
    """A reason to stop; `descriptor` wakes the recorder, None means it is asked every tick."""

    descriptor: int | None

    def reason(self) -> str | None:
        """Return why to stop, None to go on."""


class ProcessEnd:
    """The end of a process, by pidfd, so that a reused number deceives nobody; on old kernels asked every tick."""

    def __init__(self, pid: int, descriptor: int | None = None) -> None:
        """Raise ProcessLookupError when there is no such process."""
        self._pid = pid
        self.descriptor = descriptor
        if descriptor is None:
            try:
                self.descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                raise
            except OSError:
                os.kill(pid, 0)

    def reason(self) -> str | None:
        """Return `exit` when the process has ended."""
        if self.descriptor is not None:
            return "exit" if select.select([self.descriptor], (), (), 0)[0] else None
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return "exit"
        except PermissionError:
            pass
        return None


class Channel:
    """A socket to the process that started us: its closing is the word to stop."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int | None = descriptor

    def reason(self) -> str | None:
        """Return `stop` when the other end has closed."""
        assert self.descriptor is not None
        return "stop" if select.select([self.descriptor], (), (), 0)[0] else None


class Signals:
    """SIGTERM and its like end a recorder that runs as a daemon."""

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._received: signal.Signals | None = None
        read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self.descriptor: int | None = read_end
        for number in signals:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._received = self._received or signal.Signals(number)
        os.write(self._write_end, b"\0")

    def reason(self) -> str | None:
        """Return the first signal's name."""
        return None if self._received is None else self._received.name
