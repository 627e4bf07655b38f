"""Files: appended, never overwritten; whole lines; a full disk, rotation and a taken name survived."""

import json
import os
import resource
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ecoaudit.record.compress import compress
from ecoaudit.record.sink import Sink, one_file
from record.machine import Machine, Records, lines_in, wait_for
from record.simulation import simulate

FAST = ("-o", "run.jsonl", "--interval", "0.02")


def test_an_existing_file_is_appended_to(machine: Machine) -> None:
    for _ in range(2):
        machine.run(*FAST, "--", "sleep", "0.1")
    records = machine.read()
    assert [line["type"] for line in records.lines if line["type"] != "sample"] == ["header", "footer"] * 2
    assert records.torn == 0


def test_a_torn_last_line_stays_one_bad_line(machine: Machine) -> None:
    (machine.folder / "run.jsonl").write_bytes(b'{"type":"sample","t":17')
    machine.run(*FAST, "--", "true")
    records = machine.read()
    assert records.torn == 1
    assert records.lines[0]["type"] == "header"


def test_kill_9_loses_at_most_a_tick(machine: Machine) -> None:
    with machine.start(*FAST) as process:
        wait_for(lambda: lines_in(machine.folder / "run.jsonl") > 20)
        process.kill()
        killed_at = time.time()
    records = machine.read()
    assert records.torn == 0
    assert killed_at - records.samples[-1]["t"] < 0.02 + 0.3  # a tick, and what a busy machine adds
    times = [s["m"] for s in records.samples]
    assert max(b - a for a, b in pairwise(times)) < 0.5
    assert records.of("footer") == []


@pytest.mark.parametrize("kind", ["moved", "deleted", "truncated"])
def test_log_rotation(machine: Machine, kind: str) -> None:
    path = machine.folder / "run.jsonl"
    with machine.start(*FAST) as process:
        wait_for(lambda: lines_in(path) > 5)
        if kind == "moved":
            path.rename(machine.folder / "run.jsonl.1")
        elif kind == "deleted":
            path.unlink()
        else:
            os.truncate(path, 0)
        wait_for(lambda: lines_in(path) > 5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    new = machine.read()
    assert new.torn == 0
    assert new.lines[0]["type"] == "header"
    assert "temperature_c" in new.samples[0]
    assert new.footer["dropped"] == 0
    if kind == "moved":
        old = machine.read("run.jsonl.1")
        assert old.torn == 0
        assert old.lines[0]["type"] == "header"


def test_a_full_disk(machine: Machine) -> None:
    """A file size limit stands for the disk: writes stop half-way through a line, and work again when it is lifted."""
    path = machine.folder / "run.jsonl"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))

    def stopped_growing() -> bool:
        before = path.stat().st_size if path.exists() else 0
        time.sleep(0.2)
        return 0 < before == path.stat().st_size

    with machine.start(*FAST, preexec_fn=limit) as process:
        wait_for(stopped_growing)
        assert 4000 < path.stat().st_size <= 6000
        assert path.read_bytes().endswith(b"}\n")  # the part of a line was taken back
        assert process.poll() is None  # it goes on sampling
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for(lambda: path.stat().st_size > 9000)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    records = machine.read()
    assert records.torn == 0
    assert len(records.of("header")) == 2
    (event,) = records.events("dropped")
    assert event["value"] == records.footer["dropped"] > 5
    assert f"{event['value']} lines dropped" in err
    # The counter closes the gap: the whole time is accounted for.
    last = records.samples[-1]
    assert last["energy_j"][0] - records.samples[0]["energy_j"][0] == pytest.approx(500 * last["m"], abs=110)


def test_a_device_without_space_from_the_start(machine: Machine) -> None:
    code, _, err = machine.run("-o", "/dev/full", "--interval", "0.02", "--", "sh", "-c", "sleep 0.2; exit 5")
    assert code == 5
    assert "No space left on device" in err
    assert "lines dropped" in err


@pytest.mark.parametrize("output", ["file/run.jsonl", "/sys/run.jsonl", "/proc/folder/run.jsonl"])
def test_a_place_that_cannot_be_written(machine: Machine, output: str) -> None:
    """No folder, and two file systems on which even root makes no file."""
    (machine.folder / "file").write_text("")
    code, out, err = machine.run("-o", output, "--", "sh", "-c", "echo ran; exit 6")
    assert (code, out) == (6, "ran\n")
    assert "cannot write" in err.splitlines()[0]
    assert "the job goes on" in err.splitlines()[0]


def test_without_a_job_an_unwritable_place_is_an_error(machine: Machine) -> None:
    (machine.folder / "file").write_text("")
    code, _, err = machine.run("-o", "file/run.jsonl")
    assert code == 2
    assert err.startswith("ecoaudit: cannot write file/run.jsonl")
    assert len(err.splitlines()) == 1


def test_folders_are_made(machine: Machine) -> None:
    machine.run("-o", "a/b/run.jsonl", "--", "true")
    assert machine.read("a/b/run.jsonl").header["type"] == "header"


def test_two_hosts_with_one_file_name_do_not_mix(machine: Machine) -> None:
    """On a shared file system each host must have a file of its own: the second takes another name and says so."""
    first = machine.folder / "run.jsonl"
    with machine.start(*FAST) as process:
        wait_for(lambda: lines_in(first) > 2)
        elsewhere = {"ECOAUDIT_RUNTIME_DIR": str(machine.folder / "other_host")}
        _, _, err = machine.run(*FAST, "--", "true", env=elsewhere)
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert "another recorder writes to run.jsonl" in err
    (other,) = machine.folder.glob("run.*-*.jsonl")
    assert len(machine.read().of("header")) == 1
    assert len(machine.read(other.name).of("header")) == 1


def test_a_folder_gets_one_file_for_the_day(machine: Machine) -> None:
    machine.run("-o", "out/", "--run-id", "r7", "--", "true")
    (path,) = (machine.folder / "out").iterdir()
    assert path.name.startswith(f"{os.uname().nodename}-r7-20")
    assert Records(path).header["run_id"] == "r7"


def test_packing_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "n01-r7-20251124.jsonl"
    for text in ("first\n", "second\n"):
        path.write_text(text)
        compress("gzip", path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "n01-r7-20251124-2.jsonl.gz",
        "n01-r7-20251124.jsonl.gz",
    ]


def test_a_stale_handle_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sink = Sink(one_file(path), "other")
    sink.prepare(0.0, 0.0)
    os.close(sink._descriptor)  # as a network file system that has lost the file answers: an error on every write
    assert sink.write(b"lost\n") is False
    sink.prepare(1.0, 10.0)
    assert sink.needs_header
    assert sink.write(b"kept\n") is True
    sink.close()
    assert path.read_text() == "kept\n"


def test_each_line_is_one_write(stub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    real = os.write

    def spy(descriptor: int, data: bytes) -> int:
        written.append(data)
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", spy)
    simulate(stub, tmp_path / "run.jsonl", 5.0)
    assert all(data.endswith(b"\n") and json.loads(data) for data in written)
    assert len(written) == 8
