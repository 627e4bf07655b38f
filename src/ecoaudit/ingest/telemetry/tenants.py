"""GPUs of a node that others used, where a log tells: pods of Kubernetes, owners of processes."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

_ROLE = r"(?:-(?:worker|master|launcher|chief|ps|server|head|task|replica|node|rank))?"
_ENDING = re.compile(_ROLE + r"(?:-\d{1,5})?(?:-[bcdfghjklmnpqrstvwxz2456789]{5})?$")
"""What controllers put behind a job's name: a role, an ordinal, five letters of Kubernetes' safe alphabet."""


@dataclass(frozen=True, slots=True)
class Tenants:
    """Who used the GPUs of a log. `left_out` holds GPUs that nobody used beside those of the one who used any."""

    owners: tuple[str, ...]
    left_out: frozenset[Hashable]


def tenants(used_by: Mapping[Hashable, set[str]]) -> Tenants:
    """Return who used which GPUs, given all GPUs with their users (none for an unused one).

    Beside one user's GPUs, unused ones are not the run's. Of several users nothing tells which one's the run is: all
    GPUs stay.
    """
    owners = tuple(sorted({owner for users in used_by.values() for owner in users}))
    unused = frozenset(gpu for gpu, users in used_by.items() if not users)
    return Tenants(owners, unused if len(owners) == 1 else frozenset())


def job_of(pod: str) -> str:
    """Return the name of the job a pod belongs to: `train-worker-3` and `train-worker-4` are one job's."""
    return _ENDING.sub("", pod) or pod
