"""From fits and held-out errors to the coefficients that ship: utilisation lines and metered pairs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ecoaudit.calibrate import pooled
from ecoaudit.calibrate.fits import Estimate, Group
from ecoaudit.calibrate.heldout import Z90, Evaluation
from ecoaudit.calibrate.pooled import DEFAULT_PRIORS
from ecoaudit.calibrate.runs import citation
from ecoaudit.reference.types import Citation, Cooling, MeasuredPair, UtilisationLine

SHIPPED = "L3 pooled"

UNKNOWN_TRANSFER = 0.25
"""Relative error (90 %) of a line that no held-out test could try: judgement."""

_GPUS_PER_NODE = 8
_PLAIN_MODEL = {"one": "L3 u=1", "mfu": "L3 u=MFU", "relative_throughput": "L3 u=throughput"}
_SEVERAL_NODES_U = 0.7


SystemNames = Callable[[Group], str]
"""Gives a metered system its identifier: maker, model and GPU in lower case, joined by hyphens."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What ships: lines of single pairs, of single systems and of all systems together, and the metered facts."""

    lines: tuple[UtilisationLine, ...]
    pairs: tuple[MeasuredPair, ...]


def coefficients(evaluation: Evaluation, names: SystemNames) -> Coefficients:
    """Return the coefficients fitted on all AC groups of an evaluation.

    `names` gives a metered system its identifier. Lines of single pairs come first, then those of single systems, then
    the pooled law, and behind it the pooled law with each operator left out of its fit: for a residual that has not
    seen the run's system.
    """
    groups = evaluation.groups
    lines: list[UtilisationLine] = []
    for group in groups:
        lines.extend(_pair_lines(group, evaluation, names))
    for members in _by_system(groups):
        lines.extend(_system_line(members, groups, names))
    boards = sorted({(group.gpu, group.gpu_tdp_w) for group in groups})
    lines.extend(_pooled_lines(groups, boards, names, "pooled"))
    for operator in sorted({group.operator for group in groups}):
        rest = [group for group in groups if group.operator != operator]
        lines.extend(_pooled_lines(rest, boards, names, f"pooled-without-{operator}"))
    return Coefficients(tuple(lines), tuple(_pair(group, evaluation, names) for group in groups))


def slug(*words: object) -> str:
    """Return the words as one lower-case identifier."""
    text = "-".join(str(word) for word in words).lower()
    return "-".join("".join(c if c.isalnum() else " " for c in text).split())


def cited(groups: Sequence[Group]) -> Citation:
    """Return the source of figures derived from these groups: rounds, operators and the disclaimer."""
    years = sorted({group.year for group in groups if group.year})
    return Citation(
        source=citation(
            ", ".join(sorted({group.round for group in groups})),
            ", ".join(sorted({group.operator for group in groups})),
        ),
        year="-".join(dict.fromkeys((years[0], years[-1]))) if years else None,
        licence=" | ".join(sorted({group.licence for group in groups})),
    )


def _pair_lines(group: Group, evaluation: Evaluation, names: SystemNames) -> list[UtilisationLine]:
    """Return a group's own lines, one for each definition of u that its logs allow."""
    if group.static is None:
        return []
    found = []
    for u_definition, estimate, u in (
        ("one", group.alpha_one, 1.0),
        ("mfu", group.alpha_mfu, group.mfu),
        ("relative_throughput", group.alpha_throughput, group.u),
    ):
        if estimate is None or not u:
            continue
        transfer = _transfer_error(evaluation, _PLAIN_MODEL[u_definition])
        found.append(
            UtilisationLine(
                id=slug(names(group), group.workload, f"{group.nodes}n", u_definition),
                gpu=group.gpu,
                gpus_per_node=group.gpus_per_node,
                cooling=group.cooling,
                static_w=group.static.value_w,
                static_w_se=group.static.se_w,
                alpha=estimate.value,
                alpha_se=_alpha_se(estimate, group.static.se_w, group.rated_w * u),
                u_definition=u_definition,  # type: ignore[arg-type]
                number_format=group.number_format,
                workload=group.workload,
                transfer_error=transfer,
                fitted_on=(names(group),),
                runs=estimate.runs,
                citation=cited([group]),
            )
        )
    return found


def _system_line(members: Sequence[Group], groups: Sequence[Group], names: SystemNames) -> list[UtilisationLine]:
    """Return the line of one metered system over all its workloads: the pooled law drawn towards the system."""
    first = members[0]
    if first.static is None:
        return []
    at_one = _predicted(groups, replace(first, nodes=1, u=1.0), static_known=True)
    below = _predicted(groups, replace(first, nodes=8, u=_SEVERAL_NODES_U), static_known=True)
    if at_one is None or below is None:
        return []
    alpha = (at_one.power_w - first.static.value_w) / first.rated_w
    lower = (below.power_w - first.static.value_w) / first.rated_w
    stranger = replace(first, operator="", system="", nodes=8, u=_SEVERAL_NODES_U)
    unseen = _predicted([g for g in groups if g.operator != first.operator], stranger, static_known=True)
    return [
        UtilisationLine(
            id=slug(names(first), "system"),
            gpu=first.gpu,
            gpus_per_node=first.gpus_per_node,
            cooling=first.cooling,
            static_w=first.static.value_w,
            static_w_se=first.static.se_w,
            alpha=alpha,
            alpha_se=at_one.relative_sd * at_one.power_w / first.rated_w,
            u_definition="relative_throughput",
            number_format=None,
            workload=None,
            transfer_error=Z90 * (unseen or below).relative_sd,
            fitted_on=(names(first),),
            runs=sum(group.runs for group in members),
            citation=cited(members),
            u_exponent=math.log(lower / alpha) / math.log(_SEVERAL_NODES_U),
        )
    ]


