"""A bar stands on a terminal for long work, and nowhere else."""

import io
import sys

import pytest

from ecoaudit import progress
from ecoaudit.progress import TerminalProgress

SHOW_CURSOR = "\x1b[?25h"


class Terminal(io.StringIO):
    """A standard error that says whether it is a terminal."""

    def __init__(self, *, real: bool) -> None:
        super().__init__()
        self._real = real

    def isatty(self) -> bool:
        return self._real


def shown(monkeypatch: pytest.MonkeyPatch, *, real: bool, after_s: float, files: int = 3) -> str:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal(real=real))
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", after_s)
    with TerminalProgress() as bar:
        for doing in ("reading", "integrating"):
            for done in range(1, files + 1):
                bar(doing, done, 3)
    return terminal.getvalue()


def test_a_terminal_is_told_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, real=True, after_s=0.0)
    assert text.index("reading 3 files") < text.index("integrating 3 files")
    assert text.count("100%") >= 2


def test_a_ci_log_is_told_nothing_nor_is_anyone_in_the_first_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, real=False, after_s=0.0) == ""
    assert shown(monkeypatch, real=True, after_s=60.0) == ""


def test_work_that_ends_early_leaves_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, real=True, after_s=0.0, files=2).rstrip().endswith(SHOW_CURSOR)
