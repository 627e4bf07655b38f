"""Which telemetry files are of one node: the boards' UUIDs tell first, host names second."""

from collections.abc import Sequence

from ecoaudit.ingest.records import Telemetry
from ecoaudit.model.notes import Notes

GENERIC_HOSTS = frozenset(
    {"localhost", "localhost.localdomain", "(none)", "none", "unknown", "linux", "ubuntu", "debian"}
)
"""Names that machines have which nobody named: two of them may have the same."""
WHOLE_NODE = 8
"""A recorder that sees at least so many GPUs sees all of its node. One that sees fewer may be confined to a task's own
(cgroups): several such on a host are one node."""


class _Node:
    """Files of one node, in the order of time."""

    def __init__(self, file: Telemetry) -> None:
        self.files = [file]
        self.uuids = set(board_uuids(file))

    @property
    def hosts(self) -> list[str]:
        return list(dict.fromkeys(file.host for file in self.files if file.host is not None))

    def take(self, other: "_Node") -> None:
        self.files += other.files
        self.uuids |= other.uuids


def board_uuids(file: Telemetry) -> frozenset[str]:
    """Return the UUIDs of a file's boards."""
    return frozenset(gpu.uuid for gpu in file.gpus if gpu.uuid)


def board_ids(file: Telemetry) -> tuple[object, ...]:
    """Return what tells a node's boards apart: UUIDs, else indices."""
    return tuple(gpu.uuid or gpu.index for gpu in file.gpus)


def nodes_of(telemetry: Sequence[Telemetry], notes: Notes) -> tuple[tuple[Telemetry, ...], ...]:
    """Return the files of each node, sorted by time.

    Files that share a board are of one node, whatever names its host had: a restarted container has another. Files
    that share a host's name are of one node unless their boards differ and the name is generic, or the boards at one
    time are more than the node has by its recorder. Files without a name and without UUIDs are of one node if they
    hold the same GPUs at different times.
    """
    nodes: list[_Node] = []
    for file in sorted((f for f in telemetry if f.time_s.size), key=lambda f: float(f.time_s[0])):
        own = _Node(file)
        of = [node for node in nodes if _is_of(node, file, own.uuids)]
        for node in of[1:]:
            of[0].take(node)
        if of:
            of[0].take(own)
        nodes = [node for node in nodes if node not in of[1:]] if of else [*nodes, own]
    _tell(nodes, notes)
    return tuple(tuple(sorted(node.files, key=lambda f: float(f.time_s[0]))) for node in nodes)


def _is_of(node: _Node, file: Telemetry, uuids: set[str]) -> bool:
    if node.uuids & board_uuids(file):
        return True
    if file.host is None:
        last = node.files[-1]
        after = float(last.time_s[-1]) <= float(file.time_s[0])
        return not node.hosts and board_ids(last) == board_ids(file) and after
    if file.host not in node.hosts:
        return False
    if not node.uuids or not uuids:
        return True
    return file.host.lower() not in GENERIC_HOSTS and not _too_many(node, file)


def _too_many(node: _Node, file: Telemetry) -> bool:
    """Return whether the boards that a node had beside the file's are more than the recorder says it has."""
    start, end = float(file.time_s[0]), float(file.time_s[-1])
    beside = [f for f in node.files if float(f.time_s[0]) < end and float(f.time_s[-1]) > start]
    most = max((f.node_gpu_count or 0 for f in (file, *beside)), default=0)
    together = board_uuids(file).union(*(board_uuids(f) for f in beside))
    return WHOLE_NODE <= most < len(together)


def _tell(nodes: Sequence[_Node], notes: Notes) -> None:
    anonymous = sum(not node.hosts for node in nodes)
    if anonymous > 1:
        notes.warn(f"{anonymous} telemetry files without a host name are counted as {anonymous} nodes")
    for number, node in enumerate(nodes):
        if len(node.hosts) > 1:
            notes.warn(
                f"node {number} was recorded under {len(node.hosts)} host names; its boards' UUIDs say that it is one"
            )
    names = [name for node in nodes for name in node.hosts]
    alike = {name for name in names if names.count(name) > 1}
    if alike:
        several = sum(bool(alike & set(node.hosts)) for node in nodes)
        notes.warn(f"{several} nodes share a host name; their boards' UUIDs tell them apart")
