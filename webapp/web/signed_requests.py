"""Requests of programs: authenticated ahead of the rate limits, let in after them.

The signature is checked first, so that limits count by key; one that is wrong counts against the address it came
from. Its refusal waits until the limits had their say. A nonce is used up last: a request that was over the limit may
be sent again as it is. A view that refuses replays by itself has no nonces kept (`keeps_nonces=False`).
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from flask import Flask, current_app, g, request
from werkzeug.exceptions import HTTPException

from webapp.domain.exceptions import AuthenticationError
from webapp.domain.roles import Actor, Scope
from webapp.domain.said import said
from webapp.services.received_request import ReceivedRequest
from webapp.services.request_signing import RequestSigning, SignedRequest
from webapp.web.admissions import find_admission
from webapp.web.current import lazy_session, services
from webapp.web.guards import Access, find_access, set_signed_request_guard

# What RFC 3986 lets stand in a path as it is.
_PATH_CHARACTERS = "/:@!$&'()*+,;=~"


def init_signed_requests(app: Flask) -> None:
    """Tie the two steps to an app. Call it before the limiter's `init_app`."""
    app.before_request(_authenticate)
    set_signed_request_guard(app, _admit)


def find_actor() -> Actor | None:
    """The key that signed the present request, or None when it is not (or wrongly) signed."""
    signed: SignedRequest | None = g.get("signed_request")
    return signed.actor if signed else None


def current_actor() -> Actor:
    """The key that signed the present request. Raises AuthenticationError without one."""
    actor = find_actor()
    if actor is None:
        raise AuthenticationError(said("the request is not signed"))
    return actor


def signed_at() -> datetime:
    """When the present request was signed, by its signer's clock: at most five minutes off ours."""
    signed: SignedRequest = g.signed_request
    return signed.created


def is_for_programs() -> bool:
    """Whether the present request's view takes signed requests only."""
    access = _access()
    return access is not None and access.kind == "signed_request"


def _access() -> Access | None:
    return find_access(current_app, request.endpoint) if request.endpoint else None


def _keeps_nonces() -> bool:
    access = _access()
    return access is None or access.keeps_nonces


def _authenticate() -> None:
    if not is_for_programs():
        return
    if admission := find_admission(request.environ):
        g.signed_request, g.signed_request_refusal = admission.signed, admission.failure
        return
    try:
        g.signed_request = _verified()
    except (AuthenticationError, HTTPException) as error:
        g.signed_request_refusal = error


def _verified() -> SignedRequest:
    signing = _signing()
    signed = signing.verify(_received())
    if _keeps_nonces() and services().seen_nonces.has_seen(signed.key.key_id, signed.nonce):
        signing.require_unused(signed)
    return signed


def _admit(scopes: tuple[str, ...]) -> None:
    if refusal := g.get("signed_request_refusal"):
        raise refusal
    signed: SignedRequest = g.signed_request
    for scope in scopes:
        signed.actor.require_scope(Scope(scope))
    if _keeps_nonces():
        _signing().use_nonce(signed)


def _signing() -> RequestSigning:
    return RequestSigning(lazy_session(), services().key_ring)


def _received() -> ReceivedRequest:
    """The request as its signer saw it: behind trusted proxies, scheme and host are those of the outside."""
    path = quote(request.root_path + request.path, safe=_PATH_CHARACTERS)
    query = request.query_string.decode("latin-1")
    url = f"{request.scheme}://{request.host}{path}{'?' + query if query else ''}"
    # Nobody gets a body read who has not even tried to sign.
    body = request.get_data(cache=True) if "Signature" in request.headers else b""
    return ReceivedRequest(request.method, url, request.headers, body)
