"""What worker processes are given to do in tests; here, not in a test file, because a worker imports it by name."""

from __future__ import annotations

import os

from ecoaudit.errors import EcoauditError


def fail_at_two(number: int) -> int:
    if number == 2:
        raise EcoauditError("the file is gone", where="b.jsonl", fix="bring it back")
    return number


def vanish(_: int) -> None:
    os._exit(1)  # as the kernel ends a process that is out of memory
