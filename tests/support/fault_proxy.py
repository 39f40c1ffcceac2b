"""A troublemaker between the service and its daemon: an HTTP proxy that passes calls on and, when told to, spoils them.

What it does to a call it really does: the daemon has carried it out or has not, and what the client sees of that is on
the wire. Trouble for a method strikes the batch that holds it.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.processes import wait_until

DAEMON_TIMEOUT_SECONDS = 60
ECHO_SECONDS = 0.005  # between the two copies of an answer: about when the next call is sent


class Trouble(StrEnum):
    """What can become of a call. The daemon has carried it out unless the words say otherwise."""

    REQUEST_LOST = "the connection closes before the daemon sees the call"
    ANSWER_LOST = "the connection closes without an answer"
    REQUEST_LATE = "the daemon gets the call when the client has given up"
    ANSWER_LATE = "the answer comes when the client has given up"
    ANSWERED_TWICE = "the answer comes twice"
    DONE_TWICE = "the daemon gets the call twice, and the second answer is given"
    ANSWER_OF_ANOTHER = "the answer to an earlier call is given"
    FAILS_IN_HTML = "HTTP 500 with a page for people, and the daemon never sees the call"
    FAILS_IN_HTML_WHEN_DONE = "HTTP 500 with a page for people"
    FAILS_IN_JSON = "an unexpected error in JSON, and the daemon never sees the call"
    FAILS_IN_JSON_WHEN_DONE = "an unexpected error in JSON"
    TOO_BUSY = "HTTP 503, and the daemon never sees the call"
    QUEUE_FULL = "HTTP 500 as of a full work queue, and the daemon never sees the call"
    UNAUTHORISED = "HTTP 401, and the daemon never sees the call"
    WARMING_UP = "error -28, and the daemon never sees the call"
    CUT = "half of the announced body comes, and then the connection closes"
    GARBAGE = "a body that is no JSON"


_UNDONE = {
    Trouble.REQUEST_LOST,
    Trouble.FAILS_IN_HTML,
    Trouble.FAILS_IN_JSON,
    Trouble.TOO_BUSY,
    Trouble.QUEUE_FULL,
    Trouble.UNAUTHORISED,
    Trouble.WARMING_UP,
}
_HTML = b"<html><body>Internal Server Error</body></html>"
_PLAIN_ANSWERS = {
    Trouble.FAILS_IN_HTML: (500, "text/html", _HTML),
    Trouble.FAILS_IN_HTML_WHEN_DONE: (500, "text/html", _HTML),
    Trouble.TOO_BUSY: (503, "text/plain", b"Service Unavailable"),
    Trouble.QUEUE_FULL: (500, "text/html", b"Work queue depth exceeded"),
    Trouble.UNAUTHORISED: (401, "text/html", b""),
    Trouble.GARBAGE: (200, "application/json", b'{"result": \xff]['),
}
_ERRORS = {
    Trouble.FAILS_IN_JSON: (-1, "std::bad_alloc"),
    Trouble.FAILS_IN_JSON_WHEN_DONE: (-1, "std::bad_alloc"),
    Trouble.WARMING_UP: (-28, "Loading block index..."),
}


@dataclass
class _Order:
    method: str
    trouble: Trouble
    skip: int
    left: int | None


class FaultProxy:
    """`with FaultProxy(daemon_port) as proxy:` listens on `proxy.port`.

    `seen` holds the methods of all calls in their order, those of batches one by one; `struck` what was spoiled, and
    how. `late_seconds` is how late what is late comes.
    """

    def __init__(self, daemon_port: int, *, late_seconds: float = 1.0) -> None:
        self.daemon_port = daemon_port
        self.late_seconds = late_seconds
        self.seen: list[str] = []
        self.struck: list[tuple[str, Trouble]] = []
        self.earlier_answer = b'{"result": null, "error": null, "id": 1}'
        self._orders: list[_Order] = []
        self._under_way = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def strike(self, method: str, trouble: Trouble, *, times: int | None = 1, skip: int = 0) -> None:
        """Spoil the next `times` exchanges with a call of `method`, all if None, after `skip` healthy ones."""
        with self._lock:
            self._orders.append(_Order(method, trouble, skip, times))

    def heal(self) -> None:
        """No more trouble. What is late is still to come: see `wait_until_quiet`."""
        with self._lock:
            self._orders.clear()

    def wait_until_quiet(self) -> None:
        """Return when the daemon has had every call, late ones too."""
        wait_until(lambda: not self._under_way, "the calls under way")

    def begin(self, methods: Sequence[str]) -> tuple[str, Trouble] | None:
        """Note an exchange, and say which of its calls is in trouble, and in which one."""
        with self._lock:
            self._under_way += 1
            self.seen.extend(methods)
            for order in self._orders:
                if order.method not in methods or order.left == 0:
                    continue
                if order.skip:
                    order.skip -= 1
                    continue
                if order.left is not None:
                    order.left -= 1
                self.struck.append((order.method, order.trouble))
                return self.struck[-1]
        return None

    def finish(self) -> None:
        """Note that nothing more happens to an exchange."""
        with self._lock:
            self._under_way -= 1


class _Server(ThreadingHTTPServer):
    proxy: FaultProxy
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """One exchange: a call or a batch."""
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["Content-Length"]))
        payload = json.loads(body)
        calls = payload if isinstance(payload, list) else [payload]
        struck = proxy.begin([call["method"] for call in calls])
        try:
            if struck is None:
                status, answer = self._ask_daemon(body)
                proxy.earlier_answer = answer
                self._send(status, "application/json", answer)
            elif struck[1] in _ERRORS:
                self._refuse(*struck, payload, body)
            else:
                self._spoil(struck[1], body)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # One side has gone; the other one is told by closing.
        finally:
            proxy.finish()

    def _refuse(self, method: str, trouble: Trouble, payload: Any, body: bytes) -> None:
        """As daemons say it: HTTP 500 for a single call, 200 for a batch, whose other calls have their answers."""
        code, message = _ERRORS[trouble]
        refusal = {"result": None, "error": {"code": code, "message": message}}
        if isinstance(payload, list):
            replies = [
                json.dumps({**refusal, "id": call["id"]}).encode()
                if call["method"] == method
                else self._ask_daemon(json.dumps(call).encode())[1]
                for call in payload
            ]
            self._send(200, "application/json", b"[" + b",".join(replies) + b"]")
            return
        if trouble not in _UNDONE:
            self._ask_daemon(body)
        self._send(500, "application/json", json.dumps({**refusal, "id": payload["id"]}).encode())

    def _spoil(self, trouble: Trouble, body: bytes) -> None:
        proxy = self.server.proxy
        if trouble is Trouble.REQUEST_LATE:
            time.sleep(proxy.late_seconds)
        status, answer = (0, b"") if trouble in _UNDONE else self._ask_daemon(body)
        if trouble is Trouble.DONE_TWICE:
            status, answer = self._ask_daemon(body)
        if trouble is Trouble.ANSWER_LATE:
            time.sleep(proxy.late_seconds)
        if trouble in (Trouble.REQUEST_LOST, Trouble.ANSWER_LOST):
            self.close_connection = True
        elif trouble in _PLAIN_ANSWERS:
            self._send(*_PLAIN_ANSWERS[trouble])
        elif trouble is Trouble.ANSWER_OF_ANOTHER:
            self._send(200, "application/json", proxy.earlier_answer)
        elif trouble is Trouble.CUT:
            self._send(status, "application/json", answer, sent=len(answer) // 2)
            self.close_connection = True
        else:
            self._send(status, "application/json", answer)
            if trouble is Trouble.ANSWERED_TWICE:
                time.sleep(ECHO_SECONDS)
                self._send(status, "application/json", answer)

    def _ask_daemon(self, body: bytes) -> tuple[int, bytes]:
        """Pass the call on: status and body of the answer. Raises OSError or HTTPException."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.server.proxy.daemon_port, timeout=DAEMON_TIMEOUT_SECONDS
        )
        try:
            connection.request("POST", self.path, body, {"Authorization": self.headers["Authorization"]})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _send(self, status: int, media_type: str, body: bytes, *, sent: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""
