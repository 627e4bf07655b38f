"""What can go wrong between us and GitHub's API, in our words; every library exception is translated here."""

import enum
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Kind(enum.StrEnum):
    """What a failed request means for what to do next."""

    DENIED = "denied"
    """The token may not do this (401, 403)."""
    MISSING = "missing"
    """There is no such thing, or the token may not see it (404, 410)."""
    LIMITED = "limited"
    """Too many requests; the server did nothing (429, or 403 with a rate limit)."""
    REFUSED = "refused"
    """The request is wrong (400, 422, ...); asking again gives the same."""
    UNSETTLED = "unsettled"
    """The server or the connection failed (5xx, 409, cut, timed out); a write may or may not have happened."""


class ApiFailure(Exception):
    """A request that did not succeed. `status` is None when no answer came; `wait_s` is what the server asked for."""

    def __init__(self, kind: Kind, message: str, *, status: int | None = None, wait_s: float | None = None) -> None:
        self.kind = kind
        self.status = status
        self.wait_s = wait_s
        super().__init__(f"{status} {message}" if status else message)


@contextmanager
def translated(clock: Callable[[], float]) -> Iterator[None]:
    """Turn what PyGithub and requests raise inside the block into `ApiFailure`; `clock` gives Unix seconds."""
    import requests
    from github import BadAttributeException, GithubException

    try:
        yield
    except GithubException as error:
        raise _from_answer(error.status, error.data, error.headers or {}, clock()) from error
    except BadAttributeException as error:
        raise ApiFailure(Kind.REFUSED, f"the answer does not have the described shape: {error}") from error
    except requests.Timeout as error:
        raise ApiFailure(Kind.UNSETTLED, "the server did not answer in time") from error
    except requests.RequestException as error:
        raise ApiFailure(Kind.UNSETTLED, f"the connection failed ({type(error).__name__})") from error
    except AssertionError as error:
        # PyGithub refuses to follow a link to another host; it says so by an assertion.
        raise ApiFailure(Kind.REFUSED, f"the answer links to another host ({error})") from error
    except RuntimeError as error:
        # ... and refuses a redirect to another host by a bare RuntimeError.
        raise ApiFailure(Kind.REFUSED, str(error)) from error


def _from_answer(status: int, data: Any, headers: Mapping[str, str], now_s: float) -> ApiFailure:
    message = _message(data)
    headers = {name.lower(): value for name, value in headers.items()}
    if status == 429 or (status == 403 and _is_rate_limit(message, headers)):
        return ApiFailure(Kind.LIMITED, message, status=status, wait_s=_wait(headers, now_s))
    if status in {401, 403}:
        return ApiFailure(Kind.DENIED, message, status=status)
    if status in {404, 410}:
        return ApiFailure(Kind.MISSING, message, status=status)
    if status == 409 or status >= 500:
        return ApiFailure(Kind.UNSETTLED, message, status=status, wait_s=_wait(headers, now_s))
    return ApiFailure(Kind.REFUSED, message, status=status)


def _message(data: Any) -> str:
    if not isinstance(data, dict):
        return "no message"
    parts = [str(data["message"])] if data.get("message") else []
    errors = data.get("errors")
    for item in errors if isinstance(errors, list) else []:
        parts.append(str(item.get("message", item)) if isinstance(item, dict) else str(item))
    return "; ".join(" ".join(part.split()) for part in parts)[:500] or "no message"


def _is_rate_limit(message: str, headers: Mapping[str, str]) -> bool:
    return "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or "rate limit" in message.lower()


def _wait(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return the seconds to wait: `Retry-After`, else until `x-ratelimit-reset` when nothing remains."""
    after = headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        return float(after)
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit():
        # The reset is given in whole seconds: the limit lifts somewhere within that second.
        return max(float(reset) - now_s, 0.0) + 1.0
    return None
