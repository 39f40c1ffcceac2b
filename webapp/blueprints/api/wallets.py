"""Wallets over JSON: what is in one, and a withdrawal from it."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.documents import payout_document, wallet_document
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    created_at_location,
    made,
    operation,
    operation_id,
)
from webapp.blueprints.api.schemas import (
    IdempotencyHeader,
    PayoutDocument,
    WalletDocument,
    WalletPath,
    Withdrawal,
)
from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import Amount
from webapp.domain.roles import Scope
from webapp.services import wallet_queries
from webapp.services.idempotency import StoredAnswer
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Wallets", description="Balances, and payouts on the chain")
bp = APIBlueprint(
    "api_wallets", __name__, url_prefix="/wallet", abp_tags=[_TAG], operation_id_callback=operation_id
)


class CreatedPayout(PayoutDocument):
    """A new payout, with its address in `Location`."""


@bp.get("/<id>", **operation(Scope.WALLET_READ, WalletDocument))
@signed_request(Scope.WALLET_READ)
def show(path: WalletPath) -> Response:
    """The key's wallet: what may be spent, what is locked, what is on its way in and out."""
    _require_own(path.id)
    session = db_session()
    address = services().wallets(session).deposit_address(path.id)
    return answer(wallet_document(wallet_queries.overview(session, path.id), address))


@bp.post(
    "/<id>/withdraw", **operation(Scope.WALLET_WITHDRAW, created_at_location(CreatedPayout), creates=True)
)
@signed_request(Scope.WALLET_WITHDRAW)
def withdraw(path: WalletPath, header: IdempotencyHeader, body: Withdrawal) -> Response:
    """Send coins from the available balance to an address on the chain. It counts against the key's spend limit."""
    _require_own(path.id)
    session = db_session()
    amount = Amount.parse(body.amount)

    def effect() -> StoredAnswer:
        services().signing_keys(session).spend(current_actor(), amount)
        payout = services().wallets(session).payouts.withdraw(path.id, body.address, amount)
        return made(payout_document(payout), url_for("api_payouts.show", id=payout.id))

    return answer_once(header, effect)


def _require_own(wallet_id: int) -> None:
    if wallet_id not in current_actor().wallet_ids:
        raise NotFoundError(f"there is no wallet {wallet_id}, or it is not yours")
