"""The project's own telemetry: what is read, what is repaired, and what is counted as bad."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import zstandard

import ecoaudit.ingest.telemetry.ecoaudit_jsonl as reader
from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import Telemetry

Write = Callable[[str, str | bytes], str]
T0 = 1_764_000_000.0


def line(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"))


def header(gpus: int = 2, **extra: Any) -> str:
    boards = [{"index": i, "uuid": f"GPU-{i}", "name": "NVIDIA H100 80GB HBM3"} for i in range(gpus)]
    return line(type="header", schema="ecoaudit.telemetry/1", host="n01", interval_s=1.0, gpus=boards, **extra)


def sample(i: float, **fields: Any) -> str:
    fields = {"t": T0 + i, "m": 10.0 + i, "power_w": [500.0, 600.0], "energy_j": [500.0 * i, 600.0 * i]} | fields
    return line(type="sample", **fields)


def one(path: str) -> Telemetry:
    (telemetry,) = ingest.read([path]).telemetry
    return telemetry


def test_arrays_have_a_row_a_tick_and_a_column_a_gpu(write: Write) -> None:
    text = "\n".join([header(sources=["nvml.power.average"]), *(sample(i, util=[99, None]) for i in range(5))])
    telemetry = one(write("a.jsonl", text + "\n"))
    assert telemetry.power_w.shape == (5, 2)
    assert telemetry.energy_j is not None and telemetry.energy_j[4].tolist() == [2000.0, 2400.0]
    assert telemetry.util_percent is not None and np.isnan(telemetry.util_percent[:, 1]).all()
    assert telemetry.power_field == "average"
    assert [g.uuid for g in telemetry.gpus] == ["GPU-0", "GPU-1"]
    assert telemetry.quality.bad_lines == 0 and telemetry.quality.records == 6


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, lambda b: zstandard.ZstdCompressor().compress(b)],
    ids=["gz", "bz2", "xz", "zst"],
)
def test_compression_is_found_in_the_content_not_in_the_name(write: Write, compress: Callable[[bytes], bytes]) -> None:
    text = "\n".join([header(), *(sample(i) for i in range(50))])
    telemetry = one(write("a.log", compress(text.encode())))
    assert len(telemetry.time_s) == 50


def test_appended_compressed_members_are_all_read(write: Write) -> None:
    first = gzip.compress("\n".join([header(), sample(0), ""]).encode())
    second = gzip.compress("\n".join([header(), sample(1), ""]).encode())
    assert len(one(write("a.jsonl.gz", first + second)).time_s) == 2


def test_a_compressed_file_cut_anywhere_gives_what_is_there_and_says_so(write: Write) -> None:
    rng = np.random.default_rng(1)
    text = "\n".join([header(), *(sample(i, power_w=list(rng.normal(500, 9, 2))) for i in range(3000))])
    packed = gzip.compress(text.encode())
    telemetry = one(write("a.jsonl.gz", packed[: len(packed) // 2]))
    assert 1000 < len(telemetry.time_s) < 3000
    assert any("cut" in w for w in telemetry.quality.warnings)


def test_a_torn_last_line_is_counted_and_shown(write: Write) -> None:
    telemetry = one(write("a.jsonl", "\n".join([header(), sample(0), sample(1), sample(2)[:30]])))
    assert len(telemetry.time_s) == 2
    assert telemetry.quality.bad_lines == 1
    assert telemetry.quality.examples[0].line == 4


NESTED = '{"type":"header","schema":"ecoaudit.telemetry/1","a":' + "[" * 100_000 + "]" * 100_000 + "}"


def test_a_line_nested_too_deeply_is_a_bad_line(write: Write) -> None:
    telemetry = one(write("a.jsonl", "\n".join([header(), sample(0), NESTED, sample(1)])))
    assert telemetry.time_s.tolist() == [T0, T0 + 1]
    assert (telemetry.quality.bad_lines, telemetry.quality.examples[0].line) == (1, 3)


def test_a_file_without_a_whole_line_is_an_error(write: Write) -> None:
    with pytest.raises(EcoauditError, match="no header and no sample among 1 lines"):
        ingest.read([write("a.jsonl", NESTED)])


def test_impossible_power_is_missing_and_counted_but_a_node_meter_reads_as_logged(write: Write) -> None:
    powers = ["[500.0,-500.0]", "[1e300,500.0]", "[Infinity,500.0]", "[-1e999,500.0]", "[500.0,500.0]"]
    lines = [f'{{"type":"sample","t":{T0 + i},"power_w":{p},"node_w":-3.0}}' for i, p in enumerate(powers)]
    telemetry = one(write("a.jsonl", "\n".join([header(), *lines])))
    assert np.isfinite(telemetry.power_w).tolist() == [[True, False], *[[False, True]] * 3, [True, True]]
    assert np.nanmax(telemetry.power_w) == np.nanmin(telemetry.power_w) == 500.0
    assert "1 power readings below 0 W are treated as missing" in telemetry.quality.warnings
    assert "1 power readings above 1 MW are treated as missing" in telemetry.quality.warnings
    assert "4 of 10 power readings are missing" in telemetry.quality.warnings
    assert telemetry.node_power_w is not None and telemetry.node_power_w.tolist() == [-3.0] * 5


def test_missing_power_beside_an_energy_counter_is_no_hole(write: Write) -> None:
    lines = [sample(i, power_w=[None, 500.0], energy_j=[500.0 * i, 500.0 * i]) for i in range(4)]
    assert one(write("a.jsonl", "\n".join([header(), *lines]))).quality.warnings == ()


def test_a_header_behind_a_torn_line_is_not_lost(write: Write) -> None:
    text = "\n".join([header(), sample(0), sample(1)[:20] + header(), sample(2)])
    telemetry = one(write("a.jsonl", text))
    assert telemetry.time_s.tolist() == [T0, T0 + 2]
    assert telemetry.quality.bad_lines == 1


def test_an_absent_key_repeats_the_value_before_and_null_is_unknown(write: Write) -> None:
    text = "\n".join([header(), sample(0, util=[1, 2]), sample(1), sample(2, util=None)])
    telemetry = one(write("a.jsonl", text))
    assert telemetry.util_percent is not None
    assert telemetry.util_percent[1].tolist() == [1, 2]
    assert np.isnan(telemetry.util_percent[2]).all()


def test_bare_nan_is_read_as_unknown(write: Write) -> None:
    text = "\n".join([header(), sample(0), sample(1).replace("500.0", "NaN", 1)])
    telemetry = one(write("a.jsonl", text))
    assert np.isnan(telemetry.power_w[1, 0]) and telemetry.quality.bad_lines == 0


def test_clock_steps_are_counted_and_leave_no_mark_on_the_time_axis(write: Write) -> None:
    wall = [i + (3600 if i >= 60 else 0) for i in range(100)]
    text = "\n".join([header(), *(sample(w, m=10.0 + i) for i, w in enumerate(wall))])
    telemetry = one(write("a.jsonl", text))
    assert telemetry.quality.clock_steps == 1
    assert np.allclose(np.diff(telemetry.time_s), 1.0)
    assert telemetry.time_s[0] == pytest.approx(T0)


def test_without_a_monotonic_clock_a_backward_step_does_not_turn_time_back(write: Write) -> None:
    wall = [i - (3600 if i >= 60 else 0) for i in range(100)]
    text = "\n".join([header(), *(sample(w, m=None) for w in wall)])
    telemetry = one(write("a.jsonl", text))
    assert telemetry.quality.clock_steps == 1
    assert np.allclose(np.diff(telemetry.time_s), 1.0)


@pytest.mark.parametrize("monotonic", [True, False])
@pytest.mark.parametrize("order", [[0, 1, 2, 4, 3, 5, 6, 7, 8, 9], [7, 3, 0, 9, 1, 8, 2, 6, 5, 4]])
def test_lines_out_of_order_are_sorted_by_their_clock(write: Write, order: list[int], monotonic: bool) -> None:
    lines = [
        sample(i, m=5.0 + i if monotonic else None, power_w=[500.0 + i] * 2, energy_j=[500.0 * i] * 2, node_w=900.0 + i)
        for i in order
    ]
    telemetry = one(write("a.jsonl", "\n".join([header(), *lines])))
    assert telemetry.time_s.tolist() == [T0 + i for i in range(10)]
    assert telemetry.power_w[:, 0].tolist() == [500.0 + i for i in range(10)]
    assert telemetry.energy_j is not None and (np.diff(telemetry.energy_j[:, 0]) == 500.0).all()
    assert telemetry.node_power_w is not None and (np.diff(telemetry.node_power_w) == 1.0).all()
    assert telemetry.quality.clock_steps == 0
    assert any("samples stand out of order" in text for text in telemetry.quality.warnings)


@pytest.mark.parametrize("monotonic", [True, False])
def test_a_node_meter_that_fell_silent_holds_for_a_minute(write: Write, monotonic: bool) -> None:
    def node(i: int) -> dict[str, Any]:
        read = {"node_w": 5000.0 + i} if i in {0, 10, 20, 200} else {"node_w": None} if i == 220 else {}
        return read | ({} if monotonic else {"m": None})

    telemetry = one(write("a.jsonl", "\n".join([header(), *(sample(i, **node(i)) for i in range(240))])))
    assert telemetry.node_power_w is not None
    read = np.flatnonzero(np.isfinite(telemetry.node_power_w)).tolist()
    assert read == [*range(81), *range(200, 220)]
    assert telemetry.node_power_w[80] == 5020.0


def test_a_node_meter_read_seldom_holds_for_three_intervals(write: Write) -> None:
    lines = [sample(300 * i, **({"node_w": 5000.0} if i in {0, 2} else {})) for i in range(9)]
    telemetry = one(write("a.jsonl", "\n".join([header().replace(":1.0", ":300.0"), *lines])))
    assert telemetry.node_power_w is not None
    assert np.flatnonzero(np.isfinite(telemetry.node_power_w)).tolist() == [*range(6)]


@pytest.mark.parametrize("monotonic", [True, False])
def test_times_in_milliseconds_are_an_error_and_a_damaged_one_a_bad_line(write: Write, monotonic: bool) -> None:
    def clocks(i: int) -> dict[str, float | None]:
        return {"m": 1.0 + i if monotonic else None}

    thousands = [sample(i, **clocks(i), t=1000 * (T0 + i)) for i in range(9)]
    with pytest.raises(EcoauditError, match="no sample has a time in Unix seconds; the first has t=1764000000000") as e:
        one(write("a.jsonl", "\n".join([header(), *thousands])))
    assert e.value.where is not None and e.value.where.endswith("a.jsonl")
    mixed = [thousands[i] if i == 4 else sample(i, **clocks(i)) for i in range(9)]
    telemetry = one(write("b.jsonl", "\n".join([header(), *mixed])))
    assert telemetry.time_s.tolist() == [T0 + i for i in range(9) if i != 4]
    assert telemetry.quality.bad_lines == 1


def test_a_recorder_started_anew_without_a_header_goes_on_by_the_wall_clock(write: Write) -> None:
    lines = [sample(i, m=float(i % 50)) for i in range(100)]
    telemetry = one(write("a.jsonl", "\n".join([header(), *lines])))
    assert np.allclose(np.diff(telemetry.time_s), 1.0) and telemetry.quality.warnings == ()


def test_events_follow_the_corrected_clock(write: Write) -> None:
    wall = [i + (7200 if i >= 50 else 0) for i in range(100)]
    lines = [sample(w, m=10.0 + i) for i, w in enumerate(wall)]
    lines.insert(71, line(type="event", t=T0 + 7270.5, m=80.5, name="phase", value="eval"))
    lines.insert(91, line(type="event", t=T0 + 7290.0, name="step", value=7, tokens=4096))
    telemetry = one(write("a.jsonl", "\n".join([header(), *lines])))
    phase, step = telemetry.events
    offset = telemetry.time_s[0]
    assert phase.time_s - offset == pytest.approx(70.5)
    assert step.time_s - offset == pytest.approx(90.0, abs=1.0)
    assert (step.value, step.attributes["tokens"]) == (7, 4096)


def test_energy_counters_stay_raw_and_rapl_is_unwrapped(write: Write) -> None:
    top = 262143.32885
    rapl = [{"package-0": (262000.0 + 50 * i) % top} for i in range(10)]
    lines = [sample(i, energy_j=[100.0 - i, 1.0], rapl_j=rapl[i]) for i in range(10)]
    telemetry = one(write("a.jsonl", "\n".join([header(rapl_max_j={"package-0": top}), *lines])))
    assert telemetry.energy_j is not None and (np.diff(telemetry.energy_j[:, 0]) < 0).all()
    assert np.allclose(np.diff(telemetry.host_energy_j["package-0"]), 50.0)


def test_rapl_counts_over_a_restart_of_the_recorder_only_what_rose(write: Write) -> None:
    counter = {"package-0": 100.0}
    lines = [header(), sample(0, rapl_j=counter), sample(1, rapl_j={"package-0": 150.0}), header()]
    lines += [sample(5, rapl_j={"package-0": 400.0}), header(), sample(9, rapl_j={"package-0": 20.0})]
    text = "\n".join(lines)
    assert one(write("a.jsonl", text)).host_energy_j["package-0"].tolist() == [100.0, 150.0, 400.0, 400.0]


def test_two_hosts_in_one_file_are_two_records(write: Write) -> None:
    other = header().replace('"n01"', '"n02"')
    logs = ingest.read([write("a.jsonl", "\n".join([header(), sample(0), other, sample(1)]))])
    assert [t.host for t in logs.telemetry] == ["n01", "n02"]


def test_recordings_at_two_intervals_are_two_records(write: Write) -> None:
    slow = [sample(100 + 10 * i) for i in range(5)]
    again = [sample(200 + i) for i in range(5)]
    lines = [header(), *(sample(i) for i in range(50)), header(), *(sample(50 + i) for i in range(50))]
    lines += [header().replace(":1.0", ":10.0"), *slow, header(), *again]
    found = ingest.read([write("a.jsonl", "\n".join(lines))]).telemetry
    assert [(t.interval_s, len(t.time_s)) for t in found] == [(1.0, 100), (10.0, 5), (1.0, 5)]
    assert sum(t.quality.clock_steps for t in found) == 0


def test_samples_that_do_not_fit_the_header_are_bad_lines(write: Write) -> None:
    telemetry = one(write("a.jsonl", "\n".join([header(), sample(0), sample(1, power_w=[1.0])])))
    assert len(telemetry.time_s) == 1 and telemetry.quality.bad_lines == 1


def test_a_file_without_gpus_tells_the_reason(write: Write) -> None:
    text = "\n".join([header(0, reason="no NVML library"), line(type="sample", t=T0, node_w=350.0)])
    telemetry = one(write("a.jsonl", text))
    assert telemetry.gpus == () and telemetry.node_power_w is not None
    assert any("no NVML library" in w for w in telemetry.quality.warnings)


def test_instant_power_is_named_when_it_is_all_there_is(write: Write) -> None:
    lines = [line(type="sample", t=T0 + i, power_instant_w=[1.0, 2.0]) for i in range(2)]
    assert one(write("a.jsonl", "\n".join([header(), *lines]))).power_field == "instant"


def test_the_schema_describes_what_the_reader_reads() -> None:
    schema = json.loads(Path(reader.__file__).with_name("telemetry.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    good = [
        header(rapl_max_j={"package-0": 262143.3}),
        sample(0, util=[99, None], rapl_j={"package-0": 1.5}, node_w=None, sample_us=812, throttle=[0, None]),
        line(type="event", t=T0, name="phase", value="eval"),
        line(type="footer", t=T0, samples=1, missed=0, cpu_s=0.1, reason="exit"),
    ]
    for text in good:
        validator.validate(json.loads(text))
    for text in (line(type="sample"), line(type="sample", t=1, power_w=["x"]), line(type="what", t=1)):
        assert not validator.is_valid(json.loads(text))
