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

COVERED = ("@method", "@target-uri", "content-digest")


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


@dataclass(frozen=True)
class Post:
    """A signed request that waits to be sent."""

    path: str
    content: bytes
    headers: dict[str, str]


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

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON with an idempotency key. Raises RuntimeError unless the answer is a success."""
        request = self.sign(path, body)
        request.headers["Idempotency-Key"] = secrets.token_urlsafe(16)
        return self.send(request)

    def sign(self, path: str, body: dict[str, Any]) -> Post:
        """A POST of JSON, signed now."""
        content = json.dumps(body).encode()
        digest = b64encode(hashlib.sha256(content).digest()).decode()
        message = _Message("POST", self._origin + path, {"Content-Digest": f"sha-256=:{digest}:"})
        self._signer.sign(
            message,
            key_id=self._key_id,
            covered_component_ids=COVERED,
            created=datetime.now(UTC),
            nonce=secrets.token_urlsafe(16),
            include_alg=True,
            use_existing_digest=True,
        )
        return Post(path, content, {**message.headers, "Content-Type": "application/json"})

    def send(self, request: Post) -> dict[str, Any]:
        """Send it. Raises RuntimeError unless the answer is a success."""
        self._connection.request("POST", request.path, request.content, request.headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{response.status}: {answer.decode()}")
        decoded: dict[str, Any] = json.loads(answer)
        return decoded
