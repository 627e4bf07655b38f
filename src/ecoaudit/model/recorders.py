"""Several recorders of one node at one time (the sidecar, W&B, CodeCarbon, nvidia-smi): its boards count once."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from ecoaudit.ingest.records import FloatArray, Telemetry
from ecoaudit.model.identity import board_uuids, nodes_of
from ecoaudit.model.intervals import BoolArray
from ecoaudit.model.notes import Notes
from ecoaudit.model.profile import profile_of

OWN = "ecoaudit"
"""How the names of our recorder's formats begin."""
SAME_POWER = 0.15
"""Mean powers of one board by two recorders differ by less: by their sampling, and average power against instant."""
SAME_TIME = 0.5
"""Share of a recording's time that another one must have recorded too."""
WORTH_S = 60.0
"""What only the lesser recorder saw before or after the better one is kept if it is longer."""


@dataclass
class _Node:
    """What better recorders hold of one node; `others` are the times of lesser recordings found to be of it."""

    files: tuple[Telemetry, ...]
    others: list[tuple[float, float]] = field(default_factory=list)

    @property
    def span(self) -> tuple[float, float]:
        return min(float(f.time_s[0]) for f in self.files), max(float(f.time_s[-1]) for f in self.files)


def counted_once(telemetry: Sequence[Telemetry], nodes: int | None, notes: Notes) -> Sequence[Telemetry]:
    """Return the telemetry without what a better recorder of the same node holds too.

    Recorders differ by their format. Two recordings are of one node if they share a board or a host's name, or, where
    one tells neither, if they cover the same time, number the same GPUs and saw as much power; not, however, if that
    left fewer `nodes` than the user says there were.
    """
    recorded = [file for file in telemetry if file.time_s.size]
    by_format: dict[str, list[Telemetry]] = {}
    for file in recorded:
        by_format.setdefault(file.source.format, []).append(file)
    if len(by_format) < 2:
        return telemetry
    spare = None if nodes is None else len(nodes_of(recorded, Notes())) - nodes
    best, *lesser = sorted(by_format.values(), key=_rank)
    counted = list(best)
    for files in lesser:
        known = [_Node(found) for found in nodes_of(counted, Notes())]
        for file in sorted(files, key=lambda f: float(f.time_s[0])):
            told = [node for node in known if _is_told(file, node)]
            alike = _most_alike(file, known) if not told and (spare is None or spare > 0) else None
            if alike is not None and spare is not None:
                spare -= 1
            node = told[0] if told else alike
            if node is None:
                counted.append(file)
                continue
            node.others.append((float(file.time_s[0]), float(file.time_s[-1])))
            counted += _beside(file, node, notes, certain=bool(told))
    if not any(file.events for file in counted):  # the phases that only a lesser one marked (Zeus's windows) hold
        marked = next((file.events for file in recorded if file.events), ())
        counted[0] = replace(counted[0], events=marked)
    return counted


