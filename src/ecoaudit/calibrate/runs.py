"""The metered run: one row of the run table, from which every fit and every held-out test can be repeated."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Annotated, Literal

import msgspec

from ecoaudit.errors import EcoauditError
from ecoaudit.reference.types import Cooling

MeterBoundary = Literal["ac", "dc"]

DISCLAIMER = "derived; not verified by MLCommons Association"


def citation(rounds: str | None, operators: str) -> str:
    """Return how figures derived from power logs are cited, disclaimer included."""
    return f"MLPerf Training {rounds or '(round not known)'} power logs, {operators}; {DISCLAIMER}"


Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class MeteredRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run's power logs at one boundary, reduced to what the fits need. Powers in W a node, None = not known.

    `system` is the submission's folder without node count and boundary, so that one machine keeps one name over
    scales; `start_ms` identifies the run, which may be logged at AC and at DC. `mean_node_w` is the energy of all
    nodes from run_start to run_stop over duration and nodes, without switches. `resident_w` is the 10th percentile of
    readings taken while the GPUs waited. `saturated_samples_per_s` is what one node of this GPU does on this workload
    (or, where none fits in a node, a node of the smallest published system); `saturated_source` says whose.
    `official_*_j` is the run's official energy before Olympic mean and scaling. `excluded` says why the run is left out
    of the fits ("" when it is not), `notes` what was found in its logs and handled. `path` is where the logs are:
    `training_results_vX.Y: path`.
    """

    round: str
    operator: str
    system: str
    gpu: str
    gpus_per_node: Count
    gpu_tdp_w: Positive
    nodes: Count
    cooling: Cooling | None
    workload: str
    number_format: str | None
    boundary: MeterBoundary
    result: str
    start_ms: int
    duration_s: Positive
    status: str
    mean_node_w: float | None
    network_w: float | None
    network_kind: str | None
    resident_w: float | None
    samples: float | None
    mfu: float | None
    saturated_samples_per_s: float | None
    saturated_source: str | None
    gap_share: float
    official_v40_j: float | None
    official_v41_j: float | None
    scaling_factor: float
    excluded: str
    notes: str
    path: str
    commit: str | None
    basis: Literal["measured"] = "measured"
    year: str | None
    source: str
    licence: str

    @property
    def rated_w(self) -> float:
        """Rated GPU power of a node: GPUs x TDP."""
        return self.gpus_per_node * self.gpu_tdp_w

    @property
    def samples_per_s(self) -> float | None:
        """Samples a second from run_start to run_stop, evaluation included."""
        return None if self.samples is None else self.samples / self.duration_s

    @property
    def u(self) -> float | None:
        """Throughput of a node relative to one saturated node; 1 on one node by definition."""
        if self.nodes == 1:
            return 1.0
        rate = self.samples_per_s
        if rate is None or not self.saturated_samples_per_s:
            return None
        return rate / self.nodes / self.saturated_samples_per_s

    @property
    def used(self) -> bool:
        """Whether the run takes part in fits."""
        return not self.excluded


COLUMNS = MeteredRun.__struct_fields__
# Columns where an empty cell is an empty text, not an unknown figure.
_TEXT = {"excluded", "notes"}
_DIGITS = {"mean_node_w": ".1f", "network_w": ".0f", "resident_w": ".0f", "mfu": ".4f", "gap_share": ".4f"}


def write_csv(runs: Iterable[MeteredRun]) -> str:
    """Return the run table as CSV, in a fixed order, figures at the precision of the logs."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in sorted(runs, key=_order):
        writer.writerow([_cell(name, getattr(run, name)) for name in COLUMNS])
    return text.getvalue()


def read_csv(text: str, *, where: str) -> list[MeteredRun]:
    """Return the runs of a table that `write_csv` wrote; raises `EcoauditError` naming the line that does not fit."""
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise EcoauditError("not a run table: its columns differ", where=where, fix="write it again with `calibrate`")
    runs = []
    for row in rows:
        try:
            cells = {name: cell if cell or name in _TEXT else None for name, cell in row.items()}
            runs.append(msgspec.convert(cells, MeteredRun, strict=False))
        except msgspec.ValidationError as error:
            raise EcoauditError(f"not a run: {error}", where=f"{where}:{rows.line_num}") from error
    return runs


def by_key(
    runs: Iterable[MeteredRun], key: Callable[[MeteredRun], tuple[str | int, ...]]
) -> list[tuple[tuple[str | int, ...], list[MeteredRun]]]:
    """Return the runs grouped by `key`, groups in the key's order, runs in the table's order."""
    ordered = sorted(runs, key=lambda run: (key(run), _order(run)))
    return [(value, list(members)) for value, members in groupby(ordered, key=key)]


def distinct_runs(runs: Sequence[MeteredRun]) -> int:
    """Return how many runs there are when the AC and the DC log of one run count once."""
    return len({(run.operator, run.workload, run.nodes, run.start_ms) for run in runs})


def _order(run: MeteredRun) -> tuple[str | int, ...]:
    return (run.round, run.operator, run.system, run.workload, run.nodes, run.boundary, run.start_ms, run.result)


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value, _DIGITS.get(name, ".10g"))
    return str(value)
