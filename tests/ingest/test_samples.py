"""Public samples of every format parse to the counts that were extracted from them independently."""

import csv
from pathlib import Path

import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError

# Files of the collection that are no logs by themselves: a program's output and a table of results.
NOT_LOGS = {"cmd_output.log", "power_log_summary.csv"}
COUNTS = ("records", "first_step", "last_step")


def rows(shared: Path) -> list[dict[str, str]]:
    with (shared / "logs" / "SOURCES.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_sample_gives_its_counts(shared_dir: Path) -> None:
    wrong = []
    for row in rows(shared_dir):
        if any(row["file"].endswith(name) for name in NOT_LOGS):
            continue
        found = ingest.inspect(str(shared_dir / "logs" / "samples" / row["file"]))
        for name in COUNTS:
            # CodeCarbon rows are told by their times, not by steps.
            if row[name] and "T" not in row[name] and str(getattr(found, name)) != row[name]:
                wrong.append(f"{row['file']}: {name} is {getattr(found, name)}, not {row[name]}")
    assert wrong == []


@pytest.mark.parametrize("name", sorted(NOT_LOGS))
def test_what_is_no_log_is_an_error(shared_dir: Path, name: str) -> None:
    (path,) = (shared_dir / "logs" / "samples").rglob(f"*{name}")
    with pytest.raises(EcoauditError, match="not a log"):
        ingest.inspect(str(path))


def sample(shared: Path, pattern: str) -> str:
    (path,) = (shared / "logs" / "samples").glob(pattern)
    return str(path)


def test_the_totals_that_the_collection_states(shared_dir: Path) -> None:
    (megatron,) = ingest.read([sample(shared_dir, "megatron/*ds-off.out")]).training
    assert megatron.steps is not None
    assert megatron.steps.duration_s.mean() * 1000 == pytest.approx(126884.7, abs=0.1)
    (llmc,) = ingest.read([sample(shared_dir, "nanogpt_llmc/*")]).training
    assert llmc.steps is not None
    assert llmc.steps.duration_s.mean() * 1000 == pytest.approx(3616.48, abs=0.01)
    assert any("NaN in every step" in w for w in llmc.quality.warnings)
    assert llmc.quality.bad_lines == 1  # step 100, cut by the scheduler
    (nanotron,) = ingest.read([sample(shared_dir, "nanotron/*")]).training
    assert nanotron.tokens == 7680
    assert nanotron.steps is not None
    assert nanotron.steps.duration_s[[0, 9]].tolist() == pytest.approx([4.710, 0.673])
    (deepspeed,) = ingest.read([sample(shared_dir, "deepspeed/*")]).training
    assert any("139 steps were skipped" in w for w in deepspeed.quality.warnings)


def test_world_sizes_of_olmo_follow_from_two_rates(shared_dir: Path) -> None:
    for name, gpus in (("olmo_03*", 8), ("olmo_06*", 16)):
        (log,) = ingest.read([sample(shared_dir, f"olmo/{name}")]).training
        assert log.world_size == gpus


def test_energies_that_the_collection_states(shared_dir: Path) -> None:
    meters = ingest.read([sample(shared_dir, "slurm/*")]).meters
    assert len(meters) == 4
    energy = sum(float(m.power_w[0] * (m.time_s[-1] - m.time_s[0])) for m in meters)
    assert energy == pytest.approx(20_543_125)
    (old,) = ingest.read([sample(shared_dir, "codecarbon/Ambroise*")]).reported
    assert old.energy_kwh == pytest.approx(0.865678, abs=1e-6)
    (wandb,) = ingest.read([sample(shared_dir, "wandb/*")]).telemetry
    assert len(wandb.time_s) == 104
