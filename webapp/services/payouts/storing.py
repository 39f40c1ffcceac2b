"""A batch before it is sent: its transaction is stored with each payout's share of it, and its fee is reserved."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import TransactionError
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, Payout
from webapp.services.payouts.batching import is_not_frozen
from webapp.services.payouts.builder import Batch
from webapp.services.payouts.queue import record
from webapp.services.payouts.transactions import store
from webapp.services.unit_of_work import unit_of_work


class ClaimLostError(TransactionError):
    """Another worker took over what was being built; the transaction is thrown away unsent."""

    slug = "claim-lost"
    title = said("Another worker has taken over")


class FundTooPoorError(TransactionError):
    """The community fund bears the fees and has less than this one. It could bear `affordable` payouts or so."""

    slug = "fund-too-poor"
    title = said("The community fund cannot bear the network fee")

    def __init__(self, detail: str, *, affordable: int) -> None:
        super().__init__(detail)
        self.affordable = affordable


def store_batch(session: Session, batch: Batch, claim_token: str) -> ChainTransaction:
    """Keep it as `signed`, in a unit of work of its own. From then on it may be sent, and nothing else in its place.

    Raises ClaimLostError, FundTooPoorError or InputsTakenError; nothing is stored then.
    """
    shares = {share.payout.id: share for share in batch.shares}
    with unit_of_work(session):
        transaction = store(session, batch.signed, "payouts")
        claimed = _lock_claimed(session, shares, claim_token)
        for payout in claimed:
            share = shares[payout.id]
            payout.status, payout.status_since = "signed", utcnow()
            payout.reason = said("signed; about to be sent")
            payout.transaction_id, payout.output_index = transaction.id, share.output_index
            payout.fee, payout.net = share.fee, share.net
            payout.claim_token = payout.claimed_until = None
        session.flush()
        _reserve_fee(session, transaction, claimed)
        for payout in claimed:
            detail = {"txid": transaction.txid, "fee": str(payout.fee), "net": str(payout.net)}
            record(session, payout, "payout_signed", detail)
    return transaction


def _lock_claimed(session: Session, ids: Collection[uuid.UUID], claim_token: str) -> Sequence[Payout]:
    """Their rows, which nobody else changes from here on. Raises ClaimLostError unless all are claimed still.

    A wallet that was frozen meanwhile, because the chain took back what its owner is spending here, has no claim left.
    """
    claimed = session.scalars(
        select(Payout)
        .where(
            Payout.id.in_(ids),
            Payout.status == "claimed",
            Payout.claim_token == claim_token,
            is_not_frozen(),
        )
        .order_by(Payout.id)
        .with_for_update(of=Payout)
        .execution_options(populate_existing=True)
    ).all()
    if len(claimed) < len(ids):
        raise ClaimLostError(
            said(
                "{value} payouts are not claimed by this worker any more, or frozen",
                value=len(ids) - len(claimed),
            )
        )
    return claimed


def _reserve_fee(session: Session, transaction: ChainTransaction, payouts: Sequence[Payout]) -> None:
    """A fee that the fund bears leaves it now, so that it is there when the network takes it."""
    if payouts[0].fee_paid_by != "fund":
        return
    pooled.lock(session, accounts.FUND)
    fee, fund = transaction.fee.base_units, max(pooled.balance(session, accounts.FUND), 0)
    if fund < fee:
        raise FundTooPoorError(
            said("the community fund cannot bear the network fee of {fee} FLOP", fee=transaction.fee),
            affordable=len(payouts) * fund // fee,
        )
    move = Move(accounts.FUND, accounts.PAYOUTS_IN_FLIGHT, transaction.fee)
    post(session, f"transaction:{transaction.id}:fee", "fee_reserve", [move])
