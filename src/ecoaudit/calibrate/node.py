"""The reader edge of a user's own calibration: files to recordings, and the fitted line to a `CalibratedLine`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ecoaudit import __version__, ingest
from ecoaudit.calibrate.lines import slug
from ecoaudit.calibrate.wall import Recording, WallFit, fit_wall
from ecoaudit.errors import EcoauditError
from ecoaudit.ingest.records import FloatArray, MeterLog, Telemetry
from ecoaudit.model.calibration import CalibratedLine
from ecoaudit.model.meters import SUPPLY_EFFICIENCY
from ecoaudit.reference import load

_SLACK_S = 15 * 3600.0
"""Clocks may be this far apart: a meter in local time."""


def calibrate_node(
    telemetry: Sequence[Path],
    meter: Sequence[Path],
    *,
    meter_boundary: Literal["ac", "dc"] | None = None,
    timezone: str | None = None,
) -> CalibratedLine:
    """Read telemetry and meter logs of one node and fit its line; raises `EcoauditError` where they cannot tell it.

    Without `meter` the node power that the recorder wrote into the telemetry is the meter.
    """
    seen = ingest.read([str(path) for path in telemetry], timezone=timezone)
    if not seen.telemetry:
        raise EcoauditError("no GPU telemetry in it", where=", ".join(map(str, telemetry)))
    if not meter:
        return calibrated_line(seen.telemetry, _recorded(seen.telemetry), meter_boundary=meter_boundary)
    wall = ingest.read([str(path) for path in meter], timezone=timezone, meter_boundary=meter_boundary)
    meters = [log for log in wall.meters if log.kind == "node" and not log.stated]
    if not meters:
        raise EcoauditError("no wall readings in it", where=", ".join(map(str, meter)))
    return calibrated_line(seen.telemetry, meters, meter_boundary=meter_boundary)


def _recorded(telemetry: Sequence[Telemetry]) -> list[MeterLog]:
    """Return the node's own meter as the recorder read it; raises `EcoauditError` where it read none."""
    found = [
        MeterLog(
            source=log.source,
            kind="node",
            label=log.node_power_source or "node",
            time_s=log.time_s,
            power_w=log.node_power_w,
            quality=log.quality,
            clock=log.clock,
        )
        for log in telemetry
        if log.node_power_w is not None and np.isfinite(log.node_power_w).any()
    ]
    if not found:
        raise EcoauditError(
            "--meter is missing, and the telemetry holds no node power",
            where=", ".join(log.source.path for log in telemetry),
            fix="give wall readings of the same time",
        )
    return found


def calibrated_line(
    telemetry: Sequence[Telemetry], meters: Sequence[MeterLog], *, meter_boundary: Literal["ac", "dc"] | None = None
) -> CalibratedLine:
    """Fit the line of one node from its records; several telemetry files are several runs.

    Meters that read at the same time are power supplies of one node and are summed. Raises `EcoauditError` for
    telemetry of several kinds of node, of part of a node's GPUs, or where the fit is refused.
    """
    gpu, count, field = _one_node(telemetry)
    side = _side(meters, meter_boundary)
    warnings: list[str] = []
    scale, gain_se = 1.0, 0.0
    if side == "dc":
        middle, low, high = SUPPLY_EFFICIENCY
        scale, gain_se = 1.0 / middle, (high - low) / (2 * 1.645 * middle)
        warnings.append(f"DC readings divided by an assumed supply efficiency of {middle} ({low} to {high})")
    elif side is None:
        warnings.append("the meter does not tell AC from DC: taken as AC")
    ordered = sorted(telemetry, key=lambda log: float(log.time_s[0]) if log.time_s.size else 0.0)
    recordings = [_recording(log, meters, scale) for log in ordered]
    fitted = fit_wall(recordings, meter_gain_se=gain_se)
    return _line(fitted, gpu, count, field, [*warnings, *fitted.warnings], telemetry, meters)


def summary(line: CalibratedLine, output: Path | None) -> str:
    """Return what a person wants to know of the fit."""
    low, high = line.gpu_power_range_w
    rows = [
        f"{line.gpus_per_node} x {line.gpu}: P_node = {line.host_w:.0f} W + {line.alpha:.3f} x GPU power (AC)",
        f"  host {line.host_w:.0f} +- {line.host_w_se:.0f} W, alpha {line.alpha:.3f} +- {line.alpha_se:.3f}, "
        f"correlation {line.correlation:+.2f}",
        f"  residual {line.residual_w:.0f} W; held-out error of energy {100 * line.held_out_error:.1f} % (90 %)",
        f"  {line.samples} readings over {line.duration_s:.0f} s in {line.runs} run(s); GPU power {low:.0f} to "
        f"{high:.0f} W ({line.power_field} field); meter clock moved by {line.clock_offset_s:+.1f} s",
    ]
    rows.extend(f"  warning: {text}" for text in line.warnings)
    rows.append(
        f"wrote {output}: give it to `ecoaudit audit --calibration {output}`"
        if output
        else "not written: give -o FILE to use it with `ecoaudit audit --calibration FILE`"
    )
    return "\n".join(rows)