def _pooled_lines(
    groups: Sequence[Group], boards: Sequence[tuple[str, float]], names: SystemNames, prefix: str
) -> list[UtilisationLine]:
    """Return the pooled law's line of every metered board (name, TDP), for each kind of cooling."""
    law = pooled.fit(groups, static_known=False)
    if law is None:
        return []
    level_se = math.sqrt(law.covariance[0][0])
    return [
        UtilisationLine(
            id=slug(prefix, gpu, cooling or "unknown-cooling"),
            gpu=gpu,
            gpus_per_node=_GPUS_PER_NODE,
            cooling=cooling,
            static_w=(static := law.level * law.phi * _GPUS_PER_NODE * tdp_w * _fans(law, cooling)),
            static_w_se=static * level_se,
            alpha=(alpha := law.level * (1.0 - law.phi) * _fans(law, cooling)),
            alpha_se=alpha * level_se,
            u_definition="relative_throughput",
            number_format=None,
            workload=None,
            transfer_error=_new_system_error(groups, law, cooling),
            fitted_on=tuple(sorted({names(group) for group in groups})),
            runs=sum(group.runs for group in groups),
            citation=cited(groups),
            u_exponent=law.gamma,
            pooled=True,
        )
        for gpu, tdp_w in boards
        for cooling in _COOLINGS
    ]


def _fans(law: pooled.PooledFit, cooling: Cooling | None) -> float:
    return math.exp(law.air * _AIR_SHARE[cooling])


_COOLINGS: tuple[Cooling | None, ...] = ("air", "liquid", "immersion", None)

# Cooling not known: half the fans' effect, which keeps either kind within the line's error.
_AIR_SHARE: dict[Cooling | None, float] = {"air": 1.0, "liquid": 0.0, "immersion": 0.0, None: 0.5}


def _new_system_error(groups: Sequence[Group], law: pooled.PooledFit, cooling: Cooling | None) -> float:
    """Return the law's 90 % error on several nodes of a system it has not seen; wider where cooling is unknown."""
    target = replace(groups[0], operator="", system="", cooling=cooling, nodes=8, u=_SEVERAL_NODES_U)
    predicted = _predicted(groups, target, static_known=False)
    assert predicted is not None, "a law was fitted on these groups, so it predicts"
    return Z90 * predicted.relative_sd + (0.5 * abs(law.air) if cooling is None else 0.0)


def _predicted(groups: Sequence[Group], target: Group, *, static_known: bool) -> pooled.Prediction | None:
    return pooled.predict(groups, target, static_known=static_known, priors=DEFAULT_PRIORS)


def _pair(group: Group, evaluation: Evaluation, names: SystemNames) -> MeasuredPair:
    tokens = _TOKENS.get(group.workload)
    return MeasuredPair(
        system=names(group),
        operator=group.operator,
        gpu=group.gpu,
        gpus_per_node=group.gpus_per_node,
        nodes=group.nodes,
        cooling=group.cooling,
        workload=group.workload,
        number_format=group.number_format,
        runs=group.runs,
        mean_node_w=group.mean_node_w,
        mean_node_w_cv=group.run_sd_w / group.mean_node_w,
        static_w=group.static.value_w if group.static else math.nan,
        j_per_sample=group.j_per_sample,
        j_per_token=group.j_per_sample / tokens if group.j_per_sample and tokens else None,
        pj_per_flop=group.pj_per_flop,
        mfu=group.mfu,
        citation=cited([group]),
        u=group.u,
        held_out_percent=_held_out(group, evaluation, static_known=False),
        held_out_static_known_percent=_held_out(group, evaluation, static_known=True),
        saturated_samples_per_s=group.saturated_samples_per_s,
    )


_TOKENS = {"gpt3": 2048, "llama2_70b_lora": 8192}


def _held_out(group: Group, evaluation: Evaluation, *, static_known: bool) -> float | None:
    """Return the shipped law's signed error on the group with its operator left out of the fit."""
    for outcome in evaluation.of(SHIPPED, "operator", static_known):
        if outcome.group == group:
            return outcome.error_percent
    return None


def _transfer_error(evaluation: Evaluation, model: str) -> float:
    """Return the 90th percentile of a plain line's errors with one operator left out, P_static known, as a fraction."""
    errors = sorted(abs(o.error_percent) for o in evaluation.of(model, "operator", static_known=True))
    if not errors:
        return UNKNOWN_TRANSFER
    return errors[min(len(errors) - 1, math.ceil(0.9 * len(errors)) - 1)] / 100.0


def _alpha_se(estimate: Estimate, static_se_w: float, dynamic_w: float) -> float:
    """Return alpha's standard error: the spread of its runs' mean, and P_static's error over the dynamic power."""
    return math.hypot(estimate.sd / math.sqrt(estimate.runs), static_se_w / dynamic_w)


def _by_system(groups: Sequence[Group]) -> list[list[Group]]:
    found: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        found.setdefault((group.operator, group.system), []).append(group)
    return [found[key] for key in sorted(found)]
