"""Of the ranks on a host the first one records, whichever starts first; another one where the first does not."""

import os
import time
from pathlib import Path

import pytest

from ecoaudit.record.post import stand_by, take_post
from record.machine import Machine, wait_for
from record.simulation import SimulatedClock, StopAt

RUN = {"TORCHELASTIC_RUN_ID": "r42"}


def arguments(rank: int) -> tuple[str, ...]:
    return ("-o", f"rank{rank}.jsonl", "--interval", "0.02", "--")


def test_the_first_rank_records_also_when_it_starts_last(machine: Machine) -> None:
    """It works on when the others have ended, and the recording with it."""
    others = [machine.start(*arguments(i), "sleep", "0.8", env=RUN | {"LOCAL_RANK": str(i)}) for i in (1, 2)]
    time.sleep(0.3)
    with machine.start(*arguments(0), "sleep", "1.2", env=RUN | {"LOCAL_RANK": "0"}) as first:
        for process in others:
            assert process.communicate(timeout=10) == ("", "")
        wait_for(lambda: first.poll() == 0)
    assert [path.name for path in machine.folder.glob("rank*.jsonl")] == ["rank0.jsonl"]
    assert machine.read("rank0.jsonl").footer["m"] > 1


def test_another_rank_records_where_the_first_does_not(tmp_path: Path) -> None:
    """It waits three seconds for the first; less where the first has begun, or where its own job is over."""
    clock = SimulatedClock(lambda _now: None)
    environ = RUN | {"LOCAL_RANK": "5", "ECOAUDIT_RUNTIME_DIR": str(tmp_path)}
    post = take_post(environ, os.getpid())
    assert post.lock is None
    fifth = stand_by(post, [], clock)
    assert clock.now == pytest.approx(3.0, abs=0.1)
    assert fifth.lock is not None
    assert fifth.inbox is not None

    fifth.lock.publish({"pid": os.getpid()})
    sixth = stand_by(take_post(environ | {"LOCAL_RANK": "6"}, os.getpid()), [], clock)
    assert clock.now == pytest.approx(3.0, abs=0.1)
    assert sixth.lock is None
    fifth.leave()

    over = stand_by(take_post(environ, os.getpid()), [StopAt(clock, 0.0)], clock)
    assert clock.now == pytest.approx(3.0, abs=0.1)
    assert over.lock is not None
    over.leave()
    assert list(tmp_path.iterdir()) == []
