"""What the run ran on: from the logs, else from a description of the system, with basis and source."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ecoaudit.ingest.records import GpuInfo, RunLogs, SystemDescription, TrainingLog
from ecoaudit.model.audit import GpuGroup, Hardware
from ecoaudit.model.inputs import ModelOptions, Tables
from ecoaudit.model.nodes import Stream
from ecoaudit.model.notes import Notes
from ecoaudit.quantity import Basis, Quantity
from ecoaudit.reference.types import Cooling, Gpu

DEFAULT_GPUS_PER_NODE = 8
UNNAMED = "unknown GPU"


@dataclass(frozen=True, slots=True)
class Boards:
    """GPUs of one model: the name as logged, the table's row if it knows it, count and enforced limit (mean, W)."""

    name: str
    gpu: Gpu | None
    count: int
    limit_w: float | None

    @property
    def board_limit_w(self) -> float | None:
        """The enforced limit where it was read, else the TDP."""
        return self.limit_w or (self.gpu.tdp_w if self.gpu else None)


@dataclass(frozen=True, slots=True)
class System:
    """The run's hardware. `gpus_per_node` is the node's own count, `run_gpus_per_node` this run's share of it."""

    boards: tuple[Boards, ...]
    nodes: int | None
    gpu_count: int | None
    gpus_per_node: int | None
    run_gpus_per_node: float | None
    cooling: Cooling | None
    name: str | None
    operator: str | None
    source: str | None
    hosts: tuple[str, ...]

    @property
    def gpu(self) -> Gpu | None:
        """The one GPU model of the run, None for a mixture or an unknown one."""
        return self.boards[0].gpu if len(self.boards) == 1 else None

    @property
    def node_share(self) -> float:
        """The part of each node that belongs to the run, by GPUs."""
        if not self.gpus_per_node or not self.run_gpus_per_node:
            return 1.0
        return min(1.0, self.run_gpus_per_node / self.gpus_per_node)

    def hardware(self) -> Hardware:
        """Return the hardware for the audit."""
        return Hardware(
            nodes=self.nodes,
            gpu_count=self.gpu_count,
            gpus=[_group(boards) for boards in self.boards],
            system=self.name,
            cooling=self.cooling,
            source=self.source,
            hosts=list(self.hosts),
        )


