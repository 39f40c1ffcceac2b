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

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

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
from webapp.domain.failpoints import Step, step
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction, ChainTransactionInput, Payout
from webapp.models.compare_and_set import changes_one_row
from webapp.services.daemon import rpc_errors
from webapp.services.daemon.answers import OutPoint
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import claims as payout_claims
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.builder import Batch, FeeTooHighError, build
from webapp.services.payouts.claims import Claim
from webapp.services.payouts.follower import TransactionFollower
from webapp.services.payouts.queue import record, return_to_wallet
from webapp.services.payouts.transactions import InputsTakenError, store
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

MAX_BATCHES_PER_RUN = 20
LONGEST_DELAY_SECONDS = 30
MAX_DEAR_ATTEMPTS = 10
_METHODS_ABOUT_PAYOUTS = ("createrawtransaction", "fundrawtransaction")


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
        """One pass: what is on its way, then what is queued."""
        self.follow()
        self.pay()

    def follow(self) -> None:
        """See how far the stored transactions are. Raises WalletIntegrationError when the daemon is not usable."""
        self._daemon.require_network()
        self._follower.run()

    def pay(self) -> None:
        """Pay what is queued. Raises WalletIntegrationError when the daemon is not usable; everything waits then."""
        payout_claims.release_abandoned(self._session)
        self._session.commit()
        self._daemon.require_network()
        if payout_halts.standing(self._session):
            return
        self._lock_stored_inputs()
        for _ in range(MAX_BATCHES_PER_RUN):
            with step(Step.PAYOUTS_CLAIM):
                claim = payout_claims.claim_due(self._session, self._settings)
            if not claim.payouts or not self._pay(claim):
                return

    def _pay(self, claim: Claim) -> bool:
        """Carry one batch as far as the network. False when there is no use in going on in this pass."""
        try:
            batch = build(self._daemon, self._settings, claim.payouts)
        except (
            RpcUnavailableError,
            RpcAuthenticationError,
            WalletLockedError,
            RpcUnknownOutcomeError,
        ) as error:
            # Nothing was stored, so nothing can have been sent; the money waits for the daemon. Inputs may have
            # been locked by a call whose answer was lost.
            self._has_cleaned_locks = False
            payout_claims.put_back(self._session, claim, error.detail)
            raise
        except WalletInsufficientFundsError as error:
            return self._retry_with_fewer(claim, error.detail)
        except (TransactionTooLargeError, FeeTooHighError) as error:
            return self._retry_or_give_up(claim, error.detail)
        except RpcRefusedError as error:
            return self._set_aside_refused(claim, error)
        except WalletIntegrationError as error:
            payout_claims.put_back(self._session, claim, error.detail)
            raise
        except Exception as error:
            # A defect that one payout brings out must not hold up the others: it is found by halves and waits alone.
            log.exception("payouts_could_not_be_built", payouts=len(claim.payouts))
            return self._retry_with_fewer(claim, f"an unexpected error: {type(error).__name__}")
        return self._send(claim, batch)

    def _send(self, claim: Claim, batch: Batch) -> bool:
        try:
            with step(Step.PAYOUTS_STORE):
                transaction = self._store(batch, claim.token)
        except (ClaimLostError, FeeTooHighError, InputsTakenError) as error:
            self._daemon.unlock_inputs(batch.signed.inputs)
            payout_claims.put_back(self._session, claim, error.detail, delay_seconds=LONGEST_DELAY_SECONDS)
            return False
        except BaseException:
            self._has_cleaned_locks = False
            raise
        self._follower.broadcast(transaction)
        return True

    def _retry_with_fewer(self, claim: Claim, reason: str) -> bool:
        """Too few coins, or too dear: half as many may do. A single one waits."""
        if len(claim.payouts) > 1:
            return self._pay_halves(claim)
        delay = min(claim.payouts[0].attempts, LONGEST_DELAY_SECONDS)
        payout_claims.put_back(self._session, claim, reason, delay_seconds=delay)
        return True

    def _retry_or_give_up(self, claim: Claim, reason: str) -> bool:
        """Too dear or too large: half as many may do. A single one that stays so goes back to its wallet."""
        if len(claim.payouts) > 1 or claim.payouts[0].attempts < MAX_DEAR_ATTEMPTS:
            return self._retry_with_fewer(claim, reason)
        self._give_back(claim, reason)
        return True

    def _set_aside_refused(self, claim: Claim, error: RpcRefusedError) -> bool:
        """The daemon will not build this: find the payout it objects to, and give that one's money back.

        What is wrong with the daemon itself (no wallet loaded, a wrong passphrase) is no payout's fault.
        """
        if error.method not in _METHODS_ABOUT_PAYOUTS:
            payout_claims.put_back(self._session, claim, error.detail)
            raise error
        if len(claim.payouts) > 1:
            return self._pay_halves(claim)
        if not _is_payouts_fault(error):
            return self._retry_with_fewer(claim, error.detail)
        self._give_back(claim, error.detail)
        return True

    def _give_back(self, claim: Claim, reason: str) -> None:
        """Fail the claim's only payout and return its money, unless another worker has it by now."""
        with unit_of_work(self._session):
            payout = self._session.get_one(
                Payout, claim.payouts[0].id, populate_existing=True, with_for_update={"of": Payout}
            )
            if payout.status == "claimed" and payout.claim_token == claim.token:
                return_to_wallet(self._session, payout, reason)

    def _pay_halves(self, claim: Claim) -> bool:
        first, second = claim.halves()
        try:
            goes_on = self._pay(first)
        except WalletIntegrationError as error:
            payout_claims.put_back(self._session, second, error.detail)
            raise
        return self._pay(second) and goes_on

    def _store(self, batch: Batch, claim_token: str) -> ChainTransaction:
        now, signed = utcnow(), batch.signed
        with unit_of_work(self._session):
            transaction = store(self._session, signed, "payouts")
            for share in batch.shares:
                is_changed = changes_one_row(
                    self._session,
                    update(Payout)
                    .where(
                        Payout.id == share.payout.id,
                        Payout.status == "claimed",
                        Payout.claim_token == claim_token,
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
                    ),
                )
                if not is_changed:
                    raise ClaimLostError(f"payout {share.payout.id} is no longer claimed by this worker")
                self._session.refresh(share.payout)
            self._reserve_fees(transaction, batch)
            for share in batch.shares:
                detail = {"txid": signed.txid, "fee": str(share.fee), "net": str(share.net)}
                record(self._session, share.payout, "payout_signed", detail)
        return transaction

    def _reserve_fees(self, transaction: ChainTransaction, batch: Batch) -> None:
        """Fees that the fund bears leave it now, so that they are there when the network takes them."""
        if batch.shares[0].payout.fee_paid_by != "fund":
            return
        pooled.lock(self._session, accounts.FUND)
        if pooled.balance(self._session, accounts.FUND) < transaction.fee.base_units:
            raise FeeTooHighError("the community fund cannot bear the network fee")
        move = Move(accounts.FUND, accounts.PAYOUTS_IN_FLIGHT, transaction.fee)
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


def _is_payouts_fault(error: RpcRefusedError) -> bool:
    """Whether a single payout was refused for its address or its amount, which no waiting would change."""
    if error.code == rpc_errors.WALLET_ERROR:
        return "too small" in error.detail.lower()
    return error.code in (
        rpc_errors.TYPE_ERROR,
        rpc_errors.INVALID_ADDRESS_OR_KEY,
        rpc_errors.INVALID_PARAMETER,
    )
