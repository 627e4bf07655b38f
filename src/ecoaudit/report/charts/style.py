"""How charts look: colours for a light and a dark page, sizes, and the settings that make an SVG repeatable.

The hues are Okabe and Ito's (2008), which stay apart under the common colour-vision deficiencies; the dark theme uses
lighter members of the same hues. Text stays text in the SVG, laid out with DejaVu Sans, which is wider than the fonts a
reader's system puts in its place: labels can only get shorter.
"""

import io
import logging
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ThemeName = Literal["light", "dark"]

FONT_STACK = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_FONT = re.compile(rb"'DejaVu Sans'[^;\"]*")
_SIZE = re.compile(rb'(<svg [^>]*?)width="[\d.]+pt" height="[\d.]+pt"')


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role."""

    name: ThemeName
    page: str
    ink: str
    muted: str
    faint: str
    gpu: str
    node: str
    facility: str
    embodied: str
    limit: str
    phases: dict[str, str]

    def tint(self, colour: str, strength: float) -> str:
        """Return `colour` laid over the page with `strength` (0 to 1), as a solid colour that hides grid lines."""
        pairs = zip(_rgb(colour), _rgb(self.page), strict=True)
        return "#" + "".join(f"{round(c * strength + p * (1 - strength)):02x}" for c, p in pairs)


THEMES: dict[ThemeName, Theme] = {
    "light": Theme(
        name="light",
        page="#ffffff",
        ink="#1f2933",
        muted="#52606d",
        faint="#d9dee4",
        gpu="#0072b2",
        node="#b34a00",
        facility="#00735a",
        embodied="#8fa3b0",
        limit="#8a2f5d",
        phases={"eval": "#56b4e9", "checkpoint": "#e69f00", "compile": "#cc79a7", "idle": "#9aa5b1"},
    ),
    "dark": Theme(
        name="dark",
        page="#12171d",
        ink="#e4e7eb",
        muted="#a6b1bd",
        faint="#3a4550",
        gpu="#63b8ee",
        node="#f0964a",
        facility="#3cc7a0",
        embodied="#74879a",
        limit="#e58bb9",
        phases={"eval": "#56b4e9", "checkpoint": "#e69f00", "compile": "#cc79a7", "idle": "#7b8794"},
    ),
}
MAX_DRAWN = 1e15
_TIME_UNITS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
OTHER_PHASES = ("#009e73", "#f0e442", "#d55e00", "#0072b2")


def drawable(*values: float, least: float = 0.0) -> bool:
    """Return whether axes can be laid out for these numbers; a damaged or hostile audit may hold others."""
    known = all(math.isfinite(v) and least <= v < MAX_DRAWN for v in values)
    return known and max(values, default=0.0) > 1 / MAX_DRAWN


@contextmanager
def settings(salt: str) -> Iterator[None]:
    """Set matplotlib up for one chart, then put everything back; `salt` makes the SVG's inner ids repeatable."""
    # Where no home can be written, matplotlib says so at every start; for one chart it does without.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib

    with matplotlib.rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "svg.fonttype": "none",
            "svg.hashsalt": salt,
            "text.parse_math": False,
            "axes.unicode_minus": True,
            "path.simplify": True,
            "path.simplify_threshold": 0.3,
        }
    ):
        yield


def new_figure(
    height_in: float, theme: Theme, rows: int = 1, ratios: tuple[float, ...] = (1,)
) -> "tuple[Figure, list[Axes]]":
    """Return a figure 8 inches wide with `rows` axes sharing x, without any global state."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    grid = figure.subplots(rows, 1, sharex=rows > 1, squeeze=False, gridspec_kw={"height_ratios": ratios})
    axes = [row[0] for row in grid]
    for axis in axes:
        axis.patch.set_alpha(0)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
        axis.spines["bottom"].set_color(theme.muted)
        axis.spines["bottom"].set_linewidth(0.8)
        axis.tick_params(colors=theme.muted, length=3, width=0.8, labelsize=9)
        axis.tick_params(axis="y", length=0)
        axis.set_axisbelow(True)
    return figure, axes


def time_unit(span_s: float) -> tuple[str, float]:
    """Return the unit in which a span is at least two long, and its length in s."""
    return next(unit for unit in _TIME_UNITS if span_s >= 2 * unit[1] or unit[1] == 1.0)


def y_axis(axis: "Axes", label: str, theme: Theme) -> None:
    """Name the y axis and lay a quiet grid behind it."""
    axis.set_ylabel(label, color=theme.muted, fontsize=9)
    axis.grid(axis="y", color=theme.faint, linewidth=0.7)
    axis.locator_params(axis="y", nbins=5)


def svg(figure: "Figure", title: str, description: str, prefix: str) -> bytes:
    """Return the figure as an SVG that scales with its container, titled for screen readers, ids led by `prefix`."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The font here only measures; the reader's own draws, and has what this one lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    data = buffer.getvalue()
    data = data[data.index(b"<svg") :]
    data = re.sub(rb"<metadata>.*?</metadata>", b"", data, flags=re.DOTALL)
    data = _FONT.sub(FONT_STACK.encode(), data)
    data = re.sub(rb'id="([^"]+)"', rb'id="' + prefix.encode() + rb'-\1"', data)
    data = re.sub(rb'(xlink:href=")#', rb"\1#" + prefix.encode() + b"-", data)
    data = re.sub(rb"url\(#", b"url(#" + prefix.encode() + b"-", data)
    names = f' role="img" aria-labelledby="{prefix}-title {prefix}-desc"'.encode()
    data = _SIZE.sub(rb'\1width="100%"' + names, data, count=1)
    end = data.index(b">") + 1
    labels = (
        f'\n <title id="{prefix}-title">{_xml(title)}</title>\n <desc id="{prefix}-desc">{_xml(description)}</desc>'
    ).encode()
    return data[:end] + labels + data[end:]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
