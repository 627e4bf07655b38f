"""The fidelity chart: held-out error of each group with its 90 % interval, beside the simple rivals."""

import io

from ecoaudit.calibrate.heldout import Evaluation, label
from ecoaudit.calibrate.lines import SHIPPED

_RIVALS = (("k x N TDP", "s", "#b35806"), ("TDP x count (L1)", "x", "#777777"))


def svg(evaluation: Evaluation) -> str:
    """Return the chart as SVG; the same evaluation gives the same bytes with the same matplotlib."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    groups = sorted(evaluation.groups, key=lambda g: (g.operator, g.nodes, g.workload), reverse=True)
    with mpl.rc_context({"svg.hashsalt": "ecoaudit", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8.6, 0.36 * len(groups) + 1.6), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0.0, color="black", linewidth=0.8)
        for static_known, shift, colour, text in (
            (True, 0.14, "#2166ac", "P_static known"),
            (False, -0.14, "#1b7837", "nothing of the system known"),
        ):
            found = {o.group: o for o in evaluation.of(SHIPPED, "operator", static_known)}
            rows = [(i, found[g]) for i, g in enumerate(groups) if g in found]
            axes.errorbar(
                [o.error_percent for _, o in rows],
                [i + shift for i, _ in rows],
                xerr=[o.half_width_percent for _, o in rows],
                fmt="o",
                markersize=4,
                linewidth=1.2,
                color=colour,
                label=f"{SHIPPED}, {text} (90 % interval)",
            )
        for name, marker, colour in _RIVALS:
            found = {o.group: o for o in evaluation.of(name, "operator", static_known=False)}
            rows = [(i, found[g]) for i, g in enumerate(groups) if g in found]
            axes.scatter(
                [o.error_percent for _, o in rows], [i for i, _ in rows], marker=marker, s=22, color=colour, label=name
            )
        axes.set_yticks(range(len(groups)), [label(group) for group in groups])
        axes.set_xlabel("error of predicted node energy, %; the group's operator left out")
        axes.grid(axis="x", linewidth=0.4, alpha=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines()) + "\n"
