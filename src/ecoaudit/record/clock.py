"""The clocks of the recorder behind one small interface, so that tests can step, stop and suspend them."""

import select
import time
from collections.abc import Sequence
from typing import Protocol


class Clock(Protocol):
    """What the recorder needs to know of time."""

    def wall(self) -> float:
        """Return Unix seconds, UTC; may be stepped by an administrator or NTP."""

    def boot(self) -> float:
        """Return seconds since boot with suspended time (CLOCK_BOOTTIME); never steps."""

    def awake(self) -> float:
        """Return seconds since boot without suspended time (CLOCK_MONOTONIC); never steps."""

    def wait(self, timeout_s: float, descriptors: Sequence[int]) -> list[int]:
        """Sleep until the timeout or until a descriptor is readable; return the readable ones."""


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        """Return Unix seconds, UTC."""
        return time.time()

    def boot(self) -> float:
        """Return seconds since boot, suspended time included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def awake(self) -> float:
        """Return seconds since boot, suspended time left out."""
        return time.monotonic()

    def wait(self, timeout_s: float, descriptors: Sequence[int]) -> list[int]:
        """Sleep in select(); a signal handler that returns does not cut the sleep short (PEP 475)."""
        return select.select(descriptors, (), (), max(timeout_s, 0.0))[0]
