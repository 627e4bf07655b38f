"""Power samples that no board can have drawn: they are treated as missing, counted and told."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ecoaudit.ingest.records import GpuInfo, Telemetry
from ecoaudit.model.inputs import Tables
from ecoaudit.model.nodes import Stream
from ecoaudit.model.notes import Notes
from ecoaudit.model.reduce import CEILING, CEILING_W
from ecoaudit.model.reduction import Impossible, possible_power

MOST_OF_LIMIT = 2.0
"""A sample above this times the board's enforced limit (else its TDP) is a glitch: boards exceed their limit for
milliseconds only, and NVML's fields are means of 25 ms and more (Yang et al., arXiv 2312.02741)."""
MOST_W = CEILING_W
"""The same for a board whose limit is not known, W."""
LEAST_LIMIT_W = 1.0


def plausible(telemetry: Sequence[Telemetry], tables: Tables, notes: Notes) -> tuple[tuple[Telemetry, ...], Impossible]:
    """Return the telemetry with impossible power samples (negative, infinite, far above the board's limit) as NaN.

    Boards get the most that they can draw, by their limit, else by their TDP; a limit that can be none is left out.
    Second comes how many samples there were; those of heads are left to who reads their files again, and counts them.
    """
    kept = []
    found = Impossible()
    kinds = {(gpu.power_limit_w, gpu.name) for file in telemetry for gpu in file.gpus}
    known = {kind: _known_w(*kind, tables) for kind in kinds}
    odd = [limit_w for limit_w, _ in sorted(kinds, key=str) if limit_w is not None and not _is_limit(limit_w)]
    if odd:
        notes.warn(f"a power limit of {odd[0]:g} W is none: TDP is used, where the board is known")
    for file in telemetry:
        limits = [known[gpu.power_limit_w, gpu.name] for gpu in file.gpus]
        boards = [_judged(gpu, w) for gpu, w in zip(file.gpus, limits, strict=True)]
        file = replace(file, gpus=tuple(boards))  # noqa: PLW2901
        most_w = np.array([MOST_OF_LIMIT * w if w else MOST_W for w in limits])
        if file.head is not None:
            kept.append(replace(file, head=replace(file.head, sieve=replace(file.head.sieve, most_w=most_w))))
            continue
        possible, impossible = possible_power(file.power_w, most_w)
        found += impossible
        kept.append(file if possible is file.power_w else replace(file, power_w=possible))
    return tuple(kept), found


def note_impossible(found: Impossible, notes: Notes) -> None:
    """Warn of power samples that no board can have drawn."""
    if found.dropped:
        notes.warn(
            f"{found.dropped} of {found.dropped + found.possible} power samples are impossible for their board (below "
            f"0 W or above {MOST_OF_LIMIT:g} × its limit; the farthest {found.farthest_w:,.6g} W) and are treated as "
            "missing",
            grave=True,
        )


def why_no_board_energy(read: Sequence[Telemetry], used: Sequence[Stream]) -> str | None:
    """Return why telemetry that does hold readings gives no energy, None where it holds none.

    `read` is the telemetry as the readers gave it, `used` the same without impossible samples.
    """
    readings = sum(_reads(file) for file in read)
    possible = sum(_reads(file) for stream in used for file in stream.files)
    if not readings:
        return None
    if not possible:
        return "every power sample is impossible for its board and is treated as missing"
    return "a single power reading has no duration, and so no energy; record the run from its start to its end"


def _reads(file: Telemetry) -> int:
    """Return how many samples hold a power or a counter of any board."""
    if file.head is not None:
        return file.head.readings
    read = np.isfinite(file.power_w)
    if file.energy_j is not None:
        read = read | np.isfinite(file.energy_j)
    return int(read.any(axis=1).sum())


def _is_limit(limit_w: float) -> bool:
    return LEAST_LIMIT_W <= limit_w <= MOST_W


def _known_w(limit_w: float | None, name: str | None, tables: Tables) -> float | None:
    """Return a board's limit in W, else its TDP; None where neither is known."""
    if limit_w is not None and _is_limit(limit_w):
        return limit_w
    gpu = tables.find_gpu(name) if name else None
    return gpu.tdp_w if gpu is not None else None


def _judged(gpu: GpuInfo, known_w: float | None) -> GpuInfo:
    limit_w = gpu.power_limit_w if gpu.power_limit_w is not None and _is_limit(gpu.power_limit_w) else None
    return replace(gpu, power_limit_w=limit_w, ceiling_w=CEILING * known_w if known_w else CEILING_W)
