"""`ecoaudit record -- COMMAND`: the command cannot tell that it is being recorded, and nor can those who started it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from record.machine import Machine, Process, lines_in, wait_for

FAST = ("-o", "run.jsonl", "--interval", "0.02")

# A job that writes down each signal that it gets, and ends after the given number of them.
LISTENER = """
import os, signal, sys, time
got = []
def note(number, frame):
    got.append(signal.Signals(number).name)
    with open("signals", "w") as file:
        print(*got, file=file)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
    signal.signal(number, note)
with open("ready", "w") as file:
    print(os.getpid(), file=file)
deadline = time.monotonic() + 20
while "SIGUSR2" not in got and time.monotonic() < deadline:
    time.sleep(0.01)
time.sleep(0.2)
sys.exit(11)
"""


def parts(machine: Machine) -> tuple[int, int]:
    """Return the process ids of the job and of the recorder beside it."""
    wait_for(lambda: lines_in(machine.folder / "run.jsonl") > 3)
    ready = machine.folder / "ready"
    wait_for(lambda: ready.exists() and ready.read_text().endswith("\n"))
    job = int(ready.read_text().split()[0])
    return job, job_recorder(machine, job)


def job_recorder(machine: Machine, job: int) -> int:
    """Return the recorder: it holds the lock file that names it."""
    (lock,) = [p for p in (machine.folder / "runtime").glob("*.lock") if "GPU-" not in p.name]
    wait_for(lambda: "pid" in lock.read_text())
    recorder = int(json.loads(lock.read_text())["pid"])
    assert recorder != job
    return recorder


def listener(machine: Machine, **popen: object) -> Process:
    return machine.start(*FAST, "--", sys.executable, "-c", LISTENER, **popen)


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_the_exit_code_is_the_commands(machine: Machine, code: int) -> None:
    assert machine.run(*FAST, "--", "sh", "-c", f"exit {code}")[0] == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT])
def test_a_command_that_a_signal_ended_looks_so_from_outside(machine: Machine, number: signal.Signals) -> None:
    """SIGKILL is what the kernel sends when memory runs out: the job's end is recorded like any other."""
    code, _, _ = machine.run(*FAST, "--", "sh", "-c", f"sleep 0.1; kill -{number.value} $$")
    assert code == -number
    assert machine.read().footer["reason"] == "exit"


def test_a_command_that_is_not_there(machine: Machine) -> None:
    code, _, err = machine.run(*FAST, "--", "no-such-command")
    assert (code, err) == (127, "ecoaudit: cannot start no-such-command: No such file or directory\n")
    (machine.folder / "data").write_text("")
    assert machine.run(*FAST, "--", "./data")[0] == 126


def test_input_and_output_pass_through_byte_for_byte(machine: Machine) -> None:
    data = os.urandom(200_000)
    command = [sys.executable, "-m", "ecoaudit", "record", *FAST, "--", "cat"]
    done = subprocess.run(
        command, input=data, capture_output=True, cwd=machine.folder, env=machine.environ(), check=True
    )
    assert done.stdout == data


def test_a_reader_sees_the_end_when_the_command_closes_its_output(machine: Machine) -> None:
    with machine.start(*FAST, "--", "sh", "-c", "echo done; exec >&-; sleep 0.7") as process:
        assert process.stdout is not None
        assert process.stdout.read() == "done\n"
        assert process.poll() is None


def test_broken_pipes_end_the_command_as_usual(machine: Machine) -> None:
    """Python ignores SIGPIPE; the command must not inherit that."""
    with machine.start(*FAST, "--", "sh", "-c", "yes; exit $?") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 128 + signal.SIGPIPE


def test_the_command_starts_with_the_signals_ignored_that_its_starter_ignored(machine: Machine) -> None:
    """As under nohup."""
    script = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, signal.pthread_sigmask(0, []))"
    command = f"trap '' HUP; exec {sys.executable} -m ecoaudit record -o run.jsonl -- {sys.executable} -c '{script}'"
    with machine.popen(["sh", "-c", command]) as process:
        out, _ = process.communicate(timeout=10)
    assert out == "True set()\n"


def test_no_descriptor_of_ours_reaches_the_command(machine: Machine) -> None:
    _, out, _ = machine.run(*FAST, "--", "sh", "-c", "ls /proc/self/fd | wc -l")
    plain = subprocess.run(["sh", "-c", "ls /proc/self/fd | wc -l"], capture_output=True, text=True, check=True).stdout
    assert out == plain


def test_the_command_stays_in_the_process_group(machine: Machine) -> None:
    with listener(machine, process_group=0) as process:
        job, _ = parts(machine)
        assert os.getpgid(job) == process.pid
        os.kill(process.pid, signal.SIGUSR2)
        assert process.wait(10) == 11


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_to_us_reaches_the_command_once(machine: Machine, number: signal.Signals) -> None:
    with listener(machine, process_group=0) as process:
        parts(machine)
        os.kill(process.pid, number)
        wait_for((machine.folder / "signals").exists)
        time.sleep(0.15)
        os.kill(process.pid, signal.SIGUSR2)
        assert process.wait(10) == 11
    assert (machine.folder / "signals").read_text().split() == [number.name, "SIGUSR2"]
    assert machine.read().footer["reason"] == "exit"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_reaches_the_command_once(machine: Machine, number: signal.Signals) -> None:
    """As schedulers end a job: every process gets it; handing it on would make the command see it twice."""
    with listener(machine, process_group=0) as process:
        parts(machine)
        os.killpg(process.pid, number)
        wait_for((machine.folder / "signals").exists)
        time.sleep(0.15)
        os.kill(process.pid, signal.SIGUSR2)
        assert process.wait(10) == 11
    assert (machine.folder / "signals").read_text().split() == [number.name, "SIGUSR2"]


