"""What a report shows, in order, whatever the format: figures with boundary, basis and source, or why not."""

from dataclasses import dataclass

from ecoaudit.judge.verdict import BudgetCheck, Delta, Outcome, Verdict
from ecoaudit.model.audit import Audit, Finding, LevelEnergy, LevelName
from ecoaudit.quantity import Boundary, Quantity
from ecoaudit.report import numbers, words


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: `quantity`, or None with the `reason`. `as_share` shows a fraction as percent.

    `delta_at` names the boundary of `delta` where it is another than the figure's, of carbon also the parts of the
    change that are not the workload's.
    """

    label: str
    quantity: Quantity | None
    boundary: str
    reason: str = ""
    delta: Delta | None = None
    delta_at: str = ""
    as_share: bool = False
    headline: bool = False

    @property
    def shown(self) -> numbers.Shown | None:
        """Return the quantity as text, None if it is not known."""
        if self.quantity is None:
            return None
        return numbers.share(self.quantity) if self.as_share else numbers.show(self.quantity)


def main_rows(audit: Audit, verdict: Verdict) -> list[Row]:
    """Return the figures a reviewer looks for: carbon, energy, cost, energy per token or sample."""
    headline = audit.energy.headline
    energy_at = words.headline_label(headline) if headline else "none"
    energy = find_delta(verdict, "energy_kwh")
    return [
        Row(
            *carbon_figure(audit),
            delta=find_delta(verdict, "carbon_kg"),
            delta_at=_carbon_parts(audit, verdict),
            reason=reason(audit, "carbon.total", "intensity", "region", "zone", "carbon"),
        ),
        Row(
            "Energy",
            headline.value if headline else None,
            energy_at,
            delta=energy,
            delta_at=compared_inside(audit, energy),
            reason=reason(audit, "energy.headline", "energy", "power", "telemetry"),
        ),
        Row(
            "Cost",
            audit.cost.total,
            "allocated GPU-hours × price",
            delta=find_delta(verdict, "cost_usd"),
            reason=reason(audit, "cost.total", "price", "cost"),
        ),
        _work_row(audit, verdict),
    ]


def carbon_figure(audit: Audit) -> tuple[str, Quantity | None, str]:
    """Return label, quantity and boundary of the carbon figure that stands at the head of every report."""
    carbon, headline = audit.carbon, audit.energy.headline
    boundary = words.headline_label(headline) if headline else "none"
    if carbon.total is not None:
        included = carbon.total_label or ("operational and embodied" if carbon.embodied else "operational only")
        return "Carbon", carbon.total, f"{boundary}; {included}"
    return "Carbon", carbon.operational, f"{boundary}; operational only"


def _work_row(audit: Audit, verdict: Verdict) -> Row:
    efficiency = audit.efficiency
    boundary = words.BOUNDARY_NAMES[efficiency.boundary] if efficiency.boundary else "none"
    for key, label, quantity in (
        ("j_per_token", "Energy per token", efficiency.j_per_token),
        ("j_per_sample", "Energy per sample", efficiency.j_per_sample),
        ("j_per_step", "Energy per step", efficiency.j_per_step),
    ):
        if quantity is not None:
            delta = find_delta(verdict, key)
            where = f"{boundary}, training window"
            return Row(label, quantity, where, delta=delta, delta_at=compared_inside(audit, delta))
    why = reason(audit, "efficiency.j_per_token", "token", "sample", "training log")
    return Row("Energy per token", None, boundary, reason=why)


def find_delta(verdict: Verdict, metric: str) -> Delta | None:
    """Return the difference in `metric`: the workload's if there is one, else the total."""
    found = [d for d in verdict.deltas if d.metric == metric]
    return next((d for d in found if d.part == "workload"), found[0] if found else None)


def compared_inside(audit: Audit, delta: Delta | None) -> str:
    """Return the name of the boundary at which `delta` was taken where its figure is shown at another, else nothing."""
    if delta is None or delta.boundary is None or delta.boundary == shown_at(audit, delta.metric):
        return ""
    return words.BOUNDARY_NAMES[delta.boundary]


def _carbon_parts(audit: Audit, verdict: Verdict) -> str:
    parts = [d for d in verdict.deltas if d.part in {"method", "grid"} and d.percent is not None]
    said = [f"{d.part} {numbers.signed_percent(d.percent)}" for d in parts if d.percent is not None]
    return ", ".join(filter(None, [compared_inside(audit, find_delta(verdict, "carbon_kg")), *said]))


def method_differences(verdict: Verdict) -> str:
    """Return what differs in how base and head were found, each led by a semicolon: why a comparison is inside it."""
    return "".join(f"; {reason}" for reason in dict.fromkeys(r for d in verdict.deltas for r in d.because))


def gravest_first(verdict: Verdict) -> list[BudgetCheck]:
    """Return the budgets' checks, those that decide the verdict before the others."""
    return sorted(verdict.checks, key=lambda check: -list(Outcome).index(check.outcome))


def no_baseline(verdict: Verdict) -> str:
    """Return the sentence of a run without a base: what was not judged for lack of one."""
    return words.sentence("; ".join(verdict.notes) or "no baseline was found, so nothing is compared")


