"""The loop: wait for the tick, read, write one line. Ticks lie on a fixed grid, so that lateness never adds up."""

import math
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .clock import Clock
from .lines import SCHEMA, Json, encode, iso, joules, watts
from .markers import MarkerInbox, Scalar
from .nodepower import NodeMeter
from .nvml import Gpu, Nvml
from .rapl import Rapl
from .sink import Sink
from .stops import Stop
from .tally import EnergyTally

SLOW_EVERY_S = 5.0
RESTATE_EVERY_S = 60.0
CLOCK_STEP_S = 1.0
SUSPENDED_S = 0.5
SHARE_RULE = "compute slices of the job's MIG devices / compute slices of the GPU; energy and power are the whole GPU's"


class Identity(NamedTuple):
    """Whose recording this is."""

    host: str
    run_id: str
    version: str
    interval_s: float


class Meters:
    """What is measured; `absent` says of each thing that is not, why not and what would change it."""

    def __init__(
        self,
        nvml: Nvml | None,
        rapl: Rapl | None = None,
        node: NodeMeter | None = None,
        inbox: MarkerInbox | None = None,
        absent: dict[str, str] | None = None,
    ) -> None:
        self.nvml = nvml
        self.rapl = rapl
        self.node = node
        self.inbox = inbox
        self.absent = absent or {}


