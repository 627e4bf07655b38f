"""From the training process: `ecoaudit.record`, `phase` and `step`."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ecoaudit.record.api import record
from ecoaudit.record.markers import LONGEST_MESSAGE, MarkerInbox, MarkerOutbox
from record.machine import Machine, Records, lines_in, wait_for

# `recorded(n)` waits until the file has n lines: tests must not hang on how fast the machine is.
START = """import ecoaudit, os, pathlib, sys, time
def recorded(n, path=pathlib.Path("run.jsonl")):
    while not path.exists() or len(path.read_bytes().splitlines()) < n:
        time.sleep(0.01)
with ecoaudit.record("run.jsonl", interval=0.05) as recording:
"""


def train(machine: Machine, body: str, env: dict[str, str] | None = None, before: str = START) -> tuple[int, str, str]:
    """Run a training script inside `with ecoaudit.record(...)`."""
    script = before + "".join(f"    {line}\n" for line in body.splitlines())
    with machine.popen([sys.executable, "-c", script], env=env) as process:
        out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def markers(records: Records) -> list[tuple[str, object]]:
    return [(e["name"], e["value"]) for e in records.of("event")]


def test_a_recording_beside_the_training_process(machine: Machine) -> None:
    code, _, err = train(machine, "recorded(6)\n")
    assert code == 0, err
    records = machine.read()
    assert records.footer["reason"] == "stop"
    assert len(records.samples) >= 5
    assert len(err.splitlines()) == 1


def test_the_footer_comes_back(machine: Machine) -> None:
    script = START + "    recorded(9)\nprint(len(recording.footer['energy_j']), recording.energy_j > 800)\n"
    with machine.popen([sys.executable, "-c", script]) as process:
        out, _ = process.communicate(timeout=20)
    assert out == "8 True\n"


def test_phases_and_steps_with_the_times_at_which_they_were_set(machine: Machine) -> None:
    body = (
        "ecoaudit.phase('train')\n"
        "ecoaudit.step(1, tokens=4096, loss=2.5)\n"
        "time.sleep(0.15)\n"
        "ecoaudit.step(2, tokens=4096)\n"
        "with ecoaudit.phase('eval'):\n"
        "    time.sleep(0.1)\n"
        "print(time.time())\nrecorded(6)\n"
    )
    code, out, err = train(machine, body)
    assert code == 0, err
    records = machine.read()
    marked = [("phase", "train"), ("step", 1), ("step", 2), ("phase", "eval"), ("phase", "train")]
    assert markers(records) == [*marked, ("phase", "idle")]  # the last is the recorder's: nothing trains after its end
    events = records.of("event")
    assert events[1]["tokens"] == 4096
    assert events[1]["attributes"] == {"loss": 2.5}
    assert events[2]["tokens"] == 8192  # the running total
    assert events[4]["t"] == pytest.approx(float(out), abs=0.05)
    assert events[4]["m"] - events[3]["m"] == pytest.approx(0.1, abs=0.05)
    assert events[2]["m"] - events[1]["m"] == pytest.approx(0.15, abs=0.05)


def test_many_steps_a_second_are_thinned_and_lose_nothing(machine: Machine) -> None:
    body = "for n in range(1, 20001):\n    ecoaudit.step(n, tokens=10)\n"
    train(machine, body)
    steps = machine.read().events("step")
    assert 1 <= len(steps) <= 2 + 10 * (steps[-1]["m"] - steps[0]["m"]) < 2000
    assert (steps[-1]["value"], steps[-1]["tokens"]) == (20000, 200_000)


def test_markers_reach_an_outer_recorder(machine: Machine) -> None:
    script = "import ecoaudit; ecoaudit.phase('compile'); ecoaudit.step(7)"
    machine.run("-o", "run.jsonl", "--interval", "0.05", "--", sys.executable, "-c", script)
    assert markers(machine.read()) == [("phase", "compile"), ("step", 7), ("phase", "idle")]


def test_only_the_first_rank_of_a_host_marks(machine: Machine) -> None:
    script = "import ecoaudit; ecoaudit.step(3)"
    shell = f'for i in 0 1 2; do LOCAL_RANK=$i {sys.executable} -c "{script}"; done'
    machine.run("-o", "run.jsonl", "--interval", "0.05", "--", "sh", "-c", shell)
    assert markers(machine.read()) == [("step", 3)]


def test_ranks_that_all_record_make_one_recording(machine: Machine) -> None:
    script = (
        "import ecoaudit, os, time\n"
        "with ecoaudit.record(os.environ['FILE'], interval=0.05):\n"
        "    open('started.' + os.environ['LOCAL_RANK'], 'w').close()\n"
        "    while not os.path.exists('go'):\n"
        "        time.sleep(0.02)\n"
        "    ecoaudit.step(int(os.environ['LOCAL_RANK']))\n"
    )
    processes = [
        machine.popen(
            [sys.executable, "-c", script],
            env={"TORCHELASTIC_RUN_ID": "r1", "LOCAL_RANK": str(i), "FILE": f"rank{i}.jsonl"},
        )
        for i in range(3)
    ]
    wait_for(lambda: len(list(machine.folder.glob("started.*"))) == 3)
    wait_for(lambda: any(lines_in(path) > 2 for path in machine.folder.glob("rank*.jsonl")))
    wait_for(lambda: len(set(machine.processes())) == 4)  # three ranks and the one recorder that stayed
    (machine.folder / "go").touch()
    for process in processes:
        with process:
            assert process.wait(20) == 0
    (only,) = machine.folder.glob("rank*.jsonl")
    assert markers(Records(only)) == [("step", 0)]


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "raise SystemExit(3)", "1/0"])
def test_however_training_ends_the_recording_is_whole(machine: Machine, end: str) -> None:
    code, _, _ = train(machine, f"recorded(4)\n{end}\n")
    assert code in (3, -9, 1)
    records = wait_for(lambda: (r := machine.read()).of("footer") and r)
    assert records.torn == 0
    assert len(records.samples) >= 3


def test_a_forked_child_neither_stops_nor_outlives_the_recording(machine: Machine) -> None:
    """Data loaders are forked: their exit must not end the recording, nor must one that lives on keep it going."""
    body = (
        "recorded(3)\n"
        "if os.fork() == 0:\n"
        "    recording.stop()\n"
        "    os.close(1); os.close(2)\n"
        "    time.sleep(60)\n"
        "    os._exit(0)\n"
        "recorded(8)\n"
        "print(True)\n"
    )
    code, out, err = train(machine, body)
    assert (code, out) == (0, "True\n"), err
    assert machine.read().footer["reason"] == "stop"


def test_signals_to_all_processes_of_a_job_do_not_cut_the_recording_short(machine: Machine) -> None:
    """A scheduler's SIGTERM is meant for training, which may write a checkpoint for a while yet."""
    script = START + "    import signal; signal.signal(15, lambda *_: None)\n    recorded(25)\n"
    with machine.popen([sys.executable, "-c", script]) as process:
        wait_for(lambda: lines_in(machine.folder / "run.jsonl") > 2)
        recorder = next(pid for pid in machine.processes() if pid != process.pid)
        os.kill(recorder, signal.SIGTERM)
        os.kill(recorder, signal.SIGINT)
        assert process.wait(10) == 0
    assert machine.read().footer["reason"] == "stop"
    assert len(machine.read().samples) >= 24


