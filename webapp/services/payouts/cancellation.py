"""Taking a payout back after its transaction was signed, which is safe only when that one can never confirm.

One of its inputs is spent by a transaction that pays ourselves. Either that one confirms, deep enough, and the follower
gives the money back and queues the payout's batch-mates again; or the first one does after all: then the payee is
paid, and the request is void. Until then nothing is paid and nothing given back.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.exceptions import PayoutStateError
from webapp.domain.money import ZERO, Amount
from webapp.domain.payout_states import PayoutStatus
from webapp.domain.said import said
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, Payout
from webapp.models.compare_and_set import changes_one_row
from webapp.services.daemon.answers import Coin, OutPoint, read_amount
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.fee_bump import rate_of
from webapp.services.payouts.own_transactions import OwnTransactions, estimate_size, fee_of
from webapp.services.payouts.payments import find_payments
from webapp.services.payouts.queue import return_to_wallet
from webapp.services.payouts.spender_search import Spender, find_spender
from webapp.services.payouts.transactions import UNSETTLED, InputsTakenError
from webapp.services.unit_of_work import unit_of_work

# Writes down what was done, in the unit of work that does it: in words, and the id of the transaction that does it.
Note = Callable[[str, str | None], None]
_JOINED = said("a transaction that makes its own one impossible was on its way already")

_RETURNABLE = (PayoutStatus.SIGNED, PayoutStatus.UNKNOWN)
CANCEL_SIZE = estimate_size(inputs=1, outputs=1)


def is_being_cancelled(session: Session, payout: Payout) -> bool:
    """Whether a transaction is on its way that makes the payout's own one impossible. Ends what was being read."""
    cancel = select(ChainTransaction.id).where(
        ChainTransaction.parent_id == payout.transaction_id,
        ChainTransaction.kind == "cancel",
        ChainTransaction.status.in_(UNSETTLED),
    )
    found = session.execute(cancel.limit(1)).first()
    session.commit()
    return found is not None