def shown_at(audit: Audit, metric: str) -> Boundary | None:
    """Return the boundary at which a report shows the figure of `metric`."""
    if metric.startswith("j_per_"):
        return audit.efficiency.boundary
    return audit.energy.headline.boundary if audit.energy.headline else None


def work_delta(verdict: Verdict) -> Delta | None:
    """Return the difference that says what the change did: energy per unit of work, else energy."""
    wanted = ("j_per_token", "j_per_sample", "energy_kwh")
    return next((d for metric in wanted if (d := find_delta(verdict, metric)) and d.percent is not None), None)


def energy_rows(audit: Audit) -> list[Row]:
    """Return the job's energy at every level and boundary; a level that is not known is one row with its reason."""
    rows: list[Row] = []
    headline = audit.energy.headline
    levels = audit.energy.levels
    by_level: tuple[tuple[LevelName, LevelEnergy | None, tuple[Boundary, ...]], ...] = (
        ("L1", levels.L1, (Boundary.GPU,)),
        ("L2", levels.L2, (Boundary.GPU,)),
        ("L3", levels.L3, (Boundary.GPU, Boundary.NODE, Boundary.FACILITY)),
    )
    for name, level, _ in by_level:
        known = [(b, q) for b in Boundary if level and (q := getattr(level, b.value))]
        rows += [
            Row(
                words.LEVEL_NAMES[name],
                quantity,
                words.BOUNDARY_NAMES[boundary],
                headline=headline is not None and (headline.level, headline.boundary) == (name, boundary),
            )
            for boundary, quantity in known
        ]
        if not known:
            topics = {"L1": ("TDP",), "L2": ("GPU power", "telemetry"), "L3": ("node", "host")}[name]
            rows.append(
                Row(words.LEVEL_NAMES[name], None, "none", reason=reason(audit, f"energy.levels.{name}", name, *topics))
            )
    return rows + _measured_rows(audit)


def _measured_rows(audit: Audit) -> list[Row]:
    measured, headline = audit.energy.measured, audit.energy.headline
    if measured is None:
        return []
    rows = []
    for key, boundary in (
        ("gpu", "GPU boards"),
        ("node", "node (AC)"),
        ("network", "network"),
        ("facility", "facility"),
    ):
        quantity: Quantity | None = getattr(measured, key)
        is_headline = headline is not None and headline.level == "measured" and headline.boundary.value == key
        same_as_l2 = key == "gpu" and audit.energy.levels.L2 is not None and quantity == audit.energy.levels.L2.gpu
        if quantity is not None and not same_as_l2:
            unused = key == "node" and meter_is_check(audit)
            label = "Measured, not used" if unused else words.LEVEL_NAMES["measured"]
            rows.append(Row(label, quantity, boundary, headline=is_headline))
    return rows


def carbon_rows(audit: Audit) -> list[Row]:
    """Return every carbon figure, location-based first."""
    carbon, headline = audit.carbon, audit.energy.headline
    boundary = words.headline_label(headline) if headline else "none"
    zone = carbon.zone or "zone not known"
    rows = [
        Row(
            f"Grid intensity, {carbon.intensity_basis or 'basis not known'}",
            carbon.intensity,
            zone,
            reason=reason(audit, "carbon.intensity", "intensity", "region", "zone"),
        ),
        Row(
            "Operational, location-based",
            carbon.operational,
            boundary,
            reason=reason(audit, "carbon.operational", "intensity", "region", "zone", "carbon"),
        ),
    ]
    if carbon.market_based is not None:
        rows.append(Row("Operational, market-based", carbon.market_based, boundary))
    rows += [
        Row(
            "Embodied",
            carbon.embodied,
            "GPU baseboards, cradle to gate; host and network not included",
            reason=reason(audit, "carbon.embodied", "embodied"),
        ),
        Row(
            "Total",
            carbon.total,
            carbon_figure(audit)[2],
            reason=reason(audit, "carbon.total", "intensity", "region", "zone", "carbon"),
            headline=True,
        ),
    ]
    if carbon.sci is not None:
        rows.append(Row("SCI (ISO/IEC 21031)", carbon.sci, "((E × I) + M) per unit of work"))
    return rows


def cost_rows(audit: Audit) -> list[Row]:
    """Return the cost and its two factors."""
    cost = audit.cost
    return [
        Row(
            "GPU-hours",
            cost.gpu_hours,
            "allocated, job window",
            reason=reason(audit, "cost.gpu_hours", "GPU-hours", "duration", "GPU count"),
        ),
        Row(
            "Price per GPU-hour",
            cost.per_gpu_hour,
            "list price or as given",
            reason=reason(audit, "cost.per_gpu_hour", "price", "cost"),
        ),
        Row(
            "Cost",
            cost.total,
            "allocated GPU-hours × price",
            reason=reason(audit, "cost.total", "price", "cost"),
            headline=True,
        ),
    ]


