"""From options to a recording: which GPUs and meters there are, where the lines go, what is said at the end."""

import contextlib
import gc
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .clock import Clock, SystemClock
from .lines import Json
from .lock import Lock, acquire, holder
from .nodepower import find_meter
from .nvml import Nvml, NvmlUnavailable
from .post import Options, Post
from .rapl import Rapl
from .recorder import Identity, Meters, Recorder
from .sink import Sink, daily_segments, one_file
from .stops import Stop
from .tally import summary_line

CLAIM_WAIT_S = 10.0


def record(
    options: Options, post: Post, stops: Sequence[Stop], environ: Mapping[str, str], clock: Clock | None = None
) -> dict[str, Json] | None:
    """Record until a stop and return the footer; None when another recorder has this job's GPUs.

    `environ` is the job's: CUDA_VISIBLE_DEVICES and the scheduler's variables are taken from it.
    """
    clock = clock or SystemClock()
    meters = _open_gpus(options, environ)
    uuids = [gpu.chosen.device.uuid for gpu in meters.nvml.gpus] if meters.nvml else []
    claim = _claim(post, uuids, stops, clock)
    if claim is None:
        _explain_step_aside(post)
        return None
    mine, gpu_locks = claim
    if meters.nvml is not None:
        meters.nvml.keep(mine)
    if "gpus" in meters.absent and post.rank == 0:
        _say(f"no GPU is recorded: {meters.absent['gpus']}")
    if post.lock is not None or post.folder is None:
        meters.inbox = post.inbox
        _add_host_meters(meters, options)

    host, run_id = os.uname().nodename, options.run_id or _run_id(environ, clock)
    sink = _open_sink(options, host, run_id, clock)
    if post.lock is not None:
        with contextlib.suppress(OSError):  # a full /tmp: the others find the GPUs locked
            post.lock.publish({"pid": os.getpid(), "gpus": uuids, "path": str(sink.path or options.output)})
    version = sys.modules[__name__.partition(".")[0]].__dict__["__version__"]
    identity = Identity(host, run_id, version, options.interval_s)
    upkeep = post.lock.touch if post.lock is not None else _nothing
    gc.collect()
    gc.freeze()  # what is loaded by now stays: no collection need look at it again
    started = clock.boot()
    footer = Recorder(identity, meters, sink, stops, clock, upkeep).run()
    _close(meters, gpu_locks)
    measured = meters.rapl is not None or meters.node is not None or bool(meters.nvml and meters.nvml.gpus)
    if measured and not options.quiet:
        problem = f"; {sink.problem}" if sink.problem else ""
        line = summary_line(footer, clock.boot() - started, str(sink.path or options.output))
        print(line + problem, file=sys.stderr, flush=True)
    return footer


def _open_gpus(options: Options, environ: Mapping[str, str]) -> Meters:
    nvml = Nvml()
    try:
        reason = nvml.open(options.gpus, environ).reason
    except NvmlUnavailable as unavailable:
        return Meters(None, absent={"gpus": str(unavailable)})
    return Meters(nvml, absent={} if reason is None else {"gpus": reason})


def _open_sink(options: Options, host: str, run_id: str, clock: Clock) -> Sink:
    path = Path(options.output).absolute()
    folder = options.output.endswith("/") or path.is_dir()
    target = daily_segments(path, host, run_id) if folder else one_file(path)
    sink = Sink(target, own_name=f"{host}-{os.getpid()}", compress=options.compress)
    sink.prepare(clock.wall(), clock.boot())
    if sink.problem is not None:
        _say(f"{sink.problem}; the job goes on, writing is tried again every few seconds")
    elif sink.path not in (None, target(clock.wall())):
        _say(f"another recorder writes to {options.output}; this one writes to {sink.path}")
    return sink


def _close(meters: Meters, gpu_locks: Sequence[Lock]) -> None:
    for lock in gpu_locks:
        lock.release()
    if meters.rapl is not None:
        meters.rapl.close()
    if meters.node is not None:
        meters.node.close()
    if meters.nvml is not None:
        meters.nvml.close()


def _explain_step_aside(post: Post) -> None:
    """Say who records instead; not where stepping aside is meant (a launcher's other ranks, nested recordings)."""
    if post.folder is not None and not post.nested and post.rank == 0:
        facts = holder(post.folder, post.key)
        _say(f"process {facts.get('pid', '?')} already records this job on this host, into {facts.get('path', '?')}")


def _nothing() -> None:
    pass


def _add_host_meters(meters: Meters, options: Options) -> None:
    """Add what belongs to the host and must be recorded by one recorder only."""
    rapl = Rapl()
    if rapl.zones():
        meters.rapl = rapl
    if rapl.reason is not None:
        meters.absent["rapl"] = rapl.reason
    meters.node, reason = find_meter(options.node_power, options.node_power_command)
    if reason is not None:
        meters.absent["node_power"] = reason


def _claim(post: Post, uuids: Sequence[str], stops: Sequence[Stop], clock: Clock) -> tuple[set[str], list[Lock]] | None:
    """Return the GPUs to record and the locks that say so; None to step aside.

    The host's recorder takes what it sees. Another recorder of the same job waits to learn what that is, and takes
    only GPUs that the first one does not see (ranks that a scheduler has confined to a GPU each).
    """
    if post.folder is None:
        # Without a place for locks the first rank of a host is its recorder.
        return None if post.rank else (set(uuids), [])
    if post.lock is None:
        deadline = clock.boot() + CLAIM_WAIT_S
        while not (facts := holder(post.folder, post.key)) and clock.boot() < deadline:
            if any(stop.reason() for stop in stops):
                return None
            clock.wait(0.05, ())
        taken = facts.get("gpus")
        uuids = [uuid for uuid in uuids if not isinstance(taken, list) or uuid not in taken]
    mine, locks = set(), []
    for uuid in uuids:
        try:
            lock = acquire(post.folder, f"{post.key}.{uuid}")
        except OSError:
            mine.add(uuid)  # no lock can be had (a full /tmp): better recorded twice than not at all
            continue
        if lock is not None:
            mine.add(uuid)
            locks.append(lock)
    return (mine, locks) if mine or post.lock is not None else None


def _run_id(environ: Mapping[str, str], clock: Clock) -> str:
    """Return the scheduler's job number or the launcher's run id; else the start time and process, unique on a host."""
    if environ.get("SLURM_JOB_ID"):
        return f"slurm-{environ['SLURM_JOB_ID']}"
    if environ.get("TORCHELASTIC_RUN_ID", "none") != "none":
        return environ["TORCHELASTIC_RUN_ID"].replace("/", "_")
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(clock.wall())) + f"-{os.getpid()}"


def _say(sentence: str) -> None:
    print(f"ecoaudit: {sentence}", file=sys.stderr, flush=True)
