"""From stored bytes to finality: broadcast, broadcast again, confirmed, adopted under another txid, or replaced."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import RpcRefusedError, RpcUnavailableError, RpcUnknownOutcomeError
from webapp.domain.money import Amount
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, Payout
from webapp.models.compare_and_set import changes_one_row
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.halts import raise_alert
from webapp.services.payouts.queue import record
from webapp.services.payouts.spender_search import (
    Payments,
    Spender,
    find_lost_input,
    find_payments,
    find_spender,
)
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

UNSETTLED = ("signed", "unknown", "broadcast")


class TransactionFollower:
    """Follows every transaction that is not final. Each step may be repeated without harm."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon

    def run(self) -> None:
        """One look at each. Raises RpcUnavailableError when the daemon is out of reach."""
        statement = select(ChainTransaction).where(ChainTransaction.status.in_(UNSETTLED))
        transactions = self._session.scalars(statement.order_by(ChainTransaction.id)).all()
        self._session.commit()
        for transaction in transactions:
            self._look_at(transaction)

    def broadcast(self, transaction: ChainTransaction) -> None:
        """Send the stored bytes. A lost answer leaves the transaction `unknown`, never failed."""
        try:
            self._daemon.send_raw(transaction.signed_hex)
        except RpcUnknownOutcomeError as error:
            self._mark(transaction, "unknown", error.detail)
        except RpcUnavailableError as error:
            log.warning("broadcast_waits_for_daemon", txid=transaction.txid, reason=error.detail)
        except RpcRefusedError as error:
            # The inputs may be spent by a twin, or the node may dislike it: the next look finds out which.
            self._mark(transaction, "unknown", f"the daemon did not take it: {error.detail}")
        else:
            self._mark(transaction, "broadcast", "on the network; waiting for confirmations")

    def _look_at(self, transaction: ChainTransaction) -> None:
        known = self._daemon.get_transaction(transaction.txid)
        confirmations = known["confirmations"] if known else 0
        if known and confirmations > 0:
            self._follow_confirmations(transaction, confirmations, known["blockhash"])
        elif known and confirmations == 0 and self._daemon.raw_mempool_has(transaction.txid):
            self._mark(transaction, "broadcast", "on the network; waiting for confirmations")
            if transaction.confirmations:  # a reorganisation put it back into the mempool
                with unit_of_work(self._session):
                    self._change(transaction, confirmations=0, block_hash=None)
        else:
            self._look_for_twin(transaction)

    def _follow_confirmations(
        self, transaction: ChainTransaction, confirmations: int, block_hash: str
    ) -> None:
        if transaction.status != "broadcast":
            self._mark(transaction, "broadcast", "on the network; waiting for confirmations")
        if confirmations >= self._settings.payout_confirmations:
            self._confirm(transaction, confirmations, block_hash)
        elif (confirmations, block_hash) != (transaction.confirmations, transaction.block_hash):
            with unit_of_work(self._session):
                self._change(transaction, confirmations=confirmations, block_hash=block_hash)

    def _look_for_twin(self, transaction: ChainTransaction) -> None:
        """It is neither in a block nor in the mempool: has something else spent its inputs?"""
        spender = find_spender(self._daemon, transaction)
        if spender is None:
            self._broadcast_unless_dead(transaction)
        else:
            self._judge_spender(transaction, spender)

    def _judge_spender(self, transaction: ChainTransaction, spender: Spender) -> None:
        """What the other transaction pays decides: everybody, nobody, or something only an operator can settle."""
        payouts = self._payouts(transaction)
        self._session.commit()
        paid = find_payments(spender.transaction, payouts)
        theirs = spender.transaction.txid
        if paid.is_complete:
            self._adopt(transaction, spender, paid)
        elif paid.is_partial:
            reason = f"{theirs} spent its inputs and pays some of its payees: compare them by hand"
            self._mark(transaction, "unknown", reason)
            with unit_of_work(self._session):
                raise_alert(self._session, "payout_conflict", transaction.txid, reason)
        elif spender.confirmations >= self._settings.payout_confirmations:
            self._replace(transaction, f"its inputs were spent by {theirs}")

    def _broadcast_unless_dead(self, transaction: ChainTransaction) -> None:
        """Coins that came from a transaction which a twin has replaced do not exist under their old id any more."""
        lost = find_lost_input(self._daemon, transaction, self._settings.payout_confirmations)
        if lost is None:
            self.broadcast(transaction)
        else:
            self._replace(transaction, f"its input {lost.txid}:{lost.vout} was undone by the chain")

    def _adopt(self, transaction: ChainTransaction, spender: Spender, paid: Payments) -> None:
        """The payees are paid, under another id: a malleated twin, or the same payment sent again by hand."""
        ours, theirs = transaction.txid, spender.transaction.txid
        with unit_of_work(self._session):
            confirmations = max(spender.confirmations, 0)
            fee = spender.fee or transaction.fee
            if not self._change(
                transaction, status="broadcast", txid=theirs, fee=fee, confirmations=confirmations
            ):
                return
            for payout in self._payouts(transaction):
                payout.status, payout.status_since = "broadcast", utcnow()
                payout.output_index = paid.output_index[payout.address]
                payout.reason = "on the network under another id; waiting for confirmations"
                record(self._session, payout, "payout_txid_changed", {"txid": theirs})
        log.warning("twin_adopted", ours=ours, theirs=theirs)

    def _replace(self, transaction: ChainTransaction, reason: str) -> None:
        """An input is spent or undone, deep enough to stay so: this transaction can never confirm; pay anew."""
        with unit_of_work(self._session):
            payouts = self._payouts(transaction)
            if not self._change(transaction, status="replaced", reason=reason):
                return
            raise_alert(self._session, "payout_replaced", transaction.txid, reason)
            self._return_reserved_fees(transaction, payouts)
            for payout in payouts:
                payout.status, payout.status_since = "queued", utcnow()
                payout.reason = "its first transaction can never confirm; waiting for another"
                payout.transaction_id = payout.output_index = payout.fee = payout.net = None
                record(self._session, payout, "payout_requeued", {"txid": transaction.txid})
        log.error("payout_transaction_replaced", txid=transaction.txid, reason=reason)

    def _return_reserved_fees(self, transaction: ChainTransaction, payouts: list[Payout]) -> None:
        if payouts and payouts[0].fee_paid_by == "fund":
            move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.FUND, transaction.fee)
            post(self._session, f"transaction:{transaction.id}:fee_return", "fee_return", [move])

    def _confirm(self, transaction: ChainTransaction, confirmations: int, block_hash: str) -> None:
        now = utcnow()
        with unit_of_work(self._session):
            if not self._change(
                transaction, status="confirmed", reason="", confirmations=confirmations, block_hash=block_hash
            ):
                return
            payouts = self._payouts(transaction)
            for payout in payouts:
                self._settle(payout)
                payout.status, payout.status_since, payout.reason = "confirmed", now, "final"
                record(
                    self._session,
                    payout,
                    "payout_confirmed",
                    {"txid": transaction.txid, "confirmations": confirmations},
                )
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

    def _payouts(self, transaction: ChainTransaction) -> list[Payout]:
        statement = select(Payout).where(Payout.transaction_id == transaction.id).order_by(Payout.id)
        return list(self._session.scalars(statement.execution_options(populate_existing=True)))

    def _mark(self, transaction: ChainTransaction, status: str, reason: str) -> None:
        if (transaction.status, transaction.reason) == (status, reason[:500]):
            return
        now = utcnow()
        # The timeline tells the first time of each; a transaction may go back and forth for as long as it waits.
        is_first = transaction.status == "signed" or (status == "broadcast" and not transaction.broadcast_at)
        sent_at = {"broadcast_at": transaction.broadcast_at or now} if status == "broadcast" else {}
        with unit_of_work(self._session):
            if not self._change(transaction, status=status, reason=reason[:500], **sent_at):
                return
            for payout in self._payouts(transaction):
                if payout.status != status:
                    payout.status_since = now
                payout.status, payout.reason = status, reason[:500]
                if is_first:
                    record(self._session, payout, f"payout_{status}", {"txid": transaction.txid})

    def _change(self, transaction: ChainTransaction, **values: Any) -> bool:
        """Change the row unless it has become final meanwhile; the row lock makes other followers wait."""
        is_changed = changes_one_row(
            self._session,
            update(ChainTransaction)
            .where(ChainTransaction.id == transaction.id, ChainTransaction.status.in_(UNSETTLED))
            .values(**values),
        )
        self._session.refresh(transaction)
        return is_changed
