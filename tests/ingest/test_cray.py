"""Cray's energy counters: capmc's answers one after another, and lines of pm_counters."""

from collections.abc import Callable

import numpy as np
import pytest

from ecoaudit import ingest, pipeline
from ecoaudit.config import Config
from ecoaudit.errors import EcoauditError

Write = Callable[[str, str | bytes], str]


def test_counters_of_two_nodes_become_their_mean_power(fixtures: object) -> None:
    first, second = ingest.read([f"{fixtures}/cray/capmc.json"]).meters
    assert (first.label, second.label) == ("nid 40", "nid 41")
    assert first.power_w == pytest.approx([1000.0] * 3)  # 60 kJ a minute
    assert second.power_w == pytest.approx([1100.0] * 3)
    assert np.diff(first.time_s) == pytest.approx([60.0, 60.0])
    assert first.clock == "utc"


def test_node_and_accelerators_of_pm_counters(fixtures: object) -> None:
    logs = ingest.read([f"{fixtures}/cray/counters.txt"])
    assert logs.telemetry[0].power_w.tolist() == [[300.0, 310.0], [301.0, 311.0], [302.0, 312.0]]
    assert logs.meters[0].power_w.tolist() == [1200.0, 1201.0, 1202.0]


def test_a_file_a_counter_is_told_by_its_name_and_times_since_boot_have_no_place(write: Write) -> None:
    text = "".join(f"{212 + k} W {7810213855886 + 100000 * k} us\n" for k in range(3))
    (one,) = ingest.read([write("accel2_power.txt", text)]).telemetry
    assert [gpu.index for gpu in one.gpus] == [2]
    assert one.clock == "none"
    (node,) = ingest.read([write("node_power.txt", text)]).meters
    assert node.power_w.tolist() == [212.0, 213.0, 214.0]
    with pytest.raises(EcoauditError, match="parts of a node"):
        ingest.read([write("cpu_power.txt", text)])


def test_one_answer_and_energies_without_a_place_in_time_say_what_to_ask_for(write: Write) -> None:
    text = '{"nid_count": 1, "time": 300, "nodes": [{"nid": 1, "energy": 60000}], "e": 0}'
    with pytest.raises(EcoauditError, match="at two times") as caught:
        ingest.read([write("a.json", text)])
    assert "get_node_energy_counter" in caught.value.line()


def test_lines_that_could_not_be_read_count_once_whatever_records_the_file_gives(fixtures: object) -> None:
    found = pipeline.audit_inputs([f"{fixtures}/cray/counters.txt"], Config(zone="SE"))
    assert found.quality.bad_lines == 1
