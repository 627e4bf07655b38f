"""What MLPerf result files count under one key: epochs or samples, by benchmark and by submission."""

import json
from pathlib import Path

import pytest

from ecoaudit import ingest


def result(folder: Path, benchmark: str, key: str, counts: list[float]) -> Path:
    """Write a result file of `benchmark` whose evaluations count `counts` under `key`."""
    entries = [("submission_benchmark", benchmark, {}), ("global_batch_size", 56, {}), ("run_start", None, {})]
    entries += [("eval_accuracy", 0.5, {key: count}) for count in counts]
    entries += [("run_stop", None, {"status": "success", key: counts[-1]})]
    lines = [
        ":::MLLOG "
        + json.dumps(
            {"time_ms": 1_715_000_000_000 + 1000 * i, "event_type": "POINT", "key": k, "value": v, "metadata": m}
        )
        for i, (k, v, m) in enumerate(entries)
    ]
    path = folder / "result_0.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("benchmark", "key", "counts", "samples"),
    [
        ("unet3d", "epoch_num", [1000, 1880], 1880 * 168),
        ("unet3d", "epoch_num", [168_000, 315_840], 315_840),
        ("resnet", "epoch_num", [4, 35], 35 * 1_281_167),
        ("dlrm_dcnv2", "epoch_num", [0.7498978502418643, 0.8498859876893066], 3_565_439_734),
        ("llama2_70b_lora", "samples_count", [2688, 3072], 3072),
        ("gpt3", "epoch_num", [1_207_959_552 // 2, 1_207_959_552], 589_824),
    ],
)
def test_samples_at_the_target(tmp_path: Path, benchmark: str, key: str, counts: list[float], samples: int) -> None:
    (log,) = ingest.read([str(result(tmp_path, benchmark, key, counts))]).training
    assert log.samples == samples


@pytest.mark.parametrize("benchmark", ["gnn", "rgat"])
def test_a_fraction_of_an_epoch_counts_the_samples_that_the_log_tells(tmp_path: Path, benchmark: str) -> None:
    path = result(tmp_path, benchmark, "epoch_num", [0.05, 0.85])
    assert ingest.read([str(path)]).training[0].samples is None
    told = {"time_ms": 1_715_000_000_000, "event_type": "POINT", "key": "train_samples", "value": 94_605_581}
    path.write_text(f":::MLLOG {json.dumps({**told, 'metadata': {}})}\n" + path.read_text(encoding="utf-8"))
    (log,) = ingest.read([str(path)]).training
    assert log.samples == round(0.85 * 94_605_581)
