"""Signed transactions before they are sent: what is kept of them, so that a crash loses nothing and repeats nothing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import Select, select, true, tuple_
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from webapp.domain import accounts
from webapp.domain.exceptions import TransactionError
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.models import ChainTransaction, ChainTransactionInput
from webapp.services.daemon.answers import OutPoint

UNSETTLED = ("signed", "unknown", "broadcast")


class InputsTakenError(TransactionError):
    """A stored transaction spends one of these coins already: two workers chose alike, or a lock was forgotten."""

    slug = "inputs-taken"
    title = said("Another transaction spends the same coins")


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Ready to be stored and then broadcast. `fee` is what miners get; `size` is in bytes; `change_index` is the
    output that comes back to the wallet, or None.
    """

    txid: str
    signed_hex: str
    fee: Amount
    size: int
    change_index: int | None
    inputs: tuple[OutPoint, ...]
    built_on_block: str


def store(
    session: Session,
    signed: SignedTransaction,
    kind: str,
    *,
    parent_id: uuid.UUID | None = None,
    amount: Amount = ZERO,
) -> ChainTransaction:
    """Keep it as `signed`, in the caller's unit of work. Raises InputsTakenError; only a `cancel` may take coins of
    another one, since that is what it is for: of its parent, and once at a time.
    """
    # One at a time: of two that were built from the same coins at once, the second must see the first.
    pooled.lock(session, accounts.FUND)
    _require_free(session, signed.inputs, parent_id if kind == "cancel" else None)
    transaction = ChainTransaction(
        id=uuid7(),
        kind=kind,
        parent_id=parent_id,
        status="signed",
        txid=signed.txid,
        signed_hex=signed.signed_hex,
        fee=signed.fee,
        amount=amount,
        size=signed.size,
        change_index=signed.change_index,
        built_on_block=signed.built_on_block,
        inputs=[ChainTransactionInput(txid=point.txid, vout=point.vout) for point in signed.inputs],
    )
    session.add(transaction)
    session.flush()
    return transaction


def sharing_a_coin(transaction: ChainTransaction) -> Select[uuid.UUID]:
    """The ids of the stored transactions that spend a coin of this one, itself among them."""
    own, other = ChainTransactionInput, aliased(ChainTransactionInput)
    return (
        select(other.transaction_id)
        .join(own, (own.txid == other.txid) & (own.vout == other.vout))
        .where(own.transaction_id == transaction.id)
    )


def _require_free(session: Session, inputs: tuple[OutPoint, ...], except_of: uuid.UUID | None) -> None:
    point = tuple_(ChainTransactionInput.txid, ChainTransactionInput.vout)
    taken = session.execute(
        select(ChainTransaction.txid)
        .join(ChainTransactionInput, ChainTransactionInput.transaction_id == ChainTransaction.id)
        .where(
            point.in_(list(inputs)),
            ChainTransaction.status.in_(UNSETTLED),
            true() if except_of is None else ChainTransaction.id != except_of,
        )
        .limit(1)
    ).scalar()
    if taken is not None:
        raise InputsTakenError(said("transaction {taken} spends one of these coins already", taken=taken))
