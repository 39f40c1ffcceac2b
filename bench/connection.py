"""One HTTP/1.1 connection that is kept open, for answers of a known length: what a lean program needs, and no more.

The clients share the machine with the server they measure, so every microsecond that they take is one that it lacks.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 60
_AT_ONCE = 1 << 16
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status, and the content as it is."""

    status: int
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON that it is. Raises RuntimeError for anything else."""
        try:
            return json.loads(self.content)
        except ValueError:
            raise RuntimeError(f"{self.status}: no JSON: {self.content[:200]!r}") from None


class HttpConnection:
    """A connection that is made with the first request. Every failure of it is a RuntimeError."""

    def __init__(self, host: str, port: int) -> None:
        self.authority = f"{host}:{port}"
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> Answer:
        """Send a request, head and content in one piece, and wait for the whole answer."""
        try:
            connected = self._socket or self._connect()
            connected.sendall(request)
            return self._read(connected)
        except OSError as error:
            raise RuntimeError(f"{self.authority}: {error or 'no answer in time'}") from error

    def close(self) -> None:
        """End it. The next request makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        connected = socket.create_connection(self._address, timeout=TIMEOUT_SECONDS)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # With Python's own timeout each read would be two system calls.
        connected.setblocking(True)
        patience = struct.pack("ll", TIMEOUT_SECONDS, 0)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self._socket = connected
        return connected

    def _read(self, connected: socket.socket) -> Answer:
        received = b""
        while (end := received.find(_END_OF_HEAD)) < 0:
            received += self._more(connected)
        status, length = _status_and_length(received[:end])
        content = received[end + 4 :]
        while len(content) < length:
            content += self._more(connected)
        if len(content) > length:
            raise RuntimeError(f"{self.authority}: more came than was announced: {content[length:][:80]!r}")
        return Answer(status, content)

    def _more(self, connected: socket.socket) -> bytes:
        part = connected.recv(_AT_ONCE)
        if not part:
            self.close()
            raise RuntimeError(f"{self.authority}: the connection was closed before the answer was whole")
        return part


def _status_and_length(head: bytes) -> tuple[int, int]:
    """The status, and how many bytes of content follow. Raises RuntimeError for a head that does not say both."""
    lines = head.lower().split(b"\r\n")
    version, _, status = lines[0].partition(b" ")
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length" and version == b"http/1.1" and status[:3].isdigit():
            return int(status[:3]), int(value)
    raise RuntimeError(f"an answer without a length: {head[:300]!r}")