def test_without_a_gpu_training_goes_on(bare_machine: Machine) -> None:
    code, out, err = train(bare_machine, "ecoaudit.step(1)\nprint('trained')\n")
    assert (code, out) == (0, "trained\n")
    assert err == "ecoaudit: no GPU is recorded: NVML: NVML Shared Library Not Found\n"


def test_without_a_recorder_markers_do_nothing_and_cost_nothing(machine: Machine) -> None:
    script = (
        "import ecoaudit, time\n"
        "ecoaudit.phase('train')\n"
        "started = time.process_time()\n"
        "for n in range(10000):\n    ecoaudit.step(n, tokens=1)\n"
        "print(time.process_time() - started < 1)\n"
    )
    with machine.popen([sys.executable, "-c", script]) as process:
        out, err = process.communicate(timeout=20)
    assert (out, err) == ("True\n", "")


@pytest.mark.parametrize("interval", [0, -1, 1e9, float("nan")])
def test_an_impossible_interval_is_refused_at_once(interval: float) -> None:
    with pytest.raises(ValueError, match="interval must be"):
        record("run.jsonl", interval=interval)


def test_a_full_pipe_drops_markers_and_never_blocks(tmp_path: Path) -> None:
    inbox = MarkerInbox(tmp_path / "pipe")
    outbox = MarkerOutbox(str(tmp_path / "pipe"))
    started = time.monotonic()
    sent = sum(outbox.send({"t": 1.0, "boot": 1.0, "name": "step", "value": i}) for i in range(5000))
    assert time.monotonic() - started < 2
    assert 500 < sent < 5000
    assert [m["value"] for m in inbox.drain()] == list(range(sent))
    assert outbox.send({"t": 1.0, "boot": 1.0, "name": "x" * LONGEST_MESSAGE, "value": 1}) is False
    inbox.close()
    assert outbox.send({"t": 1.0, "boot": 1.0, "name": "step", "value": 1}) is False


def test_what_is_not_a_marker_is_left_out(tmp_path: Path) -> None:
    inbox = MarkerInbox(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK)
    good = b'{"t":1,"boot":2,"name":"phase","value":"eval"}\n'
    for junk in (b"rubbish\n", b"[1]\n", b'{"name":1}\n', b'{"name":"a","t":"x","boot":1}\n', b"\xff\xfe\n", b"NaN\n"):
        os.write(writer, junk)
    os.write(writer, b'{"name":"a","t":1,"boot":1,"value":{"deep":1}}\n' + good[:10])
    assert inbox.drain() == []
    os.write(writer, good[10:])
    assert inbox.drain() == [{"t": 1, "boot": 2, "name": "phase", "value": "eval"}]
    os.close(writer)
    inbox.close()
