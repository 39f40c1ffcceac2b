"""The canonical form of what is hashed or signed (RFC 8785), and the provider's signature over a result."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from typing import Any

import rfc8785

from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.said import said

_RESULT_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes: the same for the same value on every machine."""
    return rfc8785.dumps(value)


def sha256_hex(value: Any) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def normalize_result_hash(value: object, *, field: str = "result_hash") -> str:
    """A SHA-256 in lower-case hex. Raises ValidationError naming `field`."""
    text = value.lower() if isinstance(value, str) else ""
    if not _RESULT_HASH.fullmatch(text):
        raise ValidationError.of(field, said("must be a SHA-256 in hexadecimal (64 characters)"))
    return text


def result_payload(escrow_id: uuid.UUID, amount: Amount, result_hash: str) -> bytes:
    """What a provider signs: canonical JSON of amount, escrow_id and result_hash (DESIGN, escrow states)."""
    return canonical_json({"amount": str(amount), "escrow_id": str(escrow_id), "result_hash": result_hash})


def sign_result(secret: str, escrow_id: uuid.UUID, amount: Amount, result_hash: str) -> str:
    """HMAC-SHA256 in hex over `result_payload`, keyed with the UTF-8 bytes of the secret."""
    payload = result_payload(escrow_id, amount, result_hash)
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


def is_result_signature(
    signature: str, secret: str, escrow_id: uuid.UUID, amount: Amount, result_hash: str
) -> bool:
    """Whether `signature` is the one `sign_result` makes; compared in constant time."""
    expected = sign_result(secret, escrow_id, amount, result_hash)
    return hmac.compare_digest(expected.encode(), signature.lower().encode(errors="replace"))
