"""Wallets over JSON: what is in one, and a withdrawal from it, before and when it is asked for."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field

from webapp.blueprints.api.documents import payout_document, wallet_document
from webapp.blueprints.api.fields import AmountOut, MomentOut
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    created_at_location,
    made,
    operation,
    operation_id,
)
from webapp.blueprints.api.schemas import (
    Answer,
    IdempotencyHeader,
    PayoutDocument,
    RequestPart,
    WalletDocument,
    WalletPath,
    Withdrawal,
)
from webapp.domain.clock import to_rfc3339
from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import Amount
from webapp.domain.roles import Scope
from webapp.services import wallet_queries
from webapp.services.idempotency import StoredAnswer
from webapp.services.payouts.preview import Preview, preview_withdrawal
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Wallets", description="Balances, and payouts on the chain")
bp = APIBlueprint(
    "api_wallets", __name__, url_prefix="/wallet", abp_tags=[_TAG], operation_id_callback=operation_id
)


class CreatedPayout(PayoutDocument):
    """A new payout, with its address in `Location`."""


class WithdrawalQuery(RequestPart):
    """How much would be withdrawn."""

    amount: str = Field(description="FLOP, with at most eight decimals", json_schema_extra={"example": "50"})


class WithdrawalPreview(Answer):
    """What would become of a withdrawal. It promises `max_fee` and `least_net`; `fee` and `net` are an estimate."""

    gross: AmountOut = Field(examples=["50.00000000"])
    fee: AmountOut = Field(description="The network fee if it left alone", examples=["0.00226000"])
    net: AmountOut = Field(description="What would arrive then", examples=["49.99774000"])
    max_fee: AmountOut = Field(description="What the fee never exceeds", examples=["0.05000000"])
    least_net: AmountOut = Field(description="What arrives at least", examples=["49.95000000"])
    fee_paid_by: str = Field(description="`recipient` or `fund`")
    fee_rate_per_kb: AmountOut = Field(examples=["0.01000000"])
    missing_payouts: int = Field(
        description="Payouts of others that it would wait for; zero: it leaves at once"
    )
    leaves_by: MomentOut = Field(description="When it leaves at the latest if the chain is in reach")
    needs_approval: bool = Field(description="Whether an operator must approve it first")
    remaining: AmountOut | None = Field(description="What may leave within 24 hours; null: any amount")
    obstacles: list[str] = Field(description="Why it would be refused; empty: it would not")


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
        queue = services().wallets(session).payouts
        payout = queue.withdraw(path.id, body.address, amount, current_actor())
        return made(payout_document(payout), url_for("api_payouts.show", id=payout.id))

    return answer_once(header, effect)


@bp.get("/<id>/withdraw/preview", **operation(Scope.WALLET_READ, WithdrawalPreview))
@signed_request(Scope.WALLET_READ)
def preview(path: WalletPath, query: WithdrawalQuery) -> Response:
    """What a withdrawal would cost, when it would leave, and what stands in its way. Nothing happens."""
    _require_own(path.id)
    amount = Amount.parse(query.amount)
    return answer(_document(preview_withdrawal(db_session(), services().settings, path.id, amount)))


def _document(preview: Preview) -> WithdrawalPreview:
    return WithdrawalPreview(
        gross=str(preview.gross),
        fee=str(preview.fee),
        net=str(preview.net),
        max_fee=str(preview.max_fee),
        least_net=str(preview.least_net),
        fee_paid_by=preview.fee_paid_by,
        fee_rate_per_kb=str(preview.fee_rate_per_kb),
        missing_payouts=preview.batch.missing,
        leaves_by=to_rfc3339(preview.batch.at_latest) or "",
        needs_approval=preview.needs_approval,
        remaining=None if preview.remaining is None else str(preview.remaining),
        obstacles=list(preview.obstacles),
    )


def _require_own(wallet_id: int) -> None:
    if wallet_id not in current_actor().wallet_ids:
        raise NotFoundError(f"there is no wallet {wallet_id}, or it is not yours")
