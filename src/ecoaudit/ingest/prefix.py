"""What wrappers print in front of every line: times of containers and CI, task numbers of `srun -l`, service names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ecoaudit.ingest.files import Head, LogFile

_KINDS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("stamp", re.compile(rb"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[-+]\d\d:?\d\d)(?:[ \t]|$)", re.M)),
    ("task", re.compile(rb"^[ \t]*(\d{1,5}):(?:[ \t]|$)", re.M)),
    ("syslog", re.compile(rb"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [^\s:]+:[ \t]", re.M)),
    ("service", re.compile(rb"^[\w.-]{1,60}[ \t]*\|(?:[ \t]|$)", re.M)),
)
_LINES = 200
_SHARE = 0.9


@dataclass
class Stripped(LogFile):
    """A log without what stands in front of its lines; with `task`, that task's lines only."""

    parent: LogFile | None = None
    pattern: re.Pattern[bytes] = _KINDS[0][1]
    task: bytes | None = None

    @property
    def of_tasks(self) -> bool:
        """Whether task numbers stand in front of the lines."""
        return self.pattern is _KINDS[1][1]

    def sample(self, size: int) -> Head:
        """Return the first bytes of the log itself."""
        assert self.parent is not None
        head = self.parent.sample(size)
        raw = self._without(head.text.encode("utf-8", "replace"))
        return Head(raw, raw.decode("utf-8", "replace"), head.name, head.complete, head.damaged)

    def utf8_blocks(self) -> Iterator[bytes]:
        """Yield the lines of the log itself."""
        assert self.parent is not None
        for block in self.parent.line_blocks():
            yield self._without(block)

    def _without(self, block: bytes) -> bytes:
        if self.task is None:
            return self.pattern.sub(b"", block)
        own = (m for line in block.splitlines(keepends=True) if (m := self.pattern.match(line)) and m[1] == self.task)
        return b"".join(m.string[m.end() :] for m in own)


def stripped(file: LogFile) -> Stripped | None:
    """Return the file without the prefix of its lines, None where most lines have none."""
    lines = [line.encode("utf-8", "replace") for line in file.head.text.splitlines()[:_LINES] if line.strip()]
    if len(lines) < 2 and not (lines and re.search(rb"[{\[]", lines[0][:120])):
        return None
    for _, pattern in _KINDS:
        without = (line for line in lines if pattern.match(line) is None)
        spare = int(len(lines) - _SHARE * len(lines))
        if sum(1 for _ in islice(without, spare + 1)) <= spare:
            return Stripped(file.path, file.warnings, parent=file, pattern=pattern)
    return None


def by_task(file: LogFile) -> list[Stripped]:
    """Return a view a task where `srun -l` wrote the lines of several; empty for any other file."""
    if not isinstance(file, Stripped) or file.parent is None or not file.of_tasks:
        return []
    tasks: dict[bytes, None] = {}
    for block in file.parent.line_blocks():
        tasks.update((m[1], None) for m in file.pattern.finditer(block))
    ordered = sorted(tasks, key=int)
    views = [Stripped(file.path, file.warnings, parent=file.parent, pattern=file.pattern, task=t) for t in ordered]
    return views if len(views) > 1 else []
