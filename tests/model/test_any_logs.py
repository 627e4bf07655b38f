"""Whatever the logs hold, the audit is built, is finite, keeps its intervals and survives its JSON form."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import MeterLog, Phase, SystemDescription, Telemetry, TrainingLog
from ecoaudit.model.audit_json import decode, encode
from model.runs import B200, H100, START, audit, constant, described, meter, site, telemetry, training

Item = TypeVar("Item")


class Dice:
    """Random logs of every shape, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def pick(self, *items: Item) -> Item:
        return items[int(self.random.integers(len(items)))]

    def chance(self, share: float) -> bool:
        return bool(self.random.uniform() < share)

    def maybe(self, value: float) -> float | None:
        return self.pick(None, value, value, float("nan"), 0.0)

    def telemetry(self) -> Telemetry:
        count, boards = int(self.random.integers(1, 200)), int(self.random.integers(1, 9))
        length = self.pick(1.0, 100.0, 1000.0)
        times = np.sort(np.round(self.random.uniform(0, length, count), 3)) + self.pick(0.0, 0.0, 3600.0, 50_000.0)
        power = self.random.uniform(0, 700, (count, boards)) * self.pick(0, 1, 1, 1)
        power[self.random.uniform(size=power.shape) < self.pick(0.0, 0.1, 0.9, 1.0)] = np.nan
        counter = np.cumsum(self.random.uniform(-50 if self.chance(0.3) else 0, 700, power.shape), axis=0)
        counter[self.random.uniform(size=power.shape) < self.pick(0.0, 0.1, 1.0)] = np.nan
        node = self.random.uniform(0, 7000, count)
        node[self.random.uniform(size=count) < 0.3] = np.nan
        events = [(float(t), self.pick("train", "eval", "idle")) for t in self.random.uniform(0, 1000, 4)]
        log = telemetry(
            [constant(1.0)] * boards,
            times,
            host=self.pick(None, "a", "b"),
            gpu=self.pick(None, H100, B200, "NVIDIA A100-SXM4-80GB", "no such board"),
            limit_w=self.pick(None, 700.0),
            clock=self.pick("utc", "naive"),
            log_format=self.pick("ecoaudit", "nvidia_smi_csv"),
            node_gpu_count=self.pick(None, 8),
            events=events if self.chance(0.5) else [],
        )
        return replace(
            log,
            power_w=power,
            energy_j=self.pick(None, counter),
            util_percent=self.pick(None, self.random.uniform(0, 100, power.shape)),
            host_energy_j=self.pick({}, {"package-0": np.cumsum(self.random.uniform(0, 100, count))}),
            node_power_w=self.pick(None, None, node),
        )

    def meter(self, number: int) -> MeterLog:
        count = int(self.random.integers(1, 100))
        times = np.sort(np.round(self.random.uniform(-10, 500, count))) + self.pick(0.0, 0.0, 3600.0)
        log = meter(
            constant(1.0),
            times,
            f"meter_{number}",
            kind=self.pick("node", "network"),
            boundary=self.pick(None, "ac", "dc"),
            stated=self.chance(0.2),
            clock=self.pick("utc", "naive"),
        )
        return replace(log, power_w=self.random.uniform(-100, 7000, count))

    def training(self) -> TrainingLog:
        start = float(self.random.uniform(0, 500)) if self.chance(0.7) else None
        known: dict[str, Any] = {
            "framework": self.pick("A", "B"),
            "tokens": self.maybe(1e6),
            "samples": self.maybe(1e3),
            "params": self.maybe(1e9),
            "flops": self.maybe(1e15),
            "flops_kind": self.pick(None, "model", "hardware"),
            "runtime_s": self.maybe(300.0),
            "step_count": self.pick(None, 0, 10),
            "rework_steps": self.pick(0, 0, 2),
            "first_step": self.pick(None, 1),
            "last_step": self.pick(None, 10),
            "world_size": self.pick(None, 8, 16),
            "benchmark": self.pick(None, None, "gpt3"),
            "precision": self.pick(None, "bf16", "fp8"),
        }
        if start is None:
            return training(None, None, **known)
        known["clock"] = self.pick("utc", "naive")
        known["phases"] = self.pick((), (Phase("eval", START + start, START + start + 10.0),))
        return training(start, start + float(self.random.uniform(0, 500)), **known)

    def system(self) -> SystemDescription:
        return described(
            nodes=self.pick(None, 1, 2),  # type: ignore[arg-type]
            gpu_model=self.pick(H100, B200, "no such board", None),
            basis=self.pick("stated", "assumed"),
            gpus_per_node=self.pick(None, 4, 8),
            cooling=self.pick(None, "air", "immersion"),
        )

    def some(self, most: int) -> Sequence[int]:
        return range(int(self.random.integers(0, most)))


@pytest.mark.parametrize("batch", range(6))
def test_any_logs_give_a_sound_audit_or_one_clear_line(batch: int) -> None:
    for seed in range(25 * batch, 25 * (batch + 1)):
        dice = Dice(seed)
        try:
            found = audit(
                telemetry=[dice.telemetry() for _ in dice.some(3)],
                meters=[dice.meter(i) for i in dice.some(3)],
                training=[dice.training() for _ in dice.some(3)],
                systems=[dice.system() for _ in dice.some(2)],
                place=site(g_per_kwh=dice.pick(None, 300.0), usd=dice.pick(None, 2.0)),
                host_power_w=dice.pick(None, 500.0),
                network_power_w=dice.pick(None, 100.0),
                cooling=dice.pick(None, "air"),
            )
        except EcoauditError as error:
            assert "\n" not in error.line(), seed
            continue
        assert decode(encode(found)) == found, seed
        assert found.energy.headline is not None or found.quality.unknown, seed
