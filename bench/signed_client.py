"""A client that signs every request (RFC 9421) and keeps one connection open, as a busy program would."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

COVERED = ("@method", "@target-uri")


class _OneKey(HTTPSignatureKeyResolver):
    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def resolve_private_key(self, key_id: str) -> bytes:
        return self._secret


@dataclass
class _Message:
    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A signed request that waits to be sent."""

    method: str
    path: str
    content: bytes | None
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status, and the JSON."""

    status: int
    body: dict[str, Any]


class SignedClient:
    """One key, and one connection, of its own or shared with other keys."""

    def __init__(
        self,
        host: str,
        port: int,
        key_id: str,
        secret: str,
        connection: http.client.HTTPConnection | None = None,
    ) -> None:
        self._connection = connection or http.client.HTTPConnection(host, port, timeout=60)
        self._origin = f"http://{host}:{port}"
        self._key_id = key_id
        self._signer = HTTPMessageSigner(
            signature_algorithm=algorithms.HMAC_SHA256, key_resolver=_OneKey(secret)
        )

    def get(self, path: str) -> dict[str, Any]:
        """GET. Raises RuntimeError unless the answer is a success."""
        return self.send(self._signed("GET", path, None, {}))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON with an idempotency key of its own. Raises RuntimeError unless the answer is a success."""
        return self.send(self.sign(path, body, secrets.token_urlsafe(16)))

    def sign(self, path: str, body: dict[str, Any], idempotency_key: str | None = None) -> Request:
        """A POST of JSON, signed now."""
        content = json.dumps(body).encode()
        digest = b64encode(hashlib.sha256(content).digest()).decode()
        headers = {"Content-Digest": f"sha-256=:{digest}:", "Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self._signed("POST", path, content, headers)

    def send(self, request: Request) -> dict[str, Any]:
        """Send it. Raises RuntimeError unless the answer is a success."""
        answer = self.ask(request)
        if answer.status >= 300:
            raise RuntimeError(f"{request.method} {request.path}: {answer.status}: {answer.body}")
        return answer.body

    def ask(self, request: Request) -> Answer:
        """Send it, and see what is said."""
        self._connection.request(request.method, request.path, request.content, request.headers)
        response = self._connection.getresponse()
        return Answer(response.status, json.loads(response.read()))

    def _signed(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Request:
        message = _Message(method, self._origin + path, headers)
        self._signer.sign(
            message,
            key_id=self._key_id,
            covered_component_ids=COVERED if content is None else (*COVERED, "content-digest"),
            created=datetime.now(UTC),
            nonce=secrets.token_urlsafe(16),
            include_alg=True,
            use_existing_digest=content is not None,
        )
        return Request(method, path, content, message.headers)
