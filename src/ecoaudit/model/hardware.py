"""What the run ran on: from the logs, else from a description of the system, with basis and source."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecoaudit.ingest.records import GpuInfo, RunLogs, SystemDescription, TrainingLog
from ecoaudit.model.audit import GpuGroup, Hardware
from ecoaudit.model.inputs import GIVEN, ModelOptions, StatedHardware, Tables
from ecoaudit.model.nodes import Stream
from ecoaudit.model.notes import Notes
from ecoaudit.model.partition import share_of
from ecoaudit.model.places import board_key
from ecoaudit.quantity import Basis, Quantity
from ecoaudit.reference.types import Cooling, Gpu

DEFAULT_GPUS_PER_NODE = 8
SUPERCHIPS = {"Superchip (per GPU)": 4, "Superchip (Grace Hopper)": 1}
"""GPUs of a node by form factor: a compute tray of GB200 or GB300 NVL72 has four (NVIDIA), a GH200 is its own node."""
UNNAMED = "unknown GPU"


def usual_gpus_per_node(gpu: Gpu | None) -> int:
    """Return how many GPUs a full node of this kind has where nothing tells."""
    return SUPERCHIPS.get(gpu.form_factor, DEFAULT_GPUS_PER_NODE) if gpu is not None else DEFAULT_GPUS_PER_NODE


@dataclass(frozen=True, slots=True)
class Boards:
    """GPUs of one model: the name as logged, the table's row if it knows it, count and enforced limit (mean, W).

    `share` is the job's part of each where they are divided (MIG), on average.
    """

    name: str
    gpu: Gpu | None
    count: int
    limit_w: float | None
    share: float = 1.0

    @property
    def board_limit_w(self) -> float | None:
        """The enforced limit where it was read, else the TDP; of a divided board the job's share of it."""
        whole = self.limit_w or (self.gpu.tdp_w if self.gpu else None)
        return whole * self.share if whole is not None else None


