"""The loop that console parsers share: find step records in lines, count those that are cut."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ecoaudit.ingest.files import Head, LogFile
from ecoaudit.ingest.lines import Account, console_lines
from ecoaudit.ingest.records import Clock, ReadOptions
from ecoaudit.ingest.training.steps import Steps
from ecoaudit.ingest.values import localise


def records(
    file: LogFile,
    account: Account,
    whole: re.Pattern[str],
    start: re.Pattern[str],
    other: Callable[[str], object] | None = None,
) -> Iterator[tuple[int, str, re.Match[str]]]:
    """Yield `(line, text, match)` of every match of `whole`.

    A line where `start` matches more often than `whole` holds a record that another writer cut: counted as bad. Lines
    without a record go to `other`.
    """
    for number, text in console_lines(file):
        account.lines += 1
        begun = sum(1 for _ in start.finditer(text))
        if not begun:
            if other is not None:
                try:
                    other(text)
                except (ValueError, OverflowError) as error:
                    account.bad(number, text, str(error))
            continue
        found = 0
        for match in whole.finditer(text):
            found += 1
            yield number, text, match
        if found < begun:
            account.bad(number, text, "the record is cut")


def mostly(pattern: re.Pattern[str], head: Head) -> bool:
    """Return whether a log of nothing but such rows begins here: two at least, and most of the first lines."""
    rows = [line.rstrip() for line in head.text.splitlines()[:40] if line.strip()]
    found = sum(pattern.search(row) is not None for row in rows)
    return found >= max(2, 0.5 * len(rows))


def set_clock(steps: Steps, options: ReadOptions, *, naive: bool = True) -> Clock:
    """Turn the steps' local clock readings into UTC where the zone is known; return how the log tells the time."""
    times = np.array(steps.time_s, dtype=np.float64)
    if not len(times) or np.isnan(times).all():
        return "none"
    if not naive:
        return "utc"
    steps.time_s = localise(times, options.zone).tolist()
    return "utc" if options.zone is not None else "naive"


def mean(values: list[float]) -> float | None:
    """Return the mean of what is known, None if nothing is."""
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else None


def steady(values: list[float]) -> float | None:
    """Return the mean without the first value, which holds compilation and loading; the value itself if alone."""
    return mean(values[1:]) if len(values) > 1 else mean(values)


def first_group(pattern: re.Pattern[str], text: str, into: dict[str, Any], name: str) -> bool:
    """Store the first group of the first match ever seen under `name`; return whether `text` matches."""
    match = pattern.search(text)
    if match and name not in into:
        into[name] = match[1]
    return match is not None
