"""A bar on a terminal for work that takes longer than a second; nothing in a CI log."""

import sys
import time
from typing import Any

SHOWN_AFTER_S = 1.0


class TerminalProgress:
    """Shows on standard error what is being done, how much of it is done, and how long the rest will take.

    A context manager: it leaves the terminal as it was, however the work ends.
    """

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> "TerminalProgress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Say that `done` of `total` files are done; a new bar begins where all were."""
        if not sys.stderr.isatty() or time.monotonic() - self._began_s < SHOWN_AFTER_S:
            return
        if self._bar is None:
            import click

            self._bar = click.progressbar(length=total, label=f"{doing} {total} files", file=sys.stderr)
            self._bar.__enter__()
            self._done = 0
        self._bar.update(done - self._done)
        self._done = done
        if done == total:
            self.__exit__()
