"""Two servers on loopback that end by themselves: the API, and the storage that artifacts are downloaded from."""

import json
import re
import socket
import sys
import threading
import time
import traceback
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from github_fake import artifacts, checks, commits, discussion, gitdata, routing, validation
from github_fake.state import State

MAX_SECONDS = 600.0
ENDPOINTS = (discussion, commits, checks, artifacts, gitdata)
"""Modules whose import registers their routes."""


@dataclass
class Fault:
    """What goes wrong, `times` times, with requests whose `METHOD path` matches.

    `status` answers so instead; `cut` closes the connection without an answer; `slow_s` waits before answering;
    `after` lets the request take effect first, so that only its answer is lost.
    """

    pattern: str
    status: int | None = None
    message: str = "Server Error"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    slow_s: float = 0.0
    after: bool = False
    times: int = 1


class FakeGitHub:
    """The fake, as a context manager. `url` is its API address; `state` may be read and changed at any time.

    `before` is called with each request's `METHOD path` before it is answered, `link_host` put into Link headers.
    """

    def __init__(self, state: State | None = None, *, seconds: float = 120.0) -> None:
        self.state = state or State()
        self.faults: list[Fault] = []
        self.on_change: Callable[[], None] = lambda: None
        self.before: Callable[[str], None] = lambda _: None
        self.link_host: str | None = None
        self.lock = threading.RLock()
        self._seconds = min(seconds, MAX_SECONDS)
        self._api = _Server(_api_handler(self))
        self._storage = _Server(_storage_handler(self))
        self._timer = threading.Timer(self._seconds, self.stop)
        self._timer.daemon = True

    @property
    def url(self) -> str:
        """The address for GITHUB_API_URL."""
        return f"http://127.0.0.1:{self._api.server_port}"

    @property
    def storage_url(self) -> str:
        """The other address, where no credentials may arrive."""
        return f"http://127.0.0.1:{self._storage.server_port}"

    def start(self) -> None:
        for server in (self._api, self._storage):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()
        for server in (self._api, self._storage):
            server.shutdown()
            server.close_connections()
            server.server_close()
            self.state.violations += server.errors

    def __enter__(self) -> "FakeGitHub":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fail(self, pattern: str, **fault: Any) -> None:
        """Let requests fail as `Fault` describes; `pattern` is searched for in `METHOD path`."""
        self.faults.append(Fault(pattern, **fault))

    def fault_for(self, what: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, what):
                    fault.times -= 1
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self.errors: list[str] = []
        super().__init__(("127.0.0.1", 0), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note a fault of the fake itself; a client that went away is none."""
        if not isinstance(sys.exception(), OSError):
            self.errors.append(traceback.format_exc())

    def close_connections(self) -> None:
        """Close connections that clients keep open."""
        for connection in list(self._open):
            self.shutdown_request(connection)


def _api_handler(fake: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            parts = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parts.query))
            what = f"{self.command} {parts.path}"
            fake.before(what)
            fault = fake.fault_for(what)
            if fault and fault.slow_s:
                time.sleep(fault.slow_s)
            if fault and fault.cut and not fault.after:
                self.close_connection = True
                return
            answer = None
            if fault is None or fault.after or fault.status is None:
                answer = self._answered(parts.path, query, body)
            with fake.lock:
                fake.state.requests.append(what)
                fake.on_change()
            if fault and fault.cut:
                self.close_connection = True
                return
            if fault and fault.status is not None:
                self._reply(routing.Answer(fault.status, {"message": fault.message}, tuple(fault.headers.items())))
                return
            assert answer is not None
            self._reply(answer)

        def _answered(self, path: str, query: dict[str, str], body: bytes) -> routing.Answer:
            state = fake.state
            token = (self.headers.get("Authorization") or "").rpartition(" ")[2]
            actor = state.actors.get(token)
            if actor is None:
                return routing.Answer(401, {"message": "Bad credentials", "documentation_url": "", "status": "401"})
            described = path != "/graphql"
            if described:
                wrong = validation.check_request(self.command, path, query, body)
                if wrong:
                    with fake.lock:
                        state.violations += wrong
                    return routing.Refused(422, "Validation Failed", [{"message": text} for text in wrong]).answer
            request = routing.Request(
                self.command, path, query, json.loads(body) if body else None, actor, fake.url, fake.storage_url
            )
            with fake.lock:
                answer = routing.answer(state, request)
                if described:
                    state.violations += validation.check_response(
                        self.command, path, query, body, answer.status, routing.encode(answer.data)
                    )
            return answer

        def _reply(self, answer: routing.Answer) -> None:
            body = routing.encode(answer.data)
            self.send_response(answer.status)
            headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999", "x-ratelimit-reset": "4102444800"}
            for name, value in ({**headers, **dict(answer.headers)}).items():
                moved = value.replace(fake.url, fake.link_host) if name == "Link" and fake.link_host else value
                self.send_header(name, moved)
            if body:
                self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _storage_handler(fake: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def handle_one(self) -> None:
            with fake.lock:
                if self.headers.get("Authorization"):
                    fake.state.violations.append("credentials were sent to the storage's address")
                    status, body = 400, b"credentials"
                else:
                    number = int(urllib.parse.urlsplit(self.path).path.strip("/"))
                    found = next((a for a in fake.state.artifacts if a.id == number), None)
                    status, body = (200, found.content) if found else (404, b"")
            self.send_response(status)
            self.send_header("Content-Type", "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Head and body leave in one packet; apart, each answer would wait 40 ms for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.handle_one()

    def do_POST(self) -> None:
        self.handle_one()

    def do_PATCH(self) -> None:
        self.handle_one()

    def do_DELETE(self) -> None:
        self.handle_one()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""
