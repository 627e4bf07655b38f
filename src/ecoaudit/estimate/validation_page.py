"""docs/validation.md: how the estimator fares on published runs, with the sentence a sceptic would write."""

from collections.abc import Sequence
from math import exp

from ecoaudit.estimate.mfu import MfuModel
from ecoaudit.estimate.text import amount
from ecoaudit.estimate.validate import (
    GOAL_COVERED,
    GOAL_RANGE,
    GOAL_WITHIN,
    NAIVE_MFU,
    WITHIN,
    ArithmeticCheck,
    EnergyCheck,
    TimeCheck,
    Validation,
)
from ecoaudit.reference.types import TrainingRun


def markdown(found: Validation, model: MfuModel) -> str:
    """Return the page; `model` is the fit on every run, which estimates use."""
    parts = [
        "# How the estimator fares on published runs",
        "Written by `ecoaudit estimate --validate`; the facts are in `training_runs.csv`, `models.csv` and "
        "`mfu_benchmarks.csv` ([sources](sources.md)). Predictions of GPU-hours come from a fit without the run's "
        "model family. Energy counts as evidence only where power was metered.",
        _summary(found),
        _model(model),
        "## GPU-hours",
        "Dense models, trained in BF16 or FP16 on GPUs of the table; a run restated by another paper counts once. MFU "
        "is model FLOPs (6N + 6Lhs a token, no recompute) over all GPU-hours and the dense peak. `~` marks published "
        "hours that are rounded or an upper bound, `†` figures known from quotations of the cited source.",
        _time_table(found.time),
        _worst(found.time),
        "### Shown, not counted",
        "Mixtures of experts: active parameters only, dense models' MFU, in the run's own number format.",
        _time_table(found.shown),
        "## Energy",
        "Only metered figures. Three runs whose boards were read on one node and multiplied by the nodes, predicted "
        "from parameters and tokens alone (time and power together); one system whose power was measured with host, "
        "network and fans. None of them is in any fit. Nodes metered at the wall are judged by `ecoaudit calibrate "
        "--evaluate`.",
        _energy_table(found.energy),
        "## Arithmetic of the reports",
        "Most published energy is GPU-hours x TDP x PUE. It repeats the hours and says nothing about power, so it is "
        "no evidence above; here it is only recomputed. A row is flagged when the product misses the stated energy by "
        "more than 2 %, or when the stated carbon implies an intensity that no grid has.",
        _arithmetic_table(found.arithmetic),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(found: Validation) -> str:
    s = found.summary
    verdict = "All three goals are met" if s.reached else "Not every goal is met"
    return "\n".join(
        [
            f"{verdict}, on {s.runs} runs of {s.families} model families, each family predicted without itself:",
            "",
            "| | reached | goal |",
            "| --- | ---: | ---: |",
            f"| GPU-hours within ±{WITHIN:.0%} | {s.within:.0%} | {GOAL_WITHIN:.0%} |",
            f"| inside the 90 % range | {s.covered:.0%} | {GOAL_COVERED:.0%} |",
            f"| median range, high over low | {s.median_range:.2f} | {GOAL_RANGE} |",
            f"| median error, either way | {s.median_error:.0%} | |",
            f"| typical factor off (root mean square of the logarithm) | {s.typical_factor:.2f} | |",
            f"| within ±{WITHIN:.0%}, {NAIVE_MFU:.0%} MFU for everything | {s.naive_within:.0%} | |",
            f"| typical factor off, {NAIVE_MFU:.0%} MFU for everything | {s.naive_factor:.2f} | |",
            "",
            "What a sceptic would write: the families are few, most of them ran on A100 before 2024, and one number, "
            f"{NAIVE_MFU:.0%}, is as often within ±{WITHIN:.0%} as the fit (that band is kinder to low guesses of the "
            "hours than to high ones). What the fit adds is a range that holds, and no bias on small models and on "
            "H100, where the one number is off most. A shop with a tuned stack should give its own `--mfu`.",
        ]
    )


def _model(model: MfuModel) -> str:
    return "\n".join(
        [
            "## The fit that estimates use",
            "",
            f"Level: MFU {exp(model.level):.3f} on A100, 1.3B parameters and more (geometric mean over "
            f"{model.families} families, {model.runs} runs). A new family's run spreads about it by a factor of "
            f"{exp(model.sd):.2f} (one standard deviation). H100 against A100: {exp(model.h100):.3f}. Below 1.3B "
            f"parameters MFU goes with N to the power {model.size_slope:.3f}. FP8 against BF16: {exp(model.fp8):.2f} "
            "times the throughput. The last three are ratios of benchmarks made with one software; the number of GPUs "
            "has no term, as neither the runs nor the benchmarks (8 to 64 GPUs: 2 to 7 % less) show a trend that the "
            "spread does not cover.",
        ]
    )


def _time_table(checks: Sequence[TimeCheck]) -> str:
    lines = [
        "| run | GPU | N active | MFU | GPU-hours | predicted | 90 % range | error | inside |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | :---: |",
    ]
    for check in checks:
        hours = "~" if check.run.hours_kind in {"approximate", "upper bound"} else ""
        lines.append(
            f"| {_name(check.run)} | {_gpu(check.run.gpu)} | {amount(check.active_params / 1e9)}B | {check.mfu:.3f} | "
            f"{hours}{amount(check.actual)} | {amount(check.hours)} | {amount(check.low)} to {amount(check.high)} | "
            f"{check.error:+.0%} | {'yes' if check.inside else 'no'} |"
        )
    return "\n".join(lines)


def _worst(checks: Sequence[TimeCheck]) -> str:
    outside = [check for check in checks if not check.inside]
    if not outside:
        return "No run is outside its range."
    return (
        "Outside: " + "; ".join(f"{check.run.id} ({check.error:+.0%}, MFU {check.mfu:.3f})" for check in outside) + "."
    )


def _energy_table(checks: Sequence[EnergyCheck]) -> str:
    lines = [
        "| run | what | metered | predicted | 90 % range | error | inside | source |",
        "| --- | --- | ---: | ---: | ---: | ---: | :---: | --- |",
    ]
    for check in checks:
        # Two digits are what an interval of a factor of two and more supports.
        value, low, high = (amount(figure, 2) for figure in (check.value, check.low, check.high))
        lines.append(
            f"| {_name(check.run)} | {check.what} | {amount(check.actual)} {check.unit} | {value} | {low} to {high} | "
            f"{check.error:+.0%} | {'yes' if check.inside else 'no'} | "
            f"{check.run.citation.source}. {check.run.note or ''} |"
        )
    return "\n".join(lines)


def _arithmetic_table(checks: Sequence[ArithmeticCheck]) -> str:
    lines = [
        "| run | basis | hours x W x PUE | stated | off | implied g/kWh | |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for check in checks:
        stated = f"{amount(check.run.energy_mwh)} MWh" if check.run.energy_mwh else ""
        off = f"{check.off:+.1%}" if check.off is not None else ""
        implied = f"{check.implied_g_per_kwh:.3g}" if check.implied_g_per_kwh is not None else ""
        basis = (check.run.energy_basis or "").replace("_", " ")
        flag = "" if check.consistent else f"**inconsistent**: {check.run.note}"
        lines.append(
            f"| {_name(check.run)} | {basis} | {amount(check.product_mwh)} MWh | {stated} | {off} | {implied} | "
            f"{flag} |"
        )
    return "\n".join(lines)


def _name(run: TrainingRun) -> str:
    return run.id if run.primary_read else f"{run.id} †"


def _gpu(name: str) -> str:
    return name.removeprefix("NVIDIA ").replace(" 80GB HBM3", " SXM")
