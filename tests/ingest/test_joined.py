"""Queries of one metric each become the telemetry of a GPU, whatever else lies in the folder."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.ingest.records import GpuInfo, ReadQuality, Source, Telemetry
from ecoaudit.ingest.telemetry import joined as joining

METRICS = ("power_w", "energy_j", "util_percent")


def query(metric: str, host: str | None, gpus: tuple[GpuInfo, ...], start: int, log_format: str) -> Telemetry:
    time_s = np.arange(start, start + 4.0)
    values = np.full((4, len(gpus)), 100.0 + start)
    empty = Telemetry(
        source=Source(f"{metric}-{start}", log_format),
        host=host,
        gpus=gpus,
        time_s=time_s,
        power_w=np.full_like(values, np.nan),
        energy_j=None,
        util_percent=None,
        quality=ReadQuality(),
    )
    return replace(empty, **{metric: values})


def pairwise(found: list[Telemetry]) -> list[Telemetry]:
    """Join as `joined` must, every file compared with every other before it."""
    out: list[Telemetry] = []
    homes: dict[str, str] = {}
    for each in found:
        apart = each.source.format == "prometheus"
        one = joining._at_home(each, homes) if apart else each
        for position, other in enumerate(out):
            if apart and other.source.format == "prometheus" and joining._parts_of_one(other, one):
                out[position] = joining._join(other, one)
                break
        else:
            out.append(one)
    return out


def same(a: Telemetry, b: Telemetry) -> bool:
    told = (a.host, a.gpus, a.source) == (b.host, b.gpus, b.source)
    values = [(getattr(a, name), getattr(b, name)) for name in ("time_s", *METRICS)]
    return told and all((x is None and y is None) or np.array_equal(x, y, equal_nan=True) for x, y in values)


gpus = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)
queries = st.builds(
    lambda metric, host, indices, by_uuid, start, form: query(
        metric, host, tuple(GpuInfo(index=i, uuid=f"GPU-{i}" if by_uuid else None) for i in indices), start, form
    ),
    st.sampled_from(METRICS),
    st.sampled_from(["n0", "n1", None]),
    gpus,
    st.booleans(),
    st.sampled_from([0, 2, 8]),
    st.sampled_from(["prometheus", "prometheus", "prometheus", "ecoaudit"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(queries, max_size=8))
def test_files_are_joined_as_if_each_were_compared_with_all(found: list[Telemetry]) -> None:
    joined, expected = joining.joined(found), pairwise(found)
    assert len(joined) == len(expected)
    assert all(same(a, b) for a, b in zip(joined, expected, strict=True))


def test_only_files_of_the_same_gpus_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    parts_of_one = joining._parts_of_one
    monkeypatch.setattr(joining, "_parts_of_one", lambda a, b: compared.append(1) or parts_of_one(a, b))
    found = [
        query(metric, f"n{node}", (GpuInfo(index=0, uuid=f"GPU-{node}"),), 0, log_format)
        for metric in METRICS
        for node in range(30)
        for log_format in ("prometheus", "ecoaudit")
    ]
    assert len(joining.joined(found)) == 30 + 90
    assert len(compared) == 60
