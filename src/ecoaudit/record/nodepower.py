"""The node's own power meter, where the machine has one: ACPI/hwmon, the BMC through ipmitool, or a user's command.

Commands run in the background and are looked at once a tick: a BMC that takes seconds to answer delays nothing.
"""

import math
import os
import re
import shlex
import signal
from pathlib import Path
from typing import Protocol

HWMON = Path("/sys/class/hwmon")
IPMI_COMMAND = "ipmitool dcmi power reading"
_IPMI_LINE = re.compile(rb"Instantaneous power reading:\s*(\d+)\s*Watts")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")

POLL_S = 10.0
TIMEOUT_S = 30.0
LONGEST_BACKOFF_S = 600.0


class NodeMeter(Protocol):
    """A source of node power."""

    source: str

    def poll(self, now_s: float) -> float | None:
        """Return a new reading in watts, NaN when the meter did not answer or not with a number, else None."""

    def close(self) -> None:
        """Stop what runs in the background."""


class HwmonMeter:
    """The kernel's ACPI power meter (`power1_average`, microwatts)."""

    def __init__(self, path: Path, every_s: float) -> None:
        self.source = "hwmon.power_meter"
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._every_s = every_s
        self._next_s = float("-inf")

    def poll(self, now_s: float) -> float | None:
        """Return the meter's average power in watts when the next reading is due."""
        if now_s < self._next_s:
            return None
        self._next_s = now_s + self._every_s
        try:
            return round(int(os.pread(self._descriptor, 32, 0)) / 1e6, 1)
        except (OSError, ValueError):
            return math.nan

    def close(self) -> None:
        """Close the meter's file."""
        os.close(self._descriptor)


class CommandMeter:
    """A command that prints watts: `ipmitool dcmi power reading`, or the first number that a user's command prints."""

    def __init__(self, command: str, source: str, pattern: re.Pattern[bytes], every_s: float) -> None:
        self.source = source
        self._argv = shlex.split(command)
        self._pattern = pattern
        self._every_s = every_s
        self._next_s = float("-inf")
        self._pid: int | None = None
        self._pipe = -1
        self._deadline_s = 0.0
        self._output = b""
        self._failures = 0

    def poll(self, now_s: float) -> float | None:
        """Start the command when due, collect its answer when it has ended, end it when it hangs."""
        if self._pid is None:
            if now_s >= self._next_s:
                self._next_s = now_s + self._every_s
                return self._start(now_s)
            return None
        self._drain()
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            if now_s < self._deadline_s:
                return None
            os.kill(self._pid, signal.SIGKILL)
            _, status = os.waitpid(self._pid, 0)
        self._drain()
        os.close(self._pipe)
        self._pid = None
        match = self._pattern.search(self._output) if status == 0 else None
        if match is None:
            return self._back_off(now_s)
        self._failures = 0
        return float(match[match.lastindex or 0])

    def _start(self, now_s: float) -> float | None:
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, write_end, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
        try:
            self._pid = os.posix_spawnp(self._argv[0], self._argv, os.environ, file_actions=actions, setpgroup=0)
        except OSError:
            os.close(read_end)
            return self._back_off(now_s)
        else:
            self._pipe, self._output, self._deadline_s = read_end, b"", now_s + TIMEOUT_S
            return None
        finally:
            os.close(write_end)
            os.close(null)

    def _back_off(self, now_s: float) -> float:
        """After a failure, which is NaN, wait twice as long each time, ten minutes at most."""
        self._failures += 1
        self._next_s = now_s + min(self._every_s * 2**self._failures, LONGEST_BACKOFF_S)
        return math.nan

    def _drain(self) -> None:
        try:
            while len(self._output) < 65536 and (piece := os.read(self._pipe, 4096)):
                self._output += piece
        except BlockingIOError:
            pass

    def close(self) -> None:
        """End a command that still runs."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._pipe)
            self._pid = None


def find_meter(
    choice: str, command: str | None, every_s: float = POLL_S, hwmon: Path = HWMON
) -> tuple[NodeMeter | None, str | None]:
    """Return the node's meter, or None with the reason.

    `choice` is `auto`, `hwmon`, `ipmi` or `none`; a `command` wins over it.
    """
    if command is not None:
        return CommandMeter(command, "command", _NUMBER, every_s), None
    if choice == "none":
        return None, "switched off"
    if choice in ("auto", "hwmon"):
        for folder in sorted(hwmon.glob("hwmon*")):
            reading = folder / "power1_average"
            if _name(folder) == "power_meter" and os.access(reading, os.R_OK):
                return HwmonMeter(reading, every_s), None
        if choice == "hwmon":
            return None, f"no readable ACPI power meter below {hwmon}"
    if not any(os.access(os.path.join(folder, "ipmitool"), os.X_OK) for folder in os.get_exec_path()):  # noqa: PTH118
        return None, "no ACPI power meter and no ipmitool; --node-power-command takes any command that prints watts"
    if choice == "auto" and not any(os.access(f"/dev/{name}", os.R_OK | os.W_OK) for name in ("ipmi0", "ipmi/0")):
        return None, "/dev/ipmi0 is missing or not accessible; to allow it: chmod a+rw /dev/ipmi0 (as root)"
    return CommandMeter(IPMI_COMMAND, "ipmi.dcmi", _IPMI_LINE, every_s), None


def _name(folder: Path) -> str | None:
    try:
        return (folder / "name").read_text().strip()
    except OSError:
        return None
