"""Payouts over JSON: how far one is."""

from __future__ import annotations

import uuid

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.documents import payout_document
from webapp.blueprints.api.operations import answer, operation, operation_id
from webapp.blueprints.api.schemas import PayoutDocument, PayoutPath
from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Scope
from webapp.services.wallet_queries import get_own_payout
from webapp.web.current import db_session
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

bp = APIBlueprint(
    "api_payouts",
    __name__,
    url_prefix="/payout",
    abp_tags=[Tag(name="Wallets")],
    operation_id_callback=operation_id,
)


@bp.get("/<id>", **operation(Scope.WALLET_READ, PayoutDocument))
@signed_request(Scope.WALLET_READ)
def show(path: PayoutPath) -> Response:
    """A payout of the key's wallet, with its transaction and confirmations once it has them."""
    try:
        payout_id = uuid.UUID(path.id)
    except ValueError:
        raise NotFoundError("there is no such payout, or it is not yours") from None
    return answer(payout_document(get_own_payout(db_session(), current_actor(), payout_id)))
