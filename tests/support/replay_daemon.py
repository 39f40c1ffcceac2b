"""A stand-in daemon: answers over HTTP what a real Flopcoin Core answered, and misbehaves on request.

`tests/data/flopcoin_transcript.json` holds the recorded exchanges. A call gets the recorded status and body for
its method and parameters, one after the other when there are several, the last one for ever. A method that was
never recorded, or only as unknown, is unknown; a known method with other parameters is refused (-1), as a
daemon refuses wrong ones. A number with a point and the same as text are the same parameter.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TRANSCRIPT = Path(__file__).parent.parent / "data" / "flopcoin_transcript.json"
_ANY = "*"


def load_exchanges() -> list[dict[str, Any]]:
    """The recorded exchanges, in their order: `note`, `http_status`, `request`, `response`."""
    exchanges: list[dict[str, Any]] = json.loads(TRANSCRIPT.read_text())
    return exchanges


@dataclass(frozen=True)
class Fault:
    """One misbehaviour. The call counts as carried out unless `status` or `code` is given.

    `status` and `body`: this HTTP answer instead, of type `media_type`. `code`: a JSON-RPC error instead, with `body`
    as its message. `delay_seconds`: first wait. `hang_up`: close instead of answering. `cut_body`: announce the whole
    body and send half of it.
    """

    status: int | None = None
    code: int = 0
    body: bytes = b""
    media_type: str = "text/html"
    delay_seconds: float = 0
    hang_up: bool = False
    cut_body: bool = False


class ReplayDaemon:
    """`with ReplayDaemon() as daemon:` listens on `daemon.port`. `received` holds every call, in order."""

    def __init__(
        self,
        exchanges: Iterable[dict[str, Any]] | None = None,
        *,
        user: str = "flopcoinrpc",
        password: str = "transcript",  # noqa: S107 - of a daemon that exists for a second
    ) -> None:
        self.user = user
        self.password = password
        self.received: list[tuple[str, list[Any]]] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._answers: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        self._known_methods: set[str] = set()
        for exchange in load_exchanges() if exchanges is None else exchanges:
            request = exchange["request"]
            self._learn(request["method"], request["params"], exchange["http_status"], exchange["response"])
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.daemon = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> ReplayDaemon:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(
        self, method: str, params: list[Any] | None = None, *, result: Any = None, code: int = 0
    ) -> None:
        """Answer this from now on, whatever was recorded; without `params` to all of them. `code` makes it an error."""
        error = {"code": code, "message": str(result)} if code else None
        body = {"result": None if code else result, "error": error, "id": 0}
        key = _key(method, _ANY if params is None else params)
        self._known_methods.add(method)
        self._answers[key] = [(500 if code else 200, body)]

    def inject(self, *faults: Fault) -> None:
        """The next requests get these, one each."""
        with self._lock:
            self._faults.extend(faults)

    def calls(self, method: str) -> list[list[Any]]:
        """The parameters of every call of the method so far."""
        return [params for name, params in self.received if name == method]

    def next_fault(self) -> Fault | None:
        """Take one from the queue."""
        with self._lock:
            return self._faults.pop(0) if self._faults else None

    def reply(self, call: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Carry out one call: HTTP status and body."""
        method, params = call["method"], call["params"]
        with self._lock:
            self.received.append((method, params))
            recorded = self._answers.get(_key(method, _ANY)) or self._answers.get(_key(method, params))
            if recorded:
                status, body = recorded.pop(0) if len(recorded) > 1 else recorded[0]
                return status, {**body, "id": call["id"]}
        if method in self._known_methods:
            return 500, _error(-1, f"{method} was not recorded with these parameters", call)
        return 404, _error(-32601, "Method not found", call)

    def _learn(self, method: str, params: list[Any], status: int, body: dict[str, Any]) -> None:
        self._answers[_key(method, params)].append((status, body))
        if (body["error"] or {}).get("code") != -32601:
            self._known_methods.add(method)


def _key(method: str, params: Any) -> str:
    if method == "sendrawtransaction" and params != _ANY:
        params = params[:1]  # At which fee it may be sent changes no recorded answer.
    return json.dumps([method, json.loads(json.dumps(params), parse_float=str)], sort_keys=True)


def _error(code: int, message: str, call: dict[str, Any]) -> dict[str, Any]:
    return {"result": None, "error": {"code": code, "message": message}, "id": call["id"]}


class _Server(ThreadingHTTPServer):
    daemon: ReplayDaemon
    daemon_threads = True
    block_on_close = False

    def process_request(self, request: Any, client_address: Any) -> None:
        self.daemon.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """One request: a fault, a refusal of the password, a batch, or a call."""
        daemon = self.server.daemon
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = daemon.next_fault() or Fault()
        time.sleep(fault.delay_seconds)
        expected = base64.b64encode(f"{daemon.user}:{daemon.password}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {expected}":
            self._send(401, b"", None)
        elif fault.status is not None:
            self._send(fault.status, fault.body, fault.media_type)
        elif fault.code:
            error = _error(fault.code, fault.body.decode(), payload)
            self._send(500, json.dumps(error).encode(), "application/json")
        else:
            status, body = self._carry_out(daemon, payload)
            self._answer(status, json.dumps(body).encode(), fault)

    def _carry_out(self, daemon: ReplayDaemon, payload: Any) -> tuple[int, Any]:
        if isinstance(payload, list):
            return 200, [daemon.reply(call)[1] for call in payload]
        return daemon.reply(payload)

    def _answer(self, status: int, body: bytes, fault: Fault) -> None:
        if fault.hang_up:
            self.close_connection = True
        elif fault.cut_body:
            self._send(status, body, "application/json", sent=body[: len(body) // 2])
            self.close_connection = True
        else:
            self._send(status, body, "application/json")

    def _send(self, status: int, body: bytes, media_type: str | None, sent: bytes | None = None) -> None:
        self.send_response(status)
        if media_type:
            self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if sent is None else sent)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""
