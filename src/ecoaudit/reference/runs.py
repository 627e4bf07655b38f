"""Known models and published training runs, typed."""

from ecoaudit.reference import rows
from ecoaudit.reference.types import MfuBenchmark, ModelPreset, Throughput, TrainingRun


def preset(row: rows.Row) -> ModelPreset:
    """Return a row of the model table."""
    tokens = rows.optional(row, "tokens_b")
    return ModelPreset(
        id=row["id"],
        name=row["name"],
        family=row["family"],
        architecture=row["architecture"],  # type: ignore[arg-type]
        params=rows.number(row, "params_b") * 1e9,
        active_params=rows.number(row, "active_params_b") * 1e9,
        layers=int(row["layers"]),
        hidden_size=int(row["hidden_size"]),
        sequence_length=int(row["sequence_length"]),
        tokens=None if tokens is None else tokens * 1e9,
        number_format=row["number_format"],
        citation=rows.citation(row),
        note=rows.text(row, "note"),
    )


def training_run(row: rows.Row) -> TrainingRun:
    """Return a row of the table of published runs."""
    count, tokens = rows.optional(row, "gpu_count"), rows.optional(row, "tokens_b")
    return TrainingRun(
        id=row["id"],
        model=rows.text(row, "model"),
        gpu=row["gpu"],
        gpu_count=None if count is None else int(count),
        gpu_hours=rows.optional(row, "gpu_hours"),
        hours_kind=rows.text(row, "hours_kind"),
        tokens=None if tokens is None else tokens * 1e9,
        time_evidence=row["time_evidence"] == "yes",
        energy_evidence=row["energy_evidence"] == "yes",
        energy_mwh=rows.optional(row, "energy_mwh"),
        energy_boundary=rows.text(row, "energy_boundary"),  # type: ignore[arg-type]
        energy_basis=rows.text(row, "energy_basis"),
        power_w_per_gpu=rows.optional(row, "power_w_per_gpu"),
        pue=rows.optional(row, "pue"),
        tco2e_reported=rows.optional(row, "tco2e_reported"),
        copy_of=rows.text(row, "copy_of"),
        primary_read=row["read_from"] == "primary",
        citation=rows.citation(row),
        note=rows.text(row, "note"),
    )


def mfu_benchmark(row: rows.Row) -> MfuBenchmark:
    """Return a row of the throughput table."""
    return MfuBenchmark(
        gpu=row["gpu"],
        model=row["model"],
        params=rows.number(row, "params_b") * 1e9,
        sequence_length=int(row["sequence_length"]),
        gpu_count=int(row["gpu_count"]),
        number_format=row["number_format"],
        tflops_per_gpu=rows.number(row, "tflops_per_gpu"),
        mfu=rows.number(row, "mfu"),
        citation=rows.citation(row),
    )


def throughput(row: rows.Row) -> Throughput:
    """Return a row of the table of published training results."""
    return Throughput(
        gpu=row["gpu"],
        workload=row["workload"],
        gpu_count=int(row["gpu_count"]),
        nodes=int(row["nodes"]),
        round=row["round"],
        submitter=row["submitter"],
        samples_per_s=rows.number(row, "samples_per_s"),
        sequence_length=int(row["sequence_length"]),
        tflops_per_gpu=rows.number(row, "tflops_per_gpu"),
        citation=rows.citation(row),
    )
