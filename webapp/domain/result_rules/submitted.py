"""A result as it is handed in: its bytes, and under which name they came. It lives as long as the request."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any

import rfc8785

from webapp.domain.canonical import canonical_json
from webapp.domain.exact_json import storable
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said

BYTES, JSON = "result", "result_json"


@dataclass(frozen=True, slots=True)
class SubmittedResult:
    """The bytes whose SHA-256 is the result hash: of a file as it is, of a JSON value its canonical form (RFC 8785)."""

    field: str
    data: bytes

    @classmethod
    def of_bytes(cls, data: bytes, max_bytes: int) -> SubmittedResult:
        """A file. Raises ValidationError naming `result` when it is too large."""
        return cls(BYTES, _bounded(BYTES, data, max_bytes))

    @classmethod
    def of_base64(cls, text: str, max_bytes: int) -> SubmittedResult:
        """A file in base64. Raises ValidationError naming `result`."""
        if len(text) > 4 * (max_bytes // 3 + 1):
            raise _too_large(BYTES, max_bytes)
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValidationError.of(BYTES, said("must be base64")) from None
        return cls.of_bytes(data, max_bytes)

    @classmethod
    def of_json(cls, value: Any, max_bytes: int) -> SubmittedResult:
        """A JSON value. Raises ValidationError naming `result_json`."""
        try:
            data = canonical_json(storable(value))
        except rfc8785.CanonicalizationError:
            message = said(
                "has a number that is not exact in 64 bits; send it as text, or the bytes as result"
            )
            raise ValidationError.of(JSON, message) from None
        except ValueError as error:
            raise ValidationError.of(JSON, error.args[0]) from None
        return cls(JSON, _bounded(JSON, data, max_bytes))

    @property
    def hash(self) -> str:
        """Its SHA-256 in hex."""
        return hashlib.sha256(self.data).hexdigest()


def _bounded(field: str, data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise _too_large(field, max_bytes)
    return data


def _too_large(field: str, max_bytes: int) -> ValidationError:
    return ValidationError.of(field, said("must have at most {max_bytes} bytes", max_bytes=max_bytes))
