"""Builds a small checkout of MLPerf results on disk, with the defects that real ones have."""

import json
from dataclasses import dataclass
from pathlib import Path

START_MS = 1_700_000_000_000


def mllog(time_ms: int, key: str, value: object = None, metadata: object = None, prefix: str = "") -> str:
    record = {"namespace": "", "time_ms": time_ms, "event_type": "POINT_IN_TIME", "key": key, "value": value}
    record["metadata"] = {} if metadata is None else metadata
    return f"{prefix}:::MLLOG {json.dumps(record)}\n"


@dataclass
class Checkout:
    """A checkout at `root`: call `run` for each run, then read `root`."""

    root: Path
    submitter: str = "Maker"
    system: str = "2xBOX-8xH100-SXM-80GB"
    benchmark: str = "llama2_70b_lora"
    nodes: int = 2
    cooling: str = "Air-cooled"
    gpu: str = "NVIDIA H100-SXM5-80GB"

    @property
    def folder(self) -> Path:
        return self.root / self.submitter / "results" / self.system / self.benchmark

    def sheet(self, **changes: object) -> None:
        """Write systems/SYSTEM.json."""
        path = self.root / self.submitter / "systems" / f"{self.system}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet = {
            "submitter": self.submitter,
            "number_of_nodes": str(self.nodes),
            "accelerators_per_node": "8",
            "accelerator_model_name": self.gpu,
            "cooling": self.cooling,
        }
        path.write_text(json.dumps(sheet | changes))

    def run(
        self,
        name: str = "result_0",
        *,
        power_w: float = 6000.0,
        seconds: int = 400,
        start_ms: int = START_MS,
        stall_s: int = 60,
        stall_w: float = 2600.0,
        samples: int = 3072,
        status: str | None = "success",
        power: bool = True,
        first_node: int = 0,
        prefix: str = "",
        padding_s: int = 0,
        stop_is_start: bool = False,
        efficiency: float | None = 0.96,
        measurement: str | None = "AC",
        clock_offset_s: int = 0,
        distinct: bool = True,
        switch_w: float | None = None,
        node_count: int | None = None,
        drop_out: slice | None = None,
        gap: slice | None = None,
        repeat: bool = False,
        broken_off: bool = False,
    ) -> None:
        """Write a result log of `seconds` and, with `power`, node logs of one reading a second."""
        self.sheet()
        self.folder.mkdir(parents=True, exist_ok=True)
        stop_ms = start_ms + 1000 * seconds
        stopped = {} if status is None else {"status": status}
        (self.folder / f"{name}.txt").write_text(
            "noise of the launcher\n"
            + mllog(start_ms - 5000, "submission_benchmark", self.benchmark, prefix=prefix)
            + mllog(start_ms, "run_start", prefix=prefix)
            + mllog(
                stop_ms,
                "block_stop" if broken_off else "run_stop",
                None,
                {**stopped, "samples_count": samples},
                prefix=prefix,
            )
        )
        if not power:
            return
        out = self.folder / "power" / name
        out.mkdir(parents=True)
        for node in range(self.nodes if node_count is None else node_count):
            offset = 1000 * clock_offset_s
            begin, end = start_ms - 1000 * padding_s, stop_ms + 1000 * padding_s
            times = list(range(begin, end + 1, 1000))
            if gap is not None:
                del times[gap]
            lines = [
                mllog(begin + offset, "power_measurement_start", "null", ""),
                *(
                    [mllog(begin + offset, "conversion_eff", efficiency, {"measurement_type": measurement})]
                    if efficiency
                    else []
                ),
            ]
            for i, t in enumerate(times):
                idle = t < start_ms or t > stop_ms or t < start_ms + 1000 * stall_s
                watts = stall_w if idle else power_w + (10.0 * node if distinct else 0.0)
                if drop_out is not None and i in range(*drop_out.indices(len(times))):
                    watts = -40.0
                lines.append(mllog(t + offset, "power_reading", watts, ""))
                if repeat:
                    lines.append(mllog(t + offset, "power_reading", watts, ""))
            stop = begin if stop_is_start else end
            lines.append(mllog(stop + offset, "power_measurement_stop", "null", ""))
            (out / f"node_{node + first_node}.txt").write_text("".join(lines))
        if switch_w is not None:
            (out / "sw_0.txt").write_text(mllog(1_600_000_000_000, "interconnect_power_est", switch_w))

    def scaling(self, factor: float) -> None:
        """Write scaling.json."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "scaling.json").write_text(json.dumps({"scaling_factor": factor}))
