"""Of the ranks on a host the first one records, whichever starts first; another one where the first does not."""

import time

from record.machine import Machine, wait_for

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


def test_another_rank_records_where_the_first_does_not(machine: Machine) -> None:
    code, _, _ = machine.run(*arguments(5), "sleep", "3.3", env=RUN | {"LOCAL_RANK": "5"})
    assert code == 0
    records = machine.read("rank5.jsonl")
    assert len(records.header["gpus"]) == 8
    assert len(records.samples) > 3
