"""`ecoaudit record`: parse the options, then run a command, watch a process, or record until told to stop."""

import argparse
import math
import os
import signal
import sys
from collections.abc import Sequence

from .clock import SystemClock
from .command import run_command
from .compress import METHODS
from .post import Options, stand_by, take_post

USAGE = "ecoaudit record [-o FILE] [--interval S] [--gpus SEL] [-- COMMAND …]"
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(argv: Sequence[str]) -> int:
    """Run `ecoaudit record` with these arguments; return the exit code (the command's own where there is one)."""
    own, command = _split(list(argv))
    parser = _parser()
    arguments = parser.parse_args(own)
    if command is not None and not command:
        parser.error("nothing after --: give the command to run")
    if command is not None and arguments.pid is not None:
        parser.error("--pid watches a running process; it cannot be combined with a command")
    if arguments.compress and not (arguments.output.endswith("/") or os.path.isdir(arguments.output)):  # noqa: PTH112
        parser.error("--compress packs closed segments of a folder: give -o DIR/ with it")
    options = Options(
        output=arguments.output,
        interval_s=arguments.interval,
        gpus=arguments.gpus,
        run_id=arguments.run_id,
        compress=arguments.compress,
        node_power=arguments.node_power,
        node_power_command=arguments.node_power_command,
        quiet=arguments.quiet,
    )
    if command is not None:
        return run_command(command, options)
    return _watch(options, arguments.pid, arguments.channel)


def _split(argv: list[str]) -> tuple[list[str], list[str] | None]:
    """Part our options from the command after the first `--`; None when there is no command."""
    if "--" not in argv:
        return argv, None
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def _watch(options: Options, pid: int | None, channel: int | None) -> int:
    """Record until a process ends, our starter closes its channel, or a signal comes."""
    from .session import record
    from .stops import Channel, ProcessEnd, Signals, Stop

    stops: list[Stop] = []
    if pid is not None:
        try:
            stops.append(ProcessEnd(pid))
        except ProcessLookupError:
            print(f"ecoaudit: there is no process {pid} to record beside (--pid)", file=sys.stderr)
            return 2
        except PermissionError:
            print(f"ecoaudit: process {pid} cannot be watched: permission denied (--pid)", file=sys.stderr)
            return 2
    if channel is not None:
        stops.append(Channel(channel))
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)  # meant for the job, which may go on for a while: we end with it
    else:
        stops.append(Signals(STOPPING))
    environ = os.environ if channel is not None or pid is None else _environ_of(pid)
    post = stand_by(take_post(environ, pid if pid is not None else os.getpid()), stops, SystemClock())
    if pid is None:
        problem = _unwritable(options.output)
        if problem is not None:
            post.leave()
            print(f"ecoaudit: {problem}; give another place with -o", file=sys.stderr)
            return 2
    footer = record(options, post, stops, environ)
    post.leave()
    if channel is not None and footer is not None:
        import json

        os.write(channel, json.dumps(footer).encode())
    return 0


def _unwritable(output: str) -> str | None:
    """Return why nothing can be written there. A recorder that has no job beside it then ends at once."""
    folder = output if output.endswith("/") or os.path.isdir(output) else os.path.dirname(output) or "."  # noqa: PTH112, PTH120
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    except OSError as error:
        return f"cannot write {output}: {error.strerror}"
    existing = output if os.path.isfile(output) else folder  # noqa: PTH113
    return None if os.access(existing, os.W_OK) else f"cannot write {output}: permission denied or read-only"


def _environ_of(pid: int) -> dict[str, str]:
    """Return another process's environment as it was started, which names its GPUs and job; ours where we may not."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            entries = file.read().split(b"\0")
    except OSError:
        return dict(os.environ)
    pairs = (entry.decode("utf-8", "replace").partition("=") for entry in entries if entry)
    return {name: value for name, _, value in pairs} | {
        name: os.environ[name] for name in ("ECOAUDIT_RUNTIME_DIR", "TMPDIR") if name in os.environ
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ecoaudit record",
        usage=USAGE,
        description="Record GPU power, energy and load (and the host's, where readable) beside a training job.",
        epilog="Without a command and --pid it records until SIGTERM. See docs/recording.md for the file's format.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "-o",
        "--output",
        metavar="FILE",
        type=_output,
        default="telemetry.jsonl",
        help="file to append to, or DIR/ for one file a day",
    )
    add("--interval", metavar="S", type=_interval, default=1.0, help="seconds between samples (default 1)")
    add("--gpus", metavar="SEL", help="GPUs by index, UUID, UUID prefix or MIG id, with commas; all; none "
        "(default: CUDA_VISIBLE_DEVICES, else all)")  # fmt: skip
    add("--pid", metavar="PID", type=_pid, help="record until this process ends")
    add("--run-id", metavar="ID", type=_run_id, help="name of the run (default: the scheduler's job number)")
    add("--compress", choices=sorted(METHODS), help="pack each finished day of DIR/")
    add("--node-power", choices=("auto", "hwmon", "ipmi", "none"), default="auto", help="the node's own power meter")
    add("--node-power-command", metavar="CMD", help="command that prints the node's power in watts")
    add("--quiet", action="store_true", help="no line at the end")
    add("--channel", type=int, help=argparse.SUPPRESS)
    return parser


def _output(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty: give a file or DIR/")
    return text


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.01 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.01 to 3600")
    return seconds


def _pid(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a process number")
    return int(text)


def _run_id(text: str) -> str:
    if not text or "/" in text or len(text) > 120:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: 1 to 120 characters without a slash")
    return text
