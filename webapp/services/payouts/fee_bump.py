"""Raising the fee of a transaction that miners leave lying: a child spends its change and pays for both.

The bytes of the parent stay what they are, so nobody can be paid twice. A miner who wants the child's fee must take
along whatever it builds on; what counts is what all of that pays for each byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import PayoutStateError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import ChainTransaction, ChainTransactionInput
from webapp.services.daemon.answers import Ancestry, Coin, OutPoint, read_amount
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.own_transactions import (
    OwnTransactions,
    UpkeepRefusedError,
    estimate_size,
    fee_of,
)
from webapp.services.payouts.transactions import UNSETTLED, InputsTakenError

CHILD_SIZE = estimate_size(inputs=1, outputs=1)
# A raise that nobody notices is not worth its child: at least half as much again.
STEP_PERCENT = 150
# Daemons refuse longer chains of unconfirmed transactions.
MOST_ANCESTORS = 24


@dataclass(frozen=True, slots=True)
class Bumpable:
    """What a child would spend and pay for. `last` is the transaction whose change it is: the parent, or what builds
    on it; `is_raised` tells of a child that is on its way.
    """

    last: ChainTransaction
    coin: Coin
    ancestry: Ancestry
    is_raised: bool

    @property
    def rate_per_kb(self) -> Amount:
        """FLOP per 1000 bytes that all of it pays now, rounded down."""
        return rate_of(self.ancestry.fees, self.ancestry.size)

    def fee_for(self, rate_per_kb: Amount, floor_per_kb: Amount) -> Amount:
        """What the child must pay so that all of it pays the rate; for itself at least the floor."""
        whole = fee_of(self.ancestry.size + CHILD_SIZE, rate_per_kb).base_units
        missing = max(0, whole - self.ancestry.fees.base_units)
        return max(Amount(missing), fee_of(CHILD_SIZE, floor_per_kb))


def rate_of(fee: Amount, size: int) -> Amount:
    """FLOP per 1000 bytes, rounded down."""
    return Amount(fee.base_units * 1000 // size)


def next_rate(present: Amount, estimate: Amount, highest: Amount) -> Amount:
    """The rate to raise to: what the network asks for, and a step above what is paid; never above `highest`."""
    step = Amount(-(-present.base_units * STEP_PERCENT // 100))
    return min(max(step, estimate), highest)


class FeeBump:
    """Builds the child. Call it outside a unit of work."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon
        self._own = OwnTransactions(session, settings, daemon)

    def raise_fee(
        self,
        parent: ChainTransaction,
        rate_per_kb: Amount | None = None,
        also: Callable[[ChainTransaction], None] | None = None,
    ) -> ChainTransaction | None:
        """Have the parent and its child pay `rate_per_kb` together; without one a step more than now.

        Asked again for a rate that is paid already it does nothing: None. Raises PayoutStateError (in a block, not in
        the mempool, raised already), UpkeepRefusedError with the reason, or a WalletIntegrationError.
        """
        self._session.commit()
        self._daemon.require_network()
        found = self._look(parent)
        if found.is_raised and rate_per_kb is None:
            raise PayoutStateError(
                said(
                    "The fee was raised already: together they pay {rate_per_kb} FLOP per kB. Name a "
                    "rate above that to raise it again.",
                    rate_per_kb=found.rate_per_kb,
                )
            )
        if found.is_raised and rate_per_kb is not None and found.rate_per_kb >= rate_per_kb:
            return None
        rate = rate_per_kb or self._next_rate(found)
        self._require_sensible(found, rate)
        fee = found.fee_for(rate, self._settings.fee_rate_per_kb)
        try:
            return self._own.send("fee_bump", [found.coin], fee, parent=parent, also=also)
        except InputsTakenError as taken:
            raise PayoutStateError(
                said(
                    "Something else has just spent its change, a raise by somebody else perhaps: look again."
                )
            ) from taken

    def _next_rate(self, found: Bumpable) -> Amount:
        estimate = self._daemon.fee_rate_per_kb()
        return next_rate(found.rate_per_kb, estimate, self._settings.max_fee_rate_per_kb)

    def _require_sensible(self, found: Bumpable, rate: Amount) -> None:
        highest = self._settings.max_fee_rate_per_kb
        if rate > highest:
            raise UpkeepRefusedError(
                said(
                    "{rate} FLOP per kB is more than wallet.max_fee_rate_per_kb: {highest}.",
                    rate=rate,
                    highest=highest,
                )
            )
        if rate <= found.rate_per_kb:
            raise UpkeepRefusedError(
                said(
                    "It pays {rate_per_kb} FLOP per kB already; the settings allow at most {highest}.",
                    rate_per_kb=found.rate_per_kb,
                    highest=highest,
                )
            )

    def _look(self, parent: ChainTransaction) -> Bumpable:
        known = self._daemon.get_transaction(parent.txid)
        if known is not None and known["confirmations"] > 0:
            raise PayoutStateError(
                said("Its transaction is in a block already: only more blocks make it final.")
            )
        last, is_raised = self._follow_change(parent)
        ancestry = self._daemon.mempool_ancestry(last.txid)
        if ancestry is None:
            raise PayoutStateError(
                said(
                    "The network does not have its transaction now, and a child of it would not be taken "
                    "either. Send it again first."
                )
            )
        if ancestry.count > MOST_ANCESTORS:
            raise UpkeepRefusedError(
                said(
                    "It builds on {value} unconfirmed transactions; with another one on top the network "
                    "would not take it. Raise the fee of the first of them.",
                    value=ancestry.count - 1,
                )
            )
        return Bumpable(last, self._change_of(last), ancestry, is_raised)

    def _follow_change(self, parent: ChainTransaction) -> tuple[ChainTransaction, bool]:
        """The last transaction of those that spend each other's change, beginning with the parent."""
        last, is_raised = parent, False
        while last.change_index is not None:
            spender = self._session.scalars(
                select(ChainTransaction)
                .join(ChainTransactionInput, ChainTransactionInput.transaction_id == ChainTransaction.id)
                .where(
                    ChainTransactionInput.txid == last.txid,
                    ChainTransactionInput.vout == last.change_index,
                    ChainTransaction.status.in_(UNSETTLED),
                )
            ).first()
            if spender is None:
                break
            last, is_raised = spender, is_raised or spender.kind == "fee_bump"
        self._session.commit()
        return last, is_raised

    def _change_of(self, last: ChainTransaction) -> Coin:
        if last.change_index is None:
            raise UpkeepRefusedError(
                said("Transaction {txid} has no change that a child could spend.", txid=last.txid)
            )
        output = self._daemon.get_tx_out(last.txid, last.change_index)
        if output is None:
            raise UpkeepRefusedError(
                said(
                    "The change of transaction {txid} is spent by something unknown here.",
                    txid=last.txid,
                )
            )
        point = OutPoint(last.txid, last.change_index)
        return Coin(point, read_amount(output["value"]), output["confirmations"], None)
