"""Telemetry that does not fit in memory: files' heads and a reducer give the audit that whole files give."""

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ecoaudit import reference
from ecoaudit.ingest.records import FloatArray, RunLogs, Telemetry
from ecoaudit.model.audit import Audit
from ecoaudit.model.build import build_audit
from ecoaudit.model.inputs import Identity, ModelOptions
from ecoaudit.model.reduction import FileSums, reduce_file
from model.runs import audit as build
from model.runs import constant, site, telemetry, training


def days() -> list[Telemetry]:
    """Return two nodes with three files each: a gap between files, a counter that starts again, idle ends."""
    files = []
    for node in range(2):
        for part, (a, b) in enumerate(((0, 1000), (1000, 2000), (2030, 3000))):
            t = np.arange(float(a), float(b))
            base = 0.0 if part == 2 else 5e6

            def watts(x: FloatArray, node: int = node) -> FloatArray:
                return np.where((x < 200) | (x > 2800), 80.0, 500.0 + 20.0 * node + 50.0 * np.sin(x / 30.0))

            counters = [lambda x, w=watts, s=base: s + np.concatenate(([0.0], np.cumsum(w(x)[1:])))] * 8
            events = (
                [(0.0, "idle"), (200.0, "train"), (1500.0, "eval"), (1600.0, "train")] if (node, part) == (0, 0) else []
            )
            files.append(
                telemetry(
                    [watts] * 8, t, host=f"n{node}", counters=counters, events=events, path=f"{node}-{part}.jsonl"
                )
            )
    return files


def head(file: Telemetry) -> Telemetry:
    ends = [0, -1]
    return replace(
        file,
        time_s=file.time_s[ends],
        power_w=file.power_w[ends],
        energy_j=None if file.energy_j is None else file.energy_j[ends],
    )


def from_heads(files: Sequence[Telemetry]) -> Audit:
    store = {file.source.path: file for file in files}

    def reducer(heads: Sequence[Telemetry], edges: FloatArray, focus: tuple[float, float]) -> Iterable[FileSums]:
        for one in heads:
            sums = reduce_file(store[one.source.path], edges, focus)
            yield pickle.loads(pickle.dumps(sums))  # as it comes back from another process

    logs = RunLogs(tuple(head(f) for f in files), (), (training(200.0, 2800.0, tokens=1e7, params=7e9),))
    return build_audit(logs, site(), reference.load(), ModelOptions(), Identity(tool="test"), reducer)


def test_heads_and_a_reducer_give_the_same_audit() -> None:
    files = days()
    whole = build(telemetry=files, training=[training(200.0, 2800.0, tokens=1e7, params=7e9)])
    apart = from_heads(files)
    for part in ("hardware", "training", "windows", "energy", "carbon", "cost", "efficiency", "quality", "timeline"):
        assert getattr(apart, part) == getattr(whole, part), part


def test_idle_ends_are_found_to_the_charts_bins() -> None:
    found = {f.id: f for f in from_heads(days()).findings}
    exact = {f.id: f for f in build(telemetry=days()).findings}
    a, b = found["idle-ends"].saving_kwh, exact["idle-ends"].saving_kwh
    assert a and b and a.value == pytest.approx(b.value, rel=0.03)


def test_a_reduced_file_is_small() -> None:
    file = telemetry([constant(500.0)] * 8, np.arange(0.0, 86_400.0))
    edges = np.linspace(file.time_s[0], file.time_s[-1], 721)
    size = len(pickle.dumps(reduce_file(file, edges, (float(edges[0]), float(edges[-1])))))
    assert size < 400_000  # 5.5 MB of samples
    assert msgspec.json.encode(build(telemetry=[file])).__len__() < 200_000
