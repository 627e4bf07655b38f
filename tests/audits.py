"""Small audits for tests that are not about how an audit comes about."""

from typing import Any

import msgspec

from ecoaudit.model import audit as a
from ecoaudit.quantity import Basis, Boundary, Quantity


def quantity(value: float, unit: str, spread: float = 0.1) -> Quantity:
    """Return a modelled quantity of `value` with an interval of plus and minus `spread`."""
    return Quantity(
        value=value,
        low=value * (1 - spread),
        high=value * (1 + spread),
        unit=unit,
        basis=Basis.MODELLED,
        source="test",
    )


def l3_audit(
    *,
    facility_kwh: float = 8.0,
    intensity: float = 400.0,
    intensity_basis: str = "lifecycle",
    j_per_token: float | None = 0.1,
    tokens: float | None = 1e8,
    steps: int | None = 200,
    gpu: str = "NVIDIA H100 80GB HBM3",
    gpu_count: int = 8,
    project: str | None = "demo",
    duration_s: float = 3600.0,
    spread: float = 0.1,
    nodes: int = 1,
    cooling: str | None = None,
    pue: float | None = None,
    host_w: float | None = None,
) -> a.Audit:
    """Return an audit whose headline is L3 at the facility: node is 10 %, gpu 35 % below it.

    `j_per_token` is at the nodes; the training window's energy is that of its tokens. `cooling`, `pue` and `host_w` are
    parts of the method.
    """
    facility = quantity(facility_kwh, "kWh", spread)
    node, boards = quantity(facility_kwh * 0.9, "kWh", spread), quantity(facility_kwh * 0.65, "kWh", 0.05)
    headline = a.Headline(level="L3", boundary=Boundary.FACILITY, value=facility, label="grounded")
    training_kwh = j_per_token * tokens / 3.6e6 / 0.9 if j_per_token and tokens else facility_kwh
    in_training = quantity(training_kwh, "kWh", spread)
    operational = quantity(facility_kwh * intensity / 1000, "kgCO2e", spread)
    hours = gpu_count * duration_s / 3600
    return a.Audit(
        tool="ecoaudit test",
        project=project,
        run=a.Run(id="run", commit="c0ffee", duration_s=duration_s),
        hardware=a.Hardware(
            nodes=nodes, gpu_count=gpu_count, gpus=[a.GpuGroup(model=gpu, count=gpu_count)], cooling=cooling
        ),
        training=a.Training(framework="megatron", tokens=tokens, steps=steps),
        windows=a.Windows(),
        energy=a.Energy(
            levels=a.Levels(
                L1=a.LevelEnergy(gpu=quantity(5.6, "kWh", 0.0)),
                L2=a.LevelEnergy(gpu=boards),
                L3=a.LevelEnergy(gpu=boards, node=node, facility=facility),
            ),
            headline=headline,
            training=msgspec.structs.replace(headline, value=in_training),
            training_levels=a.Levels(
                L2=a.LevelEnergy(gpu=quantity(training_kwh * 0.65, "kWh", 0.05)),
                L3=a.LevelEnergy(node=quantity(training_kwh * 0.9, "kWh", spread), facility=in_training),
            ),
            pue=quantity(pue, "1", 0.05) if pue else None,
        ),
        calibration=a.Calibration(
            id="line", driver="power", alpha=quantity(1.1, "1"), host_w=quantity(host_w, "W"), source="test"
        )
        if host_w
        else None,
        carbon=a.Carbon(
            intensity=quantity(intensity, "gCO2e/kWh", 0.1),
            intensity_basis=intensity_basis,
            zone="US",
            operational=operational,
            total=operational,
        ),
        cost=a.Cost(
            total=quantity(hours * 3, "USD", 0.0),
            per_gpu_hour=quantity(3.0, "USD/GPU-hour", 0.0),
            gpu_hours=quantity(hours, "GPU-hour", 0.0),
        ),
        efficiency=a.Efficiency(
            boundary=Boundary.NODE, j_per_token=quantity(j_per_token, "J/token") if j_per_token else None
        ),
        quality=a.Quality(samples=3600),
    )


def l2_audit(*, gpu_kwh: float = 4.0, intensity: float = 400.0, **changes: Any) -> a.Audit:
    """Return an audit that has GPU boards only: node and facility are not known."""
    boards = quantity(gpu_kwh, "kWh", 0.05)
    operational = quantity(gpu_kwh * intensity / 1000, "kgCO2e")
    whole = l3_audit(intensity=intensity, **changes)
    headline = a.Headline(level="L2", boundary=Boundary.GPU, value=boards, label="GPU boards only, lower bound")
    energy = a.Energy(levels=a.Levels(L2=a.LevelEnergy(gpu=boards)), headline=headline, training=headline)
    carbon = msgspec.structs.replace(whole.carbon, operational=operational, total=operational)
    efficiency = a.Efficiency(boundary=Boundary.GPU, j_per_token=quantity(0.05, "J/token"))
    return msgspec.structs.replace(whole, energy=energy, carbon=carbon, efficiency=efficiency)
