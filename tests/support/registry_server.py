"""A registry of nodes on a real socket, which answers what it is told to, and misbehaves on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. `announced` is the length that is claimed when it is not the body's; `endless` repeats the body.

    `pause_seconds` passes before the body and between the pieces of an endless one; nobody waits for it at the end.
    A `raw` one is nothing but its body: no status line, no headers; an empty one hangs up.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None
    endless: bool = False
    raw: bool = False
    pause_seconds: float = 0


def says(document: Any, status: int = 200, **headers: str) -> Reply:
    """A document as JSON."""
    return Reply(json.dumps(document).encode(), status, {"Content-Type": "application/json", **headers})


def leads_to(location: str, status: int = 302) -> Reply:
    """A redirect."""
    return Reply(status=status, headers={"Location": location})


class RegistryServer:
    """`with RegistryServer() as registry:` listens on `registry.url`. `asked` holds the targets of all requests.

    `replies` are given one after the other, the last one for ever; what `at` has for a target comes first.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.credentials: list[str | None] = []
        self.replies: list[Reply] = [says([])]
        self.at: dict[str, Reply] = {}
        self.is_over = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.registry = self
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> RegistryServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def will(self, *replies: Reply) -> None:
        """Answer with these from now on."""
        with self._lock:
            self.replies = list(replies)

    def reply_to(self, target: str, credentials: str | None) -> Reply:
        """Note a request and choose its answer."""
        with self._lock:
            self.asked.append(target)
            self.credentials.append(credentials)
            if target in self.at:
                return self.at[target]
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class _Server(ThreadingHTTPServer):
    registry: RegistryServer
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """One request."""
        registry = self.server.registry
        reply = registry.reply_to(self.path, self.headers["Authorization"])
        if not reply.raw:
            self._send_head(reply)
        with suppress(OSError):
            for piece in self._pieces(reply):
                self.wfile.write(piece)
        self.close_connection = reply.raw or reply.endless or reply.announced is not None

    def _send_head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        length = 1 << 40 if reply.endless else reply.announced or len(reply.body)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _pieces(self, reply: Reply) -> Iterator[bytes]:
        registry = self.server.registry
        while not registry.is_over.wait(reply.pause_seconds):
            yield reply.body
            if not reply.endless:
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""
