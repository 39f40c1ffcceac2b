"""Settlement: queued payouts become transactions, exactly once (DESIGN, settlement).

1. Claim due payouts.                          commit
2. Build and sign one transaction for them.    (the daemon)
3. Store its bytes, inputs and shares.         commit
4. Broadcast what is stored.                   (the daemon)
5. Follow it until it is final.

A crash before 3 leaves nothing on the network. A crash after it leaves bytes that are broadcast again as they are.
No second transaction is built for a payout while the first one's inputs are unspent.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    RpcAuthenticationError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
    TransactionError,
    TransactionTooLargeError,
    WalletInsufficientFundsError,
    WalletIntegrationError,
    WalletLockedError,
)
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, ChainTransactionInput, Payout
from webapp.services import payout_claims, payout_halts
from webapp.services.daemon_answers import OutPoint
from webapp.services.daemon_wallet import DaemonWallet
from webapp.services.payout_builder import FeeTooHighError, SignedTransaction, build
from webapp.services.payout_queue import record, return_to_wallet
from webapp.services.transaction_follower import TransactionFollower
from webapp.services.unit_of_work import unit_of_work

MAX_BATCHES_PER_RUN = 20
LONGEST_DELAY_SECONDS = 30


class ClaimLostError(TransactionError):
    """Another worker took over what was being built; the transaction is thrown away unsent."""

    slug = "claim-lost"
    title = "Another worker has taken over"


class Settlement:
    """One worker's settlement. `run` is one pass; it may be killed anywhere and run again, here or elsewhere."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon
        self._follower = TransactionFollower(session, settings, daemon)
        self._has_cleaned_locks = False

    def run(self) -> None:
        """One pass. Raises WalletIntegrationError when the daemon is not usable; everything waits then."""
        payout_claims.release_abandoned(self._session)
        self._session.commit()
        self._daemon.require_network()
        self._follower.run()
        if payout_halts.standing(self._session):
            return
        self._lock_stored_inputs()
        for _ in range(MAX_BATCHES_PER_RUN):
            payouts = payout_claims.claim_due(self._session, self._settings)
            if not payouts or not self._pay(payouts):
                return

    def _pay(self, payouts: list[Payout]) -> bool:
        """Carry one batch as far as the network. False when there is no use in going on in this pass."""
        try:
            signed = build(self._daemon, self._settings, payouts)
        except (
            RpcUnavailableError,
            RpcAuthenticationError,
            WalletLockedError,
            RpcUnknownOutcomeError,
        ) as error:
            # Nothing was stored, so nothing can have been sent; the money waits for the daemon. Inputs may have
            # been locked by a call whose answer was lost.
            self._has_cleaned_locks = False
            payout_claims.put_back(self._session, payouts, error.detail)
            raise
        except (WalletInsufficientFundsError, TransactionTooLargeError, FeeTooHighError) as error:
            return self._retry_with_fewer(payouts, error.detail)
        except RpcRefusedError as error:
            return self._set_aside_refused(payouts, error.detail)
        except WalletIntegrationError as error:
            payout_claims.put_back(self._session, payouts, error.detail)
            raise
        try:
            transaction = self._store(signed)
        except (ClaimLostError, FeeTooHighError) as error:
            self._daemon.unlock_inputs(signed.inputs)
            payout_claims.put_back(self._session, payouts, error.detail, delay_seconds=LONGEST_DELAY_SECONDS)
            return False
        self._follower.broadcast(transaction)
        return True

    def _retry_with_fewer(self, payouts: list[Payout], reason: str) -> bool:
        """Too few coins, or too dear: half as many may do. A single one waits."""
        if len(payouts) == 1:
            delay = min(payouts[0].attempts, LONGEST_DELAY_SECONDS)
            payout_claims.put_back(self._session, payouts, reason, delay_seconds=delay)
            return True
        return self._split(payouts)

    def _set_aside_refused(self, payouts: list[Payout], reason: str) -> bool:
        """The daemon will not build this: find the payout it objects to, and give that one's money back."""
        if len(payouts) > 1:
            return self._split(payouts)
        with unit_of_work(self._session):
            payout = self._session.get_one(
                Payout, payouts[0].id, populate_existing=True, with_for_update=True
            )
            if payout.status == "claimed" and payout.claim_token == payouts[0].claim_token:
                return_to_wallet(self._session, payout, reason)
        return True

    def _split(self, payouts: list[Payout]) -> bool:
        half = len(payouts) // 2
        try:
            goes_on = self._pay(payouts[:half])
        except WalletIntegrationError as error:
            payout_claims.put_back(self._session, payouts[half:], error.detail)
            raise
        return self._pay(payouts[half:]) and goes_on

    def _store(self, signed: SignedTransaction) -> ChainTransaction:
        now = utcnow()
        with unit_of_work(self._session):
            transaction = ChainTransaction(
                id=uuid7(),
                status="signed",
                txid=signed.txid,
                signed_hex=signed.signed_hex,
                fee=signed.fee,
                built_on_block=signed.built_on_block,
                inputs=[ChainTransactionInput(txid=point.txid, vout=point.vout) for point in signed.inputs],
            )
            self._session.add(transaction)
            self._session.flush()
            for share in signed.shares:
                result = self._session.execute(
                    update(Payout)
                    .where(
                        Payout.id == share.payout.id,
                        Payout.status == "claimed",
                        Payout.claim_token == share.payout.claim_token,
                    )
                    .values(
                        status="signed",
                        status_since=now,
                        transaction_id=transaction.id,
                        output_index=share.output_index,
                        fee=share.fee,
                        net=share.net,
                        claim_token=None,
                        claimed_until=None,
                        reason="signed; about to be sent",
                    )
                    .execution_options(synchronize_session=False)
                )
                if result.rowcount != 1:  # type: ignore[attr-defined]
                    raise ClaimLostError(f"payout {share.payout.id} is no longer claimed by this worker")
                self._session.refresh(share.payout)
            self._reserve_fees(transaction, signed)
            for share in signed.shares:
                detail = {"txid": signed.txid, "fee": str(share.fee), "net": str(share.net)}
                record(self._session, share.payout, "payout_signed", detail)
        return transaction

    def _reserve_fees(self, transaction: ChainTransaction, signed: SignedTransaction) -> None:
        """Fees that the fund bears leave it now, so that they are there when the network takes them."""
        if signed.shares[0].payout.fee_paid_by != "fund":
            return
        if pooled.balance(self._session, accounts.FUND) < signed.fee.base_units:
            raise FeeTooHighError("the community fund cannot bear the network fee")
        move = Move(accounts.FUND, accounts.PAYOUTS_IN_FLIGHT, signed.fee)
        post(self._session, f"transaction:{transaction.id}:fee", "fee_reserve", [move])

    def _lock_stored_inputs(self) -> None:
        """A daemon that restarted has forgotten its locks: a new transaction must not take a stored one's inputs."""
        stored = {
            OutPoint(row.txid, row.vout)
            for row in self._session.execute(
                select(ChainTransactionInput.txid, ChainTransactionInput.vout)
                .join(ChainTransaction, ChainTransaction.id == ChainTransactionInput.transaction_id)
                .where(ChainTransaction.status.in_(("signed", "unknown")))
            )
        }
        self._session.commit()
        if not self._has_cleaned_locks:
            # Locks without a stored transaction are what a crash between building and storing left behind.
            self._daemon.unlock_inputs([point for point in self._daemon.list_locked() if point not in stored])
            self._has_cleaned_locks = True
        if stored:
            self._daemon.lock_inputs(stored)
