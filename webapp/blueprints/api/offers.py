"""Offers over JSON: the two sides of an escrow agree on a split of it. One that is accepted is executed at once."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.documents import escrow_documents
from webapp.blueprints.api.offer_schemas import (
    Acceptance,
    CreatedOffer,
    NewOffer,
    OfferDocument,
    OfferList,
    OfferPath,
)
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    changed,
    created_at_location,
    made,
    operation,
    operation_id,
)
from webapp.blueprints.api.schemas import EscrowDocument, EscrowPath, IdempotencyHeader
from webapp.domain.clock import to_rfc3339
from webapp.domain.money import Amount
from webapp.domain.offers import Side
from webapp.domain.roles import Scope
from webapp.models import Escrow, SettlementOffer
from webapp.services.escrow_manager import EscrowManager
from webapp.services.idempotency import StoredAnswer
from webapp.services.offers import Offers, StandingOffer
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Offers", description="Splits of an escrow that its two sides agree on")
bp = APIBlueprint(
    "api_offers", __name__, url_prefix="/escrow", abp_tags=[_TAG], operation_id_callback=operation_id
)


@bp.post("/<id>/offers", **operation(Scope.ESCROW_SETTLE, created_at_location(CreatedOffer), creates=True))
@signed_request(Scope.ESCROW_SETTLE)
def offer(path: EscrowPath, header: IdempotencyHeader, body: NewOffer) -> Response:
    """Offer the other side a split, or answer its offer with another one. It replaces the one of before."""
    offers = _offers()

    def effect() -> StoredAnswer:
        new = offers.offer(
            path.id, body.share, body.message, answers=body.answers, expires_at=body.expires_at
        )
        document = CreatedOffer(**_told(new, offers).model_dump())
        return made(document, url_for("api_offers.show", id=path.id, offer_id=new.id))

    return answer_once(header, effect)


@bp.get("/<id>/offers", **operation(Scope.ESCROW_READ, OfferList))
@signed_request(Scope.ESCROW_READ)
def list_all(path: EscrowPath) -> Response:
    """What the sides have offered each other, and what became of it."""
    return answer(OfferList(items=[_document(each) for each in _offers().list(_escrow(path.id))]))


@bp.get("/<id>/offers/<offer_id>", **operation(Scope.ESCROW_READ, OfferDocument))
@signed_request(Scope.ESCROW_READ)
def show(path: OfferPath) -> Response:
    """One offer."""
    return answer(_document(_offers().get(_escrow(path.id), path.offer_id)))


@bp.post(
    "/<id>/offers/<offer_id>/accept",
    **operation(
        Scope.ESCROW_SETTLE,
        EscrowDocument,
        changes=True,
        description="The escrow is divided in the same moment. `share` is the one that you have seen: another one "
        "is not accepted.",
    ),
)
@signed_request(Scope.ESCROW_SETTLE)
def accept(path: OfferPath, header: IdempotencyHeader, body: Acceptance) -> Response:
    """Agree to an offer of the other side."""
    seen = Amount.parse(body.share, field="share", allow_zero=True)

    def effect() -> StoredAnswer:
        escrow = _offers().accept(path.id, path.offer_id, seen)
        return changed(escrow_documents([escrow], _manager(), current_actor())[0])

    return answer_once(header, effect)


@bp.post("/<id>/offers/<offer_id>/decline", **operation(Scope.ESCROW_SETTLE, OfferDocument, changes=True))
@signed_request(Scope.ESCROW_SETTLE)
def decline(path: OfferPath, header: IdempotencyHeader) -> Response:
    """Say no to an offer of the other side."""
    offers = _offers()
    return answer_once(header, lambda: changed(_told(offers.decline(path.id, path.offer_id), offers)))


@bp.post("/<id>/offers/<offer_id>/withdraw", **operation(Scope.ESCROW_SETTLE, OfferDocument, changes=True))
@signed_request(Scope.ESCROW_SETTLE)
def withdraw(path: OfferPath, header: IdempotencyHeader) -> Response:
    """Take an offer of your own side back."""
    offers = _offers()
    return answer_once(header, lambda: changed(_told(offers.withdraw(path.id, path.offer_id), offers)))


def _offers() -> Offers:
    return services().offers(db_session(), current_actor())


def _manager() -> EscrowManager:
    return services().escrow_manager(db_session(), current_actor())


def _escrow(escrow_id: str) -> Escrow:
    return _manager().get_escrow(escrow_id)


def _told(offer: SettlementOffer, offers: Offers) -> OfferDocument:
    """An offer that has just changed. The key need not be one that reads escrows."""
    escrow = db_session().get_one(Escrow, offer.escrow_id)
    return _document(offers.standing(escrow, offer))


def _document(standing: StandingOffer) -> OfferDocument:
    offer, parts = standing.offer, standing.parts
    return OfferDocument(
        id=offer.id,
        escrow_id=str(offer.escrow_id),
        side=Side(offer.side),
        share=str(offer.share),
        provider_amount=str(parts.provider),
        community_amount=str(parts.fund),
        refunded_amount=str(parts.payer),
        message=offer.message,
        answers=offer.answers_id,
        status=standing.status,
        created_at=to_rfc3339(offer.created_at) or "",
        expires_at=to_rfc3339(offer.expires_at),
        ended_at=to_rfc3339(offer.ended_at),
    )
