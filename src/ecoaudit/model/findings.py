"""What wasted energy in this run, computed from it: each with evidence and the saving in kWh, kgCO2e and money."""

from dataclasses import dataclass

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model.audit import Finding
from ecoaudit.model.efficiency import Reference
from ecoaudit.model.flops import Work
from ecoaudit.model.levels import Ledger
from ecoaudit.model.nodes import GpuReading, Stream
from ecoaudit.model.timeline import Cuts
from ecoaudit.model.uncertainty import Uncertain
from ecoaudit.model.windows import RunTime


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What findings may look at."""

    ledger: Ledger
    cuts: Cuts | None
    time: RunTime
    gpus: tuple[GpuReading, ...]
    training: TrainingLog | None
    work: Work | None
    reference: Reference | None
    intensity: Uncertain | None
    usd_per_gpu_hour: Uncertain | None
    streams: tuple[Stream, ...]


def findings(facts: RunFacts) -> list[Finding]:
    """Return the findings, largest saving first; none is made up where the logs do not tell."""
    return []
