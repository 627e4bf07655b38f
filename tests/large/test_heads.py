"""Telemetry read twice, for its heads and for its sums, gives the audit that the same telemetry in memory gives."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ecoaudit import pipeline
from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest import ahead
from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.records import ReadOptions
from ecoaudit.ingest.telemetry import ecoaudit_heads, ecoaudit_jsonl, ecoaudit_lines
from ecoaudit.model import reduction

T0 = 1_764_000_000.0
GPUS = 2


def plain(tick: int, **known: Any) -> str:
    """Return a sample line."""
    return json.dumps({"type": "sample", "t": T0 + tick, "m": tick, "power_w": [500.5, 600.0], **known})


def header(host: str, **known: Any) -> str:
    gpus = [
        {"index": i, "uuid": f"GPU-aaaa{host[1:]}{i}", "name": "NVIDIA H100 80GB HBM3", "power_limit_w": 700.0}
        for i in range(GPUS)
    ]
    fields = {"type": "header", "schema": "ecoaudit.telemetry/1", "host": host, "interval_s": 1.0, "gpus": gpus}
    return json.dumps({**fields, "rapl_max_j": {"package-0": 1000.0}, **known})


def recording(random: np.random.Generator, host: str, start: int, count: int) -> list[str]:
    """Return the lines of a recording: gaps, resets, glitches, missing values, a stepped wall clock, phases."""
    has = {name: bool(random.integers(0, 2)) for name in ("energy_j", "util", "rapl_j", "node_w")}
    instant = random.integers(0, 6) == 0
    lines = [header(host)]
    counters, package = random.uniform(0, 1e6, GPUS), random.uniform(0, 900)
    boot = float(random.integers(0, 1000))
    wall_ahead = T0 - boot
    for i in range(start, start + count):
        odd = random.integers(0, 40)
        power = random.uniform(60, 700, GPUS).round(1)
        counters, package = counters + power, (package + 37.5) % 1000.0
        if odd == 0:
            continue  # a missed tick
        if odd == 1:
            counters = random.uniform(0, 100, GPUS)  # the driver was reloaded
        if odd == 2:
            wall_ahead += 5.0
        sample: dict[str, Any] = {"type": "sample", "t": round(boot + wall_ahead + i, 3), "m": round(boot + i, 3)}
        watts = power.tolist()
        if odd == 3:
            watts[0] = None
        if odd == 4:
            watts[1] = 99_999.0  # no board draws that
        if odd != 5:
            sample["power_instant_w" if instant else "power_w"] = watts
        if has["energy_j"]:
            sample["energy_j"] = [None if odd in {3, 6} else round(c, 3) for c in counters.tolist()]
        if has["util"] and odd != 7:
            sample["util"] = random.integers(0, 100, GPUS).tolist()
        if has["rapl_j"] and odd != 8:
            sample["rapl_j"] = {"package-0": round(package, 3)}
        if has["node_w"] and i % 3 == 0:
            sample["node_w"] = 20.0 if odd == 9 else round(float(random.uniform(900, 2500)), 1)
        lines.append(json.dumps(sample, separators=(",", ":")))
        if odd == 12:
            lines.append(json.dumps({"type": "event", "t": sample["t"], "name": "phase", "value": "eval"}))
        if odd == 13:
            lines.append(lines[-1][: len(lines[-1]) // 2])  # torn
    return lines


def run(seed: int) -> dict[str, bytes]:
    """Return the files of a run of one or two nodes; files of a node may overlap, and hold several recordings."""
    random = np.random.default_rng(seed)
    files = {}
    for node in range(random.integers(1, 3)):
        start = 0
        for part in range(random.integers(1, 3)):
            lines: list[str] = []
            for _ in range(random.integers(1, 3)):
                count = int(random.integers(2, 150))
                lines += recording(random, f"n{node}", start, count)
                start += count + int(random.choice([0, 0, 7, 200]))
            start -= int(random.choice([0, 0, 0, 20]))
            files[f"n{node}-{part}.jsonl"] = "\n".join(lines).encode()  # its last line has no end
    return files


def numbers_apart(a: Any, b: Any, where: str = "") -> list[str]:
    """Return where two decoded JSON documents differ by more than 1e-12 of a number."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [d for key in a for d in numbers_apart(a[key], b[key], f"{where}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, pair in enumerate(zip(a, b, strict=True)) for d in numbers_apart(*pair, f"{where}[{i}]")]
    if isinstance(a, float) and isinstance(b, float):
        rounded = 0.11 if where.startswith(".timeline") else 1e-12  # W in the chart have one decimal
        return [] if a == pytest.approx(b, rel=1e-12, abs=rounded) else [f"{where}: {a} {b}"]
    return [] if a == b else [f"{where}: {a} {b}"]


