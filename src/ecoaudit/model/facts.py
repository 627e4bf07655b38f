"""What findings look at, and a finding before it is priced."""

from dataclasses import dataclass

from ecoaudit.ingest.records import TrainingLog
from ecoaudit.model.efficiency import Reference
from ecoaudit.model.flops import Work
from ecoaudit.model.intervals import Segments
from ecoaudit.model.levels import Figure, Ledger
from ecoaudit.model.nodes import GpuReading, Stream
from ecoaudit.model.timeline import Cuts
from ecoaudit.model.uncertainty import Uncertain
from ecoaudit.model.windows import RunTime


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What findings may look at."""

    ledger: Ledger
    cuts: Cuts
    time: RunTime
    gpus: tuple[GpuReading, ...]
    training: TrainingLog | None
    work: Work | None
    reference: Reference | None
    intensity: Uncertain | None
    usd_per_gpu_hour: Uncertain | None
    streams: tuple[Stream, ...]

    @property
    def job(self) -> Figure | None:
        """The headline figure."""
        return self.ledger.best(self.ledger.everything)

    def energy(self, segments: Segments) -> Uncertain | None:
        """Return headline energy of the chosen segments in J, None without any."""
        figure = self.ledger.best(segments)
        return figure.joules if figure is not None and segments.any() else None

    def share(self, segments: Segments, of_boards: float, of_time: float) -> float:
        """Return the share of the nodes' energy in a part of the run: boards by their energy, hosts by time.

        `of_boards` is the part's share of the boards' energy in `segments`, `of_time` that of the nodes' time.
        """
        grounded, boards = self.ledger.grounded, self.ledger.boards
        if grounded is None or boards is None or grounded.calibration.alpha is None:
            return of_boards
        varying = grounded.calibration.alpha.value * boards.joules(segments).value / grounded.joules(segments).value
        return varying * of_boards + (1.0 - varying) * of_time


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding before it is priced: the energy (J) and time (s) it would save, None where nothing is claimed.

    A `remark` never weighs more than info: it compares, it does not name waste.
    """

    id: str
    title: str
    evidence: str
    advice: str
    joules: Uncertain | None = None
    seconds: float = 0.0
    remark: bool = False
