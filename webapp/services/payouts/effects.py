"""What the fate of a transaction means for the books: for payouts, and for the service's own transactions.

Every method runs inside the follower's unit of work, after the transaction's row has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.failpoints import Step, step
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.ledger.journal import Move, post
from webapp.ledger.many_entries import Entry, post_all
from webapp.models import ChainTransaction, Payout
from webapp.services.daemon.answers import DecodedTransaction
from webapp.services.payouts.halts import raise_alert
from webapp.services.payouts.payments import Payments, find_payments, is_twin
from webapp.services.payouts.queue import return_to_wallet
from webapp.services.payouts.trail import Told, record, record_all

UNDONE = said("the chain has undone its block; the same transaction is sent again")
TWIN = Payments(is_complete=True, is_partial=False, output_index={}, is_twin=True)
NOTHING_PAID = Payments(is_complete=False, is_partial=False, output_index={})


class Effects(Protocol):
    """The questions that the follower has."""

    def payments_in(
        self, transaction: ChainTransaction, ours: DecodedTransaction, theirs: DecodedTransaction
    ) -> Payments:
        """How much of what ours was to pay is paid by another transaction that spends its inputs."""

    def mark(self, transaction: ChainTransaction, status: str, reason: str, is_first: bool) -> None:
        """It is in this state; `is_first`: for the first time."""

    def adopt(self, transaction: ChainTransaction, paid: Payments) -> None:
        """It is on the network under another id, which is the row's by now."""

    def replace(self, transaction: ChainTransaction, reason: str) -> None:
        """It can never confirm."""

    def settle(self, transaction: ChainTransaction) -> None:
        """It is final."""

    def unsettle(self, transaction: ChainTransaction) -> None:
        """It was final, and the chain has undone it; its row is on its way again, and `times_undone` counted up."""


