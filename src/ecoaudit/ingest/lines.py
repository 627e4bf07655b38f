"""What console logs share: terminal noise, rank prefixes, and the account of lines that could not be read."""

import re
from collections.abc import Iterator

from ecoaudit.ingest.files import LogFile
from ecoaudit.ingest.records import TOKENS_UNKNOWN, BadLine, ReadQuality

_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9])")
_RANK = re.compile(r"^\s*(?:\[(?:default|rank|Rank )?(\d+)\]\s*:?|(\d+):)\s?")
_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 120


def clean(text: str) -> str:
    """Return the line without terminal colours and NUL bytes."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return text.replace("\0", "") if "\0" in text else text


def console_lines(file: LogFile) -> Iterator[tuple[int, str]]:
    """Yield `(number, text)` of each line as a terminal would show it, each carriage-return frame on its own."""
    for number, text in file.lines():
        text = clean(text)  # noqa: PLW2901
        if "\r" in text:
            for frame in text.split("\r"):
                if frame.strip():
                    yield number, frame
        else:
            yield number, text


def rank_of(text: str) -> str | None:
    """Return the rank in front of a line (`[default7]:`, `[rank0]:`, `3: `), None when it has none."""
    match = _RANK.match(text)
    return (match[1] or match[2]) if match else None


def without_rank(text: str) -> str:
    """Return the line without the rank in front of it."""
    return _RANK.sub("", text, count=1)


class Account:
    """Counts what a reader saw; nothing is dropped without being counted here."""

    def __init__(self) -> None:
        self.lines = 0
        self.records = 0
        self.bad_lines = 0
        self.clock_steps = 0
        self.warnings: list[str] = []
        self._examples: list[BadLine] = []

    def bad(self, line: int, text: str, reason: str) -> None:
        """Count a line that could not be read and keep the first few as examples."""
        self.bad_lines += 1
        if len(self._examples) < _EXAMPLES:
            shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:_EXAMPLE_CHARACTERS])
            self._examples.append(BadLine(line=line, text=shown, reason=reason))

    def warn(self, text: str) -> None:
        """Add a warning once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def no_tokens(self, why: str) -> None:
        """Add a warning that the log does not tell its tokens; it goes where the user states their number a sample."""
        self.warn(f"{why}: {TOKENS_UNKNOWN}")

    def quality(self, file: LogFile) -> ReadQuality:
        """Return the account as a record; warnings of the container (a cut stream) come first."""
        return ReadQuality(
            lines=self.lines,
            records=self.records,
            bad_lines=self.bad_lines,
            examples=tuple(self._examples),
            clock_steps=self.clock_steps,
            warnings=tuple(file.warnings) + tuple(w for w in self.warnings if w not in file.warnings),
        )
