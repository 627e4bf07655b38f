"""Charts over time: power within the run, and a figure over the last runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecoaudit.judge.noise import run_band_percent
from ecoaudit.judge.verdict import Verdict
from ecoaudit.markdown_text import clean
from ecoaudit.model.audit import Audit
from ecoaudit.report import numbers, view
from ecoaudit.report import trend as trends
from ecoaudit.report.charts.style import (
    MAX_DRAWN,
    OTHER_PHASES,
    Theme,
    drawable,
    new_figure,
    settings,
    svg,
    time_unit,
    y_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class _Series:
    """The timeline as arrays, shape (n,): NaN where a point has no such reading."""

    t_s: NDArray[np.float64]
    gpu_w: NDArray[np.float64]
    gpu_min_w: NDArray[np.float64]
    gpu_max_w: NDArray[np.float64]
    node_w: NDArray[np.float64]


def power(audit: Audit, theme: Theme) -> bytes | None:
    """Draw power over time: all GPUs and all nodes above, the band over single GPUs below; phases shaded."""
    series = _series(audit)
    known = np.concatenate([series.gpu_w, series.node_w])
    known = known[np.isfinite(known)]
    if (
        len(series.t_s) < 2
        or not len(known)
        or not drawable(*series.t_s, least=-MAX_DRAWN)
        or not (np.diff(series.t_s) > 0).all()
    ):
        return None
    if not drawable(*known, least=-MAX_DRAWN) or not _drawable_band(series):
        return None
    name, size = time_unit(float(series.t_s[-1]))
    t = series.t_s / size
    has_band = bool(np.isfinite(series.gpu_min_w + series.gpu_max_w).any())
    with settings(f"power-{theme.name}"):
        figure, axes = new_figure(4.7 if has_band else 3.2, theme, 2 if has_band else 1, (1.5, 1) if has_band else (1,))
        top = axes[0]
        _shade(axes, audit, t, theme)
        _totals(top, t, series, audit, theme)
        if has_band:
            _band(axes[1], t, series, theme)
        axes[-1].set_xlabel(f"{name} since the start", color=theme.muted, fontsize=9)
        axes[-1].set_xlim(float(t[0]), float(t[-1]))
        description = _describe(series, audit)
        return svg(figure, "Power over time", description, f"power-{theme.name}")


def _drawable_band(series: _Series) -> bool:
    band = np.concatenate([series.gpu_min_w, series.gpu_max_w])
    band = band[np.isfinite(band)]
    return not len(band) or drawable(*band, least=-MAX_DRAWN)


def _series(audit: Audit) -> _Series:
    def column(name: str) -> NDArray[np.float64]:
        return np.array([np.nan if (v := getattr(p, name)) is None else v for p in audit.timeline], dtype=np.float64)

    return _Series(column("t_s"), column("gpu_w"), column("gpu_min_w"), column("gpu_max_w"), column("node_w"))


def _totals(axis: "Axes", t: NDArray[np.float64], series: _Series, audit: Audit, theme: Theme) -> None:
    unused = view.meter_is_check(audit)
    lines: list[tuple[NDArray[np.float64], str, str, Any]] = [
        (series.node_w, theme.muted, "node meter,\nnot used", (0, (2, 2)))
        if unused
        else (series.node_w, theme.node, "nodes, AC", "solid"),
        (series.gpu_w, theme.gpu, "GPU boards", "solid"),
    ]
    peak = float(np.nanmax(np.concatenate([series.node_w, series.gpu_w])))
    limit, name = _limit(audit)
    factor, unit = numbers.scale("W", peak)
    labels: list[tuple[float, str, str]] = []
    for values, colour, label, style in lines:
        if np.isfinite(values).any():
            axis.plot(t, values / factor, color=colour, linewidth=1.4, linestyle=style, solid_joinstyle="round")
            labels.append((float(np.nanmedian(values)) / factor, label, colour))
    if limit and np.isfinite(series.gpu_w).any():
        axis.axhline(limit / factor, color=theme.limit, linewidth=1, linestyle=(0, (4, 3)))
        labels.append((limit / factor, name, theme.limit))
    top = max(peak, limit or 0.0) * 1.06 / factor or 1.0
    axis.set_ylim(0, top)
    _label_right(axis, labels, top)
    y_axis(axis, f"power, {unit}", theme)


def _band(axis: "Axes", t: NDArray[np.float64], series: _Series, theme: Theme) -> None:
    axis.fill_between(
        t, series.gpu_min_w, series.gpu_max_w, facecolor=theme.tint(theme.gpu, 0.45), edgecolor=theme.gpu, linewidth=0.6
    )
    top = float(np.nanmax(series.gpu_max_w)) * 1.1 or 1.0  # boards that read 0 W throughout
    labels = [(float(np.nanmedian((series.gpu_min_w + series.gpu_max_w) / 2)), "lowest to\nhighest GPU", theme.gpu)]
    axis.set_ylim(0, top)
    _label_right(axis, labels, top)
    y_axis(axis, "one GPU, W", theme)


def _limit(audit: Audit) -> tuple[float | None, str]:
    """Return the sum over the GPUs of the power limit, else of the TDP, W; None if any group has neither."""
    groups = audit.hardware.gpus
    for key, name in (("power_limit_w", "GPU limit"), ("tdp_w", "GPU TDP")):
        found = [(group.count, getattr(group, key)) for group in groups]
        if found and all(quantity is not None for _, quantity in found):
            return sum(count * quantity.value for count, quantity in found), name
    return None, ""


def _shade(axes: "Sequence[Axes]", audit: Audit, t: NDArray[np.float64], theme: Theme) -> None:
    """Shade every phase but training, and name each colour once above the chart."""
    names = [point.phase for point in audit.timeline]
    step = float(np.median(np.diff(t)))
    edges = [i for i in range(len(names)) if i == 0 or names[i] != names[i - 1]]
    colours = dict(theme.phases)
    used: dict[str, str] = {}
    for start, stop in zip(edges, [*edges[1:], len(names)], strict=True):
        phase = names[start]
        if phase is None or phase == "train":
            continue
        if phase not in colours:
            colours[phase] = OTHER_PHASES[len(colours) % len(OTHER_PHASES)]
        used[phase] = colours[phase]
        end = float(t[stop]) if stop < len(t) else float(t[-1]) + step
        for axis in axes:
            axis.axvspan(float(t[start]), end, color=colours[phase], alpha=0.22, linewidth=0)
    if used:
        from matplotlib.patches import Patch

        patches = [Patch(color=colour, alpha=0.6, label=label) for label, colour in _legend(used)]
        legend = axes[0].legend(
            handles=patches, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=6, frameon=False, fontsize=9,
            handlelength=0.9, handleheight=0.9, borderpad=0, borderaxespad=0.4, columnspacing=1.4, handletextpad=0.4,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_color(theme.muted)


def _legend(used: dict[str, str]) -> list[tuple[str, str]]:
    """Return the phases' labels and colours, as many as fit in one row."""
    shown: list[tuple[str, str]] = []
    room = 72
    for phase, colour in used.items():
        label = clean(phase, limit=18)
        room -= 5 + sum(2 if ord(char) > 0x10FF else 1 for char in label)
        if room < 0:
            break
        shown.append((label, colour))
    return shown


