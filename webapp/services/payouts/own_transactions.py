"""Transactions of the service's own: merging coins, sweeping to cold storage, paying for a parent, cancelling.

They follow the rules of payouts: built, stored, and only then sent; the stored bytes are all that is ever sent. The
community fund bears their fees, which leave it when the transaction is stored and come back if it can never confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.exceptions import TransactionError
from webapp.domain.failpoints import Step, step
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction
from webapp.services.daemon.answers import Coin
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.follower import TransactionFollower
from webapp.services.payouts.halts import is_halted
from webapp.services.payouts.transactions import SignedTransaction, store
from webapp.services.unit_of_work import unit_of_work

# Bytes of a P2PKH input with a compressed key, of an output, and of everything else.
INPUT_SIZE = 148
OUTPUT_SIZE = 34
FRAME_SIZE = 10


class UpkeepRefusedError(TransactionError):
    """A transaction of the service's own that would cost too much, or move too little."""

    slug = "upkeep-refused"
    title = said("This transaction is not worth its fee")


def estimate_size(inputs: int, outputs: int) -> int:
    """Bytes of a signed transaction of ordinary inputs and outputs."""
    return FRAME_SIZE + inputs * INPUT_SIZE + outputs * OUTPUT_SIZE


def fee_of(size: int, rate_per_kb: Amount) -> Amount:
    """The fee of `size` bytes at `rate_per_kb` FLOP per 1000 bytes, rounded up."""
    return Amount(-(-size * rate_per_kb.base_units // 1000))


class OwnTransactions:
    """Builds, stores and sends them. Call it outside a unit of work."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon
        self._follower = TransactionFollower(session, settings, daemon)

    def send(
        self,
        kind: str,
        coins: Sequence[Coin],
        fee: Amount,
        payments: Mapping[str, Amount] | None = None,
        parent: ChainTransaction | None = None,
        also: Callable[[ChainTransaction], None] | None = None,
    ) -> ChainTransaction:
        """Spend `coins` for `payments` (address to amount); what is left after the fee comes back to the wallet.

        `also` is called in the unit of work that stores it: what it does, and raises, belongs to the storing. Raises
        UpkeepRefusedError (nothing was sent), InputsTakenError, or a WalletIntegrationError.
        """
        if kind != "cancel" and is_halted(self._session):
            raise UpkeepRefusedError(said("payouts are halted, and the service's own transactions with them"))
        payments = dict(payments or {})
        paid = sum(payments.values(), start=ZERO)
        self._require_affordable(coins, paid + fee, fee)
        points = [coin.point for coin in coins]
        self._daemon.lock_inputs(points)
        try:
            with step(Step.OWN_BUILD):
                signed = self._build(coins, payments, paid + fee, fee)
            with step(Step.OWN_STORE):
                transaction = self._store(kind, signed, paid, parent, also)
        except BaseException:
            self._daemon.unlock_inputs(points)
            raise
        self._follower.broadcast(transaction)
        return transaction

    def _require_affordable(self, coins: Sequence[Coin], spent: Amount, fee: Amount) -> None:
        if fee > self._settings.max_fee_per_transaction:
            raise UpkeepRefusedError(
                said(
                    "it would cost {fee} FLOP; wallet.max_fee_per_transaction is {max_fee_per_transaction}",
                    fee=fee,
                    max_fee_per_transaction=self._settings.max_fee_per_transaction,
                )
            )
        total = sum((coin.amount for coin in coins), start=ZERO)
        if total < spent + self._settings.dust_limit:
            raise UpkeepRefusedError(
                said(
                    "{total} FLOP of coins cannot bear {spent} FLOP and leave more than dust",
                    total=total,
                    spent=spent,
                )
            )

    def _build(
        self, coins: Sequence[Coin], payments: dict[str, Amount], spent: Amount, fee: Amount
    ) -> SignedTransaction:
        self._daemon.require_openable()
        tip = self._daemon.tip()
        change_address = self._daemon.new_change_address()
        total = sum((coin.amount for coin in coins), start=ZERO)
        raw = self._daemon.spend([coin.point for coin in coins], {**payments, change_address: total - spent})
        with self._daemon.unlocked():
            signed_hex = self._daemon.sign(raw)
        decoded = self._daemon.decode(signed_hex)
        change = next(output.vout for output in decoded.outputs if output.address == change_address)
        return SignedTransaction(
            decoded.txid, signed_hex, fee, decoded.size, change, decoded.inputs, tip.hash
        )

    def _store(
        self,
        kind: str,
        signed: SignedTransaction,
        amount: Amount,
        parent: ChainTransaction | None,
        also: Callable[[ChainTransaction], None] | None,
    ) -> ChainTransaction:
        with unit_of_work(self._session):
            pooled.lock(self._session, accounts.FUND)
            if pooled.balance(self._session, accounts.FUND) < signed.fee.base_units:
                raise UpkeepRefusedError(
                    said("the community fund cannot bear its fee of {fee} FLOP", fee=signed.fee)
                )
            transaction = store(
                self._session, signed, kind, parent_id=parent.id if parent else None, amount=amount
            )
            move = Move(accounts.FUND, accounts.NETWORK_FEES, signed.fee)
            post(self._session, f"transaction:{transaction.id}:upkeep", "upkeep_fee", [move])
            if also is not None:
                also(transaction)
        return transaction
