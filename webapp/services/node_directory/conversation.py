"""GET of JSON documents from a registry that is not ours: with limits on time, size and place.

Whatever goes wrong ends as DirectoryUnreachableError with a reason in plain words. An attempt is repeated, twice at
most, when the connection fails or the registry says that the fault is its own.
"""

from __future__ import annotations

import functools
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, NoReturn

import httpx

from webapp.domain.said import said
from webapp.services.node_directory.port import DirectoryUnreachableError

MOST_BYTES = 16 * 1024 * 1024
MOST_REDIRECTS = 3
WAITS_SECONDS = (0.2, 0.5)  # before the second attempt, and before the third
# All pages and attempts of a conversation together may take so many times as long as one step of one of them. With the
# timeout that is set by default, that is less than a worker may be silent before it counts as out.
PATIENCE = 1.5

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "duxos-escrow"}


class _AttemptError(Exception):
    """An attempt failed in a way that another one may not."""


@contextmanager
def conversation(base_url: str, timeout_seconds: float) -> Iterator[Conversation]:
    """Talk to the registry at `base_url`. A name and password in it are sent there, and nowhere else."""
    try:
        base = httpx.URL(base_url)
    except httpx.InvalidURL:
        raise DirectoryUnreachableError(
            said("nodes.directory_url is not an address that can be asked")
        ) from None
    auth = httpx.BasicAuth(base.username, base.password) if base.userinfo else None
    # Neither a proxy nor a password is taken from the environment: the settings alone say who is asked.
    with httpx.Client(verify=_trust(), trust_env=False, auth=auth, headers=_HEADERS) as client:
        talk = Conversation(client, base.copy_with(userinfo=b""), timeout_seconds)
        end = threading.Timer(talk.seconds_left, talk.hang_up)
        end.daemon = True
        end.start()
        try:
            yield talk
        finally:
            end.cancel()


class Conversation:
    """One question in one or several requests, which share their limits."""

    def __init__(self, client: httpx.Client, base: httpx.URL, timeout_seconds: float) -> None:
        self._client = client
        self._base = base
        self._timeout_seconds = timeout_seconds
        self._limit_seconds = PATIENCE * timeout_seconds
        self._deadline = time.monotonic() + self._limit_seconds
        self._bytes_left = MOST_BYTES
        self._socket: socket.socket | None = None

    @property
    def seconds_left(self) -> float:
        """How long the conversation may go on."""
        return self._deadline - time.monotonic()

    def url(self, path: str) -> httpx.URL:
        """The address of a path below the registry's own."""
        return self._base.copy_with(path=self._base.path.rstrip("/") + path, query=None, fragment=None)

    def join(self, current: httpx.URL, link: str) -> httpx.URL:
        """Where a link of the registry leads. It must not lead away from there."""
        try:
            there = current.join(link)
        except httpx.InvalidURL:
            self.fail("it gave a link that is no address")
        if (there.scheme, there.netloc) != (self._base.scheme, self._base.netloc):
            self.fail(f"it refers to another place: {there.scheme}://{there.host}")
        return there

    def get(self, url: httpx.URL) -> Any:
        """The JSON document at `url`, its decimals as Decimal; None when there is none (404)."""
        for wait in (*WAITS_SECONDS, None):
            try:
                return self._get(url)
            except _AttemptError as error:
                if wait is None or wait >= self.seconds_left:
                    self.fail(str(error))
                time.sleep(wait)
        raise AssertionError("the last attempt answers or fails")

    def hang_up(self) -> None:
        """Called from another thread when the time is over: a read that gets a byte now and then would never end."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def fail(self, reason: str) -> NoReturn:
        """End the conversation."""
        raise DirectoryUnreachableError(
            said(
                "the registry of nodes at {decode}: {reason}",
                decode=self._base.netloc.decode(),
                reason=reason,
            )
        )

    def _get(self, url: httpx.URL) -> Any:
        for _ in range(MOST_REDIRECTS + 1):
            status, body, location = self._fetch(url)
            if location is not None:
                url = self.join(url, location)
            elif status == httpx.codes.OK:
                return self._read(body)
            elif status == httpx.codes.NOT_FOUND:
                return None
            elif status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
                raise _AttemptError(said("it answered with an error of its own ({status})", status=status))
            else:
                self.fail(f"it refused to answer ({status})")
        self.fail("it redirects again and again")

    def _fetch(self, url: httpx.URL) -> tuple[int, bytes, str | None]:
        """Status, body (of a 200 only) and where it redirects to."""
        patience = max(min(self._timeout_seconds, self.seconds_left), 0.001)
        extensions = {"trace": self._note_socket}
        try:
            with self._client.stream("GET", url, timeout=patience, extensions=extensions) as response:
                location = response.headers.get("Location") if response.is_redirect else None
                body = self._body(response) if response.status_code == httpx.codes.OK else b""
                return response.status_code, body, location
        except httpx.TimeoutException:
            raise _AttemptError(
                said(
                    "it did not answer within {timeout_seconds} seconds",
                    timeout_seconds=format(self._timeout_seconds, "g"),
                )
            ) from None
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                self.fail("its certificate is not trusted")
            raise _AttemptError(said("no connection could be made")) from None
        except httpx.TransportError:
            if self.seconds_left <= 0:
                self.fail(f"it took longer than {self._limit_seconds:g} seconds over its answer")
            raise _AttemptError(said("the connection broke off before the answer was complete")) from None

    def _note_socket(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    def _body(self, response: httpx.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            self.fail("it compressed its answer, though it was asked not to")
        chunks = []
        for chunk in response.iter_raw():
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:
                self.fail(f"its answer is longer than {MOST_BYTES // 1024 // 1024} MiB")
            chunks.append(chunk)
        return b"".join(chunks)

    def _read(self, body: bytes) -> Any:
        try:
            return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, ArithmeticError, RecursionError):
            self.fail("its answer is not the JSON that was asked for")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(said("{constant} is not JSON", constant=constant))


@functools.cache
def _trust() -> ssl.SSLContext:
    """The certificates that are trusted. Reading them takes longer than a whole conversation."""
    return httpx.create_ssl_context()
