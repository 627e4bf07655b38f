"""Work on many files at once: in this process, in a pool of processes, or on a Dask cluster."""

import importlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ecoaudit.errors import EcoauditError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Progress = Callable[[str, int, int], None]
"""Is told what is done, of how many files so many."""


def available_cpus() -> int:
    """Return the processors that this process may use: those it is bound to, within its container's quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(bound, round(int(quota) / int(period))))
    except (OSError, ValueError):  # another kind of cgroup, or "max": no quota
        return bound


class Jobs:
    """Maps functions over files, in `count` processes or on the Dask cluster at `dask`, in the files' order.

    A context manager: processes start when they are first needed, and end with it. Functions and items are pickled.
    """

    def __init__(self, count: int = 1, dask: str | None = None, progress: Progress | None = None) -> None:
        self._count, self._dask, self._progress = count, dask, progress
        self._executor: Executor | None = None
        self._end: Callable[[], None] = lambda: None

    def __enter__(self) -> "Jobs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def map(self, function: Callable[[_Item], _Result], items: Sequence[_Item], doing: str) -> Iterator[_Result]:
        """Yield `function` of each item, in order; an exception of one arrives here.

        Raises `EcoauditError` when a process of the pool dies, and for a cluster that cannot be reached.
        """
        try:
            for done, result in enumerate(self._results(function, items), start=1):
                if self._progress is not None:
                    self._progress(doing, done, len(items))
                yield result
        except BrokenExecutor as error:
            raise EcoauditError(
                "a worker process ended before its work was done; it may have been out of memory", fix="try --jobs 1"
            ) from error

    def _results(self, function: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterable[_Result]:
        if self._dask is None and min(self._count, len(items)) < 2:
            return map(function, items)
        if self._executor is None:
            self._executor, self._end = _cluster(self._dask) if self._dask is not None else _pool(self._count)
        return self._executor.map(function, items)


def _pool(count: int) -> tuple[Executor, Callable[[], None]]:
    """Return processes and how to end them."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # A new interpreter for each: to fork one that has threads is not safe.
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_leave_quietly)
    return pool, partial(pool.shutdown, wait=True, cancel_futures=True)


def _leave_quietly() -> None:
    """Let Ctrl-C, which reaches every process of the terminal, end a worker without a traceback of its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _cluster(address: str) -> tuple[Executor, Callable[[], None]]:
    """Connect to a Dask scheduler, which is an optional extra; its workers must see the files under the same names.

    Returns the cluster, and how to cancel what it still has to do for us and to leave it.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise EcoauditError(
            "a Dask cluster needs Dask", where="--dask", fix="install it with: pip install 'ecoaudit[dask]'"
        ) from error
    try:
        client = distributed.Client(address)
    except (OSError, ValueError, TypeError) as error:
        raise EcoauditError(
            f"cannot reach the Dask scheduler ({' '.join(str(error).split())})",
            where=address,
            fix="give its address as `dask scheduler` prints it, e.g. tcp://10.0.0.1:8786",
        ) from error
    return client.get_executor(), client.close
