"""A recorder on a simulated clock: a minute of ticks takes milliseconds, and clocks can be stepped and suspended."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ecoaudit.record.nvml import Nvml
from ecoaudit.record.recorder import Identity, Meters, Recorder
from ecoaudit.record.sink import Sink, Target, one_file

START = 1_764_000_000.0  # 2025-11-24T16:00:00Z


class SimulatedClock:
    """Time goes on only in `wait`; each pause takes `late_s` longer than asked, as on a busy machine."""

    def __init__(self, on_time: Callable[[float], None], late_s: float = 0.0) -> None:
        self.now = 0.0
        self.wall_offset = START
        self.asleep = 0.0
        self.plan: list[tuple[float, Callable[[], None]]] = []
        self._on_time = on_time
        self._late_s = late_s

    def wall(self) -> float:
        return self.now + self.wall_offset

    def boot(self) -> float:
        return self.now

    def awake(self) -> float:
        return self.now - self.asleep

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something when this time has come."""
        self.plan.append((seconds, action))
        self.plan.sort(key=lambda entry: entry[0])

    def step_wall(self, seconds: float) -> None:
        self.wall_offset += seconds

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: boot time goes on, awake time stands still."""
        self.now += seconds
        self.asleep += seconds

    def wait(self, timeout_s: float, descriptors: Sequence[int]) -> list[int]:
        until = self.now + timeout_s + self._late_s
        while self.plan and self.plan[0][0] <= until:
            at, action = self.plan.pop(0)
            self.now = max(self.now, at)
            action()
        self.now = max(self.now, until)
        self._on_time(self.now)
        return []


class StopAt:
    """Stops the recording at a simulated time."""

    descriptor: int | None = None

    def __init__(self, clock: SimulatedClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def reason(self) -> str | None:
        return "exit" if self._clock.now >= self._seconds else None


def simulate(
    stub: Any,
    output: Path | Target,
    seconds: float,
    interval_s: float = 1.0,
    *,
    late_s: float = 0.0,
    gpus: str | None = None,
    prepare: Callable[[SimulatedClock], None] = lambda _clock: None,
    meters: Meters | None = None,
    compress: str | None = None,
) -> list[dict[str, Any]]:
    """Record for some simulated seconds; return the lines of the file (of all files in a folder)."""
    clock = SimulatedClock(stub.set_time, late_s)
    prepare(clock)
    nvml = Nvml()
    nvml.open(gpus, {})
    meters = meters or Meters(nvml)
    meters.nvml = nvml
    target = one_file(output) if isinstance(output, Path) else output
    sink = Sink(target, own_name="other", compress=compress)
    recorder = Recorder(Identity("n01", "run", "0", interval_s), meters, sink, [StopAt(clock, seconds)], clock)
    recorder.run()
    nvml.close()
    path = sink.path
    assert path is not None
    return [json.loads(line) for line in path.read_text().splitlines()]
