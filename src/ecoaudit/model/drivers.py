"""Which sources of doubt drive the width of the headline's interval."""

from ecoaudit.model.audit import Driver
from ecoaudit.model.uncertainty import Uncertain, shares

_JUDGEMENT = "judgement within physical limits, not fitted"

# How a factor's name begins, the label it is shown under, and where its width comes from.
_GROUPS = (
    ("board gain", "GPU power sensors", "one gain for all boards of a model; Yang et al., arXiv 2312.02741"),
    ("board-to-board gain", "GPU power sensors", "one gain for all boards of a model; Yang et al., arXiv 2312.02741"),
    ("sampling of", "sampling of GPU power", "update period of the NVML field and spread between readings"),
    ("telemetry gaps", "gaps in the telemetry", "from resident power to the limit while nothing was read"),
    ("share of divided GPUs", "share of divided GPUs (MIG)", "from the share of the slices to the whole board"),
    # The slope is drawn first, and the host power with it: more of the one leaves less for the other.
    ("node line prior: first", "α (supply and fan losses)", _JUDGEMENT),
    ("node line prior: second", "host power", _JUDGEMENT),
    ("calibration", "node line (user calibration)", "standard errors and held-out error of the calibration"),
    ("stated host power", "stated host power", "given by the user, one figure for a varying load"),
    ("power supply efficiency", "power supply efficiency", "efficiencies declared in MLPerf power logs"),
    ("base power", "assumed base power of the node", _JUDGEMENT),
    ("RAPL", "RAPL accuracy", _JUDGEMENT),
    ("node meter accuracy", "node meter accuracy", "MLPerf Training power rules ask for 5 %"),
    (
        "job accounting accuracy",
        "energy by the scheduler's accounting",
        "accuracy of the nodes' own sensors; judgement",
    ),
    ("node meter gaps", "gaps in the node meter", "lowest to highest valid power of the run"),
    ("switch meter", "network", "accuracy of the switch meter"),
    ("stated switch power", "network", "a rating or an estimate"),
    ("switch power of another time", "network", _JUDGEMENT),
    ("unknown utilisation", "utilisation, not known", _JUDGEMENT),
    ("transfer of the node line", "transfer of the node line to this system", "error on systems the fit has not seen"),
    ("PUE", "PUE", "site, provider average or survey"),
    ("load relative to the limit", "load relative to the limit", _JUDGEMENT),
)


def drivers(result: Uncertain | None) -> list[Driver]:
    """Return which sources of doubt drive the interval of `result`, largest share first."""
    if result is None:
        return []
    factors: dict[str, list[str]] = {}
    sources: dict[str, str] = {}
    for name in sorted(result.factors):
        known = ((label, text) for start, label, text in _GROUPS if name.startswith(start))
        label, source = next(known, (name, "given with the figure"))
        factors.setdefault(label, []).append(name)
        sources[label] = source
    return [Driver(name=label, share=share, source=sources[label]) for label, share in shares(result, factors).items()]