def comparable(folder: Path, config: Config) -> Any:
    """Return the audit of a folder without what a coarse profile of power tells: idle time.

    Power that no board can draw is counted before what two files hold is left out of one, or afterwards.
    """
    try:
        found = msgspec.to_builtins(pipeline.audit_inputs([str(folder)], config))
    except EcoauditError as error:
        return error.line()
    del found["findings"]
    apart = "idle|overlap in time;|impossible" + (
        "|readings" if config.own_gpus else ""
    )  # a reader tells of all boards
    told = found["quality"]["warnings"]
    found["quality"]["warnings"] = sorted(w for w in told if not re.search(apart, w))
    return found


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    seed=st.integers(0, 2**32),
    block_bytes=st.sampled_from([700, 3000, 320_000]),
    rows=st.sampled_from([3, 50, 2048]),
    own_gpus=st.sampled_from([None, None, "1", "GPU-aaaa00"]),
)
def test_heads_give_the_audit_of_whole_files(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    block_bytes: int,
    rows: int,
    own_gpus: str | None,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    for name, data in run(seed).items():
        (folder / name).write_bytes(data)
    config = Config(region="aws:eu-north-1", own_gpus=own_gpus)
    whole = comparable(folder, config)
    with monkeypatch.context() as patch:
        patch.setattr(ahead, "IN_MEMORY_BYTES", 0)
        patch.setattr(ecoaudit_lines, "_BLOCK_BYTES", block_bytes)
        patch.setattr(reduction, "BLOCK", rows)
        assert numbers_apart(whole, comparable(folder, config)) == []


def long_file(path: Path, ticks: int) -> LogFile:
    path.write_text("\n".join([header("n0"), *(plain(i, util=[99, i % 7]) for i in range(ticks))]), encoding="utf-8")
    return LogFile(str(path))


def test_no_more_of_a_long_file_is_held_than_of_a_short_one(tmp_path: Path) -> None:
    most, sizes = [], []
    for ticks in (9_000, 36_000):
        (head,) = ecoaudit_heads.heads(long_file(tmp_path / f"{ticks}.jsonl", ticks), ReadOptions())
        assert head.head is not None
        assert head.head.samples == ticks
        most.append(max(block.time_s.size for block in ecoaudit_heads.samples(head)))
        sizes.append(len(pickle.dumps(head)))
    assert most[1] <= 1.1 * most[0] < 9_000
    assert max(sizes) < 30_000


@pytest.mark.parametrize("ticks", [[5, 6, 7, 8, None, 1, 2, 3], [1, 2, 4, 3]], ids=["overlapping", "clock backwards"])
def test_a_file_that_only_all_samples_can_order_is_read_whole(tmp_path: Path, ticks: list[int | None]) -> None:
    lines = [header("n0"), *(header("n0") if tick is None else plain(tick) for tick in ticks)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    file = LogFile(str(tmp_path / "a.jsonl"))
    (found,) = ecoaudit_heads.heads(file, ReadOptions())
    (whole,) = ecoaudit_jsonl.read(file, ReadOptions())
    assert found.head is None
    assert np.array_equal(found.time_s, whole.time_s)


def test_power_that_no_board_can_draw_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watts = [[500.0, 600.0]] * 100
    watts[50] = [500.0, 99_999.0]
    lines = [header("n0"), *(plain(i, power_w=each) for i, each in enumerate(watts))]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    whole = pipeline.audit_inputs([str(tmp_path)], Config())
    monkeypatch.setattr(ahead, "IN_MEMORY_BYTES", 0)
    apart = pipeline.audit_inputs([str(tmp_path)], Config())
    assert apart.energy == whole.energy
    assert apart.quality == whole.quality
    assert any("1 of 200 power samples are impossible" in warning for warning in apart.quality.warnings)


def test_recordings_far_apart_are_told_by_their_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [header("n0"), *(plain(i) for start in (0, 200_000) for i in range(start, start + 99))]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(ahead, "IN_MEMORY_BYTES", 0)
    with pytest.raises(EcoauditError, match="of several runs"):
        pipeline.audit_inputs([str(tmp_path)], Config())