class Recorder:
    """Records until something says stop. `run` returns the footer."""

    def __init__(
        self,
        identity: Identity,
        meters: Meters,
        sink: Sink,
        stops: Sequence[Stop],
        clock: Clock,
        upkeep: Callable[[], None] = lambda: None,
    ) -> None:
        """`upkeep` is called about once a minute."""
        self._identity = identity
        self._meters = meters
        self._sink = sink
        self._stops = stops
        self._clock = clock
        self._upkeep = upkeep
        self._start_s = clock.boot()
        self._started_at = clock.wall()
        self._offset_s = self._started_at - self._start_s
        self._asleep_s = self._start_s - clock.awake()
        self._samples = self._missed = self._dropped = 0
        self._phase: Json = None
        self._slow_at_s = self._restate_at_s = float("-inf")
        self._slow_written: dict[str, Json] = {}
        self._dropped_told = 0
        gpus = meters.nvml.gpus if meters.nvml else []
        self._tally = EnergyTally([gpu.energy_source != "none" for gpu in gpus])

    def run(self) -> dict[str, Json]:
        """Record until a stop, with a last sample at the end; return the footer that was written."""
        tick = 0
        descriptors = [s.descriptor for s in self._stops if s.descriptor is not None]
        reason: str | None = None
        while reason is None:
            self.tick()
            now = self._clock.boot() - self._start_s
            due = max(int(now / self._identity.interval_s) + 1, tick + 1)
            self._missed += due - tick - 1
            tick = due
            reason = self._wait_until(self._start_s + due * self._identity.interval_s, descriptors)
        self._slow_at_s = float("-inf")  # so that host counters cover the run to its end
        self.tick()
        return self._finish(reason)

    def _wait_until(self, due_s: float, descriptors: Sequence[int]) -> str | None:
        """Sleep until a boot time; return a reason to stop as soon as there is one."""
        while True:
            reason = next((r for s in self._stops if (r := s.reason()) is not None), None)
            left = due_s - self._clock.boot()
            if reason is not None or left <= 0:
                return reason
            self._clock.wait(left if len(descriptors) == len(self._stops) else min(left, 1.0), descriptors)

    def tick(self) -> None:
        """Take one sample of everything that is due and write it, after the events that belong before it."""
        now = self._clock.boot()
        wall = self._clock.wall()
        nvml = self._meters.nvml
        self._sink.prepare(wall, now)
        if nvml is not None and nvml.recover(now):
            self._sink.needs_header = True  # the driver may be another version
        self._write_header_if_needed()
        self._note_clocks(now, wall)
        self._pass_markers()
        slow_due = now >= self._slow_at_s
        sample: dict[str, Json] = {"type": "sample", "t": round(wall, 3), "m": self._m(now)}
        if nvml is not None and nvml.gpus:
            self._read_gpus(nvml, now, sample, slow_due=slow_due)
        if slow_due:
            self._slow_at_s = now + SLOW_EVERY_S
            if self._meters.rapl is not None and (host := self._meters.rapl.read()):
                sample["rapl_j"] = host
        if now >= self._restate_at_s:
            self._restate_at_s = now + RESTATE_EVERY_S
            self._upkeep()
        if self._meters.node is not None and (power := self._meters.node.poll(now)) is not None:
            sample["node_w"] = power if math.isfinite(power) else None  # an absent key would repeat the last reading
        # Where nothing can be read, a bare line now and then gives the job's phases and steps a time that they lie in.
        if (len(sample) > 3 or slow_due) and self._write(sample):
            self._samples += 1
        if self._dropped > self._dropped_told and not self._sink.needs_header:
            lost, self._dropped_told = self._dropped - self._dropped_told, self._dropped
            self._event("dropped", lost)  # lines get through again

    def _read_gpus(self, nvml: Nvml, now: float, sample: dict[str, Json], *, slow_due: bool) -> None:
        """Add the GPUs' measures to the sample: the fast ones always, the slow ones where they changed."""
        started = time.perf_counter()
        reading = nvml.read(now)
        slow = nvml.read_slow() if slow_due else {}
        spent_us = round((time.perf_counter() - started) * 1e6)
        for position in self._tally.add(now, reading.energy_mj, reading.average_mw):
            self._event("counter_reset", nvml.gpus[position].chosen.device.nvml_index)
        for incident in nvml.incidents:
            self._event(incident.name, incident.value, incident.attributes)
        nvml.incidents.clear()
        sample["power_w"] = [watts(v) for v in reading.average_mw]
        if any("instant" in gpu.fields for gpu in nvml.gpus):
            sample["power_instant_w"] = [watts(v) for v in reading.instant_mw]
        sample["energy_j"] = [joules(v) for v in reading.energy_mj]
        sample["util"] = reading.util
        if now >= self._restate_at_s:
            self._slow_written.clear()
        for name, values in slow.items():
            if self._slow_written.get(name) != values:
                self._slow_written[name] = values
                sample[name] = values
        sample["sample_us"] = spent_us

    def _note_clocks(self, now: float, wall: float) -> None:
        """Say where the wall clock was stepped and where the machine slept: `m` runs on through both."""
        step = wall - now - self._offset_s
        if abs(step) > CLOCK_STEP_S:
            self._event("clock_step", round(step, 3))
            self._offset_s += step
        asleep = now - self._clock.awake()
        if asleep - self._asleep_s > SUSPENDED_S:
            self._event("suspended", round(asleep - self._asleep_s, 3))
        self._asleep_s = asleep

    def _pass_markers(self) -> None:
        """Write the training process's markers, with the times at which it set them."""
        for marker in self._meters.inbox.drain() if self._meters.inbox else []:
            line: dict[str, Json] = {
                "type": "event",
                "t": marker.pop("t"),
                "m": self._m(float(marker.pop("boot") or 0)),
            }
            line |= {key: marker.pop(key) for key in ("name", "value", "tokens") if key in marker}
            if line["name"] == "phase":
                self._phase = line["value"]
            if marker:
                line["attributes"] = dict(marker)
            self._write(line)

    def _event(self, name: str, value: Scalar, attributes: Mapping[str, Json] | None = None) -> None:
        wall, now = self._clock.wall(), self._clock.boot()
        line: dict[str, Json] = {"type": "event", "t": round(wall, 3), "m": self._m(now), "name": name, "value": value}
        self._write(line | {"attributes": attributes} if attributes else line)

    def _write_header_if_needed(self) -> bool:
        if not self._sink.needs_header:
            return True
        if not self._sink.write(encode(self._header())):
            return False
        self._sink.needs_header = False
        self._slow_at_s = self._restate_at_s = float("-inf")
        return True

    def _write(self, record: Mapping[str, Json]) -> bool:
        if self._write_header_if_needed() and self._sink.write(encode(record)):
            return True
        self._dropped += 1
        return False

    def _m(self, boot_s: float) -> float:
        return round(boot_s - self._start_s, 3)

    def _header(self) -> dict[str, Json]:
        """Return the header: who, since when, which GPUs, where the figures come from, what is absent and why."""
        nvml, rapl, absent = self._meters.nvml, self._meters.rapl, self._meters.absent
        header: dict[str, Json] = {
            "type": "header",
            "schema": SCHEMA,
            "host": self._identity.host,
            "run_id": self._identity.run_id,
            "started_at": iso(self._started_at),
            "t": round(self._clock.wall(), 3),
            "m": self._m(self._clock.boot()),
            "interval_s": self._identity.interval_s,
            "recorder": f"ecoaudit {self._identity.version}",
            "driver": nvml.driver if nvml else None,
            "gpus": [_describe(gpu) for gpu in nvml.gpus] if nvml else [],
            "node_gpu_count": nvml.node_gpu_count if nvml else None,
        }
        sources = nvml.sources() if nvml else []
        if nvml is not None and nvml.selection is not None:
            chosen_by: dict[str, Json] = {"by": nvml.selection.by, "value": nvml.selection.value}
            if nvml.selection.notes:
                chosen_by["notes"] = list(nvml.selection.notes)
            header["selection"] = chosen_by
        if rapl is not None:
            sources.append("rapl")
            header["rapl_max_j"] = rapl.ranges_j()
        if self._meters.node is not None:
            sources.append(self._meters.node.source)
            header["node_power_source"] = self._meters.node.source
        header["sources"] = sources
        if "gpus" in absent:
            header["reason"] = absent["gpus"]
        if absent:
            header["absent"] = dict(absent)
        return header

    def _finish(self, reason: str) -> dict[str, Json]:
        now = self._clock.boot()
        if self._phase not in (None, "idle"):
            self._event("phase", "idle")  # a job that goes on in another recording does not train until it says so
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        footer: dict[str, Json] = {
            "type": "footer",
            "t": round(self._clock.wall(), 3),
            "m": self._m(now),
            "samples": self._samples,
            "missed": self._missed,
            "dropped": self._dropped,
            "nvml_errors": self._meters.nvml.errors if self._meters.nvml else 0,
            "energy_j": self._tally.joules(),
            "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 3),
            "rss_mib": round(own.ru_maxrss / 1024, 1),
            "reason": reason,
        }
        self._write(footer)
        self._sink.close()
        return footer


def _describe(gpu: Gpu) -> dict[str, Json]:
    device = gpu.chosen.device
    described: dict[str, Json] = {
        "index": device.nvml_index,
        "uuid": device.uuid,
        "name": device.name,
        "pci_bus_id": device.pci_bus_id,
        "power_limit_w": gpu.power_limit_w,
        "memory_mib": gpu.memory_mib,
        "mig": device.mig,
        "power_source": gpu.power_source,
        "power_scope": gpu.power_scope,
    }
    if device.mig:
        described["mig_devices"] = [
            {"uuid": m.uuid, "gpu_instance": m.gpu_instance, "compute_instance": m.compute_instance, "slices": m.slices}
            for m in gpu.chosen.mig_devices
        ]
        described["share"] = gpu.chosen.share
        described["share_rule"] = SHARE_RULE
    return described
