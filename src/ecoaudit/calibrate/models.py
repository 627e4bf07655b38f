"""The rivals: every way of predicting a node's mean power that the held-out table compares.

A model sees training groups with their power, and of the group to predict only what a user would know: hardware, nodes,
cooling, throughput, and P_static where that is known. `Target` enforces it: the group's own power is not in it.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ecoaudit.calibrate import pooled
from ecoaudit.calibrate.fits import Group
from ecoaudit.calibrate.pooled import DEFAULT_PRIORS, Prediction, Priors

# The systems' rated maximum of the reference node of each GPU: NVIDIA DGX H100 and DGX B200 user guides.
_NAMEPLATE_W = {"NVIDIA H100 80GB HBM3": 10200.0, "NVIDIA B200": 14300.0}

# Board power with the job resident and nothing to do, for the emulated L2 (assumed; public logs show 67-92 W and
# 136-145 W without a context, and about 50 W a board more with a resident job).
_RESIDENT_BOARD_W = {"NVIDIA H100 80GB HBM3": 120.0, "NVIDIA B200": 190.0}

Predict = Callable[[Sequence[Group], Group, bool], Prediction | None]


@dataclass(frozen=True, slots=True)
class Model:
    """A named rival. `kind` is `baseline`, `candidate` or `variant` (a candidate under other priors).

    `shippable` says whether it can be a default: no look at the held-out meter, an answer for every group.
    """

    name: str
    kind: str
    predict: Predict
    note: str = ""
    shippable: bool = True


def models() -> list[Model]:
    """Return every rival, baselines first."""
    return [
        Model("TDP x count (L1)", "baseline", _tdp, "no fit"),
        Model("nameplate", "baseline", _nameplate, "maximum rating of the GPU's reference node"),
        Model("constant node watts", "baseline", _constant, "mean of the training groups"),
        Model("L2 emulated", "baseline", _l2, "looks at the held-out meter: size of what GPU telemetry omits", False),
        Model("k x N TDP", "baseline", _rated, "k: mean of the training systems"),
        Model("k x N TDP, by group", "baseline", _rated_by_group, "k: mean of the training groups"),
        Model("L3 u=1", "candidate", partial(_line, u=_one, exponent=1.0)),
        Model("L3 u=1 + scale term", "candidate", _scale_term, "alpha falls with log2(nodes)"),
        Model("L3 u=MFU", "candidate", partial(_line, u=_mfu, exponent=1.0), "language models only", False),
        Model("L3 u=throughput", "candidate", partial(_line, u=_u, exponent=1.0)),
        Model("L3 u^gamma, free", "candidate", _free_exponent, "gamma by least squares, 1 where not identified"),
        Model("L3 pooled", "candidate", _pooled(DEFAULT_PRIORS), "partial pooling, priors on gamma and fans"),
        Model("L3 pooled, no cooling prior", "variant", _pooled(_priors(air=(0.0, 0.05)))),
        Model("L3 pooled, gamma about 0.5", "variant", _pooled(_priors(gamma=(0.5, 0.15)))),
        Model("L3 pooled, gamma about 1", "variant", _pooled(_priors(gamma=(1.0, 0.15)))),
        Model("L3 pooled, half the spreads", "variant", _pooled(_scaled_spreads(0.5))),
        Model("L3 pooled, twice the spreads", "variant", _pooled(_scaled_spreads(2.0))),
    ]


def _priors(
    *,
    gamma: tuple[float, float] = DEFAULT_PRIORS.gamma,
    air: tuple[float, float] = DEFAULT_PRIORS.air,
) -> Priors:
    return Priors(gamma=gamma, air=air)


def _scaled_spreads(factor: float) -> Priors:
    d = DEFAULT_PRIORS
    return Priors(
        system_level=factor * d.system_level,
        system_slope=factor * d.system_slope,
        group=factor * d.group,
        utilisation=factor * d.utilisation,
    )


def _point(power_w: float) -> Prediction | None:
    return Prediction(power_w, math.nan) if math.isfinite(power_w) and power_w > 0 else None


def _tdp(_: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    del static_known
    return _point(target.rated_w)


def _nameplate(_: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    del static_known
    return _point(_NAMEPLATE_W.get(target.gpu, math.nan))


def _constant(training: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    del target, static_known
    return _point(statistics.fmean(g.mean_node_w for g in training)) if training else None


def _l2(_: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    """Return the held-out meter less a constant host share: what telemetry of the boards alone would add up to."""
    del static_known
    board = _RESIDENT_BOARD_W.get(target.gpu)
    if board is None or target.static is None:
        return None
    return _point(target.mean_node_w - (target.static.value_w - target.gpus_per_node * board))


def _rated(training: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    del static_known
    return _point(target.rated_w * _system_mean(training, lambda g: g.mean_node_w / g.rated_w)) if training else None


def _rated_by_group(training: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    del static_known
    return _point(target.rated_w * statistics.fmean(g.mean_node_w / g.rated_w for g in training)) if training else None


def _one(_: Group) -> float | None:
    return 1.0


def _u(group: Group) -> float | None:
    return group.u


def _mfu(group: Group) -> float | None:
    return group.mfu


def _line(
    training: Sequence[Group],
    target: Group,
    static_known: bool,
    *,
    u: Callable[[Group], float | None],
    exponent: float,
) -> Prediction | None:
    """P_static + alpha x N TDP x u^exponent, alpha the mean over training groups; P_static borrowed when not known."""
    fitted = [g for g in training if u(g) and g.static is not None]
    at, static = u(target), _static_w(training, target, static_known)
    if not fitted or not at or static is None:
        return None
    alpha = statistics.fmean(_dynamic(g) / (u(g) or math.nan) ** exponent for g in fitted)
    return _point(static + alpha * target.rated_w * at**exponent)


def _scale_term(training: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    """P_static + (a + b log2(nodes)) x N TDP; b = 0 where the training groups have one size only."""
    fitted = [g for g in training if g.static is not None]
    static = _static_w(training, target, static_known)
    if not fitted or static is None:
        return None
    size = np.log2([g.nodes for g in fitted])
    dynamic = np.array([_dynamic(g) for g in fitted])
    slope = float(np.polyfit(size, dynamic, 1)[0]) if np.ptp(size) > 0 else 0.0
    level = float(np.mean(dynamic - slope * size))
    return _point(static + target.rated_w * (level + slope * math.log2(target.nodes)))


def _free_exponent(training: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
    """P_static + alpha x N TDP x u^gamma with gamma by least squares in logarithms, kept within 0 and 1.5."""
    fitted = [g for g in training if g.u and g.static is not None and _dynamic(g) > 0]
    log_u = np.log([g.u for g in fitted if g.u])
    gamma = 1.0
    if len(fitted) > 2 and np.ptp(log_u) > 0.2:
        gamma = float(np.clip(np.polyfit(log_u, np.log([_dynamic(g) for g in fitted]), 1)[0], 0.0, 1.5))
    return _line(training, target, static_known, u=_u, exponent=gamma)


def _pooled(priors: Priors) -> Predict:
    def predict(training: Sequence[Group], target: Group, static_known: bool) -> Prediction | None:
        return pooled.predict(training, target, static_known=static_known, priors=priors)

    return predict


def _dynamic(group: Group) -> float:
    assert group.static is not None
    return (group.mean_node_w - group.static.value_w) / group.rated_w


def _static_w(training: Sequence[Group], target: Group, static_known: bool) -> float | None:
    """Return the target's P_static, or that of the training systems in proportion to rated power."""
    if static_known:
        return target.static.value_w if target.static else None
    with_static = [g for g in training if g.static is not None]
    if not with_static:
        return None
    return target.rated_w * _system_mean(with_static, lambda g: g.static.value_w / g.rated_w if g.static else math.nan)


def _system_mean(groups: Sequence[Group], value: Callable[[Group], float]) -> float:
    """Return the mean over systems of the mean over each system's groups."""
    by_system: dict[tuple[str, str], list[float]] = {}
    for group in groups:
        by_system.setdefault((group.operator, group.system), []).append(value(group))
    return statistics.fmean(statistics.fmean(values) for values in by_system.values())