def test_ctrl_c_at_a_terminal_reaches_the_command_once(machine: Machine) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(machine.folder)
        command = [sys.executable, "-m", "ecoaudit", "record", *FAST, "--", sys.executable, "-c", LISTENER]
        os.execve(sys.executable, command, machine.environ())
    try:
        parts(machine)
        os.write(terminal, b"\x03")
        wait_for((machine.folder / "signals").exists)
        time.sleep(0.15)
        os.kill(pid, signal.SIGUSR2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 11
    finally:
        os.close(terminal)
    assert (machine.folder / "signals").read_text().split() == ["SIGINT", "SIGUSR2"]
    assert machine.read().footer["reason"] == "exit"


def test_the_recorders_death_does_not_touch_the_job(machine: Machine) -> None:
    with listener(machine) as process:
        _, recorder = parts(machine)
        os.kill(recorder, signal.SIGKILL)
        time.sleep(0.1)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGUSR2)
        assert process.wait(10) == 11
        assert process.stderr is not None
        assert process.stderr.read() == "ecoaudit: the recorder was ended, the job goes on without it\n"
    assert machine.read().torn == 0
    assert len(machine.read().samples) >= 3


def test_the_death_of_the_process_between_touches_neither_job_nor_recording(machine: Machine) -> None:
    with listener(machine) as process:
        job, _ = parts(machine)
        process.kill()
        process.wait(10)
        before = lines_in(machine.folder / "run.jsonl")
        wait_for(lambda: lines_in(machine.folder / "run.jsonl") > before + 3)
        os.kill(job, signal.SIGUSR2)
        wait_for(lambda: machine.read().of("footer"))
    assert machine.read().footer["reason"] == "exit"


def test_a_driver_that_hangs_holds_neither_signals_nor_the_end(machine: Machine) -> None:
    """A call into the driver that takes forever: the job runs, gets its signals and ends; the recorder is ended."""
    machine.configure("gpus 1\ntrace * 0 500000 90\nhang nvmlDeviceGetUtilizationRates 0.2\n")
    started = time.monotonic()
    with machine.start(*FAST, "--", "sh", "-c", "sleep 0.5; exit 9") as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 9
    assert time.monotonic() - started < 8
    assert err == "ecoaudit: the recorder did not finish in time and was ended\n"
    assert len(machine.read().samples) > 2


def test_what_the_command_leaves_running_is_left_alone(machine: Machine) -> None:
    """The recorder ends with the command, not with a daemon that it has started."""
    script = f"(sleep 5 & echo $! > {machine.folder}/daemon) >/dev/null 2>&1 </dev/null; exit 0"
    code, _, _ = machine.run(*FAST, "--", "sh", "-c", script)
    assert code == 0
    daemon = int((machine.folder / "daemon").read_text())
    assert Path(f"/proc/{daemon}").exists()
    os.kill(daemon, signal.SIGKILL)


def test_one_line_at_the_end_and_the_same_in_the_footer(machine: Machine) -> None:
    code, out, err = machine.run(*FAST, "--", "sleep", "0.3")
    assert (code, out) == (0, "")
    (line,) = err.splitlines()
    footer = machine.read().footer
    assert line.startswith("ecoaudit: ")
    assert re.search(r"[\d.e-]+ kWh on 8 GPUs in 0:00:0\d, ", line)
    assert f" {footer['samples']} samples, {footer['missed']} missed" in line
    assert f"recorder {footer['cpu_s']:.2f} s CPU" in line
    assert line.endswith(str(machine.folder / "run.jsonl"))
    assert sum(footer["energy_j"]) == pytest.approx(4000 * footer["m"], abs=8 * 0.1 * 500 + 1)


def test_quiet(machine: Machine) -> None:
    assert machine.run(*FAST, "--quiet", "--", "true") == (0, "", "")


def test_beside_a_running_process(machine: Machine) -> None:
    with machine.popen(["sleep", "0.5"], env={"CUDA_VISIBLE_DEVICES": "6"}) as job:
        code, _, err = machine.run(*FAST, "--pid", str(job.pid))
        assert code == 0, err
    records = machine.read()
    assert records.footer["reason"] == "exit"
    assert [g["index"] for g in records.header["gpus"]] == [6]  # the job's own choice of GPUs


def test_beside_a_process_that_is_not_there(machine: Machine) -> None:
    code, _, err = machine.run(*FAST, "--pid", "4194303")
    assert (code, err) == (2, "ecoaudit: there is no process 4194303 to record beside (--pid)\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_as_a_daemon_until_told_to_stop(machine: Machine, number: signal.Signals) -> None:
    with machine.start(*FAST) as process:
        wait_for(lambda: lines_in(machine.folder / "run.jsonl") > 3)
        process.send_signal(number)
        assert process.wait(10) == 0
    assert machine.read().footer["reason"] == number.name
    assert list((machine.folder / "runtime").iterdir()) == []  # nothing is left behind


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", ""], "it is empty"),
        (["--interval", "0"], "'0' is not a number of seconds from 0.01 to 3600"),
        (["--interval", "fast"], "'fast' is not a number of seconds"),
        (["--pid", "x"], "'x' is not a process number"),
        (["--pid", "1", "--", "true"], "--pid watches a running process"),
        (["--"], "give the command to run"),
        (["--run-id", "a/b"], "'a/b' is not a name"),
        (["--compress", "gzip", "-o", "run.jsonl"], "give -o DIR/ with it"),
        (["train.py"], "unrecognized arguments: train.py"),
    ],
)
def test_bad_usage_is_one_clear_line_and_exit_2(machine: Machine, arguments: list[str], words: str) -> None:
    code, out, err = machine.run(*arguments)
    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]