def efficiency_rows(audit: Audit) -> list[Row]:
    """Return energy per unit of work and utilisation, with the published reference where there is one."""
    efficiency = audit.efficiency
    boundary = words.BOUNDARY_NAMES[efficiency.boundary] if efficiency.boundary else "none"
    rows = [
        Row(label, quantity, boundary)
        for label, quantity in (
            ("Energy per token", efficiency.j_per_token),
            ("Energy per sample", efficiency.j_per_sample),
            ("Energy per step", efficiency.j_per_step),
            ("Energy per model FLOP", efficiency.pj_per_flop),
        )
        if quantity is not None
    ]
    reference = efficiency.reference
    if reference is not None:
        name = f"Reference: {reference.name}, {reference.format}"
        rows.append(Row(name, reference.pj_per_flop, "node (AC), without network"))
        if reference.j_per_token is not None:
            label = "Reference at this run's FLOPs per token"
            rows.append(Row(label, reference.j_per_token, "node (AC), without network"))
        if reference.energy is not None:
            label = "This run's training at the reference's efficiency"
            rows.append(Row(label, reference.energy, "node (AC), training window"))
        if efficiency.ratio_to_reference is not None:
            rows.append(Row("Ratio to the reference", efficiency.ratio_to_reference, "node (AC)"))
    training = audit.training
    if training.mfu is not None:
        rows.append(Row("MFU", training.mfu, "dense peak, no recompute", as_share=True))
    fastest = efficiency.throughput_reference
    if fastest is not None and fastest.mfu is not None:
        where = f"dense BF16 peak; number format {fastest.format}"
        rows.append(Row(f"MFU of the fastest published: {fastest.name}", fastest.mfu, where, as_share=True))
    for label, quantity in (("Throughput", training.tokens_per_s), ("Throughput", training.samples_per_s)):
        if quantity is not None:
            rows.append(Row(label, quantity, "training window"))
    if not rows:
        why = reason(audit, "efficiency.j_per_token", "token", "sample", "training log")
        rows.append(Row("Energy per token", None, boundary, reason=why))
    return rows


_DRIVERS = {"power": "GPU power", "built up": "GPUs and RAPL"}
"""What a node line rises with, by the driver's name in the audit."""


def factor_rows(audit: Audit) -> list[Row]:
    """Return the factors of the equation: PUE where it is used, and the line from GPU power (or utilisation) to node
    power."""
    levels, measured = audit.energy.levels, audit.energy.measured
    used = (levels.L3 and levels.L3.facility) or (measured and measured.facility)
    pue = Row("PUE", audit.energy.pue, "node to facility", reason=reason(audit, "energy.pue", "PUE"))
    rows = [pue] if used else []
    line = audit.calibration
    if line is not None:
        rows += [
            Row(label, quantity, where)
            for label, quantity, where in (
                ("α, slope", line.alpha, f"node (AC) over {_DRIVERS.get(line.driver, line.driver)}"),
                ("P_host, intercept", line.host_w, "one node (AC) without its GPUs"),
                ("P_static", line.static_w, "one node (AC) with resident GPUs"),
                ("u, utilisation", line.u, line.driver),
            )
            if quantity is not None
        ]
    return rows


def findings(audit: Audit) -> list[Finding]:
    """Return the findings, the largest saving of energy first."""
    return sorted(audit.findings, key=lambda f: -(f.saving_kwh.value if f.saving_kwh else 0.0))


METER_NOT_USED = "node meter, not used"


def power_series(audit: Audit) -> tuple[list[float | None], str]:
    """Return the power of the timeline, W, at the widest boundary it has, and that boundary's name.

    A meter that is only a check is not the nodes' power; it stands in where nothing else was read, and is so named.
    """
    nodes, boards = [p.node_w for p in audit.timeline], [p.gpu_w for p in audit.timeline]
    if meter_is_check(audit):
        return (boards, "all GPU boards") if any(w is not None for w in boards) else (nodes, METER_NOT_USED)
    return (nodes, "all nodes, AC") if any(w is not None for w in nodes) else (boards, "all GPU boards")


def meter_is_check(audit: Audit) -> bool:
    """Return whether a node meter was read that the headline does not use: of some nodes only, or not believed."""
    measured, headline = audit.energy.measured, audit.energy.headline
    return measured is not None and measured.node is not None and (headline is None or headline.level != "measured")


def unknown(audit: Audit) -> list[tuple[tuple[str, ...], str]]:
    """Return the figures that are not known, by their reason; a reason that a warning gives already is left out."""
    warned = " ".join(audit.quality.warnings)
    by_reason: dict[str, list[str]] = {}
    for key, why in audit.quality.unknown.items():
        if why not in warned:
            by_reason.setdefault(why, []).append(key)
    return [(tuple(keys), why) for why, keys in by_reason.items()]


def reason(audit: Audit, key: str, *topics: str) -> str:
    """Return why the figure `key` is not known: as the audit says, else the first warning on one of the topics."""
    unknown = audit.quality.unknown
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        if text := unknown.get(".".join(parts[:length])):
            return text
    for topic in topics:
        for warning in audit.quality.warnings:
            if topic.casefold() in warning.casefold():
                return warning
    if key.startswith(("carbon.", "efficiency.")) and audit.energy.headline is None:
        return "the run's energy is not known"
    return "the logs and the options given do not tell"
