"""Which sources of doubt make an estimate wide."""

from ecoaudit.model.audit import Driver
from ecoaudit.model.uncertainty import Uncertain, shares

GROUPS = (
    ("MFU", "MFU"),
    ("attention FLOPs", "attention FLOPs (shape of the model not given)"),
    ("unknown utilisation", "utilisation of the nodes"),
    ("transfer of the node line", "transfer of the node line to this system"),
    ("node line prior", "host power and supply losses (a prior)"),
    ("board load", "load of the boards"),
    ("boards' part", "the boards' part of node power"),
    ("stated host power", "stated host power"),
    ("power supply efficiency", "power supply efficiency"),
    ("stated switch power", "network"),
    ("PUE", "PUE"),
    ("grid intensity", "grid intensity"),
    ("embodied carbon", "embodied carbon"),
    ("years of service", "embodied carbon"),
    ("allocation of boards", "embodied carbon"),
    ("price of", "price"),
)
NODE_LINE = "node line (fitted coefficients)"


def drivers(result: Uncertain) -> list[Driver]:
    """Return the sources of doubt of `result` with their share of its width, largest first."""
    groups: dict[str, list[str]] = {}
    for name in sorted(result.factors):
        label = next((label for start, label in GROUPS if name.startswith(start)), NODE_LINE)
        groups.setdefault(label, []).append(name)
    return [
        Driver(name=label, share=share, source=", ".join(dict.fromkeys(map(_plain, groups[label]))))
        for label, share in shares(result, groups).items()
    ]


def _plain(name: str) -> str:
    """Return a factor's name; the two halves of a correlated pair are one source of doubt."""
    return name.removesuffix(": first").removesuffix(": second")
