"""The Python interface: record beside this process, and mark its phases and steps.

    with ecoaudit.record("run.jsonl"):
        for n, batch in enumerate(batches):
            train(batch)
            ecoaudit.step(n, tokens=batch.tokens)
        with ecoaudit.phase("eval"):
            evaluate()

The recorder is a process of its own: it needs no time of this one, survives its crash and ends with it. Markers cost a
write to a pipe of a few microseconds; without a recorder they do nothing. Nothing here raises for want of a GPU, a
recorder or disk space.
"""

import atexit
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from .lock import JOB_VARIABLE, job_key, local_rank, runtime_dir
from .markers import PIPE_VARIABLE, MarkerOutbox, Scalar

STEP_EVERY_S = 0.1
RETRY_S = 5.0
EXPECTED_RETRY_S = 0.05
MOST_EARLY = 256
START_S = 1.0
FINISH_S = 5.0


class Recording:
    """A recorder beside this process. Use it as a context manager, or call `start` and `stop`."""

    def __init__(self, arguments: list[str], output: str) -> None:
        self.output = output
        self.footer: dict[str, Any] | None = None
        self._arguments = arguments
        self._owner = 0
        self._process: Any = None
        self._channel: Any = None
        self._environment: dict[str, str | None] = {}

    @property
    def energy_j(self) -> float | None:
        """Return the joules of all recorded GPUs once the recording has ended; None where unknown."""
        known = [j for j in (self.footer or {}).get("energy_j", ()) if j is not None]
        return sum(known) if known else None

    def start(self) -> "Recording":
        """Start the recorder; says so in one line on stderr when it cannot."""
        import socket
        import subprocess

        if self._process is not None:
            return self
        self._owner = os.getpid()
        self._share_job()
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parents[2])
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
        if self._environment.get(JOB_VARIABLE) is None:
            environ.pop(JOB_VARIABLE, None)  # the recorder finds the same key by itself, and is not a nested one
        own = ["--pid", str(self._owner), "--channel", str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ecoaudit", "record", *self._arguments, *own],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=environ,
            )
            self._channel = ours
            atexit.register(self.stop)
            _MARKS.reset(expected=True)
        except OSError as error:
            ours.close()
            print(f"ecoaudit: no recorder, training goes on: {error}", file=sys.stderr)
        theirs.close()
        return self

    def _share_job(self) -> None:
        """Let this process's children (spawned ranks, data loaders) find the recorder by the environment."""
        key = job_key(os.environ, self._owner)
        folder = runtime_dir(os.environ)
        names = {JOB_VARIABLE: key} | ({PIPE_VARIABLE: str(folder / f"{key}.markers")} if folder else {})
        for name, value in names.items():
            self._environment[name] = os.environ.get(name)
            os.environ[name] = value

    def stop(self) -> None:
        """End the recording and wait for its last sample, five seconds at most; a forked child's call does nothing."""
        import subprocess

        if self._process is None or os.getpid() != self._owner:
            return
        _MARKS.flush(START_S)
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        self._read_footer()
        try:
            process.wait(FINISH_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            print("ecoaudit: the recorder did not finish in time and was ended", file=sys.stderr)
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _MARKS.reset()

    def _read_footer(self) -> None:
        import socket

        answer = b""
        with contextlib.suppress(OSError), self._channel:
            # Closing by shutdown reaches the recorder even where forked children hold copies of the socket.
            self._channel.shutdown(socket.SHUT_WR)
            self._channel.settimeout(FINISH_S)
            while piece := self._channel.recv(65536):
                answer += piece
        with contextlib.suppress(ValueError):
            self.footer = json.loads(answer) if answer else None

    def __enter__(self) -> "Recording":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def record(
    output: str | os.PathLike[str] = "telemetry.jsonl",
    *,
    interval: float = 1.0,
    gpus: str | None = None,
    run_id: str | None = None,
    node_power_command: str | None = None,
    quiet: bool = False,
) -> Recording:
    """Return a recording beside this process, to be used in a `with` statement.

    `output` is a file to append to, or a folder (with a slash at the end) for one file a day; `interval` is seconds
    between samples; `gpus` selects as `--gpus` does, by default CUDA_VISIBLE_DEVICES. Under a launcher every rank may
    call it: one recorder a host is at work, the others step aside. Raises ValueError for an interval outside
    0.01 to 3600 seconds.
    """
    if not 0.01 <= interval <= 3600:
        raise ValueError(f"interval must be 0.01 to 3600 seconds, not {interval!r}")
    path = os.fspath(output)
    arguments = ["-o", path, "--interval", str(interval)]
    for name, value in (("--gpus", gpus), ("--run-id", run_id), ("--node-power-command", node_power_command)):
        if value is not None:
            arguments.append(f"{name}={value}")
    if quiet:
        arguments.append("--quiet")
    return Recording(arguments, path)


class _Marks:
    """This process's markers: only the first rank of a host sends them, steps at most ten a second."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, *, expected: bool = False) -> None:
        """Forget the recorder; `expected`: one is being started, so markers wait until it is there."""
        self._outbox: MarkerOutbox | None = None
        self._expected = expected
        self._early: list[dict[str, Scalar]] = []
        self._look_at_s = float("-inf")
        self._step_at_s = float("-inf")
        self._pending: dict[str, Scalar] | None = None
        self._tokens: int | float = 0
        self.phase: str | None = None

    def _find(self, now_s: float) -> MarkerOutbox | None:
        if self._outbox is None and now_s >= self._look_at_s:
            self._look_at_s = now_s + (EXPECTED_RETRY_S if self._expected else RETRY_S)
            if local_rank(os.environ) == 0:
                path = os.environ.get(PIPE_VARIABLE)
                if path is None and (folder := runtime_dir(os.environ)) is not None:
                    path = str(folder / f"{job_key(os.environ, os.getpid())}.markers")
                if path is not None and os.path.exists(path):  # noqa: PTH110
                    self._outbox = MarkerOutbox(path)
        return self._outbox

    def _send(self, marker: dict[str, Scalar], now_s: float) -> None:
        outbox = self._find(now_s)
        if outbox is not None:
            for early in self._early:
                outbox.send(early)
            self._early.clear()
            outbox.send(marker)
        elif self._expected and len(self._early) < MOST_EARLY:
            self._early.append(marker)

    def mark_phase(self, name: str) -> None:
        """Send a phase, after a step that still waits."""
        self._send_pending()
        self.phase = name
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._send({"t": round(time.time(), 3), "boot": round(now, 3), "name": "phase", "value": name}, now)

    def mark_step(self, n: int, tokens: float | None, attributes: dict[str, Scalar]) -> None:
        """Send a step, or keep it until a tenth of a second has passed since the last one."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._tokens += tokens or 0
        if not self._expected and self._find(now) is None:
            return
        marker: dict[str, Scalar] = {"t": round(time.time(), 3), "boot": round(now, 3), "name": "step", "value": n}
        if self._tokens:
            marker["tokens"] = self._tokens
        marker |= attributes
        if now - self._step_at_s < STEP_EVERY_S:
            self._pending = marker
        else:
            self._step_at_s, self._pending = now, None
            self._send(marker, now)

    def _send_pending(self) -> None:
        if self._pending is not None:
            marker, self._pending = self._pending, None
            self._send(marker, float(marker["boot"] or 0))

    def flush(self, wait_s: float = 0.0) -> None:
        """Send what waits: the last step, and markers that were set before the recorder was there.

        `wait_s`: how long to wait for a recorder that is being started, where there is something to tell it.
        """
        self._look_at_s = float("-inf")
        self._send_pending()
        deadline = time.monotonic() + wait_s
        while self._early:
            self._look_at_s = float("-inf")
            self._send(self._early.pop(), 0.0)
            if time.monotonic() >= deadline:
                return
            time.sleep(EXPECTED_RETRY_S if self._early else 0.0)


_MARKS = _Marks()
atexit.register(_MARKS.flush)


class Phase:
    """What `phase` returns: leaving its `with` block goes back to the phase before."""

    def __init__(self, before: str | None) -> None:
        self._before = before

    def __enter__(self) -> "Phase":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        phase(self._before or "train")


def phase(name: str) -> Phase:
    """Mark that a phase begins: train, eval, checkpoint, compile, idle or a name of your own.

    The phase lasts until the next one; as `with ecoaudit.phase("eval"):` until the block's end, after which the phase
    before goes on (`train` where none was marked).
    """
    before = _MARKS.phase
    _MARKS.mark_phase(name)
    return Phase(before)


def step(n: int, *, tokens: float | None = None, **attributes: str | float | None) -> None:
    """Mark that step `n` has ended; `tokens` are this step's, over all ranks.

    The recording holds the running total of tokens, so that markers left out between two others (more than ten a
    second, a full pipe) lose nothing. Further keyword arguments become attributes of the event.
    """
    _MARKS.mark_step(n, tokens, dict(attributes))