class PayoutEffects:
    """Transactions that pay people."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def payments_in(
        self, transaction: ChainTransaction, ours: DecodedTransaction, theirs: DecodedTransaction
    ) -> Payments:
        """See `Effects`."""
        if is_twin(ours, theirs):
            return TWIN
        return find_payments(theirs, self._payouts(transaction))

    def mark(self, transaction: ChainTransaction, status: str, reason: str, is_first: bool) -> None:
        """See `Effects`."""
        since = case((Payout.status != status, utcnow()), else_=Payout.status_since)
        rows = self._change_all(transaction, status=status, reason=reason, status_since=since)
        if is_first:
            record_all(self._session, _told(rows), f"payout_{status}", {"txid": transaction.txid})

    def adopt(self, transaction: ChainTransaction, paid: Payments) -> None:
        """See `Effects`."""
        for payout in self._payouts(transaction):
            payout.status, payout.status_since = "broadcast", utcnow()
            if not paid.is_twin:
                payout.output_index = paid.output_index[payout.address]
            payout.reason = said("on the network under another id; waiting for confirmations")
            record(self._session, payout, "payout_txid_changed", {"txid": transaction.txid})

    def replace(self, transaction: ChainTransaction, reason: str) -> None:
        """Queue its payouts again, or give back the money of those whose return was asked for."""
        payouts = self._payouts(transaction)
        raise_alert(self._session, "payout_replaced", transaction.txid, reason)
        self._return_reserved_fees(transaction, payouts)
        for payout in payouts:
            if payout.is_return_requested:
                return_to_wallet(
                    self._session, payout, said("returned by an operator: its transaction can never confirm")
                )
                continue
            payout.status, payout.status_since = "queued", utcnow()
            payout.reason = said("its first transaction can never confirm; waiting for another")
            payout.transaction_id = payout.output_index = payout.fee = payout.net = None
            record(self._session, payout, "payout_requeued", {"txid": transaction.txid})

    def settle(self, transaction: ChainTransaction) -> None:
        """See `Effects`."""
        rows = self._change_all(transaction, status="confirmed", status_since=utcnow(), reason="final")
        if rows:
            with step(Step.TRANSACTION_SETTLE):
                post_all(self._session, [_settlement_entry(row) for row in rows])
        detail: dict[str, str | int] = {"txid": transaction.txid, "confirmations": transaction.confirmations}
        record_all(self._session, _told(rows), "payout_confirmed", detail)
        self._write_off_dust(transaction, rows)
        if transaction.amount:
            key = f"transaction:{transaction.id}:elsewhere{_round(transaction.times_undone)}"
            post(self._session, key, "foreign_payment", [_elsewhere(transaction)])

    def settle_one_more(self, transaction: ChainTransaction, payout: Payout) -> None:
        """A final transaction has paid this payout, too: its part of what was booked as nobody's is the payout's."""
        assert payout.net is not None and payout.fee is not None, said("a signed payout has both")
        part = min(payout.net, transaction.amount)
        moves = [
            Move(accounts.CHAIN, accounts.LOSSES, part),
            Move(accounts.NETWORK_FEES, accounts.LOSSES, payout.fee),
        ]
        if part or payout.fee:
            post(self._session, f"payout:{payout.id}:accept:{transaction.id}", "payout_accept", moves)
        transaction.amount -= part
        post_all(self._session, [_settlement_entry(payout)])

    def unsettle(self, transaction: ChainTransaction) -> None:
        """See `Effects`: what the network had taken is in flight again."""
        now = utcnow()
        payouts = self._payouts(transaction)
        for payout in payouts:
            payout.times_undone += 1
            moves = [move.reversed() for move in _settlement(payout)]
            post(self._session, f"payout:{payout.id}:undo:{payout.times_undone}", "payout_undo", moves)
            payout.status, payout.status_since, payout.reason = "broadcast", now, UNDONE
            record(self._session, payout, "payout_undone", {"txid": transaction.txid})
        moves = [move.reversed() for move in _dust(transaction, payouts)]
        if moves:
            key = f"transaction:{transaction.id}:dust_undo:{transaction.times_undone}"
            post(self._session, key, "dust_change", moves)
        if transaction.amount:
            key = f"transaction:{transaction.id}:elsewhere_undo:{transaction.times_undone}"
            post(self._session, key, "foreign_payment", [_elsewhere(transaction).reversed()])

    def _write_off_dust(self, transaction: ChainTransaction, payouts: Sequence[Any]) -> None:
        moves = _dust(transaction, payouts)
        if moves:
            key = f"transaction:{transaction.id}:dust{_round(transaction.times_undone)}"
            post(self._session, key, "dust_change", moves)

    def _return_reserved_fees(self, transaction: ChainTransaction, payouts: list[Payout]) -> None:
        """What is still reserved: the share of a payout that was returned before this went back with it."""
        reserved = sum((payout.fee for payout in payouts if payout.fee), start=ZERO)
        if reserved and payouts[0].fee_paid_by == "fund":
            move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.FUND, reserved)
            post(self._session, f"transaction:{transaction.id}:fee_return", "fee_return", [move])

    def _change_all(self, transaction: ChainTransaction, **values: Any) -> Sequence[Any]:
        """Change all of its payouts by one statement; their rows afterwards, in the order of their ids. Objects that
        the session has are not told.
        """
        statement = update(Payout).where(Payout.transaction_id == transaction.id).values(**values)
        columns = (
            Payout.id, Payout.escrow_id, Payout.gross, Payout.fee, Payout.net, Payout.times_undone,
        )  # fmt: skip
        rows = self._session.execute(
            statement.returning(*columns).execution_options(synchronize_session=False)
        )
        return sorted(rows, key=lambda row: row.id)

    def _payouts(self, transaction: ChainTransaction) -> list[Payout]:
        statement = select(Payout).where(Payout.transaction_id == transaction.id).order_by(Payout.id)
        return list(self._session.scalars(statement.execution_options(populate_existing=True)))


class UpkeepEffects:
    """The service's own transactions. Their fee was booked when they were stored."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def payments_in(
        self, transaction: ChainTransaction, ours: DecodedTransaction, theirs: DecodedTransaction
    ) -> Payments:
        """Only a twin pays what ours does; anything else takes the coins elsewhere."""
        return TWIN if is_twin(ours, theirs) else NOTHING_PAID

    def mark(self, transaction: ChainTransaction, status: str, reason: str, is_first: bool) -> None:
        """Nobody waits for it by name."""

    def adopt(self, transaction: ChainTransaction, paid: Payments) -> None:
        """A twin pays the same."""

    def replace(self, transaction: ChainTransaction, reason: str) -> None:
        """Give the fund its fee back: no miner will have it."""
        move = Move(accounts.NETWORK_FEES, accounts.FUND, transaction.fee)
        post(self._session, f"transaction:{transaction.id}:upkeep_return", "upkeep_return", [move])

    def settle(self, transaction: ChainTransaction) -> None:
        """Coins that were swept are in cold storage from here on."""
        if transaction.kind == "sweep":
            move = Move(accounts.COLD, accounts.CHAIN, transaction.amount)
            key = f"transaction:{transaction.id}:sweep{_round(transaction.times_undone)}"
            post(self._session, key, "cold_sweep", [move])

    def unsettle(self, transaction: ChainTransaction) -> None:
        """Coins that were swept are on their way again; nothing else was booked at the end."""
        if transaction.kind == "sweep":
            move = Move(accounts.CHAIN, accounts.COLD, transaction.amount)
            key = f"transaction:{transaction.id}:sweep_undo:{transaction.times_undone}"
            post(self._session, key, "cold_sweep", [move])


def _told(rows: Iterable[Any]) -> list[Told]:
    return [Told(row.id, row.escrow_id, row.gross) for row in rows]


def _settlement_entry(payout: Any) -> Entry:
    """The payout, or its row: what the network has taken of it."""
    key = f"payout:{payout.id}:settle{_round(payout.times_undone)}"
    return Entry(key, "payout_settle", None, utcnow(), tuple(_settlement(payout)))


def _settlement(payout: Any) -> list[Move]:
    assert payout.net is not None and payout.fee is not None, said("a signed payout has both")
    return [
        Move(accounts.PAYOUTS_IN_FLIGHT, accounts.CHAIN, payout.net),
        Move(accounts.PAYOUTS_IN_FLIGHT, accounts.NETWORK_FEES, payout.fee),
    ]


def _dust(transaction: ChainTransaction, payouts: Iterable[Any]) -> list[Move]:
    """What the miners got beyond what the payouts bear is nobody's: change too small for an output of its own.

    The other way round, daemons that raise such change at the first payee's cost bring some of the fee back.
    """
    borne = sum(payout.fee.base_units for payout in payouts if payout.fee)
    beyond = transaction.fee.base_units - borne
    move = Move(accounts.LOSSES, accounts.NETWORK_FEES, Amount(abs(beyond)))
    if not beyond:
        return []
    return [move if beyond > 0 else move.reversed()]


def _elsewhere(transaction: ChainTransaction) -> Move:
    """What a transaction that we did not make took of our coins to others than our payees and the miners."""
    return Move(accounts.LOSSES, accounts.CHAIN, transaction.amount)


def _round(times_undone: int) -> str:
    """The end of a key: the first settlement is without a number, so that it stays unique by itself."""
    return f":{times_undone}" if times_undone else ""
