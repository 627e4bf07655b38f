"""Series of Prometheus: metrics apart, several nodes, pods of other jobs, and the forms in which people keep them."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from ecoaudit import ingest
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import Telemetry
from ecoaudit.ingest.telemetry.tenants import job_of, tenants

Write = Callable[[str, str | bytes], str]
START = 1764000000


def series(metric: str, gpu: int, values: Iterable[float], start: float = START, **labels: str) -> dict[str, object]:
    return {
        "metric": {"__name__": metric, "gpu": str(gpu), "UUID": f"GPU-{gpu}", "Hostname": "n01"} | labels,
        "values": [[start + 15 * i, str(v)] for i, v in enumerate(values)],
    }


def power(gpu: int, *values: float, **labels: str) -> dict[str, object]:
    return series("DCGM_FI_DEV_POWER_USAGE", gpu, values, **labels)


def answer(*found: dict[str, object], kind: str = "matrix") -> str:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": list(found)}})


def read(*paths: str, **options: str) -> tuple[Telemetry, ...]:
    return ingest.read(list(paths), **options).telemetry  # type: ignore[arg-type]


def warned(one: Telemetry, words: str) -> bool:
    return any(words in warning for warning in one.quality.warnings)


def test_power_and_energy_in_two_files_are_one_nodes_telemetry(fixtures: Path) -> None:
    folder = fixtures / "prometheus"
    first, second = read(str(folder / "range.json"), str(folder / "energy.json"))
    assert (first.host, second.host) == ("n01", "n02")
    assert first.power_w.shape == (4, 2) and first.energy_j is not None
    assert np.diff(first.energy_j[:, 0]).tolist() == [7500.0] * 3  # the counter, its times 2 s later, on the same rows
    assert np.isnan(first.energy_j[:, 1]).all()
    assert first.quality.records == 16 + 4


def test_the_order_of_the_files_does_not_matter(fixtures: Path) -> None:
    folder = fixtures / "prometheus"
    one = read(str(folder / "energy.json"), str(folder / "range.json"))[0]
    assert one.energy_j is not None and not np.isnan(one.power_w[:, 0]).any()


def test_power_and_utilisation_apart_without_hosts_join_by_uuid(write: Write) -> None:
    util = series("DCGM_FI_DEV_GPU_UTIL", 0, [97, 98], Hostname="")
    (one,) = read(write("p.json", answer(power(0, 500, 501, Hostname=""))), write("u.json", answer(util)))
    assert one.util_percent is not None and one.util_percent[:, 0].tolist() == [97.0, 98.0]
    assert one.power_w[:, 0].tolist() == [500.0, 501.0]


def test_queries_that_name_a_node_differently_are_of_one_node(write: Write) -> None:
    labels = {"Hostname": "", "instance": "10.0.0.1:9400"}
    energy = series("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 0, [0, 7500000], **labels)
    (one,) = read(write("p.json", answer(power(0, 500, 501))), write("e.json", answer(energy)))
    assert one.host == "n01" and one.energy_j is not None
    later = series("DCGM_FI_DEV_POWER_USAGE", 0, [502, 503], START + 60, **labels)
    found = read(write("p.json", answer(power(0, 500, 501))), write("q.json", answer(later)))
    assert [t.host for t in found] == ["n01", "n01"]


def test_the_same_metric_twice_is_not_joined(write: Write) -> None:
    found = read(write("a.json", answer(power(0, 500, 501))), write("b.json", answer(power(0, 510, 511))))
    assert len(found) == 2  # overlapping recordings of one node, which the model counts once


def test_a_gpu_is_of_one_node_when_its_exporter_restarts(write: Write) -> None:
    before = power(0, 500, 501, Hostname="dcgm-exporter-6ldbb", instance="10.0.0.1:9400")
    after = series("DCGM_FI_DEV_POWER_USAGE", 0, [502, 503], START + 30, Hostname="dcgm-exporter-x9tql")
    (one,) = read(write("p.json", answer(before, after)))
    assert one.power_w[:, 0].tolist() == [500.0, 501.0, 502.0, 503.0]


def test_the_node_label_names_the_node_where_hostname_is_the_exporters_pod(write: Write) -> None:
    (one,) = read(write("p.json", answer(power(0, 500, 501, Hostname="dcgm-exporter-6ldbb", node="gpu-7"))))
    assert one.host == "gpu-7"


def test_gpus_of_several_jobs_are_counted_and_the_jobs_named(write: Write) -> None:
    found = [power(g, 500, 501, exported_pod=f"train-worker-{g}", pod="dcgm-exporter-6ldbb") for g in (0, 1)]
    other = power(2, 400, 401, exported_pod="infer-x7bqz", pod="dcgm-exporter-6ldbb")
    (one,) = read(write("p.json", answer(*found, other)))
    assert len(one.gpus) == 3
    assert warned(one, "pods of 2 jobs held these GPUs (infer, train)")


def test_gpus_that_no_pod_held_are_left_out_beside_one_jobs(write: Write) -> None:
    held = [power(g, 500, 501, pod=f"train-{g}", namespace="ml") for g in (0, 1)]
    free = [power(g, 70, 71, pod="") for g in (2, 3)]
    (one,) = read(write("p.json", answer(*held, *free)))
    assert [gpu.index for gpu in one.gpus] == [0, 1]
    assert one.node_gpu_count == 4
    assert warned(one, "2 of 4 GPUs were held by no pod")


def test_a_gpu_that_a_pod_held_later_keeps_its_time_before(write: Write) -> None:
    before = power(0, 70, 71, pod="")
    during = series("DCGM_FI_DEV_POWER_USAGE", 0, [500, 501], START + 30, pod="train-0")
    (one,) = read(write("p.json", answer(before, during)))
    assert len(one.time_s) == 4


@pytest.mark.parametrize(
    ("pod", "job"),
    [
        ("train-0", "train"),
        ("train-worker-12", "train"),
        ("train-launcher-x7bqz", "train"),
        ("train-0-x7bqz", "train"),
        ("llm", "llm"),
        ("llama-7b", "llama-7b"),
    ],
)
def test_pods_of_one_job_share_its_name(pod: str, job: str) -> None:
    assert job_of(pod) == job


def test_of_several_users_nobodys_gpus_are_left_out() -> None:
    assert tenants({0: {"a"}, 1: {"b"}, 2: set()}).left_out == frozenset()
    assert tenants({0: {"a"}, 1: set()}).left_out == {1}
    assert tenants({0: set(), 1: set()}).left_out == frozenset()


def test_a_nodes_own_meter_beside_its_gpus(write: Write) -> None:
    labels = {"UUID": "", "Hostname": "", "instance": "10.0.0.9:9290"}
    node = series("ipmi_dcmi_power_consumption_watts", 0, [1500, 1510], **labels)
    logs = ingest.read([write("node.json", answer(power(0, 500, 501), node))])
    assert logs.telemetry[0].power_w[:, 0].tolist() == [500.0, 501.0]
    (meter,) = logs.meters
    assert meter.power_w.tolist() == [1500.0, 1510.0] and meter.label == "node node 0"
    (alone,) = ingest.read([write("bmc.json", answer(node))]).meters
    assert np.diff(alone.time_s).tolist() == [15.0]


def test_mig_instances_are_not_added_to_their_gpu(write: Write) -> None:
    (one,) = read(write("p.json", answer(power(0, 500, 501), power(0, 90, 91, GPU_I_ID="3", GPU_I_PROFILE="1g.10gb"))))
    assert one.power_w[:, 0].tolist() == [500.0, 501.0]
    assert warned(one, "MIG")


def test_a_gpu_told_by_its_mig_instances_only_is_counted_once(write: Write) -> None:
    found = [power(0, 52.5, 52.7, GPU_I_ID=str(i), GPU_I_PROFILE="1g.6gb", pod=f"job{i}-0") for i in (3, 4, 5)]
    busy = series("DCGM_FI_DEV_GPU_UTIL", 0, [0, 0], GPU_I_ID="3")
    (one,) = read(write("p.json", answer(*found, busy)))
    assert one.power_w[:, 0].tolist() == [52.5, 52.7]
    assert one.util_percent is None  # the exporter has none for instances
    assert warned(one, "1 GPUs are told by their MIG instances") and warned(one, "pods of 3 jobs")


def test_an_instant_query_is_one_moment(write: Write) -> None:
    moment = {"metric": power(0)["metric"], "value": [START, "500"]}
    (one,) = read(write("p.json", answer(moment, kind="vector")))
    assert warned(one, "one moment")
    again = {"metric": power(0)["metric"], "value": [START + 15, "501"]}
    (loop,) = read(write("q.json", answer(moment, kind="vector") + "\n" + answer(again, kind="vector")))
    assert loop.power_w[:, 0].tolist() == [500.0, 501.0] and not warned(loop, "one moment")


def test_series_behind_a_function_say_what_to_query(write: Write) -> None:
    nameless = {"metric": {"gpu": "0"}, "values": [[START, "1"]]}
    with pytest.raises(EcoauditError, match="no power, energy or utilisation"):
        ingest.read([write("p.json", answer(nameless))])


def test_exported_lines_of_victoriametrics(write: Write) -> None:
    metric = power(0)["metric"]
    line = json.dumps({"metric": metric, "values": [500, 501], "timestamps": [START * 1000, START * 1000 + 15000]})
    (one,) = read(write("export.jsonl", line + "\n" + line[: len(line) // 2]))
    assert one.time_s.tolist() == [START, START + 15]
    assert one.quality.bad_lines == 1


def test_promtool_text(write: Write) -> None:
    name = 'DCGM_FI_DEV_POWER_USAGE{Hostname="n01", UUID="GPU-0", gpu="0"}'
    (one,) = read(write("range.txt", f"{name} =>\n500.5 @[{START}]\n501.5 @[{START + 15}.5]\n"))
    assert one.power_w[:, 0].tolist() == [500.5, 501.5]
    assert one.time_s.tolist() == [START, START + 15.5]


def test_promtools_json_and_its_dump_of_the_store(write: Write) -> None:
    """`promtool query range -o json` prints the bare series, `promtool tsdb dump` the name among the labels."""
    listed = read(write("range.json", json.dumps([power(0, 500.5, 501.5)])))
    labels = '{Hostname="n01", UUID="GPU-0", __name__="DCGM_FI_DEV_POWER_USAGE", gpu="0"}'
    dumped = read(write("dump.txt", "".join(f"{labels} {500.5 + i} {(START + 15 * i) * 1000}\n" for i in range(2))))
    for (one,) in (listed, dumped):
        assert one.power_w[:, 0].tolist() == [500.5, 501.5]
        assert (one.time_s.tolist(), one.host, one.gpus[0].uuid) == ([START, START + 15], "n01", "GPU-0")


def scrapes(*metrics: tuple[str, list[float]]) -> str:
    of_each = [[f'{m}{{gpu="0",UUID="GPU-0"}} {values[i]}\n' for m, values in metrics] for i in range(3)]
    return "".join("".join(lines) for lines in of_each)


def test_scrapes_without_times_are_as_far_apart_as_power_and_counter_say(write: Write) -> None:
    power_w = ("DCGM_FI_DEV_POWER_USAGE", [500.0, 500.0, 500.0])
    counter = ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", [9e6, 9e6 + 5e6, 9e6 + 10e6])  # 5 kJ a scrape: 10 s of 500 W
    (both,) = read(write("both.prom", scrapes(power_w, counter)))
    assert both.time_s.tolist() == pytest.approx([0.0, 10.0, 20.0]) and warned(both, "10 s apart, by the power")
    (alone,) = read(write("power.prom", scrapes(power_w)))
    assert alone.time_s.tolist() == [0.0, 30.0, 60.0] and warned(alone, "30 s a scrape, the exporter's default")
    reset = ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", [9e6, 14e6, 5e6])
    (restarted,) = read(write("reset.prom", scrapes(power_w, reset)))
    assert restarted.time_s.tolist() == [0.0, 30.0, 60.0]


def test_a_gpu_of_two_exporters_is_one(write: Write) -> None:
    """nvidia_gpu_exporter leaves `GPU-` out of the UUID, and names the model in a series of its own."""
    bare = "0a1b2c3d-1111-2222-3333-444455556666"
    other = {"uuid": bare, "UUID": "", "Hostname": "", "instance": "n01:9835"}
    named = series("nvidia_smi_gpu_info", 0, [1], **other, name="NVIDIA H100 80GB HBM3")
    found = [power(0, 500, 501, UUID=f"GPU-{bare}"), series("nvidia_smi_power_draw_watts", 0, [500, 501], **other)]
    (one,) = read(write("p.json", answer(*found, named)))
    assert one.power_w[:, 0].tolist() == [500.0, 501.0]
    assert one.gpus[0].name == "NVIDIA H100 80GB HBM3"


def test_a_panels_csv(fixtures: Path) -> None:
    (one,) = read(str(fixtures / "prometheus" / "grafana.csv"), timezone="Europe/Berlin")
    assert one.power_w[:, 0].tolist() == [400.0, 402.0, 404.0]
    assert one.power_w[0, 1] == 1410.0 and np.isnan(one.power_w[1, 1])
    assert one.gpus[1].uuid == "GPU-1" and one.host == "n01"


def test_milliwatts_of_the_old_exporter_and_stamps_of_openmetrics(write: Write) -> None:
    label = '{minor_number="0",name="Tesla V100",uuid="GPU-0"}'
    lines = [f"nvidia_gpu_power_usage_milliwatts{label} {40000 + i} {START + 15 * i}.25" for i in range(2)]
    (one,) = read(write("metrics.txt", "\n".join(lines) + "\n"))
    assert one.power_w[:, 0] == pytest.approx([40.0, 40.001])
    assert one.time_s.tolist() == [START + 0.25, START + 15.25]
