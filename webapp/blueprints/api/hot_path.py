"""The usual requests about the usual escrow, answered ahead of Flask: created, delivered, released, refunded.

What Flask does for every request costs more than the rest of such a one. So it is read here, judged by the same
services in the same order (signature, rate limit, scope, schema), done by `ExpressLane`, and answered as its view
would. It may only ever answer what the view would have answered; `tests/api/test_express.py` compares the two.
Whatever is the least bit different, wrong or refused goes on to Flask, which says so; what is known of it by then goes
along (`web.admissions`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, cast

from flask import Flask
from pydantic import BaseModel
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from webapp.blueprints.api.documents import Address
from webapp.blueprints.api.plain_requests import JSON, Environ, PlainRequest, read_plainly
from webapp.blueprints.api.result_schemas import Delivery, Release
from webapp.blueprints.api.schemas import NewEscrow, Refund
from webapp.blueprints.api.usual_documents import UsualDocuments
from webapp.domain.exact_json import read_json, storable
from webapp.domain.exceptions import DuxosError
from webapp.domain.roles import Scope
from webapp.extensions import SESSION_OPTIONS, db, limiter
from webapp.services import idempotency
from webapp.services.container import Services
from webapp.services.express.lane import ExpressLane, Once
from webapp.services.express.rows import EscrowRow
from webapp.services.idempotency import StoredAnswer
from webapp.services.received_request import ReceivedRequest
from webapp.services.request_signing import RequestSigning, SignedRequest
from webapp.web.admissions import Admission
from webapp.web.guards import find_access
from webapp.web.headers import PAGE_POLICY, usual_headers
from webapp.web.rate_limits import limit_of_programs

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
WsgiApp = Callable[[Environ, Any], Iterable[bytes]]
Fields = list[tuple[str, str]]

_STATUSES = {200: "200 OK", 201: "201 CREATED"}
Do = Callable[[ExpressLane, str, Any], StoredAnswer | None]


def _create(lane: ExpressLane, _: str, asked: NewEscrow) -> StoredAnswer | None:
    try:
        metadata = storable(asked.metadata)
    except ValueError:
        return None
    return lane.create({**dict(asked), "metadata": metadata})


def _deliver(lane: ExpressLane, escrow_id: str, asked: Delivery) -> StoredAnswer | None:
    return None if asked.has_result else lane.deliver(escrow_id, asked.result_hash, asked.provider_signature)


def _release(lane: ExpressLane, escrow_id: str, asked: Release) -> StoredAnswer | None:
    return None if asked.has_result else lane.release(escrow_id, asked.result_hash, asked.provider_signature)


def _refund(lane: ExpressLane, escrow_id: str, asked: Refund) -> StoredAnswer | None:
    return lane.refund(escrow_id, asked.reason)


_MOVES: dict[str, tuple[type[BaseModel], Do]] = {
    "create": (NewEscrow, _create),
    "deliver": (Delivery, _deliver),
    "release": (Release, _release),
    "refund": (Refund, _refund),
}


class HotPath:
    """A WSGI application around Flask's. It has sessions of its own, which begin only when keys are looked up."""

    def __init__(self, app: Flask, inner: WsgiApp) -> None:
        self._app = app
        self._inner = inner
        with app.app_context():
            self._engine = db.engine
        self._sessions = scoped_session(sessionmaker(self._engine, **SESSION_OPTIONS))
        self._session = cast(Session, self._sessions)
        self._address = _addresses(app)
        self._documents = UsualDocuments(self._address)
        self._scopes = {move: _scopes_of(app, move) for move in _MOVES}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request, or leave it to Flask."""
        asked = read_plainly(environ)
        answer = None if asked is None else self._answer(asked, environ)
        if answer is None:
            return self._inner(environ, start_response)
        stored, fields = answer
        body = stored.body.encode()
        fields += (("Content-Type", JSON), ("Content-Length", str(len(body))))
        start_response(_STATUSES[stored.status], fields)
        return [body]

    def _answer(self, asked: PlainRequest, environ: Environ) -> tuple[StoredAnswer, Fields] | None:
        """The answer and its headers. None when Flask is to answer, which is told what is known then."""
        admission, stored = None, None
        try:
            admission = self._admitted(asked.received)
            if admission is not None and _has_place(admission):
                stored = self._done(asked, admission.signed)
        except Exception as failure:  # noqa: BLE001  (Flask words and logs it)
            # What became of a change nobody knows: it must not be tried a second time.
            if admission is not None:
                admission.failure = failure
        finally:
            if self._sessions.registry.has():
                self._sessions.remove()
        if admission is None:
            return None
        if stored is None:
            admission.hand_on(environ)
            return None
        return stored, self._fields(asked, stored, admission)

    def _admitted(self, received: ReceivedRequest) -> Admission | None:
        """Who signed it, and the place it has taken below the rate limit. None while nothing of that is sure; what
        it raises has changed nothing.
        """
        services = self._services
        try:
            signed = RequestSigning(self._session, services.key_ring).verify(received)
        except DuxosError:
            return None
        if services.seen_nonces.has_seen(signed.key.key_id, signed.nonce):
            return None
        admission = Admission(signed)
        if limiter.is_counting:
            limit = limit_of_programs(services.settings)
            admission.place = limiter.take_place(limit, signed.actor.principal)
        return admission

    def _done(self, asked: PlainRequest, signed: SignedRequest) -> StoredAnswer | None:
        """Do what is asked for, if it is plainly right."""
        schema, do = _MOVES[asked.move]
        headers, content = asked.received.headers, asked.received.body
        key = headers.get(idempotency.FIELD)
        try:
            for scope in self._scopes[asked.move]:
                signed.actor.require_scope(scope)
            if key is not None:
                idempotency.require_key(key)
            document = read_json(content) if content else {}
            body = schema.model_validate(document)
        except (DuxosError, ValueError):  # which the errors of JSON and of the schema are
            return None
        once = Once(signed, key, idempotency.request_hash("POST", f"{asked.path}?", document))

        def tell(escrow: EscrowRow) -> StoredAnswer:
            text = self._documents.text(escrow, escrow.terms, signed.actor)
            if asked.move != "create":
                return StoredAnswer(200, text)
            return StoredAnswer(201, text, self._address("api_escrows.show", str(escrow.id)))

        lane = self._services.express_lane(self._session, self._engine, once, tell)
        return do(lane, asked.escrow_id, body)

    def _fields(self, asked: PlainRequest, stored: StoredAnswer, admission: Admission) -> Fields:
        fields = list(usual_headers(PAGE_POLICY, asked.is_secure).items())
        if (place := admission.place) is not None:
            fields += (
                ("X-RateLimit-Limit", str(place.limit.amount)),
                ("X-RateLimit-Remaining", str(place.remaining)),
                ("X-RateLimit-Reset", str(place.reset_at)),
            )
        if stored.location is not None:
            fields.append(("Location", stored.location))
        return fields

    @property
    def _services(self) -> Services:
        services: Services = self._app.extensions["duxos"]
        return services


def _has_place(admission: Admission) -> bool:
    """Whether it is below the rate limit. Where that could not be counted Flask knows what to do."""
    return not limiter.enabled if admission.place is None else not admission.place.breached


def _scopes_of(app: Flask, move: str) -> tuple[Scope, ...]:
    """Those that the view of the move asks for. It is for programs alone."""
    access = find_access(app, f"api_escrows.{move}")
    if access is None or access.kind != "signed_request":
        raise ValueError(f"the view of {move} is not for signed requests")
    return tuple(map(Scope, access.names))


def _addresses(app: Flask) -> Address:
    """Where the views of escrows are, for a site that is mounted at the root."""
    adapter, place = app.url_map.bind("localhost"), str(uuid.UUID(int=0))
    pattern = cache(lambda view: adapter.build(view, {"id": place}))
    return lambda view, escrow_id: pattern(view).replace(place, escrow_id)
