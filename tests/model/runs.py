"""Runs made by hand whose truth is known: telemetry, meters and training logs as the readers would hand them on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ecoaudit import reference
from ecoaudit.ingest.records import (
    Clock,
    Event,
    FloatArray,
    GpuInfo,
    MeterLog,
    ReadQuality,
    RunLogs,
    Source,
    SystemDescription,
    Telemetry,
    TrainingLog,
)
from ecoaudit.model.audit import Audit
from ecoaudit.model.build import build_audit
from ecoaudit.model.inputs import Identity, ModelOptions, Site
from ecoaudit.quantity import Basis
from ecoaudit.reference.types import Citation, GpuPrice, GridFactor, IntensitySeries, PueFactor

START = 1_764_000_000.0
H100 = "NVIDIA H100 80GB HBM3"
B200 = "NVIDIA B200"

Signal = Callable[[FloatArray], FloatArray]


def constant(watts: float) -> Signal:
    """Return a signal that never changes."""
    return lambda t: np.full_like(t, watts)


def telemetry(
    signals: Sequence[Signal],
    times: FloatArray,
    *,
    host: str | None = "n01",
    gpu: str | None = H100,
    limit_w: float | None = 700.0,
    counters: Sequence[Signal] | None = None,
    rapl: Mapping[str, Signal] | None = None,
    node_w: Signal | None = None,
    events: Sequence[tuple[float, str]] = (),
    clock: Clock = "utc",
    log_format: str = "ecoaudit",
    power_field: Literal["average", "instant", "unspecified"] = "average",
    node_gpu_count: int | None = None,
    first_gpu: int = 0,
    path: str = "t.jsonl",
) -> Telemetry:
    """Sample one signal a GPU at `times` (s since START); counters are functions of the same time (J)."""
    infos = tuple(
        GpuInfo(index=first_gpu + i, uuid=f"GPU-{host}-{first_gpu + i}", name=gpu, power_limit_w=limit_w)
        for i in range(len(signals))
    )
    return Telemetry(
        source=Source(path, log_format),
        host=host,
        gpus=infos,
        time_s=START + times,
        power_w=np.stack([s(times) for s in signals], axis=1),
        energy_j=np.stack([c(times) for c in counters], axis=1) if counters is not None else None,
        util_percent=None,
        quality=ReadQuality(),
        clock=clock,
        interval_s=1.0,
        power_field=power_field,
        host_energy_j={zone: s(times) for zone, s in (rapl or {}).items()},
        node_power_w=node_w(times) if node_w is not None else None,
        node_power_source="ipmi" if node_w is not None else None,
        node_gpu_count=node_gpu_count,
        events=tuple(Event(START + t, "phase", name) for t, name in events),
    )


def meter(
    signal: Signal,
    times: FloatArray,
    label: str = "node_0",
    *,
    kind: Literal["node", "network"] = "node",
    boundary: Literal["ac", "dc"] | None = "ac",
    efficiency: float | None = None,
    stated: bool = False,
    clock: Clock = "utc",
) -> MeterLog:
    """Sample a power meter at `times` (s since START)."""
    return MeterLog(
        source=Source(f"{label}.txt", "mlperf_power"),
        kind=kind,
        label=label,
        time_s=START + times,
        power_w=signal(times),
        quality=ReadQuality(),
        stated=stated,
        clock=clock,
        boundary=boundary,
        conversion_efficiency=efficiency,
    )


def training(start: float | None = 0.0, end: float | None = 100.0, **known: Any) -> TrainingLog:
    """Return a training log whose steps run from `start` to `end` (s since START)."""
    fields: dict[str, Any] = {
        "source": Source("train.log", "megatron"),
        "framework": "Megatron-LM",
        "quality": ReadQuality(),
        "clock": "utc" if start is not None else "none",
        "train_start_s": None if start is None else START + start,
        "train_end_s": None if end is None or start is None else START + end,
    }
    return TrainingLog(**{**fields, **known})


def mlperf_result(duration_s: float, **known: Any) -> TrainingLog:
    """Return an MLPerf result of `duration_s` from run_start to run_stop."""
    return training(
        0.0, duration_s, **{"framework": "MLPerf", "benchmark": "llama2_70b_lora", "status": "success", **known}
    )


def described(nodes: int = 1, **known: Any) -> SystemDescription:
    """Return a stated system of H100 nodes."""
    fields: dict[str, Any] = {
        "source": Source("systems/x.json", "mlperf_system"),
        "basis": "stated",
        "name": "test system",
        "nodes": nodes,
        "gpus_per_node": 8,
        "gpu_model": H100,
        "cooling": "air",
    }
    return SystemDescription(**{**fields, **known})


def site(
    *,
    g_per_kwh: float | None = 400.0,
    pue: tuple[float, float, float] = (1.2, 1.1, 1.3),
    usd: float | None = 2.5,
    market_g: float | None = None,
    series: IntensitySeries | None = None,
) -> Site:
    """Return a place with a known grid, PUE and price."""

    def grid(g: float) -> GridFactor:
        return GridFactor("ZZ", "Testland", g, 0.9 * g, 1.1 * g, "lifecycle", Citation("test grid", "2025"))

    return Site(
        grid=grid(g_per_kwh) if g_per_kwh is not None else None,
        pue=PueFactor(*pue, scope="site", basis=Basis.MEASURED, citation=Citation("test PUE")),
        price=GpuPrice("acme", "8xH100", H100, None, usd, 0.9 * usd, 1.1 * usd, Citation("test price"))
        if usd is not None
        else None,
        market=grid(market_g) if market_g is not None else None,
        series=series,
    )


def audit(
    *,
    telemetry: Sequence[Telemetry] = (),
    meters: Sequence[MeterLog] = (),
    training: Sequence[TrainingLog] = (),
    systems: Sequence[SystemDescription] = (),
    place: Site | None = None,
    **options: Any,
) -> Audit:
    """Build the audit of hand-made logs with the bundled tables."""
    logs = RunLogs(tuple(telemetry), tuple(meters), tuple(training), tuple(systems))
    return build_audit(logs, place or site(), reference.load(), ModelOptions(**options), Identity(tool="test"))
