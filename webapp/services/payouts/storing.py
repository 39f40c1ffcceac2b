"""A batch before it is sent: its transaction is stored with each payout's share of it, and its fee is reserved."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Update, bindparam, select, update
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import TransactionError
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, Payout
from webapp.models.many_rows import SQLITE, among, as_arrays, table_of
from webapp.services.payouts.batching import is_not_frozen
from webapp.services.payouts.builder import Batch, Share
from webapp.services.payouts.trail import Told, record_all
from webapp.services.payouts.transactions import store
from webapp.services.unit_of_work import unit_of_work

_PAYOUTS: Any = Payout.__table__


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
    payouts = [share.payout for share in batch.shares]
    with unit_of_work(session):
        transaction = store(session, batch.signed, "payouts")
        _lock_claimed(session, [payout.id for payout in payouts], claim_token)
        _share_out(session, transaction, batch.shares)
        _reserve_fee(session, transaction, payouts)
        told = [
            Told(each.payout.id, each.payout.escrow_id, each.payout.gross, _shown(each))
            for each in batch.shares
        ]
        record_all(session, told, "payout_signed", {"txid": transaction.txid})
    return transaction


def _lock_claimed(session: Session, ids: Collection[uuid.UUID], claim_token: str) -> None:
    """Hold their rows, which nobody else changes from here on. Raises ClaimLostError unless all are claimed still.

    A wallet that was frozen meanwhile, because the chain took back what its owner is spending here, has no claim left.
    """
    held = session.execute(
        select(Payout.id)
        .where(
            among(session.connection(), Payout.id, ids),
            Payout.status == "claimed",
            Payout.claim_token == claim_token,
            is_not_frozen(),
        )
        .order_by(Payout.id)
        .with_for_update(of=Payout)
    ).all()
    if len(held) < len(ids):
        raise ClaimLostError(
            said(
                "{value} payouts are not claimed by this worker any more, or frozen",
                value=len(ids) - len(held),
            )
        )


def _share_out(session: Session, transaction: ChainTransaction, shares: Sequence[Share]) -> None:
    """Let each payout know what it gets of the transaction. The objects that the session has are not told."""
    rows = [
        {"row_id": each.payout.id, "row_index": each.output_index, "row_fee": each.fee, "row_net": each.net}
        for each in shares
    ]
    same = {"now": utcnow(), "carrier": transaction.id}
    connection = session.connection()
    if connection.dialect.name == SQLITE:
        connection.execute(_sharing(SQLITE), [row | same for row in rows])
    else:
        connection.execute(_sharing(""), as_arrays("shares", rows) | same)


@cache
def _sharing(dialect: str) -> Update:
    """Of one payout by parameters, or of all that are sent."""
    columns = _PAYOUTS.c
    kinds = {
        "row_id": columns.id.type,
        "row_index": columns.output_index.type,
        "row_fee": columns.fee.type,
        "row_net": columns.net.type,
    }
    share: Any = {name: bindparam(name, type_=kind) for name, kind in kinds.items()}
    if dialect != SQLITE:
        share = table_of("shares", kinds).c
    return (
        update(_PAYOUTS)
        .where(columns.id == share["row_id"])
        .values(
            status="signed",
            status_since=bindparam("now", type_=columns.status_since.type),
            reason=said("signed; about to be sent"),
            transaction_id=bindparam("carrier", type_=columns.transaction_id.type),
            output_index=share["row_index"],
            fee=share["row_fee"],
            net=share["row_net"],
            claim_token=None,
            claimed_until=None,
        )
    )


def _shown(share: Share) -> dict[str, str]:
    return {"fee": str(share.fee), "net": str(share.net)}


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
