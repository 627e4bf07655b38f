"""Which telemetry files are of one node: the boards' UUIDs tell first, host names second."""

import sys
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from ecoaudit.ingest.records import Telemetry
from ecoaudit.model.notes import Notes
from ecoaudit.model.places import in_places

GENERIC_HOSTS = frozenset(
    {"localhost", "localhost.localdomain", "(none)", "none", "unknown", "linux", "ubuntu", "debian"}
)
"""Names that machines have which nobody named: two of them may have the same."""
WHOLE_NODE = 8
"""A recorder that sees at least so many GPUs sees all of its node. One that sees fewer may be confined to a task's own
(cgroups): several such on a host are one node."""


@dataclass(eq=False)
class _Node:
    """Files of one node, in the order in which they were placed; `hosts` are its names, the first one first."""

    number: int
    files: list[Telemetry] = field(default_factory=list)
    uuids: set[str] = field(default_factory=set)
    hosts: dict[str, None] = field(default_factory=dict)

    def take(self, files: Sequence[Telemetry]) -> None:
        for file in files:
            self.files.append(file)
            self.uuids |= board_uuids(file)
            if file.host is not None:
                self.hosts[file.host] = None


class _Nodes:
    """The nodes found so far, each found again by its boards and its names, however many there are."""

    def __init__(self) -> None:
        self.all: dict[int, _Node] = {}
        self._numbers = count()
        self._of_board: dict[str, _Node] = {}
        self._of_host: dict[str, set[_Node]] = {}
        self._bare: dict[tuple[object, ...], list[tuple[float, int]]] = {}

    def place(self, file: Telemetry) -> None:
        """Add a file to the node that it is of, and make nodes one that it shows to be the same."""
        uuids = board_uuids(file)
        if file.host is None and not uuids:
            self._place_bare(file)
            return
        found = {self._of_board[uuid] for uuid in uuids & self._of_board.keys()}
        # Whether nodes with a name in common are one was judged when the second of them got it.
        if file.host is not None and not any(file.host in node.hosts for node in found):
            files = [file, *(known for node in found for known in node.files)]
            found |= {node for node in self._of_host.get(file.host, ()) if _is_named(node, file.host, files)}
        first, *others = sorted(found, key=lambda n: n.number) or [self._new()]
        for other in others:
            del self.all[other.number]
            for host in other.hosts:
                self._of_host[host].discard(other)
            first.take(other.files)
        first.take([file])
        self._of_board.update(dict.fromkeys(first.uuids if others else uuids, first))
        for host in first.hosts:
            self._of_host.setdefault(host, set()).add(first)

    def _place_bare(self, file: Telemetry) -> None:
        """Add a file that names neither host nor boards to the node whose last such file ended just before it."""
        free = self._bare.setdefault(board_ids(file), [])
        at = bisect_right(free, (float(file.time_s[0]), sys.maxsize)) - 1
        node = self.all[free.pop(at)[1]] if at >= 0 else self._new()
        node.take([file])
        insort(free, (float(file.time_s[-1]), node.number))

    def _new(self) -> _Node:
        number = next(self._numbers)
        return self.all.setdefault(number, _Node(number))


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
    time are more than the node has by its recorder. A file without a name and without UUIDs goes on with the node of
    the same GPUs whose last such file ended just before it. Boards that replaced others are marked (`places`).
    """
    nodes = _Nodes()
    for file in sorted((f for f in telemetry if f.time_s.size), key=lambda f: float(f.time_s[0])):
        nodes.place(file)
    found = tuple(nodes.all.values())
    _tell(found, notes)
    placed = tuple(in_places(sorted(node.files, key=lambda f: float(f.time_s[0]))) for node in found)
    if later := {gpu.uuid for files in placed for file in files for gpu in file.gpus if gpu.place}:
        notes.warn(f"{len(later)} GPU(s) came in the place of others that were gone by then: a place counts as one GPU")
    return placed


def _is_named(node: _Node, host: str, files: Sequence[Telemetry]) -> bool:
    """Return whether files under a node's name, but without any of its boards, are of that node."""
    if not node.uuids or not any(board_uuids(file) for file in files):
        return True
    return host.lower() not in GENERIC_HOSTS and not any(_too_many(node, file) for file in files)


def _too_many(node: _Node, file: Telemetry) -> bool:
    """Return whether the boards that a node had beside the file's are more than the recorder says it has."""
    start, end = float(file.time_s[0]), float(file.time_s[-1])
    beside = [f for f in node.files if float(f.time_s[0]) < end and float(f.time_s[-1]) > start]
    most = max((f.node_gpu_count or 0 for f in (file, *beside)), default=0)
    together = board_uuids(file).union(*(board_uuids(f) for f in beside))
    return WHOLE_NODE <= most < len(together)


def _tell(nodes: Sequence[_Node], notes: Notes) -> None:
    anonymous = [len(node.files) for node in nodes if not node.hosts]
    if len(anonymous) > 1:
        notes.warn(f"{sum(anonymous)} telemetry files without a host name are counted as {len(anonymous)} nodes")
    for number, node in enumerate(nodes):
        if len(node.hosts) > 1:
            notes.warn(
                f"node {number} was recorded under {len(node.hosts)} host names; its boards' UUIDs say that it is one"
            )
    named = Counter(name for node in nodes for name in node.hosts)
    alike = {name for name, count in named.items() if count > 1}
    if alike:
        several = sum(not alike.isdisjoint(node.hosts) for node in nodes)
        notes.warn(f"{several} nodes share a host name; their boards' UUIDs tell them apart")