class Cancellation:
    """Takes back payouts whose transaction the network does not have. Call it outside a unit of work."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon
        self._own = OwnTransactions(session, settings, daemon)

    def request(self, payout: Payout, note: Note) -> None:
        """Mark the payout for return, and see to it that its transaction can never confirm.

        Raises PayoutStateError when the network has the transaction, or another one that pays the payee;
        UpkeepRefusedError, or a WalletIntegrationError.
        """
        parent = payout.transaction
        assert parent is not None, said("a signed payout has a transaction")
        if is_being_cancelled(self._session, payout):
            self._only_mark(payout, parent, lambda: note(_JOINED, None))
            return
        self._daemon.require_network()
        self._require_off_the_network(parent)
        coin = self._find_unspent_input(parent)
        if coin is None:
            self._leave_to_spender(payout, parent, note)
            return

        def mark(cancel: ChainTransaction) -> None:
            self._mark(payout, parent)
            note(said("its own transaction is made impossible"), cancel.txid)

        try:
            self._own.send("cancel", [coin], self._fee(parent), parent=parent, also=mark)
        except InputsTakenError:
            # Somebody else cancels it at this moment; two would only cost two fees.
            self._only_mark(payout, parent, lambda: note(_JOINED, None))

    def _require_off_the_network(self, parent: ChainTransaction) -> None:
        known = self._daemon.get_transaction(parent.txid)
        if known is not None and known["confirmations"] > 0:
            raise PayoutStateError(said("Its transaction is in a block: it cannot be taken back any more."))
        if self._daemon.raw_mempool_has(parent.txid):
            raise PayoutStateError(
                said("The network has its transaction: it cannot be taken back. Raise its fee instead.")
            )

    def _find_unspent_input(self, parent: ChainTransaction) -> Coin | None:
        """The transaction's best coin that nothing spends: confirmed before unconfirmed, then the largest."""
        coins = []
        for point in parent.inputs:
            output = self._daemon.get_tx_out(point.txid, point.vout)
            if output is not None:
                amount = read_amount(output["value"])
                coins.append(Coin(OutPoint(point.txid, point.vout), amount, output["confirmations"], None))
        return max(coins, key=lambda coin: (coin.confirmations > 0, coin.amount, coin.point), default=None)

    def _fee(self, parent: ChainTransaction) -> Amount:
        """At least what its rival pays for each byte, so that no miner has a reason to prefer that one."""
        rate = max(self._daemon.fee_rate_per_kb(), rate_of(parent.fee, parent.size))
        return fee_of(CANCEL_SIZE, min(rate, self._settings.max_fee_rate_per_kb))

    def _only_mark(self, payout: Payout, parent: ChainTransaction, note: Callable[[], None]) -> None:
        with unit_of_work(self._session):
            self._mark(payout, parent)
            note()

    def _mark(self, payout: Payout, parent: ChainTransaction) -> None:
        """Ask for the return, in the caller's unit of work. Raises PayoutStateError when it came too late.

        Whoever finds that the parent can never confirm changes its row first: with that row in hand, the request is
        either seen by them, or refused here.
        """
        row = select(ChainTransaction.status).where(ChainTransaction.id == parent.id).with_for_update()
        is_open = self._session.execute(row).scalar_one() in UNSETTLED
        waits = (
            (Payout.id == payout.id) & (Payout.transaction_id == parent.id) & Payout.status.in_(_RETURNABLE)
        )
        values = {
            "is_return_requested": True,
            "reason": said("being taken back: its transaction is made impossible first"),
        }
        if not is_open or not changes_one_row(self._session, update(Payout).where(waits).values(**values)):
            self._session.refresh(payout)
            raise PayoutStateError(
                said(
                    "The payout has moved on while you asked: it is {status} now. Look again.",
                    status=payout.status,
                )
            )
        self._session.refresh(payout)

    def _leave_to_spender(self, payout: Payout, parent: ChainTransaction, note: Note) -> None:
        """Something has spent its inputs already. What that pays decides, when it is deep enough."""
        spender = find_spender(self._session, self._daemon, parent, payout)
        if spender is None:
            raise PayoutStateError(
                said(
                    "Its coins come from a transaction that the network does not have at present: send "
                    "that one again, or wait until it is known what became of it."
                )
            )
        paid = find_payments(spender.transaction, [payout])
        if paid.output_index:
            raise PayoutStateError(
                said(
                    "Transaction {txid} has spent its coins and pays its address: say first whether that "
                    "has paid it.",
                    txid=spender.transaction.txid,
                )
            )
        is_final = spender.confirmations >= self._settings.payout_confirmations
        if not is_final or not self._pays_others(spender, parent):
            # Too early; or nobody of the batch is paid: then the follower gives it back by itself.
            how = said("left to the transaction that has spent its coins")
            self._only_mark(payout, parent, lambda: note(how, spender.transaction.txid))
            return
        self._return_unpaid(payout, parent, spender, note)

    def _pays_others(self, spender: Spender, parent: ChainTransaction) -> bool:
        batch = self._session.scalars(select(Payout).where(Payout.transaction_id == parent.id)).all()
        self._session.commit()
        return bool(find_payments(spender.transaction, batch).output_index)

    def _return_unpaid(self, payout: Payout, parent: ChainTransaction, spender: Spender, note: Note) -> None:
        """A transaction that pays some of the batch is final, and pays nothing to this one's address."""
        with unit_of_work(self._session):
            self._mark(payout, parent)
            # Should the chain hold the parent after all, what it pays to this address is nobody's.
            self._session.refresh(parent)
            parent.amount += payout.net or ZERO
            if payout.fee_paid_by == "fund" and payout.fee:
                move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.FUND, payout.fee)
                post(self._session, f"payout:{payout.id}:fee_return", "fee_return", [move])
            return_to_wallet(self._session, payout, said("returned by an operator: it was never paid"))
            note(
                said("another transaction has spent its coins, and does not pay it"), spender.transaction.txid
            )
