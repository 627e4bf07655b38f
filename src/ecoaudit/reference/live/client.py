"""One way to ask a server: time limit, polite repetition, bounded answers, a cache, errors of one kind."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from ecoaudit.reference.live.cache import Cache
from ecoaudit.reference.live.provider import LiveError

TIMEOUT_S = (5.0, 15.0)
"""To connect, and between two pieces of an answer."""
RETRIES = 2
LONGEST_WAIT_S = 10
"""A server may ask for a longer pause by Retry-After; an audit does not wait for it."""
MAX_BYTES = 8 * 2**20
SETTLED_S = 3 * 86400.0
"""Providers revise the last days: an answer about older times is kept for good, a newer one for an hour."""
KEEP_S = 3600.0

_MEANING = {
    401: "the token is not accepted",
    403: "the token does not cover this zone or time",
    404: "the provider does not know this zone or has no data for this time",
    429: "the provider's limit of requests is used up",
}


@dataclass(frozen=True, slots=True)
class Client:
    """Asks for JSON or text over HTTPS; `pause` scales the waits between attempts (0 in tests)."""

    cache: Cache | None = None
    pause: float = 0.5

    def json(
        self, url: str, params: Mapping[str, str], *, until_s: float, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Return the decoded JSON answer about times up to `until_s` (Unix s); raises `LiveError`."""
        text = self.text(url, params, until_s=until_s, headers=headers, check=_decoded)
        return _decoded(text, urlsplit(url).netloc)

    def text(
        self,
        url: str,
        params: Mapping[str, str],
        *,
        until_s: float,
        headers: Mapping[str, str] | None = None,
        check: Any = None,
    ) -> str:
        """Return the answer as text, from the cache if it is there; `check` refuses what must not be kept."""
        key = f"{url}?{urlencode(sorted(params.items()))}"
        if self.cache is not None and (kept := self.cache.get(key)) is not None:
            return kept
        body = self._fetch(url, params, headers or {})
        if check is not None:
            check(body, urlsplit(url).netloc)
        if self.cache is not None:
            self.cache.put(key, body, keep_s=None if until_s < time.time() - SETTLED_S else KEEP_S)
        return body

    def _fetch(self, url: str, params: Mapping[str, str], headers: Mapping[str, str]) -> str:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        class Bounded(Retry):
            """A server's Retry-After counts, within what an audit can wait."""

            def get_retry_after(self, response: Any) -> float | None:
                asked = super().get_retry_after(response)
                return None if asked is None else min(asked, LONGEST_WAIT_S)

        host = urlsplit(url).netloc.rpartition("@")[2]
        repeat = Bounded(
            total=RETRIES,
            backoff_factor=self.pause,
            status_forcelist=(429, 500, 502, 503, 504),
            raise_on_status=False,
        )
        with requests.Session() as session:
            session.trust_env = True
            session.mount("https://", HTTPAdapter(max_retries=repeat))
            session.mount("http://", HTTPAdapter(max_retries=repeat))
            try:
                # A redirect could carry the token to another host.
                with session.get(
                    url,
                    params=dict(params),
                    headers=dict(headers),
                    timeout=TIMEOUT_S,
                    stream=True,
                    allow_redirects=False,
                ) as response:
                    if response.status_code != requests.codes.ok:
                        raise LiveError(_why(response.status_code), where=host)
                    body = bytearray()
                    for piece in response.iter_content(65536):
                        body += piece
                        if len(body) > MAX_BYTES:
                            raise LiveError(f"the answer is larger than {MAX_BYTES >> 20} MiB", where=host)
            except requests.Timeout as error:
                raise LiveError("no answer in time", where=host) from error
            except requests.RequestException as error:
                raise LiveError(f"not reached ({type(error).__name__})", where=host) from error
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise LiveError("the answer is not text", where=host) from error


def _why(status: int) -> str:
    if 300 <= status < 400:
        return f"the server sends elsewhere (HTTP {status}), which is not followed"
    meaning = _MEANING.get(status, "the server failed" if status >= 500 else "the request was refused")
    return f"{meaning} (HTTP {status})"


def _decoded(text: str, host: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise LiveError("the answer is not whole JSON", where=host.rpartition("@")[2]) from error
