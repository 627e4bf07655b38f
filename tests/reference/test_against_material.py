"""The tables against the collected material they were read from: no figure moved on the way."""

import csv
from pathlib import Path

import pytest

from ecoaudit.reference import load


def material(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_countries(shared_dir: Path) -> None:
    seen = 0
    for row in material(shared_dir, "reference/grid_countries.csv"):
        if row["iso2"] and float(row["gco2e_per_kwh"]) > 0:
            factor = load().grid(zone=row["iso3"])
            assert (factor.zone, factor.g_per_kwh) == (row["iso2"], pytest.approx(float(row["gco2e_per_kwh"])))
            assert (factor.basis, factor.citation.year) == (row["basis"], row["year"])
            seen += 1
    assert seen > 200


def test_gpus(shared_dir: Path) -> None:
    for row in material(shared_dir, "reference/gpus.csv"):
        gpu = load().gpu(row["model"])
        assert gpu.tdp_w == float(row["tdp_w"])
        for number_format in ("bf16", "fp16", "fp8"):
            stated = row[f"{number_format}_dense_tflops"]
            assert gpu.dense_tflops.get(number_format) == (pytest.approx(float(stated)) if stated else None)


def test_regions_carry_the_listed_figure_or_a_nearer_one(shared_dir: Path) -> None:
    """Regions whose zone was assigned anew differ; they are few, and each has a figure of its own place."""
    rows = material(shared_dir, "reference/cloud_regions.csv")
    moved = []
    for row in rows:
        key = f"{row['provider']}:{row['region']}"
        factor = load().grid(region=key)
        if factor.g_per_kwh != pytest.approx(float(row["gco2e_per_kwh"]), rel=1e-3):
            moved.append(key)
        if row["pue"]:
            assert load().pue(key).value == float(row["pue"]), key
    assert len(moved) <= 0.05 * len(rows), moved


def test_published_runs(shared_dir: Path) -> None:
    ours = {(run.gpu_hours, run.tokens) for run in load().training_runs()}
    hours = {gpu_hours for gpu_hours, _ in ours}
    for row in material(shared_dir, "logs/published_runs.csv"):
        if row["accel_hours"] and row["tokens_b"] and row["energy_circular"] != "partly":
            assert float(row["accel_hours"]) in hours, row["id"]