def _one_node(telemetry: Sequence[Telemetry]) -> tuple[str, int, Literal["average", "instant", "unspecified"]]:
    """Return GPU, GPUs a node and NVML power field, which all telemetry must share."""
    kinds = {
        (tuple(sorted({gpu.name or "unknown GPU" for gpu in log.gpus})), len(log.gpus), log.power_field)
        for log in telemetry
    }
    where = ", ".join(log.source.path for log in telemetry)
    if len(kinds) != 1:
        raise EcoauditError(
            "the telemetry is of nodes that differ in GPUs or power field", where=where, fix="calibrate one kind a time"
        )
    names, count, field = kinds.pop()
    if len(names) != 1 or count == 0:
        raise EcoauditError(f"one kind of GPU is needed, found {', '.join(names) or 'none'}", where=where)
    for log in telemetry:
        if log.node_gpu_count is not None and log.node_gpu_count > count:
            raise EcoauditError(
                f"the node has {log.node_gpu_count} GPUs, the telemetry covers {count}",
                where=log.source.path,
                fix="record all GPUs of the node",
            )
    known = load().find_gpu(names[0])
    return (known.name if known else names[0]), count, field


def _side(meters: Sequence[MeterLog], given: Literal["ac", "dc"] | None) -> Literal["ac", "dc"] | None:
    sides = {log.boundary for log in meters if log.boundary is not None}
    if len(sides) > 1:
        raise EcoauditError("some meters read AC, others DC", where="calibrate", fix="give one side only")
    return next(iter(sides), given)


def _recording(log: Telemetry, meters: Sequence[MeterLog], scale: float) -> Recording:
    """Return one run: the boards' sum without rows that lack a board, and the meters that may belong to it."""
    total = log.power_w.sum(axis=1)
    valid = np.isfinite(total)
    time, power = log.time_s[valid], total[valid]
    if time.size < 2:
        raise EcoauditError("no GPU power in it", where=log.source.path)
    overlapping = [m for m in meters if m.time_s.size and _overlap_s(m, time, 0.0) > 0]
    near = overlapping or [m for m in meters if m.time_s.size and _overlap_s(m, time, _SLACK_S) > 0]
    if not near:
        raise EcoauditError(
            "no meter log is within 15 hours of this telemetry",
            where=log.source.path,
            fix="give the meter log of the same time, or --timezone for logs in local time",
        )
    meter_t, meter_w = _summed(near)
    return Recording(time, power, meter_t, meter_w * scale)


def _overlap_s(meter: MeterLog, time: FloatArray, slack: float) -> float:
    return float(min(meter.time_s[-1], time[-1] + slack) - max(meter.time_s[0], time[0] - slack))


def _summed(meters: Sequence[MeterLog]) -> tuple[FloatArray, FloatArray]:
    """Return one power series: meters of the same time summed, those of other times joined."""
    labels = sorted({(m.source.path, m.label) for m in meters})
    joined = []
    for label in labels:
        parts = sorted((m for m in meters if (m.source.path, m.label) == label), key=lambda m: float(m.time_s[0]))
        time = np.concatenate([m.time_s for m in parts])
        power = np.concatenate([m.power_w for m in parts])
        good = np.isfinite(power) & (power > 0)
        time, first = np.unique(time[good], return_index=True)
        joined.append((time, power[good][first]))
    joined = [series for series in joined if series[0].size > 1]
    if not joined:
        raise EcoauditError("no positive readings", where=", ".join(path for path, _ in labels))
    start = max(float(time[0]) for time, _ in joined)
    end = min(float(time[-1]) for time, _ in joined)
    if len(joined) == 1:
        return joined[0]
    if end <= start:
        time = np.concatenate([t for t, _ in joined])
        order = np.argsort(time, kind="stable")
        return time[order], np.concatenate([w for _, w in joined])[order]
    base = joined[0][0]
    grid = base[(base >= start) & (base <= end)]
    return grid, np.sum([np.interp(grid, time, power) for time, power in joined], axis=0)


def _line(
    fitted: WallFit,
    gpu: str,
    count: int,
    field: Literal["average", "instant", "unspecified"],
    warnings: Sequence[str],
    telemetry: Sequence[Telemetry],
    meters: Sequence[MeterLog],
) -> CalibratedLine:
    offsets = [found.offset_s for found in fitted.alignments]
    files = len({log.source.path for log in telemetry} | {log.source.path for log in meters})
    return CalibratedLine(
        tool=f"ecoaudit {__version__}",
        id=slug("own-node", f"{count}x", gpu),
        gpu=gpu,
        gpus_per_node=count,
        power_field=field,
        host_w=fitted.host_w,
        alpha=fitted.alpha,
        covariance=fitted.covariance,
        residual_w=fitted.residual_w,
        held_out_error=fitted.held_out_error,
        gpu_power_range_w=fitted.gpu_range_w,
        samples=fitted.readings,
        duration_s=fitted.duration_s,
        runs=fitted.runs,
        clock_offset_s=float(np.median(offsets)),
        source=f"own wall meter and telemetry ({files} files, {fitted.runs} run(s))",
        warnings=tuple(warnings),
    )
