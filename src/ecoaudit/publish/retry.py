"""How a request is tried again: reads freely, writes only after looking whether they happened."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ecoaudit.publish.failure import ApiFailure, Kind, translated

SECONDARY_WAIT_S = 60.0
"""GitHub's advice for a rate limit that does not say how long: at least one minute."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `attempts` tries and `total_wait_s` of waiting for one request."""

    attempts: int = 5
    first_wait_s: float = 1.0
    total_wait_s: float = 180.0


@dataclass(slots=True)
class Retrier:
    """Runs requests; `sleep`, `clock` (Unix seconds) and `jitter` (0 to 1) are given by tests.

    Once a request got no answer at all in every try, the network is taken for down: later ones are tried once.
    """

    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random
    offline: bool = False

    def read(self, request: Callable[[], T]) -> T:
        """Run a request that changes nothing, or that changes nothing more when repeated; raises `ApiFailure`."""
        return self._run(request, lambda: None)

    def write(self, request: Callable[[], T], look: Callable[[], T | None]) -> T:
        """Run a request that must not happen twice; raises `ApiFailure`.

        Before another try `look` asks the server whether the first one happened after all, and returns its result.
        """
        return self._run(request, look)

    def _run(self, request: Callable[[], T], look: Callable[[], T | None]) -> T:
        waited = 0.0
        attempts = 1 if self.offline else self.patience.attempts
        for attempt in range(1, attempts + 1):
            try:
                with translated(self.clock):
                    if attempt > 1 and (done := look()) is not None:
                        return done
                    return request()
            except ApiFailure as failure:
                wait = self._wait(failure, attempt)
                if wait is None or attempt == attempts:
                    self.offline = failure.kind == Kind.UNSETTLED and failure.status is None
                    raise
                if waited + wait > self.patience.total_wait_s:
                    raise ApiFailure(
                        failure.kind,
                        f"{failure}; the server asks to wait {wait:.0f} s, which is too long",
                        status=None,
                    ) from failure
                self.sleep(wait)
                waited += wait
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _wait(self, failure: ApiFailure, attempt: int) -> float | None:
        """Return the seconds before the next try; None when another try would give the same."""
        if failure.kind not in {Kind.LIMITED, Kind.UNSETTLED}:
            return None
        backoff = self.patience.first_wait_s * 2.0 ** (attempt - 1) * (1 + self.jitter() / 2)
        if failure.wait_s is not None:
            return max(failure.wait_s, backoff)
        return max(SECONDARY_WAIT_S, backoff) if failure.kind == Kind.LIMITED else backoff
