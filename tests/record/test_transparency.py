"""What a command can find out about its own process is the same beside a recorder as alone, on a terminal too."""

import json
import os
import sys
import time
from pathlib import Path

from record.machine import Machine, wait_for

FAST = ("-o", "run.jsonl", "--interval", "0.02")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


LOOK = """
import json, os, resource
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({
    # Signals 32 and 33 are the C library's own: its posix_spawn leaves them ignored.
    "signals": [f"{int(status[name], 16) & ~(3 << 31):x}" for name in ("SigBlk", "SigIgn", "SigCgt")],
    "descriptors": sorted(os.listdir("/proc/self/fd")),
    "session": os.getsid(0) == os.getsid(os.getppid()),
    "group": os.getpgid(0) == os.getpgid(os.getppid()),
    "folder": os.getcwd(), "nice": os.nice(0), "umask": os.umask(0),
    "limits": [resource.getrlimit(number) for number in range(16)],
    "environment": {k: v for k, v in os.environ.items() if k not in ("ECOAUDIT_JOB", "ECOAUDIT_MARKERS")},
}))
"""


def test_signals_descriptors_limits_and_environment(machine: Machine) -> None:
    command = [sys.executable, "-c", LOOK]
    with machine.popen(command, stdin=-3) as process:
        alone, _ = process.communicate(timeout=10)
    code, beside, _ = machine.run(*FAST, "--", *command, stdin=-3)
    assert code == 0
    assert json.loads(beside) == json.loads(alone)


# A shell with job control, cut down: runs us in the terminal's foreground, and says when we stop and when we end.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, setpgroup=0, setsigdef=[signal.SIGTTOU])
os.tcsetpgrp(0, pid)
while True:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        print("ended", os.waitstatus_to_exitcode(status), flush=True)
        break
    os.tcsetpgrp(0, os.getpgrp())
    print("stopped", flush=True)
    os.read(0, 100)
    os.tcsetpgrp(0, pid)
    os.killpg(pid, signal.SIGCONT)
"""
JOB = """
import os, signal, sys, time
time.sleep(0.3)  # the shell gives us the terminal only after it has started us
print("tty", [os.isatty(n) for n in range(3)], os.tcgetpgrp(0) == os.getpgrp(), flush=True)
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"goes on\\n"))
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
print("ready", flush=True)
sys.stdin.readline()
"""


def read_until(terminal: int, text: str) -> str:
    seen = ""
    while text not in seen:
        seen += os.read(terminal, 4096).decode()
    return seen


def test_the_keys_of_a_terminal(machine: Machine) -> None:
    """The command has the terminal; Ctrl-Z stops it and us, `fg` goes on with both, Ctrl-C reaches it once."""
    command = [sys.executable, "-m", "ecoaudit", "record", *FAST, "--", sys.executable, "-c", JOB]
    shell, terminal = os.forkpty()
    if shell == 0:
        try:
            os.chdir(machine.folder)
            os.execve(sys.executable, [sys.executable, "-c", SHELL, *command], machine.environ())
        finally:
            os._exit(99)
    assert "tty [True, True, True] True" in read_until(terminal, "ready")
    (us,) = children(shell)
    wait_for(lambda: len(children(us)) == 2)
    os.write(terminal, b"\x1a")
    read_until(terminal, "stopped")
    wait_for(lambda: {state(pid) for pid in children(us)} == {"T"})
    os.write(terminal, b"fg\n")
    assert read_until(terminal, "goes on").count("goes on") == 1
    wait_for(lambda: "T" not in {state(pid) for pid in children(us)})
    os.write(terminal, b"\x03")
    seen = read_until(terminal, "interrupted")
    time.sleep(0.1)  # a second copy would have come by now
    os.write(terminal, b"end\n")
    seen += read_until(terminal, "ended 0")
    assert seen.count("interrupted") == 1
    assert seen.count("ecoaudit: ") == 1
    assert os.waitpid(shell, 0)[1] == 0
    os.close(terminal)
    assert machine.read().footer["reason"] == "exit"
