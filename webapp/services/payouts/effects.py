"""What the fate of a transaction means for the books: for payouts, and for the service's own transactions.

Every method runs inside the follower's unit of work, after the transaction's row has changed.
"""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.failpoints import Step, step
from webapp.domain.money import Amount
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, Payout
from webapp.services.daemon.answers import DecodedTransaction
from webapp.services.payouts.halts import raise_alert
from webapp.services.payouts.queue import record, return_to_wallet
from webapp.services.payouts.spender_search import Payments, compare_outputs, find_payments


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


class PayoutEffects:
    """Transactions that pay people."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def payments_in(
        self, transaction: ChainTransaction, ours: DecodedTransaction, theirs: DecodedTransaction
    ) -> Payments:
        """See `Effects`."""
        return find_payments(theirs, self._payouts(transaction))

    def mark(self, transaction: ChainTransaction, status: str, reason: str, is_first: bool) -> None:
        """See `Effects`."""
        now = utcnow()
        for payout in self._payouts(transaction):
            if payout.status != status:
                payout.status_since = now
            payout.status, payout.reason = status, reason
            if is_first:
                record(self._session, payout, f"payout_{status}", {"txid": transaction.txid})

    def adopt(self, transaction: ChainTransaction, paid: Payments) -> None:
        """See `Effects`."""
        for payout in self._payouts(transaction):
            payout.status, payout.status_since = "broadcast", utcnow()
            payout.output_index = paid.output_index[payout.address]
            payout.reason = "on the network under another id; waiting for confirmations"
            record(self._session, payout, "payout_txid_changed", {"txid": transaction.txid})

    def replace(self, transaction: ChainTransaction, reason: str) -> None:
        """Queue its payouts again, or give back the money of those whose return was asked for."""
        payouts = self._payouts(transaction)
        raise_alert(self._session, "payout_replaced", transaction.txid, reason)
        self._return_reserved_fees(transaction, payouts)
        for payout in payouts:
            if payout.is_return_requested:
                return_to_wallet(
                    self._session, payout, "returned by an operator: its transaction can never confirm"
                )
                continue
            payout.status, payout.status_since = "queued", utcnow()
            payout.reason = "its first transaction can never confirm; waiting for another"
            payout.transaction_id = payout.output_index = payout.fee = payout.net = None
            record(self._session, payout, "payout_requeued", {"txid": transaction.txid})

    def settle(self, transaction: ChainTransaction) -> None:
        """See `Effects`."""
        now = utcnow()
        payouts = self._payouts(transaction)
        detail: dict[str, str | int] = {"txid": transaction.txid, "confirmations": transaction.confirmations}
        for payout in payouts:
            with step(Step.TRANSACTION_SETTLE):
                self._settle(payout)
            payout.status, payout.status_since, payout.reason = "confirmed", now, "final"
            record(self._session, payout, "payout_confirmed", detail)
        self._write_off_dust(transaction, payouts)

    def _settle(self, payout: Payout) -> None:
        assert payout.net is not None and payout.fee is not None, "a signed payout has both"
        moves = [
            Move(accounts.PAYOUTS_IN_FLIGHT, accounts.CHAIN, payout.net),
            Move(accounts.PAYOUTS_IN_FLIGHT, accounts.NETWORK_FEES, payout.fee),
        ]
        post(self._session, f"payout:{payout.id}:settle", "payout_settle", moves)

    def _write_off_dust(self, transaction: ChainTransaction, payouts: list[Payout]) -> None:
        """What the miners got beyond what the payouts bear is nobody's: change too small for an output of its own.

        The other way round, daemons that raise such change at the first payee's cost bring some of the fee back.
        """
        borne = sum(payout.fee.base_units for payout in payouts if payout.fee)
        beyond = transaction.fee.base_units - borne
        move = Move(accounts.LOSSES, accounts.NETWORK_FEES, Amount(abs(beyond)))
        if beyond:
            moves = [move if beyond > 0 else move.reversed()]
            post(self._session, f"transaction:{transaction.id}:dust", "dust_change", moves)

    def _return_reserved_fees(self, transaction: ChainTransaction, payouts: list[Payout]) -> None:
        if payouts and payouts[0].fee_paid_by == "fund":
            move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.FUND, transaction.fee)
            post(self._session, f"transaction:{transaction.id}:fee_return", "fee_return", [move])

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
        """A twin has the same outputs; anything else takes the coins elsewhere."""
        return compare_outputs(ours, theirs)

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
            post(self._session, f"transaction:{transaction.id}:sweep", "cold_sweep", [move])