def only(file: Telemetry, keep: BoolArray) -> Telemetry:
    """Return the samples of a file for which `keep`, shape (n,), is true."""

    def cut(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[keep]

    return replace(
        file,
        time_s=file.time_s[keep],
        power_w=file.power_w[keep],
        energy_j=cut(file.energy_j),
        util_percent=cut(file.util_percent),
        host_energy_j={zone: values[keep] for zone, values in file.host_energy_j.items()},
        node_power_w=cut(file.node_power_w),
    )


def _rank(files: Sequence[Telemetry]) -> tuple[bool, int, float, str]:
    """Return how good a recorder is, the best first: our own, then one that read power and energy, then the finer."""
    power = any(file.head is not None or bool(np.isfinite(file.power_w).any()) for file in files)
    energy = any(file.energy_j is not None for file in files)
    step_s = min(float(f.time_s[-1] - f.time_s[0]) / max(f.time_s.size - 1, 1) for f in files)
    name = files[0].source.format
    return not name.startswith(OWN), 0 if power and energy else 1 if power else 2, step_s, name


def _is_told(file: Telemetry, node: _Node) -> bool:
    """Return whether boards or host names say that a recording is of the node, at a time that the node has too."""
    boards = board_uuids(file)
    known = frozenset[str]().union(*map(board_uuids, node.files))
    if _shared_s(file, node) <= 0.0:
        return False
    if boards and known:
        return not boards.isdisjoint(known)
    hosts = {_short(f.host) for f in node.files if f.host}
    return file.host is not None and _short(file.host) in hosts


def _most_alike(file: Telemetry, known: Sequence[_Node]) -> _Node | None:
    """Return the node whose boards worked as those of a recording that names none, None if they are not alike."""
    found: list[tuple[float, int, _Node]] = []
    start, end = float(file.time_s[0]), float(file.time_s[-1])
    for node in known:
        named = (any(f.host for f in node.files) and file.host) or (
            any(map(board_uuids, node.files)) and board_uuids(file)
        )
        if named or any(a < end and start < b for a, b in node.others):
            continue
        if _shared_s(file, node) < SAME_TIME * (end - start) or not _numbered_alike(file, node):
            continue
        apart = _power_apart(file, node)
        if apart is None or apart <= SAME_POWER:
            found.append((apart or 0.0, len(found), node))
    return min(found)[2] if found else None


def _shared_s(file: Telemetry, node: _Node) -> float:
    start, end = node.span
    return min(end, float(file.time_s[-1])) - max(start, float(file.time_s[0]))


def _numbered_alike(file: Telemetry, node: _Node) -> bool:
    mine, its = {g.index for g in file.gpus}, {g.index for f in node.files for g in f.gpus}
    return mine <= its or its <= mine


def _power_apart(file: Telemetry, node: _Node) -> float | None:
    """Return by what share the mean powers of the boards that both number differ while both recorded.

    None if one of them read nothing then.
    """
    start, end = max(node.span[0], float(file.time_s[0])), min(node.span[1], float(file.time_s[-1]))
    numbers = {g.index for g in file.gpus} & {g.index for f in node.files for g in f.gpus}
    mine = _mean_w(_boards(file, numbers), start, end)
    its = [power for f in node.files if (power := _mean_w(_boards(f, numbers), start, end)) is not None]
    if mine is None or not its:
        return None
    its_w = float(np.mean(its))
    return abs(mine - its_w) / max(mine, its_w) if max(mine, its_w) > 0 else 0.0


def _boards(file: Telemetry, numbers: Set[int | None]) -> Telemetry:
    """Return the recording of the boards with these indices; a head stays that of all its boards."""
    columns = [i for i, gpu in enumerate(file.gpus) if gpu.index in numbers]
    if file.head is not None or len(columns) == len(file.gpus):
        return file
    return replace(
        file,
        gpus=tuple(file.gpus[i] for i in columns),
        power_w=file.power_w[:, columns],
        energy_j=None if file.energy_j is None else file.energy_j[:, columns],
        util_percent=None if file.util_percent is None else file.util_percent[:, columns],
    )


def _mean_w(file: Telemetry, start: float, end: float) -> float | None:
    """Return the mean power of a board between two times in W, by power or else by the counter."""
    profile = profile_of(file)
    inside = (profile.time_s >= start) & (profile.time_s <= end) & (profile.power_w > 0)
    if inside.any():
        times, power = profile.time_s[inside], profile.power_w[inside]
        span = float(times[-1] - times[0])
        return float(np.trapezoid(power, times)) / span if span > 0 else float(power[0])
    if file.energy_j is None:
        return None
    inside = (file.time_s >= start) & (file.time_s <= end)
    times, joules = file.time_s[inside], file.energy_j[inside]
    if times.size < 2 or times[-1] <= times[0]:
        return None
    gained = np.diff(joules, axis=0)
    return float(np.where(gained > 0, gained, 0.0).sum(axis=0).mean()) / float(times[-1] - times[0])


def _beside(file: Telemetry, node: _Node, notes: Notes, *, certain: bool) -> list[Telemetry]:
    """Return what only a lesser recording of the node tells: other boards, and the time before and after."""
    first = node.files[0]
    what = f"{file.source.path} and {first.source.path} are recordings of one node at one time"
    why = "" if certain else " (the same GPUs by number, as much power; if they are two, give --nodes)"
    notes.warn(f"{what}{why}: the latter is counted")
    if file.clock != first.clock:
        return []  # what lies outside may only seem to
    boards = [gpu for f in node.files for gpu in f.gpus]
    by_uuid = {gpu.uuid: gpu for gpu in boards if gpu.uuid}
    by_index = {gpu.index: gpu for gpu in reversed(boards)}
    known = [by_uuid.get(g.uuid) if g.uuid and by_uuid else by_index.get(g.index) for g in file.gpus]
    more = {gpu.index for gpu, board in zip(file.gpus, known, strict=True) if board is None}
    own = replace(file, host=first.host, gpus=tuple(k or g for g, k in zip(file.gpus, known, strict=True)))
    left = []
    if more and not first.source.format.startswith(OWN):  # our recorder knows the run's GPUs, others see the node's
        left.append(_boards(own, more))
    shared = _boards(own, {gpu.index for gpu in own.gpus} - more)
    start, end = node.span
    if start - float(file.time_s[0]) > WORTH_S:
        left.append(only(shared, file.time_s < start))
    if float(file.time_s[-1]) - end > WORTH_S:
        left.append(only(shared, file.time_s > end))
    return [part for part in left if part.gpus]


def _short(host: str) -> str:
    return host.partition(".")[0].lower()
