"""Programs that sign their requests (RFC 9421) and send them through Flask's test client."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms
from werkzeug.test import TestResponse

from webapp.domain.clock import utcnow
from webapp.services.signing_keys import IssuedKey

ORIGIN = "http://localhost"
BY_URI = ("@method", "@authority", "@target-uri")
BY_PATH = ("@method", "@path", "@query")


@dataclass
class Message:
    """A request that can be sent, and sent again. `headers` hold its signature."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def sign(
    key: IssuedKey,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    age_seconds: float = 0,
    nonce: str | None = "",
    components: Sequence[str] = BY_URI,
    headers: dict[str, str] | None = None,
    has_digest: bool = True,
    origin: str = ORIGIN,
    **options: Any,
) -> Message:
    """A request signed with the key. `nonce` is made up unless one is given; None leaves it out."""
    message = Message(method, origin + path, {**(headers or {})}, body)
    if body:
        message.headers.setdefault("Content-Type", "application/json")
    resolver = MappingKeyResolver(public_keys={}, private_keys={key.key_id: key.secret.encode()})
    HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=resolver).sign(
        message,
        key_id=key.key_id,
        created=utcnow() - timedelta(seconds=age_seconds),
        nonce=secrets.token_urlsafe(16) if nonce == "" else nonce,
        covered_component_ids=components,
        body=body if body and has_digest else None,
        use_existing_digest="Content-Digest" in message.headers,
        **options,
    )
    return message


class Program:
    """Whoever holds this key. Answers are Flask's; `response.json` has its numbers as Decimal."""

    def __init__(self, app: Flask, key: IssuedKey) -> None:
        self.app = app
        self.key = key

    def get(self, path: str, **options: Any) -> TestResponse:
        """Sign and send a GET; `options` as `sign` has them."""
        return self.send(sign(self.key, "GET", path, **options))

    def post(
        self, path: str, body: Any = None, *, idempotency_key: str | None = None, **options: Any
    ) -> TestResponse:
        """Sign and send a POST. `body` is sent as JSON, or as it is when it is bytes; None sends none."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {**options.pop("headers", {})}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self.send(sign(self.key, "POST", path, data, headers=headers, **options))

    def send(self, message: Message, **environment: Any) -> TestResponse:
        """Send a request as it is to where the application is, which a test may find elsewhere than its signer."""
        parts = urlsplit(message.url)
        return self.app.test_client().open(
            parts.path + (f"?{parts.query}" if parts.query else ""),
            method=message.method,
            headers=message.headers,
            data=message.body,
            buffered=True,  # a file that is sent is closed, whether its reader looks into it or not
            **environment,
        )