@dataclass(frozen=True, slots=True)
class System:
    """The run's hardware. `gpus_per_node` is the node's own count, `run_gpus_per_node` this run's share of it.

    `lacking` says what no log tells of it and which option would, for the reasons of figures that need it.
    """

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
    lacking: str | None = None

    @property
    def gpu(self) -> Gpu | None:
        """The one GPU model of the run, None for a mixture or an unknown one."""
        return self.boards[0].gpu if len(self.boards) == 1 else None

    @property
    def allocated(self) -> float | None:
        """The number of GPUs that the run had, a divided one counted by the run's share of it."""
        return sum(b.count * b.share for b in self.boards) if self.boards else self.gpu_count

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
    """Return the run's hardware: as stated by the user, else telemetry, a stated description, an assumed one, the log.

    `logs` carry what the user states of the GPU already (`stated.with_hardware`).
    """
    given = options.hardware or StatedHardware()
    described = _description(logs.systems, notes)
    cooling = options.cooling or _cooling(described.cooling if described else None)
    common = {
        "cooling": cooling,
        "name": (described.name if described else None) or (training.platform if training else None),
        "operator": training.organisation if training else None,
        "hosts": tuple(s.host for s in found if s.host) if all(s.host for s in found) else (),
    }
    if with_gpus := [s for s in found if _unique(s)]:
        without = len(found) - len(with_gpus)
        if without:
            who = f"{without} nodes" if without > 1 else "one node"
            notes.warn(f"{who} recorded no GPU: of its energy only what a meter of its own read is known")
        return _recorded(with_gpus, training, described, given, options, common, tables, notes)
    kinds = Counter(kind for kind, _ in {(m.source.format, m.label) for m in logs.meters if m.kind == "node"})
    meters = max(kinds.values(), default=0)  # of several kinds of meters each reads all nodes
    per_node = options.node_gpu_count or (described.gpus_per_node if described else None)
    nodes = given.nodes or (described.nodes if described else None) or meters or len(found) or None
    told = nodes * per_node if nodes and per_node else (training.world_size if training else None)
    count = given.gpus or told
    if count and nodes and not given.nodes and per_node and count > nodes * per_node:
        nodes = None  # more GPUs than the described nodes hold
    model = given.gpu.name if given.gpu else described.gpu_model if described else None
    if count and not nodes:
        per_node = per_node or min(usual_gpus_per_node(tables.find_gpu(model)), count)
        nodes = -(-count // per_node)
        if count > 1:
            where = f"{nodes} nodes" if nodes > 1 else "one node"
            notes.warn(f"{count} GPUs are taken for {where} of {per_node}; no log tells: give --nodes or --node-gpus")
    if described is not None and described.basis == "assumed":
        notes.warn(f"the hardware is assumed from {described.source.path}: {described.notes or described.name}")
    sources = [
        GIVEN if given != StatedHardware() else None,
        described.source.path if described else None,
        "training log" if count and not given.gpus and not (described and described.nodes) else None,
    ]
    return System(
        boards=_boards([GpuInfo(name=model)] * count, tables, notes) if model and count else (),
        nodes=nodes,
        gpu_count=count,
        gpus_per_node=per_node or (-(-count // nodes) if count and nodes else None),
        run_gpus_per_node=count / nodes if count and nodes else None,
        source="; ".join(filter(None, sources)) or None,
        lacking=_lacking(model, count),
        **common,  # type: ignore[arg-type]
    )


def _recorded(
    found: Sequence[Stream],
    training: TrainingLog | None,
    described: SystemDescription | None,
    given: StatedHardware,
    options: ModelOptions,
    common: Mapping[str, object],
    tables: Tables,
    notes: Notes,
) -> System:
    """Return the hardware that telemetry read; what is stated of more boards or nodes than it read adds none."""
    boards = _boards([gpu for s in found for gpu in _unique(s)], tables, notes)
    count, nodes = sum(b.count for b in boards), len(found)
    told = given.gpus or (training.world_size if training else None)
    who = f"{told} GPUs are given" if given.gpus else f"the training log tells of {told} GPUs"
    if told is not None and told > count:
        notes.warn(f"{who}, the telemetry holds {count}: the others are not counted", grave=bool(given.gpus))
    if told is not None and told < count:
        notes.warn(
            f"the telemetry holds {count} GPUs, {who}: all {count} are counted; name the run's with --own-gpus",
            grave=bool(given.gpus),
        )
    stated = f"{given.nodes} nodes are given" if given.nodes != 1 else "one node is given"
    if given.nodes and given.nodes > nodes:
        notes.warn(f"{stated}, the telemetry holds {nodes}: the others are not counted", grave=True)
    elif given.nodes and given.nodes < nodes:
        notes.warn(f"the telemetry seems to hold {nodes} nodes, {stated}: what is given holds", grave=True)
        nodes = given.nodes
    seen = max(*(len(_unique(s)) for s in found), -(-count // nodes))
    per_node = (
        options.node_gpu_count
        or max((s.node_gpu_count for s in found if s.node_gpu_count), default=None)
        or (described.gpus_per_node if described and described.basis == "stated" else None)
        or seen
    )
    if options.node_gpu_count and options.node_gpu_count < seen:
        notes.warn(
            f"a node of {options.node_gpu_count} GPUs is given, the telemetry holds {seen}: those count", grave=True
        )
    return System(
        boards=boards,
        nodes=nodes,
        gpu_count=count,
        gpus_per_node=max(per_node, seen),
        run_gpus_per_node=sum(b.count * b.share for b in boards) / nodes,
        source=f"telemetry; {GIVEN}" if given != StatedHardware() else "telemetry",
        lacking=_lacking("" if any(b.name == UNNAMED for b in boards) else "named", count),
        **common,  # type: ignore[arg-type]
    )


def _lacking(model: str | None, count: int | None) -> str | None:
    """Return what no log tells of the hardware, with the options that would."""
    if not model:
        return "no log names the GPU; give --gpu" + ("" if count else " and --gpus, their number")
    return None if count else "no log tells the number of GPUs; give --gpus"


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
            known.setdefault(board_key(gpu, column), gpu)
    return list(known.values())


def _boards(infos: Sequence[GpuInfo], tables: Tables, notes: Notes) -> tuple[Boards, ...]:
    counts = Counter(info.name or UNNAMED for info in infos)
    boards = []
    for name, count in counts.items():
        gpu = tables.find_gpu(name) if name != UNNAMED else None
        limits = [i.power_limit_w for i in infos if (i.name or UNNAMED) == name and i.power_limit_w]
        if name == UNNAMED:
            notes.warn("the log does not name its GPU: TDP, peak and embodied carbon are not known; give --gpu")
        elif gpu is None:
            notes.warn(
                f"the GPU {name!r} {_unresolved(name, tables)}: its TDP, peak and embodied carbon are not known; give "
                "--gpu"
            )
        share = sum(share_of(i) for i in infos if (i.name or UNNAMED) == name) / count
        boards.append(Boards(name, gpu, count, sum(limits) / len(limits) if limits else None, share))
    if any(info.mig and info.share is None for info in infos):
        notes.warn("a GPU is partitioned (MIG): its power is the whole board's, whoever else uses it")
    if any(share_of(info) < 1 for info in infos):
        notes.warn(
            "the run had part of a divided GPU (MIG), which reads power as a whole: its share of the compute slices is "
            "counted, up to the whole board in the interval, since nothing tells how busy the other slices were"
        )
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
        share=boards.share if boards.share < 1 else None,
    )


def _cooling(text: str | None) -> Cooling | None:
    """Return the cooling class that a system description's free text means."""
    words = (text or "").lower()
    if "immersion" in words:
        return "immersion"
    if "liquid" in words or "water" in words:
        return "liquid"
    return "air" if "air" in words else None
