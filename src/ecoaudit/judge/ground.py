"""On what ground two audits are compared: the highest level and boundary that both carry by the same method.

A change of PUE, cooling, node line, meter or network is no change of the workload. Such factors cancel in a ratio only
where both audits took the same ones from the same source; where they did not, the comparison goes inside them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ecoaudit.judge.figures import INSIDE
from ecoaudit.model.audit import Audit, Calibration, LevelName
from ecoaudit.quantity import Basis, Boundary, Quantity

# From the best common ground to the weakest.
_GROUNDS: tuple[tuple[LevelName, Boundary], ...] = (
    ("measured", Boundary.FACILITY),
    ("measured", Boundary.NODE),
    ("L3", Boundary.FACILITY),
    ("L3", Boundary.NODE),
    ("L2", Boundary.GPU),
    ("L1", Boundary.GPU),
)


@dataclass(frozen=True, slots=True)
class Ground:
    """A level and a boundary; `differences` say in what the methods differ at those above that both audits carry."""

    level: LevelName
    boundary: Boundary
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a method: equal where `identity` is. `long` is said where `short` would not tell two apart."""

    identity: object
    short: str
    long: str


def common_ground(
    head: Audit, base: Audit, figure: Callable[[Audit, LevelName, Boundary], Quantity | None], outermost: Boundary
) -> tuple[Ground | None, tuple[str, ...]]:
    """Return the best ground, at `outermost` or inside it, on which both audits carry `figure` by the same method.

    Beside it, or beside None, stand the differences of method that were met on the way.
    """
    met: dict[str, None] = {}
    for level, boundary in _GROUNDS:
        if boundary not in INSIDE[outermost] or not (figure(head, level, boundary) and figure(base, level, boundary)):
            continue
        found = differences(head, base, level, boundary)
        if not found:
            return Ground(level, boundary, tuple(met)), tuple(met)
        met |= dict.fromkeys(found)
    return None, tuple(met)


def differences(head: Audit, base: Audit, level: LevelName, boundary: Boundary) -> list[str]:
    """Return in words what differs in how the two audits found their energy at a level and boundary."""
    new, old = _method(head, level, boundary), _method(base, level, boundary)
    # The node line follows from the cooling and the size of the node, which say it better.
    names = [name for name in new if name in old and old[name].identity != new[name].identity]
    if len(names) > 1 and {"cooling", "number of GPUs a node"} & set(names):
        names = [name for name in names if name != "node line"]
    return [_in_words(name, old[name], new[name]) for name in names]


def _in_words(name: str, old: _Part, new: _Part) -> str:
    if old.short != new.short:
        return f"{name} differs ({old.short} in the base, {new.short} here)"
    return f"{name} has two sources ({old.long} in the base, {new.long} here)"


def _method(audit: Audit, level: LevelName, boundary: Boundary) -> dict[str, _Part]:
    """Return the parts of the method, by name. One that an audit does not tell and that changes nothing is left out."""
    if boundary is Boundary.GPU:
        return {"power of a board": _limit(audit)} if level == "L1" else {}
    parts: dict[str, _Part] = {}
    if boundary is Boundary.FACILITY:
        pue = audit.energy.pue
        parts["PUE"] = _Part((pue.value, pue.source), f"{pue.value:.4g}", pue.source) if pue else _same("not known")
        parts["network energy"] = _network(audit)
    hardware = audit.hardware
    if hardware.cooling:
        parts["cooling"] = _same(hardware.cooling)
    if hardware.nodes and hardware.gpu_count:
        parts["number of GPUs a node"] = _same(f"{hardware.gpu_count / hardware.nodes:g}")
    if level == "L3":
        parts["node line"] = _line(audit)
    else:
        meter = audit.energy.measured.node if audit.energy.measured else None
        parts["node meter"] = _same(_without_count(meter.source) if meter else "not known")
    return parts


def _same(text: str) -> _Part:
    return _Part(text, text, text)


def _limit(audit: Audit) -> _Part:
    enforced = all(group.power_limit_w is not None for group in audit.hardware.gpus)
    return _same("its enforced limit" if enforced else "its TDP")


def _network(audit: Audit) -> _Part:
    network = audit.energy.measured.network if audit.energy.measured else None
    return _same(_without_count(network.source) if network else "not included")


def _without_count(source: str) -> str:
    """Return a meter's description without how many there are: more nodes are no other method."""
    return re.sub(r"^\d+ (× )?", "", source).replace("switch logs", "switch log")


def _line(audit: Audit) -> _Part:
    line = audit.calibration
    if line is None:
        level = audit.energy.levels.L3
        return _same(level.node.source if level and level.node else "not known")
    formula = _formula(line)
    return _Part((line.id, line.driver, formula), formula, line.id)


def _formula(line: Calibration) -> str:
    """Return the line in words. A utilisation that was found is the workload's, one that was assumed the method's."""
    slope = f"{line.alpha.value:.4g}" if line.alpha else "α"
    if line.driver == "utilisation":
        static = f"{line.static_w.value:,.0f} W" if line.static_w else "P_static"
        load = f"{line.u.value:.4g} assumed" if line.u is not None and line.u.basis is Basis.ASSUMED else "u"
        return f"{static} + {slope} × N × TDP × {load}"
    host = f"{line.host_w.value:,.0f} W" if line.host_w else "P_host"
    return f"{host} + {slope} × {'GPU power' if line.driver == 'power' else 'GPUs and RAPL'}"
