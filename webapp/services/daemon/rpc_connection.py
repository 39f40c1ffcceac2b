"""One keep-alive HTTP connection to the daemon. Carries its own credentials and keeps the last answer.

It stands in for the `HTTPConnection` that python-bitcoinrpc expects, because that library takes the password
from a URL (where `/`, `#` and `%` do not survive), leaves unexpected bodies unread, and hides the HTTP
status. It knows no JSON and makes no decision about what an answer means.
"""

from __future__ import annotations

import base64
import os
import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Protocol, Self

from pydantic import SecretStr

LONGEST_CONNECT_SECONDS = 5.0


class RpcSettings(Protocol):
    """The `rpc` section of the settings, as far as it is needed here."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def password(self) -> SecretStr | str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def retry_attempts(self) -> int: ...
    @property
    def pool_size(self) -> int: ...


@dataclass(frozen=True)
class RpcEndpoint:
    """Where the daemon listens and how to talk to it. `timeout` is in seconds, for one answer."""

    host: str = "127.0.0.1"
    port: int = 32553
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 30.0
    retry_attempts: int = 3
    pool_size: int = 4

    @classmethod
    def of(cls, settings: RpcSettings) -> Self:
        """The same from the settings, the secret taken out of its wrapper."""
        return cls(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=plain_secret(settings.password),
            timeout=settings.timeout,
            retry_attempts=settings.retry_attempts,
            pool_size=settings.pool_size,
        )

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def plain_secret(secret: SecretStr | str | None) -> str:
    """The text of a setting that may be wrapped against printing; empty for None."""
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret or ""


@dataclass(frozen=True)
class HttpAnswer:
    """A complete answer: status, reason, media type without its parameters, body."""

    status: int
    reason: str
    media_type: str
    body: bytes = field(repr=False)

    def getheader(self, name: str) -> str | None:
        """The media type; python-bitcoinrpc asks for nothing else."""
        return self.media_type if name.lower() == "content-type" else None

    def read(self) -> bytes:
        """The body, already complete."""
        return self.body


class RpcConnection:
    """`request` then `getresponse`, as `http.client` has them. Not thread-safe: see `RpcPool`."""

    def __init__(self, endpoint: RpcEndpoint) -> None:
        self._timeout = endpoint.timeout
        self._http = HTTPConnection(
            endpoint.host, endpoint.port, timeout=min(endpoint.timeout, LONGEST_CONNECT_SECONDS)
        )
        credentials = f"{endpoint.user}:{endpoint.password}".encode()
        self._authorization = "Basic " + base64.b64encode(credentials).decode()
        self._process = os.getpid()
        self._awaits_answer = False
        self.answer: HttpAnswer | None = None

    @property
    def sock(self) -> socket.socket:
        """The socket, for the library to set its time-out on."""
        sock: socket.socket = self._http.sock
        return sock

    @property
    def is_open(self) -> bool:
        """Whether there is a socket to send on."""
        return self._http.sock is not None

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow: open, and no answer of an earlier one still to come."""
        return self.is_open and not self._awaits_answer

    def is_stale(self) -> bool:
        """Whether the other side hung up or spoke unasked, or a parent process owns the socket."""
        if self._process != os.getpid() or not self.is_open:
            return True
        poll = select.poll()
        poll.register(self._http.sock, select.POLLIN | select.POLLERR | select.POLLHUP)
        return bool(poll.poll(0))

    def connect(self) -> None:
        """Open the socket if there is none. Raises OSError; nothing has been asked then."""
        self.answer = None
        if not self.is_open:
            self._http.connect()
            self.sock.settimeout(self._timeout)

    def request(self, method: str, path: str, body: str, headers: Mapping[str, str]) -> None:
        """Send one request with our own credentials. Raises OSError."""
        self.answer = None
        self._awaits_answer = True
        self._http.request(method, path or "/", body, {**headers, "Authorization": self._authorization})

    def getresponse(self) -> HttpAnswer:
        """The answer with its whole body. Raises OSError or HTTPException; a cut body is one of them."""
        response = self._http.getresponse()
        media_type = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
        self.answer = HttpAnswer(response.status, response.reason, media_type, response.read())
        self._awaits_answer = False
        return self.answer

    def close(self) -> None:
        """Hang up."""
        self._http.close()
        self._awaits_answer = False
