"""The runner's own protocol: commands on stdout, and the files behind GITHUB_OUTPUT and GITHUB_STEP_SUMMARY.

The runner reads commands from stdout and stderr alike, so text of a stranger (a log line, a host name) goes between
`::stop-commands::` and its end token. Escapes as in actions/toolkit `packages/core/src/command.ts`.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

MAX_SUMMARY_BYTES = 1_000_000
"""Under GitHub's 1 MiB for a step, above which it drops the whole summary."""
MAX_MESSAGE_CHARS = 4_000
"""Under the 4,096 characters that an annotation shows."""

Token = Callable[[], str]


def random_token() -> str:
    """Return a word that no one can have put into the text beforehand."""
    return f"ecoaudit-{secrets.token_hex(16)}"


def escape_data(text: str) -> str:
    """Return `text` as the message of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Return `text` as a property of a command."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def annotation(level: Literal["notice", "warning", "error", "debug"], message: str, *, title: str = "") -> str:
    """Return the command that shows `message` on the run's page."""
    properties = f" title={escape_property(title)}" if title else ""
    return f"::{level}{properties}::{escape_data(message[:MAX_MESSAGE_CHARS])}"


def mask(secret: str) -> list[str]:
    """Return the commands that hide `secret` in the log, one a line of it."""
    return [f"::add-mask::{escape_data(line)}" for line in secret.splitlines() if line.strip()]


@contextmanager
def untrusted(stream: TextIO, token: Token = random_token) -> Iterator[None]:
    """Print everything inside the block as mere text, whatever commands it holds."""
    word = token()
    print(f"::stop-commands::{word}", file=stream, flush=True)
    try:
        yield
    finally:
        print(f"::{word}::", file=stream, flush=True)


def format_outputs(values: Mapping[str, str], token: Token = random_token) -> str:
    """Return `values` in the heredoc form of GITHUB_OUTPUT, with a delimiter that no value holds."""
    blocks = []
    for name, value in values.items():
        word = token()
        while word in value:
            word = token()
        blocks.append(f"{name}<<{word}\n{value}\n{word}\n")
    return "".join(blocks)


def append_outputs(path: Path, values: Mapping[str, str]) -> None:
    """Append `values` to the file that GITHUB_OUTPUT names."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(format_outputs(values))


def append_summary(path: Path, text: str) -> bool:
    """Append `text` to the file that GITHUB_STEP_SUMMARY names; returns False, writing nothing, where it cannot fit.

    The file is one step's: what is already in it counts against the limit.
    """
    present = path.stat().st_size if path.exists() else 0
    data = text if text.endswith("\n") else f"{text}\n"
    if present + len(data.encode()) > MAX_SUMMARY_BYTES:
        return False
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(data)
    return True