def describe_system(
    logs: RunLogs,
    found: Sequence[Stream],
    training: TrainingLog | None,
    options: ModelOptions,
    tables: Tables,
    notes: Notes,
) -> System:
    """Return the run's hardware: telemetry first, then a stated description, then an assumed one, then the log."""
    described = _description(logs.systems, notes)
    meters = len({m.label for m in logs.meters if m.kind == "node"})
    cooling = options.cooling or _cooling(described.cooling if described else None)
    common = {
        "cooling": cooling,
        "name": (described.name if described else None) or (training.platform if training else None),
        "operator": training.organisation if training else None,
    }
    if found:
        boards = _boards([gpu for s in found for gpu in _unique(s)], tables, notes)
        count = sum(b.count for b in boards)
        seen = max(len(_unique(s)) for s in found)
        per_node = (
            options.node_gpu_count
            or max((s.node_gpu_count for s in found if s.node_gpu_count), default=None)
            or (described.gpus_per_node if described and described.basis == "stated" else None)
            or seen
        )
        world = training.world_size if training else None
        if world is not None and world > count:
            notes.warn(f"the training log tells of {world} GPUs, the telemetry of {count}: the others are not counted")
        if world is not None and world < count:
            notes.warn(f"the telemetry holds {count} GPUs, the training log tells of {world}: all {count} are counted")
        hosts = tuple(s.host for s in found if s.host) if all(s.host for s in found) else ()
        return System(
            boards=boards,
            nodes=len(found),
            gpu_count=count,
            gpus_per_node=max(per_node, seen),
            run_gpus_per_node=count / len(found),
            source="telemetry",
            hosts=hosts,
            **common,  # type: ignore[arg-type]
        )
    nodes = (described.nodes if described else None) or meters or None
    per_node_described = options.node_gpu_count or (described.gpus_per_node if described else None)
    count_known = (
        nodes * per_node_described if nodes and per_node_described else (training.world_size if training else None)
    )
    if count_known and not nodes:
        per_node_described = per_node_described or min(DEFAULT_GPUS_PER_NODE, count_known)
        nodes = -(-count_known // per_node_described)
        notes.warn(f"{count_known} GPUs are taken for {nodes} nodes of {per_node_described}; no log tells")
    if described is not None and described.basis == "assumed":
        notes.warn(f"the hardware is assumed from {described.source.path}: {described.notes or described.name}")
    boards = ()
    if described is not None and described.gpu_model and count_known:
        info = GpuInfo(name=described.gpu_model)
        boards = _boards([info] * count_known, tables, notes)
    return System(
        boards=boards,
        nodes=nodes,
        gpu_count=count_known,
        gpus_per_node=per_node_described,
        run_gpus_per_node=count_known / nodes if count_known and nodes else None,
        source=described.source.path if described else ("training log" if count_known else None),
        hosts=(),
        **common,  # type: ignore[arg-type]
    )


def _description(systems: Sequence[SystemDescription], notes: Notes) -> SystemDescription | None:
    ordered = sorted(systems, key=lambda s: s.basis != "stated")
    models = {s.gpu_model for s in ordered if s.basis == "stated" and s.gpu_model}
    if len(models) > 1:
        notes.warn(f"several system descriptions; {ordered[0].source.path} is used")
    return ordered[0] if ordered else None


def _unique(stream: Stream) -> list[GpuInfo]:
    known: dict[object, GpuInfo] = {}
    for file in stream.files:
        for column, gpu in enumerate(file.gpus):
            known.setdefault(gpu.uuid or (gpu.index if gpu.index is not None else column), gpu)
    return list(known.values())


def _boards(infos: Sequence[GpuInfo], tables: Tables, notes: Notes) -> tuple[Boards, ...]:
    counts = Counter(info.name or UNNAMED for info in infos)
    boards = []
    for name, count in counts.items():
        gpu = tables.find_gpu(name) if name != UNNAMED else None
        limits = [i.power_limit_w for i in infos if (i.name or UNNAMED) == name and i.power_limit_w]
        if name == UNNAMED:
            notes.warn("the log does not name its GPU: TDP, peak and embodied carbon are not known")
        elif gpu is None:
            notes.warn(f"the GPU {name!r} {_unresolved(name, tables)}: its TDP, peak and embodied carbon are not known")
        boards.append(Boards(name, gpu, count, sum(limits) / len(limits) if limits else None))
    if any(info.mig for info in infos):
        notes.warn("a GPU is partitioned (MIG): its power is the whole board's, whoever else uses it")
    return tuple(boards)


def _unresolved(name: str, tables: Tables) -> str:
    """Return why a name means no single GPU: a log that says "H100" leaves its variant, and so its TDP, open."""
    variants = [gpu.name for gpu in tables.gpu_candidates(name)]
    return f"is ambiguous (it can be {', '.join(variants)})" if variants else "is not in the tables"


def _group(boards: Boards) -> GpuGroup:
    gpu = boards.gpu
    return GpuGroup(
        model=gpu.name if gpu else boards.name,
        count=boards.count,
        tdp_w=Quantity.exact(gpu.tdp_w, "W", Basis.ASSUMED, gpu.citation.source) if gpu else None,
        power_limit_w=Quantity.exact(boards.limit_w, "W", Basis.MEASURED, "enforced limit, telemetry")
        if boards.limit_w
        else None,
    )


def _cooling(text: str | None) -> Cooling | None:
    """Return the cooling class that a system description's free text means."""
    words = (text or "").lower()
    if "immersion" in words:
        return "immersion"
    if "liquid" in words or "water" in words:
        return "liquid"
    return "air" if "air" in words else None
