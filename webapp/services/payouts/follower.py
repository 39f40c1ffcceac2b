"""From stored bytes to finality: broadcast, broadcast again, confirmed, adopted under another txid, or replaced."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    RpcAuthenticationError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
)
from webapp.domain.failpoints import Step, step
from webapp.domain.money import ZERO, Amount
from webapp.ledger import pooled
from webapp.models import ChainTransaction, ChainTransactionInput, Payout
from webapp.models.compare_and_set import changes_one_row
from webapp.services.daemon.answers import DecodedTransaction, Tip
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.effects import Effects, PayoutEffects, UpkeepEffects
from webapp.services.payouts.finality import FinalityWatch
from webapp.services.payouts.foreign_cost import cost_of
from webapp.services.payouts.foreign_payments import ASKS_OPERATOR, is_written_down
from webapp.services.payouts.halts import keeps_back, raise_alert
from webapp.services.payouts.payments import Payments
from webapp.services.payouts.spender_search import Spender, find_spender, look_at_inputs
from webapp.services.payouts.transactions import UNSETTLED, sharing_a_coin
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)


class TransactionFollower:
    """Follows every transaction that is not final. Each step may be repeated without harm."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon
        self._payout_effects = PayoutEffects(session)
        self._upkeep_effects = UpkeepEffects(session)
        self._finality = FinalityWatch(session, settings, daemon, self._effects)
        self._tip = Tip(0, "")

    def run(self) -> None:
        """One look at each, and at what is final. Raises RpcUnavailableError when the daemon is out of reach."""
        self._tip = self._daemon.tip()
        self._finality.run(self._tip)
        statement = select(ChainTransaction).where(ChainTransaction.status.in_(UNSETTLED))
        transactions = self._session.scalars(statement.order_by(ChainTransaction.id)).all()
        self._session.commit()
        for transaction in transactions:
            self._look_at(transaction)

    def broadcast(self, transaction: ChainTransaction) -> None:
        """Send the stored bytes. A lost answer leaves the transaction `unknown`, never failed.

        While payouts are halted nothing is sent for the first time.
        """
        if keeps_back(self._session, transaction):
            return
        try:
            with step(Step.TRANSACTION_SEND):
                self._daemon.send_raw(transaction.signed_hex)
        except RpcUnknownOutcomeError as error:
            self._mark(transaction, "unknown", error.detail)
        except (RpcUnavailableError, RpcAuthenticationError) as error:
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
            self._forget_depth(transaction)
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
            with step(Step.TRANSACTION_DEPTH), unit_of_work(self._session):
                self._change(transaction, confirmations=confirmations, block_hash=block_hash)

    def _forget_depth(self, transaction: ChainTransaction) -> None:
        """It is in no block now; a reorganisation may have taken it out of one."""
        if transaction.confirmations:
            with step(Step.TRANSACTION_DEPTH), unit_of_work(self._session):
                self._change(transaction, confirmations=0, block_hash=None)

    def _look_for_twin(self, transaction: ChainTransaction) -> None:
        """It is neither in a block nor in the mempool: has something else spent its inputs, or undone them?

        Coins that came from a transaction which a twin has replaced do not exist under their old id any more.
        """
        self._forget_depth(transaction)
        inputs = look_at_inputs(self._daemon, transaction)
        spender = find_spender(self._session, self._daemon, transaction) if inputs.spent else None
        lost = inputs.lost(self._settings.payout_confirmations)
        if spender is not None:
            self._judge_spender(transaction, spender)
        elif lost is not None:
            self._replace(transaction, f"its input {lost.txid}:{lost.vout} was undone by the chain")
        elif not self.has_rival(transaction):
            self.broadcast(transaction)

    def _judge_spender(self, transaction: ChainTransaction, spender: Spender) -> None:
        """What the other transaction pays decides: all of it, nothing, or something only an operator can settle."""
        ours = self._daemon.decode(transaction.signed_hex)
        paid = self._effects(transaction).payments_in(transaction, ours, spender.transaction)
        self._session.commit()
        theirs = spender.transaction.txid
        # One that is written down already is not adopted once more: what it cost is in the books.
        is_known = not paid.is_twin and is_written_down(self._session, theirs)
        self._session.commit()
        if paid.is_complete and not is_known:
            self._adopt(transaction, spender, paid, ours)
        elif paid.output_index:
            reason = f"{theirs} has spent its coins and pays some of its payees: {ASKS_OPERATOR}"
            self._mark(transaction, "unknown", reason)
            with unit_of_work(self._session):
                raise_alert(self._session, "payout_conflict", transaction.txid, reason)
        elif spender.confirmations >= self._settings.payout_confirmations:
            self._replace(transaction, f"its inputs were spent by {theirs}")
        elif not self.has_rival(transaction):
            reason = (
                f"{theirs} has taken its coins and pays something else; it is given up when that is final"
            )
            self._mark(transaction, "unknown", reason)

    def has_rival(self, transaction: ChainTransaction) -> bool:
        """Whether another transaction takes this one's coins: sending both would be a race. Ends what was being read.

        A younger one that pays people and spends a coin of this one was made by somebody else, and counted as theirs:
        even if the chain has just undone it, what this one pays may have been paid otherwise since.
        """
        is_cancel = (ChainTransaction.kind == "cancel") & (ChainTransaction.parent_id == transaction.id)
        is_foreign = (
            (ChainTransaction.kind == "payouts")
            & (ChainTransaction.id > transaction.id)
            & ChainTransaction.id.in_(sharing_a_coin(transaction))
        )
        rival = select(ChainTransaction.id).where(
            is_cancel | is_foreign, ChainTransaction.status != "replaced"
        )
        found = self._session.execute(rival.limit(1)).first()
        self._session.commit()
        return found is not None

    def _adopt(
        self, transaction: ChainTransaction, spender: Spender, paid: Payments, ours: DecodedTransaction
    ) -> None:
        """The payees are paid, under another id: a malleated twin, or the same payment sent again by hand.

        Its bytes become the stored ones: what is built on its change is valid with no others.
        """
        old_txid, theirs = transaction.txid, spender.transaction
        fee, elsewhere = self._cost(transaction, spender, paid)
        with step(Step.TRANSACTION_ADOPT), unit_of_work(self._session):
            if not paid.is_twin:
                # One at a time: another batch, or an operator, may be writing the same one down at this moment.
                pooled.lock(self._session, accounts.FUND)
                if is_written_down(self._session, theirs.txid):
                    return
            if not self._change(
                transaction,
                # With its reason an operator's decision about its payouts changes, and so what was compared here.
                ChainTransaction.reason == transaction.reason,
                status="broadcast",
                txid=theirs.txid,
                signed_hex=spender.signed_hex,
                fee=fee,
                amount=elsewhere,
                size=theirs.size,
                change_index=_change_in(theirs, ours, transaction.change_index),
                confirmations=max(spender.confirmations, 0),
                block_hash=None,
            ):
                return
            if not paid.is_twin:
                self._change_inputs(transaction, theirs)
            self._effects(transaction).adopt(transaction, paid)
            if elsewhere and not paid.is_twin:
                self._warn_of_cost(theirs.txid, elsewhere)
        log.warning("twin_adopted", ours=old_txid, theirs=theirs.txid)
        self._daemon.unlock_inputs(sorted(set(ours.inputs) - set(theirs.inputs)))

    def _cost(self, transaction: ChainTransaction, spender: Spender, paid: Payments) -> tuple[Amount, Amount]:
        """The fee, and what goes to others than our payees. A twin costs what ours did."""
        if paid.is_twin:
            return spender.fee or transaction.fee, transaction.amount
        payouts = select(Payout.net).where(Payout.transaction_id == transaction.id)
        nets: Amount = sum((net for net in self._session.scalars(payouts) if net), start=ZERO)
        cost = cost_of(self._session, spender, nets)
        return cost.fee, cost.elsewhere

    def _warn_of_cost(self, txid: str, elsewhere: Amount) -> None:
        detail = f"{txid} has paid payees of ours, and taken {elsewhere} FLOP more to others: a loss"
        raise_alert(self._session, "payout_conflict", txid, detail)

    def _change_inputs(self, transaction: ChainTransaction, theirs: DecodedTransaction) -> None:
        """What was sent by hand may spend other coins besides."""
        old = ChainTransactionInput.transaction_id == transaction.id
        self._session.execute(delete(ChainTransactionInput).where(old))
        self._session.add_all(
            ChainTransactionInput(transaction_id=transaction.id, txid=point.txid, vout=point.vout)
            for point in theirs.inputs
        )
        self._session.flush()
        self._session.expire(transaction)

    def _replace(self, transaction: ChainTransaction, reason: str) -> None:
        """An input is spent or undone, deep enough to stay so: this transaction can never confirm.

        Unless somebody has seen it in a block meanwhile: then it is theirs to follow.
        """
        unchanged = (
            ChainTransaction.txid == transaction.txid,
            ChainTransaction.confirmations == transaction.confirmations,
        )
        height = self._tip.height
        with step(Step.TRANSACTION_REPLACE), unit_of_work(self._session):
            if not self._change(
                transaction, *unchanged, status="replaced", reason=reason, block_height=height
            ):
                return
            self._effects(transaction).replace(transaction, reason)
        log.error("transaction_replaced", kind=transaction.kind, txid=transaction.txid, reason=reason)

    def _confirm(self, transaction: ChainTransaction, confirmations: int, block_hash: str) -> None:
        with step(Step.TRANSACTION_CONFIRM), unit_of_work(self._session):
            if self._change(
                transaction,
                status="confirmed",
                reason="",
                confirmations=confirmations,
                block_hash=block_hash,
                block_height=self._tip.height - confirmations + 1,
            ):
                self._effects(transaction).settle(transaction)

    def _mark(self, transaction: ChainTransaction, status: str, reason: str) -> None:
        reason = reason[:500]
        if (transaction.status, transaction.reason) == (status, reason):
            return
        # The timeline tells the first time of each; a transaction may go back and forth for as long as it waits.
        is_first = transaction.status == "signed" or (status == "broadcast" and not transaction.broadcast_at)
        sent_at = {"broadcast_at": transaction.broadcast_at or utcnow()} if status == "broadcast" else {}
        with step(Step.TRANSACTION_MARK), unit_of_work(self._session):
            if self._change(transaction, status=status, reason=reason, **sent_at):
                self._effects(transaction).mark(transaction, status, reason, is_first)

    def _effects(self, transaction: ChainTransaction) -> Effects:
        return self._payout_effects if transaction.kind == "payouts" else self._upkeep_effects

    def _change(self, transaction: ChainTransaction, *conditions: ColumnElement[bool], **values: Any) -> bool:
        """Change the row unless it has become final meanwhile; the row lock makes other followers wait."""
        is_changed = changes_one_row(
            self._session,
            update(ChainTransaction)
            .where(ChainTransaction.id == transaction.id, ChainTransaction.status.in_(UNSETTLED), *conditions)
            .values(**values),
        )
        self._session.refresh(transaction)
        return is_changed


def _change_in(theirs: DecodedTransaction, ours: DecodedTransaction, change_index: int | None) -> int | None:
    """Which of their outputs goes back to our change address."""
    if change_index is None:
        return None
    address = ours.outputs[change_index].address
    return next((output.vout for output in theirs.outputs if output.address == address), None)