def _describe(series: _Series, audit: Audit) -> str:
    parts = []
    nodes = view.METER_NOT_USED if view.meter_is_check(audit) else "all nodes (AC)"
    for values, what in ((series.node_w, nodes), (series.gpu_w, "all GPU boards")):
        if np.isfinite(values).any():
            low, mean, high = (
                numbers.significant(float(x), "W") for x in (np.nanmin(values), np.nanmean(values), np.nanmax(values))
            )
            parts.append(f"Power of {what}: mean {mean}, lowest {low}, highest {high}.")
    return " ".join(parts)


def trend(audit: Audit, verdict: Verdict, history: Sequence[Audit], theme: Theme) -> bytes | None:
    """Draw the workload's figure over earlier runs and this one, with the noise band around the earlier runs' median.

    The figures' own intervals are left out: most of their width is common to all runs and hides the differences.
    """
    found = trends.trend(audit, history)
    if found is None or found.points[-1].value is None or not drawable(*(p.value or 0.0 for p in found.points)):
        return None
    factor, unit = numbers.scale(found.unit, found.points[-1].value)
    x = np.arange(len(found.points))
    value = np.array([np.nan if p.value is None else p.value / factor for p in found.points])
    centre = float(np.nanmedian(value[:-1]))
    delta = view.find_delta(verdict, found.metric)
    # Around the centre of earlier runs a run varies less than around one of them, which the comparison's band is for.
    percent = run_band_percent(value[np.isfinite(value)][:-1].tolist()) or (delta.band_percent if delta else None)
    band = percent / 100 * centre if percent else None
    low, high = float(np.nanmin(value)), float(np.nanmax(value))
    with settings(f"trend-{theme.name}"):
        figure, (axis,) = new_figure(2.6, theme)
        if band is not None:
            low, high = min(low, centre - band), max(high, centre + band)
            axis.axhspan(centre - band, centre + band, color=theme.tint(theme.muted, 0.16), linewidth=0)
            axis.annotate(
                "noise, 90 %", (-0.42, centre + band), xytext=(0, 3), textcoords="offset points",
                color=theme.muted, fontsize=9,
            )  # fmt: skip
        axis.plot(x, value, color=theme.muted, linewidth=1, marker="o", markersize=4.5)
        axis.plot(x[-1:], value[-1:], color=theme.gpu, marker="o", markersize=9, linestyle="none")
        axis.annotate(
            "this run", (float(x[-1]), float(value[-1])), xytext=(9, 0), textcoords="offset points",
            color=theme.gpu, fontsize=9, va="center", annotation_clip=False,
        )  # fmt: skip
        margin = max(high - low, abs(high) * 0.01) * 0.2
        axis.set_ylim(low - margin, high + margin)
        axis.set_xlim(-0.5, len(x) - 0.2)
        few = len(x) <= 10
        axis.set_xticks(x, [_short(p.commit) if few else "" for p in found.points])
        axis.set_xlabel("commit, the oldest left" if few else "runs, the oldest left", color=theme.muted, fontsize=9)
        y_axis(axis, f"{found.label.lower()}, {unit}", theme)
        ends = [numbers.significant(float(v) * factor, found.unit) for v in (np.nanmin(value), np.nanmax(value))]
        description = f"{found.label} of {len(x)} runs, from {ends[0]} to {ends[1]}; the scale does not start at zero."
        return svg(figure, f"{found.label} over the last runs", description, f"trend-{theme.name}")


def _short(commit: str | None) -> str:
    return clean(commit, limit=200)[:7] if commit else "?"


def _label_right(axis: "Axes", labels: list[tuple[float, str, str]], top: float) -> None:
    """Name lines at their right end, moved apart where they would touch."""
    gap = top * 0.085
    position = -gap
    for y, text, colour in sorted(labels):
        position = min(max(y, position + gap, 0.0), top)
        axis.annotate(
            text, (1.012, position / top), xycoords="axes fraction", color=colour, fontsize=9, va="center",
            annotation_clip=False,
        )  # fmt: skip
