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
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import (
    RpcAuthenticationError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
    TransactionTooLargeError,
    WalletInsufficientFundsError,
    WalletIntegrationError,
    WalletLockedError,
)
from webapp.domain.failpoints import Step, step
from webapp.domain.said import said
from webapp.models import ChainTransaction, Payout
from webapp.services.daemon import rpc_errors
from webapp.services.daemon.answers import Coin
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import claims as payout_claims
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.builder import Batch, FeeTooHighError, build
from webapp.services.payouts.claims import Claim
from webapp.services.payouts.coin_choice import Prices, plan_payment
from webapp.services.payouts.follower import TransactionFollower
from webapp.services.payouts.input_locks import InputLocks
from webapp.services.payouts.queue import WAITING, return_to_wallet
from webapp.services.payouts.storing import ClaimLostError, FundTooPoorError, store_batch
from webapp.services.payouts.transactions import InputsTakenError
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

MAX_BATCHES_PER_RUN = 20
LONGEST_DELAY_SECONDS = 30
MAX_DEAR_ATTEMPTS = 10
REFUSED = said("the coin daemon refuses to pay this amount to this address")
_METHODS_ABOUT_PAYOUTS = ("createrawtransaction", "fundrawtransaction")


class Settlement:
    """One worker's settlement. `run` is one pass; it may be killed anywhere and run again, here or elsewhere."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._daemon = daemon
        self._follower = TransactionFollower(session, settings, daemon)
        self._locks = InputLocks(session, daemon)

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
        with step(Step.PAYOUTS_LOCK):
            self._locks.restore()
        for _ in range(MAX_BATCHES_PER_RUN):
            if payout_halts.is_halted(self._session):
                return
            with step(Step.PAYOUTS_CLAIM):
                claim = payout_claims.claim_due(self._session, self._settings)
            if not claim.payouts or not self._pay(claim):
                return

    def _pay(self, claim: Claim, coins: tuple[Coin, ...] = ()) -> bool:
        """Carry one batch as far as the network, with these coins or those that the daemon chooses. False when there
        is no use in going on in this pass.
        """
        if payout_halts.is_halted(self._session):
            payout_claims.put_back(self._session, claim, "payouts are halted", is_attempt=False)
            return False
        try:
            batch = build(self._daemon, self._settings, claim.payouts, coins)
        except (
            RpcUnavailableError,
            RpcAuthenticationError,
            WalletLockedError,
            RpcUnknownOutcomeError,
        ) as error:
            # Nothing was stored, so nothing can have been sent; the money waits for the daemon. Inputs that were
            # locked by a call whose answer was lost are let go in the next pass.
            payout_claims.put_back(self._session, claim, error.detail, is_attempt=False)
            raise
        except WalletInsufficientFundsError as error:
            return self._retry_with_fewer(claim, error.detail)
        except FeeTooHighError as error:
            return self._retry_or_wait(claim, coins, error.detail)
        except TransactionTooLargeError as error:
            return self._retry_or_wait(claim, coins, error.title.lower())
        except InputsTakenError as error:
            payout_claims.put_back(self._session, claim, error.detail, delay_seconds=LONGEST_DELAY_SECONDS)
            return False
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
                transaction = store_batch(self._session, batch, claim.token)
        except FundTooPoorError as error:
            self._daemon.unlock_inputs(batch.signed.inputs)
            return self._pay_some(claim, error.affordable, error.detail)
        except (ClaimLostError, InputsTakenError) as error:
            self._daemon.unlock_inputs(batch.signed.inputs)
            payout_claims.put_back(self._session, claim, error.detail, delay_seconds=LONGEST_DELAY_SECONDS)
            return False
        self._follower.broadcast(transaction)
        return True

    def _pay_some(self, claim: Claim, count: int, reason: str) -> bool:
        """The first ones only: the fund can bear no more, and the others wait until it can."""
        first, rest = claim.split(claim.payouts[:count])
        payout_claims.put_back(self._session, rest, reason, delay_seconds=LONGEST_DELAY_SECONDS)
        if first.payouts:
            self._pay(first)
        return False

    def _retry_with_fewer(self, claim: Claim, reason: str) -> bool:
        """Too few coins, or too dear: half as many may do. A single one waits."""
        if len(claim.payouts) > 1:
            return self._pay_halves(claim)
        payout_claims.put_back(self._session, claim, reason, delay_seconds=_delay(claim.payouts[0]))
        return True

    def _retry_or_wait(self, claim: Claim, tried: tuple[Coin, ...], reason: str) -> bool:
        """Too dear or too large. With its largest coins the daemon pays as many as one transaction can; the others
        have their turn in the next round. Those that cannot be paid at all wait, or go back to their wallet.
        """
        if tried and len(claim.payouts) > 1:
            return self._pay_halves(claim)
        try:
            prices = Prices(self._daemon.fee_rate_per_kb(), self._settings)
            plan = None if tried else plan_payment(claim.payouts, self._spendable_coins(), prices)
        except WalletIntegrationError as error:
            payout_claims.put_back(self._session, claim, error.detail)
            raise
        if plan is not None:
            chosen, rest = claim.split(plan.payouts)
            payout_claims.put_back(self._session, rest, WAITING)
            return self._pay(chosen, plan.coins)
        for single in claim.singles():
            self._wait_or_give_up(single, prices, tried, reason)
        return True

    def _spendable_coins(self) -> list[Coin]:
        """What is confirmed, and what comes back to us from transactions of our own."""
        statement = select(ChainTransaction.txid).where(ChainTransaction.status == "broadcast")
        own = set(self._session.scalars(statement))
        self._session.commit()
        coins = self._daemon.list_coins(min_confirmations=0)
        return [coin for coin in coins if coin.confirmations > 0 or coin.point.txid in own]

    def _wait_or_give_up(self, claim: Claim, prices: Prices, tried: tuple[Coin, ...], reason: str) -> None:
        """When small coins are what makes it dear, it waits until they are merged. When it is dear even from one coin,
        it is tried again for a while, and then its money goes back to its wallet.
        """
        (payout,) = claim.payouts
        delay = _delay(payout)
        if not tried and prices.may_pay_alone(payout):
            reason, delay = payout_claims.WAITS_FOR_MERGES, LONGEST_DELAY_SECONDS
        elif len(tried) <= 1 and payout.attempts >= MAX_DEAR_ATTEMPTS:
            self._give_back(claim, reason)
            return
        payout_claims.put_back(self._session, claim, reason, delay_seconds=delay)

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
        log.error("payout_refused_by_daemon", payout=str(claim.payouts[0].id), reason=error.detail)
        self._give_back(claim, REFUSED)
        return True

    def _give_back(self, claim: Claim, reason: str) -> None:
        """Fail the claim's only payout and return its money, unless another worker has it by now.

        Its payee reads the reason: the daemon's own words are not for them.
        """
        with step(Step.PAYOUTS_GIVE_BACK), unit_of_work(self._session):
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


def _delay(payout: Payout) -> int:
    return min(payout.attempts, LONGEST_DELAY_SECONDS)


def _is_payouts_fault(error: RpcRefusedError) -> bool:
    """Whether a single payout was refused for its address or its amount, which no waiting would change."""
    if error.code == rpc_errors.WALLET_ERROR:
        return "too small" in error.detail.lower()
    return error.code in (
        rpc_errors.TYPE_ERROR,
        rpc_errors.INVALID_ADDRESS_OR_KEY,
        rpc_errors.INVALID_PARAMETER,
    )
