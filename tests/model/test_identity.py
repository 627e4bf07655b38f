"""Files belong to the node whose boards they hold: UUIDs tell before host names do."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoaudit.ingest.records import Telemetry
from ecoaudit.model import identity
from ecoaudit.model.audit import Audit
from ecoaudit.model.notes import Notes
from model.runs import audit, constant, telemetry

WATTS = 500.0


def node(boards: str, start: int, end: int, *, host: str | None, gpus: int = 8, count: int | None = 8) -> Telemetry:
    """Return a recording of boards whose UUIDs begin with `boards`, under a host name."""
    file = telemetry([constant(WATTS)] * gpus, np.arange(float(start), end + 1.0), node_gpu_count=count, path=boards)
    named = tuple(replace(gpu, uuid=f"GPU-{boards}-{gpu.index}") for gpu in file.gpus)
    return replace(file, gpus=named, host=host)


def l2_kwh(found: Audit) -> float:
    level = found.energy.levels.L2
    assert level is not None and level.gpu is not None
    return level.gpu.value


def said(found: Audit, text: str) -> bool:
    return any(text in warning for warning in found.quality.warnings)


def test_a_node_renamed_in_a_restart_counts_once() -> None:
    found = audit(
        telemetry=[node("a", 0, 500, host="node1"), node("a", 501, 1000, host="node1.cluster.local")],
    )
    assert (found.hardware.nodes, found.hardware.gpu_count) == (1, 8)
    assert l2_kwh(found) == pytest.approx(8 * WATTS * 1000 / 3.6e6)
    assert said(found, "node 0 was recorded under 2 host names; its boards' UUIDs say that it is one")


def test_two_machines_called_localhost_are_two_nodes() -> None:
    files = [node("a", 0, 1000, host="localhost"), node("b", 0, 1000, host="localhost")]
    found = audit(telemetry=files)
    assert (found.hardware.nodes, found.hardware.gpu_count) == (2, 16)
    assert found.energy.levels.L3 is not None
    assert said(found, "2 nodes share a host name; their boards' UUIDs tell them apart")


def test_more_boards_at_a_time_than_a_node_has_are_those_of_two() -> None:
    together = [node("a", 0, 1000, host="worker"), node("b", 0, 1000, host="worker")]
    assert audit(telemetry=together).hardware.nodes == 2
    replaced = audit(telemetry=[node("a", 0, 500, host="worker"), node("b", 501, 1000, host="worker")])
    assert (replaced.hardware.nodes, replaced.hardware.gpu_count) == (1, 8)
    assert l2_kwh(replaced) == pytest.approx(8 * WATTS * 1000 / 3.6e6)
    assert said(replaced, "8 GPU(s) came in the place of others that were gone by then")


def test_a_board_that_was_exchanged_counts_as_one_and_its_counter_begins_anew() -> None:
    before, after = node("a", 0, 500, host="n1"), node("a", 2000, 3000, host="n1")
    new = (*after.gpus[:7], replace(after.gpus[7], uuid="GPU-new"))
    counted = np.arange(1001.0)[:, np.newaxis] * np.full(8, WATTS)
    before = replace(before, energy_j=counted[:501])
    after = replace(after, gpus=new, energy_j=counted + 2000 * WATTS + np.array([0.0] * 7 + [3e5]))
    found = audit(telemetry=[before, after])
    assert found.hardware.gpu_count == 8
    assert l2_kwh(found) == pytest.approx(8 * WATTS * 3000 / 3.6e6)


def test_recorders_confined_to_their_own_board_are_of_one_node() -> None:
    ranks = [node(f"r{rank}", 0, 1000, host="n01", gpus=1, count=1) for rank in range(8)]
    found = audit(telemetry=ranks)
    assert (found.hardware.nodes, found.hardware.gpu_count) == (1, 8)


def test_a_file_that_holds_the_boards_of_two_makes_them_one() -> None:
    first, second = node("a", 0, 400, host="x", gpus=4), node("b", 0, 400, host=None, gpus=4)
    both = node("a", 401, 1000, host="y")
    both = replace(both, gpus=(*first.gpus, *second.gpus))
    assert audit(telemetry=[first, second, both]).hardware.nodes == 1


def test_boards_without_uuids_are_told_by_their_host() -> None:
    files = [node("a", 0, 500, host=h) for h in ("n0", "n1")]
    bare = [replace(f, gpus=tuple(replace(g, uuid=None) for g in f.gpus)) for f in files]
    assert audit(telemetry=bare).hardware.nodes == 2


def test_two_nodes_of_one_name_stay_two_where_their_files_take_turns() -> None:
    files = [node(boards, start, start + 490, host="worker") for start in (0, 500) for boards in ("a", "b")]
    found = audit(telemetry=files)
    assert (found.hardware.nodes, found.hardware.gpu_count) == (2, 16)


def bare(file: Telemetry) -> Telemetry:
    return replace(file, host=None, gpus=tuple(replace(gpu, uuid=None) for gpu in file.gpus))


def test_files_without_names_and_boards_go_on_with_one_node_each() -> None:
    files = [bare(node(boards, start, start + 499, host=None)) for start in (0, 500) for boards in ("a", "b")]
    found = audit(telemetry=files)
    assert (found.hardware.nodes, found.hardware.gpu_count) == (2, 16)
    assert l2_kwh(found) == pytest.approx(16 * WATTS * 999 / 3.6e6)
    assert not said(found, "overlap")
    assert said(found, "4 telemetry files without a host name are counted as 2 nodes")


@settings(max_examples=60, deadline=None)
@given(
    nodes=st.integers(1, 5),
    days=st.integers(1, 4),
    named=st.sampled_from(["apart", "localhost", "worker", "renamed every day", None]),
    order=st.randoms(use_true_random=False),
)
def test_every_days_files_find_their_node(nodes: int, days: int, named: str | None, order: Random) -> None:
    def name(number: int, day: int) -> str | None:
        return {"apart": f"n{number}", "renamed every day": f"n{number}-{day}"}.get(str(named), named)

    files = [
        node(f"b{number}", 100 * day, 100 * day + 99, host=name(number, day), count=8)
        for number in range(nodes)
        for day in range(days)
    ]
    order.shuffle(files)
    found = identity.nodes_of(files, Notes())
    boards = [{gpu.uuid for file in each for gpu in file.gpus} for each in found]
    assert [len(each) for each in found] == [days] * nodes and [len(each) for each in boards] == [8] * nodes
    without = identity.nodes_of([bare(file) for file in files], Notes())
    assert [len(each) for each in without] == [days] * nodes
    assert all(a.time_s[-1] <= b.time_s[0] for each in without for a, b in pairwise(each))


def test_a_file_is_compared_with_its_own_node_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(identity, "_is_named", lambda *found: asked.append(found))
    files = [node(f"b{n}", 9 * day, 9 * day + 8, host=f"n{n}", gpus=1) for n in range(40) for day in range(5)]
    assert len(identity.nodes_of(files, Notes())) == 40
    assert not asked
