"""`ecoaudit record -- COMMAND`: run the command as if it had been started alone, with a recorder beside it.

Three processes. This one starts the command at once, hands on signals, and ends as the command ends; it never touches
the driver. The recorder is forked from it: a driver call that hangs, or the recorder's death, cannot reach the job.
All stay in one process group, so that a terminal's Ctrl-C and Ctrl-Z reach the command directly.
"""

import os
import resource
import select
import signal
import struct
import sys
import time
from types import FrameType

from .lock import JOB_VARIABLE
from .markers import PIPE_VARIABLE
from .post import Options, Post, stand_by, take_post

FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGCONT,
)
FINISH_S = 3.0
_NOTE = struct.Struct("=id")
_NOTE_FRESH_S = 1.0
_NOTE_WAIT_S = 0.05
_SI_KERNEL = 0x80  # siginfo's si_code of a signal that the kernel made, such as a terminal's Ctrl-C (sigaction(2))


def run_command(argv: list[str], options: Options) -> int:
    """Run the command with a recorder beside it; return its exit code, or die by the signal that ended it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    forwarded = {s for s in FORWARDED if signal.getsignal(s) is not signal.SIG_IGN}
    watched = {*forwarded, signal.SIGCHLD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    post = take_post(os.environ, os.getpid())
    environ = {**os.environ, JOB_VARIABLE: post.key}
    if post.marker_path is not None:
        environ[PIPE_VARIABLE] = post.marker_path
    try:
        # Python ignores these two; a command expects the system's default.
        pid = os.posix_spawnp(argv[0], argv, environ, setsigmask=mask, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
    except OSError as error:
        post.leave()
        print(f"ecoaudit: cannot start {argv[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126
    _let_go_of_the_pipes()
    recorder, notes = _fork_recorder(post, options, pid, forwarded, mask)
    status = _wait_for(pid, recorder, notes, watched)
    _wait_for_recorder(recorder, watched)
    return _end_like(status, mask)


def _let_go_of_the_pipes() -> None:
    """Leave standard input and output to the command, so that a reader sees its end when the command closes it."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    if null > 1:
        os.close(null)


def _fork_recorder(
    post: Post, options: Options, pid: int, forwarded: set[signal.Signals], mask: set[signal.Signals | int]
) -> tuple[int, int]:
    """Start the recorder; return its process id and a pipe on which it notes signals that reached it too."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    try:
        job = os.pidfd_open(pid)  # before the command can be waited for: its number is not reused until then
    except OSError:
        job = None
    try:
        recorder = os.fork()
    except OSError as error:
        print(f"ecoaudit: no recorder, the job runs all the same: {error.strerror}", file=sys.stderr)
        post.leave()
        return -1, read_end
    if recorder == 0:
        os.close(read_end)
        _be_recorder(post, options, pid, job, write_end, forwarded, mask)
    os.close(write_end)
    if job is not None:
        os.close(job)
    post.hand_over()
    return recorder, read_end


def _be_recorder(
    post: Post,
    options: Options,
    pid: int,
    job: int | None,
    notes: int,
    forwarded: set[signal.Signals],
    mask: set[signal.Signals | int],
) -> None:
    """Record until the command ends. Signals to the whole group or job are meant for the command: note, go on."""

    def note(number: int, _frame: FrameType | None) -> None:
        try:
            os.write(notes, _NOTE.pack(number, time.monotonic()))
        except OSError:
            return  # the parent is gone, or has not looked at ten thousand notes

    code = 70
    try:
        for number in forwarded:
            signal.signal(number, note)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        from .clock import SystemClock
        from .session import record
        from .stops import ProcessEnd

        stops = [ProcessEnd(pid, job)]
        post = stand_by(post, stops, SystemClock())
        record(options, post, stops, os.environ)
        post.leave()
        code = 0
    except Exception as error:  # noqa: BLE001 - the process's outermost frame: one line, never a word to the job
        print(f"ecoaudit: the recorder failed, the job goes on: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait_for(pid: int, recorder: int, notes: int, watched: set[signal.Signals]) -> int:
    """Hand on signals until the command has ended; return its wait status."""
    while True:
        info = signal.sigwaitinfo(watched)
        if info.si_signo == signal.SIGCHLD:
            while True:
                ended, status = os.waitpid(-1, os.WNOHANG)
                if ended == pid:
                    return status
                if ended == 0:
                    break
                if ended == recorder and status != 0:
                    print("ecoaudit: the recorder was ended, the job goes on without it", file=sys.stderr, flush=True)
        elif info.si_code != _SI_KERNEL and info.si_pid != pid and not _reached_recorder(info.si_signo, notes):
            os.kill(pid, info.si_signo)


def _reached_recorder(number: int, notes: int) -> bool:
    """Return whether the recorder got this signal too: then it was sent to the group or job, the command has it."""
    deadline = time.monotonic() + _NOTE_WAIT_S
    while True:
        try:
            data = os.read(notes, _NOTE.size * 1024)
        except BlockingIOError:
            data = b"?"
        if not data:
            return False  # the recorder is gone
        for noted, at in _NOTE.iter_unpack(data[: len(data) // _NOTE.size * _NOTE.size]):
            if noted == number and deadline - at < _NOTE_FRESH_S:
                return True
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([notes], (), (), left)[0]:
            return False


def _wait_for_recorder(recorder: int, watched: set[signal.Signals]) -> None:
    """Give the recorder a moment for its last sample and line, then end it: a hung driver must not hold the job."""
    deadline = time.monotonic() + FINISH_S
    while recorder > 0:
        try:
            if os.waitpid(recorder, os.WNOHANG)[0] == recorder:
                return
        except ChildProcessError:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            os.kill(recorder, signal.SIGKILL)
            print("ecoaudit: the recorder did not finish in time and was ended", file=sys.stderr, flush=True)
            return
        signal.sigtimedwait(watched, left)


def _end_like(status: int, mask: set[signal.Signals | int]) -> int:
    """Return the command's exit code; where a signal ended it, end by the same signal (without a core of our own)."""
    if not os.WIFSIGNALED(status):
        return os.waitstatus_to_exitcode(status)
    number = os.WTERMSIG(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    sys.stderr.flush()
    os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask - {number})
    return 128 + number
