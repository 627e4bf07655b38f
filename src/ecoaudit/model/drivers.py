"""Which sources of doubt drive the width of the headline's interval."""

from ecoaudit.model.audit import Driver
from ecoaudit.model.uncertainty import Uncertain, shares

_GROUPS = (
    ("board gain", "GPU power sensors"),
    ("board-to-board gain", "GPU power sensors"),
    ("telemetry gaps", "gaps in the telemetry"),
    ("node line prior", "node line (host power and slope, a prior)"),
    ("calibration", "node line (user calibration)"),
    ("stated host power", "stated host power"),
    ("power supply efficiency", "power supply efficiency"),
    ("base power", "assumed base power of the node"),
    ("RAPL", "RAPL accuracy"),
    ("node meter accuracy", "node meter accuracy"),
    ("node meter gaps", "gaps in the node meter"),
    ("switch meter", "network"),
    ("stated switch power", "network"),
    ("unknown utilisation", "utilisation, not known"),
    ("throughput", "relative throughput"),
    ("transfer of the node line", "transfer of the node line to this system"),
    ("PUE", "PUE"),
    ("load relative to the limit", "load relative to the limit"),
)


def drivers(result: Uncertain | None) -> list[Driver]:
    """Return which sources of doubt drive the headline's interval, largest share first."""
    if result is None:
        return []
    groups: dict[str, list[str]] = {}
    for name in sorted(result.factors):
        label = next((label for start, label in _GROUPS if name.startswith(start)), "node line (fitted coefficients)")
        groups.setdefault(label, []).append(name)
    return [
        Driver(name=label, share=share, source=", ".join(groups[label]))
        for label, share in shares(result, groups).items()
    ]
