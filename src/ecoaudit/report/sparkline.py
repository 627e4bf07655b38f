"""Charts in plain text: a sparkline, a bar, and mermaid diagrams that GitHub draws itself."""

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "·"

# Mermaid's own series colour is nearly white on a light page; this blue is legible on both.
_MERMAID_HEAD = """```mermaid
%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#2f81c4"}}}}%%
xychart-beta
"""


def resample(values: Sequence[float | None], width: int) -> list[float | None]:
    """Return at most `width` means over equal stretches of `values`; a stretch without any value is None."""
    n = len(values)
    if n <= width:
        return list(values)
    means: list[float | None] = []
    for i in range(width):
        known = [v for v in values[i * n // width : (i + 1) * n // width] if v is not None]
        means.append(sum(v / len(known) for v in known) if known else None)
    return means


def sparkline(values: Sequence[float | None], width: int = 40, *, from_zero: bool = True) -> str:
    """Return `values` as blocks; a missing value is a dot.

    The scale runs from 0 to the largest value, or with `from_zero` False from the smallest: then print both ends beside
    it. All values alike give blocks of middle height on the second scale.
    """
    points = resample(values, width)
    known = [v for v in points if v is not None]
    if not known or max(known) <= 0:
        return ""
    low, high = (0.0 if from_zero else min(known)), max(known)
    steps = len(_BLOCKS) - 1
    half_span = high / 2 - low / 2  # halves, so that no span is beyond a float

    def block(value: float) -> str:
        if half_span == 0:
            return _BLOCKS[steps // 2]
        return _BLOCKS[round((min(max(value, low), high) / 2 - low / 2) / half_span * steps)]

    return "".join(_GAP if v is None else block(v) for v in points)


def bar(fraction: float, width: int = 10) -> str:
    """Return a bar of `width` cells filled by `fraction`; more than 1 fills it and adds an arrow."""
    filled = round(min(max(fraction, 0.0), 1.0) * width)
    return "▰" * filled + "▱" * (width - filled) + ("▶" if fraction > 1 else "")


def mermaid_line(title: str, x_axis: str, x_max: float, y_axis: str, values: Sequence[float | None]) -> str:
    """Return a mermaid line chart; empty if the values do not span a scale that mermaid can draw.

    Titles must be the report's own words: mermaid has no way to quote any text. A missing value takes its neighbour's,
    since mermaid cannot draw a gap; the sparkline beside the chart shows it.
    """
    filled = _fill(values)
    top = max(filled, default=0.0)
    if not _drawable(top) or not _drawable(x_max):
        return ""
    return (
        f'{_MERMAID_HEAD}  title "{title}"\n'
        f'  x-axis "{x_axis}" 0 --> {_plain(x_max, x_max)}\n'
        f'  y-axis "{y_axis}" 0 --> {_plain(top * 1.1, top)}\n'
        f"  line [{', '.join(_plain(max(v, 0.0), top) for v in filled)}]\n```"
    )


def mermaid_bars(title: str, labels: Sequence[str], y_axis: str, values: Sequence[float]) -> str:
    """Return a mermaid bar chart, empty if it cannot be drawn; labels and titles must be the report's own words."""
    top = max(values, default=0.0)
    if not _drawable(top):
        return ""
    names = ", ".join(f'"{label}"' for label in labels)
    return (
        f'{_MERMAID_HEAD}  title "{title}"\n'
        f"  x-axis [{names}]\n"
        f'  y-axis "{y_axis}" 0 --> {_plain(top * 1.1, top)}\n'
        f"  bar [{', '.join(_plain(max(v, 0.0), top) for v in values)}]\n```"
    )


def _drawable(top: float) -> bool:
    return 1e-3 <= top < 1e9


def _plain(value: float, top: float) -> str:
    """Return `value` with four digits of `top` and no exponent, which mermaid does not read."""
    return f"{value:.{max(3 - math.floor(math.log10(top)), 0)}f}"


def _fill(values: Sequence[float | None]) -> list[float]:
    filled: list[float] = []
    last = next((v for v in values if v is not None), 0.0)
    for value in values:
        last = value if value is not None else last
        filled.append(last)
    return filled
