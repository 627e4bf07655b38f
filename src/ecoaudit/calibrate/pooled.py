"""The pooled models of node power: one law for all systems, partial pooling over them, predictive intervals.

Two Gaussian linear models in the logarithm of power, solved in closed form (generalised least squares with priors,
Rasmussen and Williams 2006, section 2.7). With r = N x TDP, u = throughput relative to one saturated node:

- P_static known:      P = P_static + r x delta x u^gamma x exp(air)
- P_static not known:  P = r x kappa x (phi + (1 - phi) x u^gamma) x exp(air), phi = P_static / P_saturated of the
  training systems

Each system deviates from the law in level and in slope over ln u, each group of runs by itself. An error of P_static
moves all groups of its system together. Air-cooled nodes carry fans that speed up with load.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecoaudit.calibrate.fits import Group
from ecoaudit.ingest.records import FloatArray


@dataclass(frozen=True, slots=True)
class Priors:
    """Means and standard deviations before any data, in logarithms; judgement within physical limits.

    `gamma`: GPUs that wait for each other still draw power, so power falls less than throughput: 0.5 to 1 (90 %).
    `air`: fans and their losses, -2 to +14 % of a node's dynamic power (90 %) over liquid or immersion cooling.
    `system_level`, `system_slope`, `group`: spread of systems and of workloads about the law. `utilisation`: relative
    error of u itself on several nodes (whose saturated throughput is another submitter's).
    """

    gamma: tuple[float, float] = (0.75, 0.15)
    air: tuple[float, float] = (0.06, 0.05)
    level: tuple[float, float] = (0.0, 1.0)
    system_level: float = 0.05
    system_slope: float = 0.10
    group: float = 0.04
    utilisation: float = 0.04


DEFAULT_PRIORS = Priors()
_START_DYNAMIC = 0.8
_START_SATURATED = 1.25
_STATIC_SHARE = 0.37


@dataclass(frozen=True, slots=True)
class Prediction:
    """Mean node power in W and its standard deviation relative to it."""

    power_w: float
    relative_sd: float


@dataclass(frozen=True, slots=True)
class PooledFit:
    """The fitted law: `level` (delta or kappa), `gamma`, `air`, their covariance (of ln level, gamma, air), phi."""

    static_known: bool
    level: float
    gamma: float
    air: float
    covariance: tuple[tuple[float, ...], ...]
    phi: float


@dataclass(frozen=True, slots=True)
class _Design:
    """Everything about groups that the likelihood needs: one row a group."""

    x: FloatArray
    y: FloatArray
    system: tuple[tuple[str, str], ...]
    log_u: FloatArray
    static_loading: FloatArray
    utilisation_loading: FloatArray


def usable(group: Group, *, static_known: bool) -> bool:
    """Return whether the group can take part: its u is known, and its P_static where the model needs it."""
    if group.u is None:
        return False
    return not static_known or (group.static is not None and group.mean_node_w > group.static.value_w)


def predict(
    training: Sequence[Group], target: Group, *, static_known: bool, priors: Priors = DEFAULT_PRIORS
) -> Prediction | None:
    """Return the power of `target` as predicted from `training`; the target's own power is never looked at.

    Of the target are used: rated power, nodes, u, cooling, and P_static where it is known. Groups of the same system
    in `training` pull the prediction towards that system. None where a needed input is missing.
    """
    known = [group for group in training if usable(group, static_known=static_known)]
    if not known or target.u is None or (static_known and target.static is None):
        return None
    solved = _solve(known, static_known, priors)
    blind = replace(target, mean_node_w=_guess(target, solved, static_known))
    goal = _design([blind], static_known, solved)
    train = _design(known, static_known, solved)
    cross = _covariance(train, goal, priors)[:, 0]
    noise = _noise(train, priors)
    inverse = np.linalg.inv(_covariance(train, train, priors) + np.diag(noise))
    posterior = np.array(solved.covariance)
    beta = np.array([np.log(solved.level), solved.gamma, solved.air])
    residual = train.y - train.x @ beta
    shift = float(cross @ inverse @ residual)
    leverage = goal.x[0] - train.x.T @ inverse @ cross
    own = float(_covariance(goal, goal, priors)[0, 0]) + float(_noise(goal, priors)[0])
    variance = own - float(cross @ inverse @ cross) + float(leverage @ posterior @ leverage)
    dynamic = blind.mean_node_w - _static_w(target, static_known)
    power = _static_w(target, static_known) + dynamic * float(np.exp(shift))
    share = (power - _static_w(target, static_known)) / power
    return Prediction(power_w=power, relative_sd=share * float(np.sqrt(max(variance, 0.0))))


def fit(training: Sequence[Group], *, static_known: bool, priors: Priors = DEFAULT_PRIORS) -> PooledFit | None:
    """Return the law fitted on all of `training`, None when none of it is usable."""
    known = [group for group in training if usable(group, static_known=static_known)]
    return _solve(known, static_known, priors) if known else None


def _solve(groups: Sequence[Group], static_known: bool, priors: Priors) -> PooledFit:
    """Solve the model by Gauss-Newton; it is linear, and done in one step, where P_static is known."""
    start = _START_DYNAMIC if static_known else _START_SATURATED
    now = PooledFit(static_known, start, priors.gamma[0], priors.air[0], ((0.0,) * 3,) * 3, 0.0)
    prior_mean = np.array([np.log(start) + priors.level[0], priors.gamma[0], priors.air[0]])
    precision = np.diag([1 / priors.level[1] ** 2, 1 / priors.gamma[1] ** 2, 1 / priors.air[1] ** 2])
    for _ in range(20):
        now = replace(now, phi=0.0 if static_known else _static_share(groups, now))
        design = _design(groups, static_known, now)
        inverse = np.linalg.inv(_covariance(design, design, priors) + np.diag(_noise(design, priors)))
        posterior = np.linalg.inv(design.x.T @ inverse @ design.x + precision)
        beta = posterior @ (design.x.T @ inverse @ design.y + precision @ prior_mean)
        moved = abs(float(beta[1]) - now.gamma) + abs(float(np.exp(beta[0])) - now.level)
        rows = tuple(tuple(float(v) for v in row) for row in posterior)
        now = replace(now, level=float(np.exp(beta[0])), gamma=float(beta[1]), air=float(beta[2]), covariance=rows)
        if moved < 1e-12:
            break
    return now


def _static_share(groups: Sequence[Group], now: PooledFit) -> float:
    """Return phi: the mean over training systems of P_static over saturated power; a judged share where none is."""
    by_system = {
        (group.operator, group.system): group.static.value_w
        / (group.rated_w * now.level * np.exp(now.air * (group.cooling == "air")))
        for group in groups
        if group.static is not None
    }
    return float(np.clip(np.mean(list(by_system.values())), 0.1, 0.9)) if by_system else _STATIC_SHARE


def _design(groups: Sequence[Group], static_known: bool, now: PooledFit) -> _Design:
    """Return the linearised model at the present parameters: y is what is left to explain by x @ beta."""
    u = np.array([group.u for group in groups], dtype=np.float64)
    air = np.array([group.cooling == "air" for group in groups], dtype=np.float64)
    rated = np.array([group.rated_w for group in groups])
    static = np.array([_static_w(group, static_known) for group in groups])
    power = np.array([group.mean_node_w for group in groups])
    log_u = np.log(u)
    y = np.log((power - static) / rated)
    if static_known:
        slope = log_u
        rest = np.zeros_like(y)
        error = np.array([group.static.se_w if group.static else 0.0 for group in groups])
        static_loading = error / (power - static)
    else:
        bent = (1.0 - now.phi) * u**now.gamma
        slope = bent * log_u / (now.phi + bent)
        rest = np.log(now.phi + bent) - slope * now.gamma
        static_loading = np.zeros_like(y)
    elasticity = now.gamma if static_known else slope * now.gamma / np.where(log_u == 0, 1.0, log_u)
    several = np.array([group.nodes > 1 for group in groups], dtype=np.float64)
    return _Design(
        x=np.column_stack([np.ones_like(u), slope, air]),
        y=y - rest,
        system=tuple((group.operator, group.system) for group in groups),
        log_u=slope,
        static_loading=static_loading,
        utilisation_loading=several * elasticity,
    )


def _covariance(a: _Design, b: _Design, priors: Priors) -> FloatArray:
    """Return the covariance that groups of one system share: level, slope, and the error of its P_static."""
    same = np.array([[left == right for right in b.system] for left in a.system], dtype=np.float64)
    shared = (
        priors.system_level**2
        + priors.system_slope**2 * np.outer(a.log_u, b.log_u)
        + np.outer(a.static_loading, b.static_loading)
    )
    return np.asarray(same * shared, dtype=np.float64)


def _noise(design: _Design, priors: Priors) -> FloatArray:
    """Return each group's own variance: its workload, and the error of its u."""
    return np.asarray(priors.group**2 + (priors.utilisation * design.utilisation_loading) ** 2, dtype=np.float64)


def _static_w(group: Group, static_known: bool) -> float:
    return group.static.value_w if static_known and group.static is not None else 0.0


def _guess(target: Group, solved: PooledFit, static_known: bool) -> float:
    """Return the law's power of the target: what the prediction starts from before its system's own deviation."""
    assert target.u is not None
    scale = target.rated_w * solved.level * math.exp(solved.air * (target.cooling == "air"))
    throughput = math.pow(target.u, solved.gamma)
    if static_known:
        return _static_w(target, static_known) + scale * throughput
    return scale * (solved.phi + (1.0 - solved.phi) * throughput)
