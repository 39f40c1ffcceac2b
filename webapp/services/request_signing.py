"""Who signed a request: HTTP Message Signatures (RFC 9421) with `hmac-sha256`, keyed with a signing key's secret.

A signature must cover `@method`, the target (`@path` and `@query`, or `@target-uri`) and, when there is a body,
`content-digest` (RFC 9530); more is fine. `created` lies within five minutes of our clock, and `nonce` works once.
What is missing or wrong is told in full: it helps whoever writes a client, and forgers know it anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import http_sf
from cryptography.exceptions import InvalidSignature as SignatureMismatch
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
    VerifyResult,
    algorithms,
)
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import SignatureError
from webapp.domain.roles import Actor
from webapp.models import RequestNonce
from webapp.models.one_statement import NotDoneError
from webapp.models.plain_connection import plain_connection
from webapp.services.express.statements import named, nonce_alone
from webapp.services.key_ring import KeyRing, KnownKey
from webapp.services.received_request import Headers, ReceivedRequest
from webapp.services.unit_of_work import let_go
from webapp.services.usual_signatures import UsualSignature, recognise

CLOCK_TOLERANCE = timedelta(minutes=5)
# A request is accepted from five minutes before its `created` until five minutes after it.
NONCE_RETENTION = timedelta(minutes=15)
MAX_NONCE_LENGTH = 128
MAX_KEY_ID_LENGTH = 40
_TARGETS = ({"@path", "@query"}, {"@target-uri"})

# Every signed request asks this, so it is put together once.
_USED = select(RequestNonce.nonce).where(
    RequestNonce.key_id == bindparam("key_id"), RequestNonce.nonce == bindparam("nonce")
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """Proof that `actor` sent the request, signed at `created` by its own clock. The nonce is still to be used up."""

    actor: Actor
    key: KnownKey
    nonce: str
    created: datetime


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a signature says of itself; nothing of it is proven."""

    key_id: str
    nonce: str
    created: datetime


class RequestSigning:
    """Checks the signatures of requests, and remembers nonces."""

    def __init__(self, session: Session, ring: KeyRing) -> None:
        self._session = session
        self._ring = ring

    def verify(self, request: ReceivedRequest) -> SignedRequest:
        """Whoever signed this request, be it for the first time or not. Writes nothing. Raises SignatureError."""
        usual = recognise(request)
        claim = _read_claim(request.headers) if usual is None else _claim_of(usual)
        key = self._ring.find(self._session, claim.key_id)
        if key is None:
            raise SignatureError("the key is unknown, expired or revoked")
        if usual is None or not usual.is_made_with(key.secret):
            _check_signature(request, claim.key_id, key.secret)
        return SignedRequest(key.actor, key, claim.nonce, claim.created)

    def require_unused(self, signed: SignedRequest) -> None:
        """Raise SignatureError when the request's nonce has been used."""
        values = {"key_id": signed.key.key_id, "nonce": signed.nonce}
        if self._session.execute(_USED, values).first() is not None:
            raise _replayed()

    def use_nonce(self, signed: SignedRequest) -> None:
        """Let the request's nonce never work again. Raises SignatureError when another request was quicker."""
        values = {
            "key_id": signed.key.key_id,
            "nonce": signed.nonce,
            "expires_at": utcnow() + NONCE_RETENTION,
        }
        let_go(self._session)
        try:
            with plain_connection(self._session.get_bind().engine) as connection:
                nonce_alone().run(connection, named("nonce", values))
        except NotDoneError:
            raise _replayed() from None


def _read_claim(headers: Headers) -> _Claim:
    """Key and nonce of the only signature, once its times are right. It comes before any look-up."""
    return _checked_claim(_signature_parameters(headers))


def _claim_of(usual: UsualSignature) -> _Claim:
    ends = {} if usual.expires is None else {"expires": usual.expires}
    return _checked_claim({"keyid": usual.key_id, "nonce": usual.nonce, "created": usual.created, **ends})


def _checked_claim(parameters: Mapping[str, Any]) -> _Claim:
    key_id, nonce = parameters.get("keyid"), parameters.get("nonce")
    if not isinstance(key_id, str) or not 1 <= len(key_id) <= MAX_KEY_ID_LENGTH:
        raise SignatureError("the parameter keyid must be the id of a signing key")
    if not isinstance(nonce, str) or not 1 <= len(nonce) <= MAX_NONCE_LENGTH:
        raise SignatureError(f"the parameter nonce must be 1 to {MAX_NONCE_LENGTH} characters")
    now, created = utcnow(), _moment(parameters, "created")
    if abs(now - created) > CLOCK_TOLERANCE:
        minutes = int(CLOCK_TOLERANCE.total_seconds() // 60)
        raise SignatureError(f"the parameter created must be within {minutes} minutes of the server's clock")
    if "expires" in parameters and _moment(parameters, "expires") < now:
        raise SignatureError("the signature has expired")
    return _Claim(key_id, nonce, created)


def _signature_parameters(headers: Headers) -> dict[str, Any]:
    field = headers.get("signature-input")
    if field is None:
        raise SignatureError("the request is not signed (RFC 9421): it has no Signature-Input")
    try:
        signatures: Any = http_sf.parse(field.encode("ascii"), tltype="dictionary")
    except ValueError:
        raise SignatureError("the field Signature-Input is malformed") from None
    if len(signatures) != 1:
        raise SignatureError("the request must carry exactly one signature")
    (_, parameters) = next(iter(signatures.values()))
    return cast("dict[str, Any]", parameters)


def _moment(parameters: Mapping[str, Any], name: str) -> datetime:
    value = parameters.get(name)
    try:
        if type(value) is int:
            return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        pass
    raise SignatureError(f"the parameter {name} must be a Unix time in seconds")


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Judged before the key was looked up."""


def _check_signature(request: ReceivedRequest, key_id: str, secret: str) -> None:
    keys = MappingKeyResolver(public_keys={key_id: secret.encode()}, private_keys={})
    verifier = _Verifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=keys)
    try:
        (result,) = verifier.verify(request, max_age=None)
        _check_coverage(result)
        verifier.verify_body(request, [result], request.body)
    except (InvalidSignature, HTTPMessageSignaturesException) as error:
        if isinstance(error.__cause__, SignatureMismatch):
            raise SignatureError("the signature does not match the request") from None
        raise SignatureError(f"the signature is not acceptable: {error}") from None


def _check_coverage(result: VerifyResult) -> None:
    covered = {name.strip('"') for name in result.covered_components}
    if "@method" not in covered:
        raise SignatureError("the signature must cover @method")
    if not any(target <= covered for target in _TARGETS):
        raise SignatureError("the signature must cover @path and @query, or @target-uri")


def _replayed() -> SignatureError:
    return SignatureError("the nonce was used before: sign every request with a new one")
