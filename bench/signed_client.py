"""A program that signs every request (RFC 9421, `hmac-sha256`) with as little work as that takes.

The signature base (section 2.5) is text with few gaps, so it is filled in, not built up.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import secrets
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from bench.connection import Answer, HttpConnection

_SIGNED = '("@method" "@target-uri");created={};keyid="{}";alg="hmac-sha256";nonce="{}"'
_SIGNED_WITH_CONTENT = _SIGNED.replace('"@target-uri"', '"@target-uri" "content-digest"')


@dataclass(frozen=True, slots=True)
class Request:
    """A signed request that waits to be sent: `head` with an empty line at its end, and what follows it."""

    method: str
    path: str
    head: str
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The fields of the head by name."""
        lines = self.head.split("\r\n")[1:-2]
        return dict(line.split(": ", 1) for line in lines)


class SignedClient:
    """One key, and one connection, of its own or shared with other keys.

    Nonces and idempotency keys are numbers after something random, so no two clients share any.
    """

    def __init__(
        self, host: str, port: int, key_id: str, secret: str, connection: HttpConnection | None = None
    ) -> None:
        self._connection = connection or HttpConnection(host, port)
        self._authority = f"{host}:{port}"
        self._key_id = key_id
        self._secret = secret.encode()
        self._mine = secrets.token_hex(12)
        self._numbers = itertools.count()

    def get(self, path: str) -> dict[str, Any]:
        """GET. Raises RuntimeError unless the answer is a success."""
        return self.send(self._signed("GET", path, b"", ""))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON with an idempotency key of its own. Raises RuntimeError unless the answer is a success."""
        return self.send(self.sign(path, body, f"{self._mine}-{next(self._numbers)}"))

    def sign(self, path: str, body: dict[str, Any], idempotency_key: str | None = None) -> Request:
        """A POST of JSON, signed now."""
        return self._signed("POST", path, json.dumps(body).encode(), idempotency_key or "")

    def send(self, request: Request) -> dict[str, Any]:
        """Send it. Raises RuntimeError unless the answer is a success."""
        answer = self.ask(request)
        if answer.status >= 300:
            raise RuntimeError(f"{request.method} {request.path}: {answer.status}: {answer.content!r}")
        body: dict[str, Any] = answer.body
        return body

    def ask(self, request: Request) -> Answer:
        """Send it, and see what is said."""
        return self._connection.ask(request.head.encode("ascii") + request.content)

    def _signed(self, method: str, path: str, content: bytes, idempotency_key: str) -> Request:
        filled = int(time.time()), self._key_id, f"{self._mine}-{next(self._numbers)}"
        base = f'"@method": {method}\n"@target-uri": http://{self._authority}{path}\n'
        fields = ""
        if content:
            parameters = _SIGNED_WITH_CONTENT.format(*filled)
            digest = f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"
            base += f'"content-digest": {digest}\n'
            fields = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nContent-Digest: {digest}\r\n"
        else:
            parameters = _SIGNED.format(*filled)
        if idempotency_key:
            fields += f"Idempotency-Key: {idempotency_key}\r\n"
        base += f'"@signature-params": {parameters}'
        signature = b64encode(hmac.digest(self._secret, base.encode(), "sha256")).decode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._authority}\r\n{fields}"
            f"Signature-Input: bench={parameters}\r\nSignature: bench=:{signature}:\r\n\r\n"
        )
        return Request(method, path, head, content)
